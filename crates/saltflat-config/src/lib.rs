#![doc = include_str!("../README.md")]

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
