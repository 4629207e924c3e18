//! A stage of a study, and what a scale changes in it.

use std::{collections::BTreeMap, path::Path};

use saltflat_config::{FromToml, Section};
use toml::{Table, Value};

/// Runs that a study may have. A file of a few lines can ask for any number of them.
pub(crate) const MOST_RUNS: usize = 10_000;

/// Seeds that a stage may have at most: a run each.
const MOST_SEEDS: i64 = MOST_RUNS as i64;

/// `[[stage]]`: runs of one kind.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Its name: one word, without slashes and dots.
    pub name: String,
    /// Where its runs start: at the final weights of an earlier stage, or at weights in a file; several make an axis `start`;
    /// none is a random start.
    pub from: Vec<Start>,
    /// What the last measurement of the run that one starts from must have reached: `accuracy` and `test_accuracy` at least,
    /// `loss` and `test_loss` at most. A run whose start did not reach it is not started.
    pub require: BTreeMap<String, f64>,
    /// One run a seed: a list of them, or a number n for 0 to n − 1; default: 0 alone.
    pub seeds: Vec<u64>,
    /// What differs from the base.
    pub set: Table,
    /// How the values of several axes are combined.
    pub combine: Combine,
    /// `[[stage.axis]]`.
    pub axes: Vec<Axis>,
    /// False if a value was refused, so that the runs are not those that were meant.
    pub(crate) is_valid: bool,
}

impl Stage {
    pub(crate) fn read(mut section: Section) -> Self {
        let mut stage = Self {
            name: section.required("name", "a text, not empty", |name: &String| !name.is_empty()),
            from: Start::read_all(&mut section),
            require: section.map("require"),
            seeds: read_seeds(&mut section).unwrap_or_else(|| vec![0]),
            set: section.get("set").unwrap_or_default(),
            combine: section.choice("combine", &Combine::ALL).unwrap_or_default(),
            axes: section.named_tables("axis").into_iter().map(Axis::read).collect(),
            is_valid: true,
        };
        stage.is_valid = !section.has_problems();
        section.finish("[[stage]]");
        stage
    }
}

/// `seeds`: a list of seeds, or their number.
fn read_seeds(section: &mut Section) -> Option<Vec<u64>> {
    let value = section.value("seeds")?;
    let found = match &value {
        Value::Integer(n) if (0..=MOST_SEEDS).contains(n) => Some((0..n.unsigned_abs()).collect()),
        Value::Array(_) => FromToml::from_toml(&value),
        _ => None,
    };
    if found.is_none() {
        let expected = format!("a list of whole numbers, or how many seeds (0 to n - 1, at most {MOST_SEEDS})");
        section.problem("seeds", format!("expected {expected}, got {value}"));
    }
    found
}

/// Where runs start: at the final weights of the runs of an earlier stage, or at weights that are not of this study.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// On the axis `start`; of a stage its name.
    pub label: String,
    /// A safetensors file, a checkpoint or the folder of a run, relative to the study's file; absent if it is a stage.
    pub weights: Option<String>,
}

impl Start {
    /// The stage, if it is one.
    pub fn stage(&self) -> Option<&str> {
        self.weights.is_none().then_some(&self.label)
    }

    /// `from`: one start, or a list of them.
    fn read_all(section: &mut Section) -> Vec<Self> {
        let is_there = section.has("from");
        let values = section.one_or_more("from");
        if is_there && values.is_empty() {
            section.problem("from", "expected at least one start; leave the key out for random weights");
        }
        values.into_iter().filter_map(|(key, value)| Self::read(section, &key, value)).collect()
    }

    /// A stage's name is a word: what has a slash or a dot in it is a path.
    fn read(section: &Section, key: &str, value: Value) -> Option<Self> {
        let (label, file): (Option<String>, String) = match value {
            Value::String(text) if text.contains(['/', '\\', '.']) => (None, text),
            Value::String(name) => return Some(Self { label: name, weights: None }),
            Value::Table(table) => {
                let mut table = section.child(key, table);
                let label = table.optional("label", "a text, not empty", |label: &String| !label.is_empty());
                let file = table.required("file", "the path of weights", |file: &String| !file.is_empty());
                table.finish("a start");
                (label, file)
            }
            other => {
                let expected = "an earlier stage, the path of weights, or a table { label = \"…\", file = \"…\" }";
                section.problem(key, format!("expected {expected}, or a list of these, got {other}"));
                return None;
            }
        };
        let stem = || Path::new(&file).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let label = label.or_else(stem);
        if label.is_none() && !file.is_empty() {
            section.problem(key, format!("expected the path of weights, got {file:?}"));
        }
        Some(Self { label: label?, weights: Some(file) })
    }
}

/// How the values of several axes are combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combine {
    /// Every value with every other.
    #[default]
    Grid,
    /// The first values together, the second ones, and so on.
    Zip,
}

impl Combine {
    const ALL: [(&'static str, Self); 2] = [("grid", Self::Grid), ("zip", Self::Zip)];
}

/// `[[stage.axis]]`: values of one key, or a list of labelled settings.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Its name on the page.
    pub name: String,
    /// The key that takes the values (`optimizer.lr`); absent: the values are tables `{ label = …, set = { … } }`.
    pub key: Option<String>,
    /// The values, at least one.
    pub values: Vec<Value>,
}

impl Axis {
    fn read(mut section: Section) -> Self {
        let axis = Self {
            name: section.required("name", "", |_| true),
            key: section.get("key"),
            values: section.required("values", "", |_| true),
        };
        section.finish("[[stage.axis]]");
        axis
    }
}

/// `[scale.NAME]`: overrides that make a study smaller.
#[derive(Clone, Debug, Default)]
pub struct ScaleOverrides {
    /// For every run; stronger than what a stage sets, weaker than its axes.
    pub base: Table,
    /// By the stages' names.
    pub stage: BTreeMap<String, StageOverrides>,
}

impl ScaleOverrides {
    pub(crate) fn read(mut section: Section) -> Self {
        let base = section.get("base").unwrap_or_default();
        let stage = section.map_of_sections("stage", StageOverrides::read);
        section.finish("a scale");
        Self { base, stage }
    }
}

/// What a scale changes in a stage.
#[derive(Clone, Debug, Default)]
pub struct StageOverrides {
    /// Instead of the stage's.
    pub seeds: Option<Vec<u64>>,
    /// Instead of the stage's; `{}` for none.
    pub require: Option<BTreeMap<String, f64>>,
    /// Stronger than the scale's base.
    pub set: Table,
    /// Values instead of those of the axis with this name; if its values are labelled settings, their labels, or others.
    pub axis: BTreeMap<String, Vec<Value>>,
}

impl StageOverrides {
    fn read(mut section: Section) -> Self {
        let has_require = section.has("require");
        let overrides = Self {
            seeds: read_seeds(&mut section),
            require: Some(section.map("require")).filter(|_| has_require),
            set: section.get("set").unwrap_or_default(),
            axis: section.map("axis"),
        };
        section.finish("a stage of a scale");
        overrides
    }
}
