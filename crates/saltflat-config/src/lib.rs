//! Reads TOML tables key by key and collects every problem on the way.
//!
//! A [`Section`] is one table. The code that owns a table asks it for each of its keys, with the type and the bounds, and then calls
//! [`Section::finish`], which refuses what nobody asked for and names the nearest key. Every problem goes into one list with the full
//! name of its key, and a default takes the place of what was wrong, so that the rest of the file is checked, too.
//!
//! ```
//! use std::path::Path;
//!
//! use saltflat_config::{Problems, Section, parse};
//!
//! #[derive(Debug)]
//! struct LabelFlip {
//!     probability: f64,
//! }
//!
//! fn read(mut section: Section) -> LabelFlip {
//!     let probability = section.required("probability", "a number in [0, 1]", |p| (0.0..=1.0).contains(p));
//!     section.finish("[noise] of kind label-flip");
//!     LabelFlip { probability }
//! }
//!
//! let table = parse("[noise]\nprobability = 2.0\nprobabilty = 0.5").unwrap();
//! let problems = Problems::default();
//! let mut root = Section::root(table, Path::new("."), &problems);
//! read(root.section("noise"));
//! let lines: Vec<String> = problems.take().iter().map(ToString::to_string).collect();
//! assert_eq!(lines[0], "noise.probability: expected a number in [0, 1], got 2.0");
//! assert_eq!(lines[1], "noise.probabilty: is not a key; did you mean probability?");
//! ```

mod family;
mod lists;
mod names;
mod problem;
mod section;
mod text;
mod value;

pub use family::{Kind, Listed};
pub use names::{did_you_mean, nearest};
pub use problem::{Problem, Problems, problem_lines};
pub use section::Section;
pub use text::{entry, parse, parse_value, set, syntax_problem};
pub use value::FromToml;
