//! What a study's file says.

use std::{collections::BTreeMap, path::Path};

use saltflat_config::syntax_problem;
use saltflat_record::read_text;
use serde::{Deserialize, Deserializer, de::Error};
use toml::{Table, Value};

use crate::{StudyError, expand::MOST_RUNS, keys::take_unknown, settings::apply};

/// A study as written: a configuration that all runs share, stages with axes and seeds, scales, figures.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyFile {
    /// `[study]`.
    pub study: Header,
    /// `[base]`: the configuration that every run starts from, or what differs from the file that `study.base` names.
    #[serde(default)]
    pub base: Table,
    /// `[[stage]]`, in their order.
    #[serde(rename = "stage")]
    pub stages: Vec<Stage>,
    /// `[measure]`.
    #[serde(default)]
    pub measure: Measure,
    /// `[scale.NAME]`: overrides under a name.
    #[serde(default)]
    pub scale: BTreeMap<String, Scale>,
    /// `[[figure]]`: what the page shows, as the report reads it.
    #[serde(default, rename = "figure")]
    pub figures: Vec<Table>,
}

/// `[study]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The folder is `results/NAME`.
    pub name: String,
    /// Path of a configuration that every run starts from, relative to the study's file.
    pub base: Option<String>,
    /// The page's title; default: the name.
    pub title: Option<String>,
    /// What is asked, and what the page shows: paragraphs, with an empty line between them.
    #[serde(default)]
    pub text: String,
    /// The group of runs that others are compared with: its labels, joined by ", ".
    pub baseline: Option<String>,
}

/// `[measure]`: how all runs are measured, whatever they train on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// The loss that is measured in every run, with its curvature: `{ kind = "cross_entropy", smoothing = 0.2 }`, the `metrics.loss`
    /// of each; or `"own"`, the loss of each run, so that groups are not compared in it. Absent: the loss of each run, and those
    /// of a stage must be equal.
    pub loss: Option<Value>,
}

impl Measure {
    /// True where each run is measured on a loss of its own, and that is meant.
    pub fn is_own(&self) -> bool {
        self.loss.as_ref().and_then(Value::as_str) == Some("own")
    }
}

/// `[[stage]]`: runs of one kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// A word.
    pub name: String,
    /// Where its runs start: at the final weights of an earlier stage, or at weights in a file; several make an axis `start`;
    /// none is a random start.
    #[serde(default, deserialize_with = "starts")]
    pub from: Vec<Start>,
    /// What the last measurement of the run that one starts from must have reached: `accuracy` and `test_accuracy` at least,
    /// `loss` and `test_loss` at most. A run whose start did not reach it is not started.
    #[serde(default)]
    pub require: BTreeMap<String, f64>,
    /// One run a seed: a list of them, or a number n for 0 to n − 1; default: 0 alone.
    #[serde(default = "seed_zero", deserialize_with = "seeds")]
    pub seeds: Vec<u64>,
    /// What differs from the base.
    #[serde(default)]
    pub set: Table,
    /// How axes go together.
    #[serde(default)]
    pub combine: Combine,
    /// `[[stage.axis]]`.
    #[serde(default, rename = "axis")]
    pub axes: Vec<Axis>,
}

fn seed_zero() -> Vec<u64> {
    vec![0]
}

/// Seeds that a stage may have at most: a run each.
const MOST_SEEDS: i64 = MOST_RUNS as i64;

/// A list of seeds, or their number.
fn seeds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let list = |all: &[Value]| all.iter().map(|seed| u64::try_from(seed.as_integer()?).ok()).collect();
    let found = match &value {
        Value::Integer(n) if (0..=MOST_SEEDS).contains(n) => Some((0..n.unsigned_abs()).collect()),
        Value::Array(all) => list(all),
        _ => None,
    };
    found.ok_or_else(|| {
        let expected = format!("a list of whole numbers, or how many seeds (0 to n - 1, at most {MOST_SEEDS})");
        D::Error::custom(format!("seeds: expected {expected}, got {value}"))
    })
}

fn some_seeds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u64>>, D::Error> {
    seeds(deserializer).map(Some)
}

/// Where runs start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the final weights of the runs of an earlier stage.
    Stage(String),
    /// At weights that are not of this study: a safetensors file, a checkpoint or the folder of a run.
    Weights {
        /// On the axis `start`.
        label: String,
        /// Relative to the study's file.
        file: String,
    },
}

impl Start {
    /// On the axis `start`.
    pub fn label(&self) -> &str {
        match self {
            Self::Stage(name) => name,
            Self::Weights { label, .. } => label,
        }
    }

    /// The stage, if it is one.
    pub fn stage(&self) -> Option<&str> {
        match self {
            Self::Stage(name) => Some(name),
            Self::Weights { .. } => None,
        }
    }

    /// The weights, if it is no stage.
    pub fn weights(&self) -> Option<&str> {
        match self {
            Self::Stage(_) => None,
            Self::Weights { file, .. } => Some(file),
        }
    }

    /// A stage's name is a word: what has a slash or a dot in it is a path.
    fn read(value: &Value) -> Result<Self, String> {
        let wrong = || {
            let expected = "an earlier stage, the path of weights, or a table { label = \"…\", file = \"…\" }";
            format!("from: expected {expected}, or a list of these, got {value}")
        };
        let weights = |file: &str, label: Option<&str>| {
            let stem = Path::new(file).file_stem().map(|stem| stem.to_string_lossy());
            let label = label.map(str::to_string).or(stem.map(Into::into)).filter(|label| !label.is_empty());
            label.map(|label| Self::Weights { label, file: file.into() }).ok_or_else(wrong)
        };
        match value {
            Value::String(text) if text.contains(['/', '\\', '.']) => weights(text, None),
            Value::String(name) => Ok(Self::Stage(name.clone())),
            Value::Table(table) => {
                let text = |key: &str| table.get(key).map(|value| value.as_str().ok_or_else(wrong)).transpose();
                match table.keys().find(|key| !["label", "file"].contains(&key.as_str())) {
                    Some(key) => Err(format!("from: expected label and file, got {key}")),
                    None => weights(text("file")?.ok_or_else(wrong)?, text("label")?),
                }
            }
            _ => Err(wrong()),
        }
    }
}

/// One start, or a list of them.
fn starts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Start>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let all = match &value {
        Value::Array(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    if all.is_empty() {
        return Err(D::Error::custom("from: expected at least one start; leave the key out for random weights"));
    }
    all.iter().map(Start::read).collect::<Result<_, _>>().map_err(D::Error::custom)
}

/// How axes go together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Combine {
    /// Every value with every other.
    #[default]
    Grid,
    /// The first values together, the second ones, and so on.
    Zip,
}

/// `[[stage.axis]]`: values of one key, or a list of labelled settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// Its name on the page.
    pub name: String,
    /// The key that takes the values (`optimizer.lr`); absent: the values are tables `{ label = …, set = { … } }`.
    pub key: Option<String>,
    /// At least one.
    pub values: Vec<Value>,
}

/// `[scale.NAME]`: overrides that make a study smaller.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// For every run; stronger than what a stage sets, weaker than its axes.
    #[serde(default)]
    pub base: Table,
    /// By the stages' names.
    #[serde(default)]
    pub stage: BTreeMap<String, StageScale>,
}

/// What a scale changes in a stage.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageScale {
    /// Instead of the stage's.
    #[serde(default, deserialize_with = "some_seeds")]
    pub seeds: Option<Vec<u64>>,
    /// Instead of the stage's; `{}` for none.
    pub require: Option<BTreeMap<String, f64>>,
    /// Stronger than the scale's base.
    #[serde(default)]
    pub set: Table,
    /// Values instead of those of the axis with this name; where its values are labelled settings, their labels, or others.
    #[serde(default)]
    pub axis: BTreeMap<String, Vec<Value>>,
}

impl StudyFile {
    /// Reads a study; the base that it names is read too.
    ///
    /// # Errors
    /// [`StudyError::NotFound`] where a file cannot be read, [`StudyError::Problems`] where it is no study.
    pub fn read(file: &Path) -> Result<Self, StudyError> {
        alone(Self::read_with_problems(file)?, file)
    }

    /// As [`read`](Self::read), where keys that are none are left out and come back as lines of their own, to be reported with what else
    /// is wrong.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_with_problems(file: &Path) -> Result<(Self, Vec<String>), StudyError> {
        Self::parse_with_problems(&text_of(file)?, file)
    }

    /// As [`read`](Self::read), from the text of `file`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(text: &str, file: &Path) -> Result<Self, StudyError> {
        alone(Self::parse_with_problems(text, file)?, file)
    }

    fn parse_with_problems(text: &str, file: &Path) -> Result<(Self, Vec<String>), StudyError> {
        let (mut study, mut problems) = Self::parse_alone_with_problems(text, file)?;
        if let Some(path) = &study.study.base {
            let path = file.parent().unwrap_or(Path::new("")).join(path);
            let text = text_of(&path)?;
            let mut base: Table = text.parse().map_err(|e| syntax(&path, &text, &e))?;
            problems.extend(apply(&mut base, &study.base).err().map(|problem| format!("base: {problem}")));
            study.base = base;
        }
        Ok((study, problems))
    }

    /// As [`parse`](Self::parse), without the base that the file names: enough for its text and figures.
    ///
    /// # Errors
    /// [`StudyError::Problems`].
    pub fn parse_alone(text: &str, file: &Path) -> Result<Self, StudyError> {
        alone(Self::parse_alone_with_problems(text, file)?, file)
    }

    fn parse_alone_with_problems(text: &str, file: &Path) -> Result<(Self, Vec<String>), StudyError> {
        // Of what is wrong this says the line, but no more than the first.
        let e = match toml::from_str(text) {
            Ok(study) => return Ok((study, Vec::new())),
            Err(e) => e,
        };
        let Ok(mut table) = text.parse::<Table>() else { return Err(syntax(file, text, &e)) };
        let refused = |problems| StudyError::Problems { file: file.into(), problems };
        if is_of_a_run(&table) {
            let problem = format!(
                "is the configuration of a run, and expected is a study, with [study] and [[stage]]; the run is started by\n  saltflat train {}",
                file.display()
            );
            return Err(refused(vec![problem]));
        }
        let mut problems = take_unknown(&mut table);
        if problems.is_empty() {
            return Err(syntax(file, text, &e));
        }
        match Self::deserialize(table) {
            Ok(study) => Ok((study, problems)),
            Err(e) => {
                problems.push(e.to_string().trim_end().into());
                Err(refused(problems))
            }
        }
    }
}

/// A study that has no problem.
fn alone((study, problems): (StudyFile, Vec<String>), file: &Path) -> Result<StudyFile, StudyError> {
    if problems.is_empty() { Ok(study) } else { Err(StudyError::Problems { file: file.into(), problems }) }
}

fn text_of(path: &Path) -> Result<String, StudyError> {
    read_text(path).map_err(|e| StudyError::NotFound { path: path.into(), reason: e.to_string() })
}

/// True for a configuration of a run: none of a study's sections, and one that every run has.
fn is_of_a_run(table: &Table) -> bool {
    let has = |key: &&str| table.contains_key(*key);
    !["study", "base", "stage", "scale", "figure"].iter().any(has) && ["data", "model", "optimizer"].iter().any(has)
}

fn syntax(file: &Path, text: &str, e: &toml::de::Error) -> StudyError {
    StudyError::Problems { file: file.into(), problems: vec![syntax_problem(text, e).trim_end().into()] }
}
