//! Configurations: read with all problems at once, resolved, written back.

mod check;
mod data;
mod metrics;
mod model;
mod noise;
mod noise_list;
mod optimizer;
mod reader;
mod run;
mod schedule;
mod selection;

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    rc::Rc,
};

use saltflat_data::DataConfig;
use saltflat_models::ModelConfig;
use serde::Serialize;
use toml::{Table, Value};

pub use metrics::{
    AlignmentConfig, EigenvaluesConfig, MetricsConfig, NoiseStrengthConfig, SharpnessConfig, SpectrumConfig,
    StabilityConfig, TraceConfig,
};
pub use noise::EqualStrength;
pub use noise_list::{ConfiguredNoise, NoiseList};
pub use optimizer::{BatchSize, LossConfig, MeasuredLossConfig, OptimizerConfig};
use reader::Section;
pub use reader::nearest;
pub use run::{BestBy, CheckpointConfig, Every, Precision, RunConfig, TrainConfig};
pub use schedule::{Schedule, Span};
pub(crate) use selection::STABILITY;
pub use selection::{LISTS, METRICS, OF_STEPS};

/// What a run is, with every default filled in. The keys of its TOML form are the fields.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    /// Name and seed.
    pub run: RunConfig,
    /// `[data]`.
    pub data: DataConfig,
    /// `[model]`.
    pub model: ModelConfig,
    /// `[loss]`.
    pub loss: LossConfig,
    /// `[noise]`, or a list of noises.
    pub noise: NoiseList,
    /// `[optimizer]`.
    pub optimizer: OptimizerConfig,
    /// `[schedule]`: a factor on the learning rate.
    pub schedule: Schedule,
    /// `[train]`.
    pub train: TrainConfig,
    /// `[metrics]`.
    pub metrics: MetricsConfig,
}

/// What a configuration is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To train: everything must be there.
    Train,
    /// To measure at given weights: `[train]` may be absent, and the run has no steps then.
    Measure,
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", file.as_ref().map_or(String::new(), |file| format!("{}: ", file.display())), lines(problems))]
pub struct ConfigError {
    file: Option<PathBuf>,
    problems: Vec<String>,
}

fn lines(problems: &[String]) -> String {
    match problems {
        [one] => one.clone(),
        many => format!("{} problems\n  {}", many.len(), many.join("\n  ")),
    }
}

impl ConfigError {
    /// These problems, each a line that starts with its key.
    pub fn problems(problems: Vec<String>) -> Self {
        Self { file: None, problems }
    }
}

impl Config {
    /// Reads a configuration. `overrides` are pairs of `section.key` and a TOML value (or a plain text) that replace what
    /// the file says. Relative paths in it are relative to the file's folder.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong: keys that are not known, with the nearest that is; wrong types; values
    /// out of range; choices that contradict each other.
    pub fn read(text: &str, file: &Path, overrides: &[(String, String)]) -> Result<Self, ConfigError> {
        Self::read_as(text, file, overrides, Purpose::Train)
    }

    /// Reads a configuration for one purpose; see [`read`](Self::read).
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_as(
        text: &str,
        file: &Path,
        overrides: &[(String, String)],
        purpose: Purpose,
    ) -> Result<Self, ConfigError> {
        let failed = |problems| ConfigError { file: Some(file.into()), problems };
        let mut table: Table = text.parse().map_err(|e| failed(vec![syntax_problem(text, &e)]))?;
        if let Some(problem) = not_a_run(&table, file) {
            return Err(failed(vec![problem]));
        }
        let problems = Rc::new(RefCell::new(Vec::new()));
        for (key, value) in overrides {
            if let Err(problem) = replace(&mut table, key, value) {
                problems.borrow_mut().push(problem);
            }
        }
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let base = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
        let name = file.file_stem().map_or("run".into(), |stem| stem.to_string_lossy().into_owned());
        let config = Self::from_section(Section::root(table, &problems), &base, name, purpose);
        let problems = problems.take();
        if problems.is_empty() { Ok(config) } else { Err(failed(problems)) }
    }

    fn from_section(mut root: Section, base: &Path, name: String, purpose: Purpose) -> Self {
        let run = run::read_run(root.section("run"), name);
        let data = data::read(root.section("data"), base, run.seed);
        let model = model::read(root.section("model"));
        let noise = NoiseList::read(&mut root);
        let loss = optimizer::read_loss(root.section("loss"));
        let optimizer = optimizer::read(root.section("optimizer"));
        let schedule = schedule::read(root.section("schedule"));
        let train = run::read_train(root.section("train"), base, purpose);
        let metrics = metrics::read(root.section("metrics"));
        let mut config = Self { run, data, model, loss, noise, optimizer, schedule, train, metrics };
        config.check(&root);
        config.noise.sort();
        root.finish("a configuration");
        config
    }

    /// The TOML form, from which [`read`](Self::read) makes an equal configuration.
    ///
    /// # Errors
    /// Where a number does not fit TOML's integers.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        let mut table = Table::try_from(self)?;
        if let Some(Value::Table(data)) = table.get_mut("data") {
            // The folder comes from the command line; the seed is the run's where nothing else is said.
            data.remove("data_dir");
            if self.data.seed == self.run.seed {
                data.remove("seed");
            }
        }
        toml::to_string(&table)
    }
}

/// What is wrong with a text that is no TOML. Of a whole number that is too large, which the parser calls by its Rust type, the largest is named.
pub fn syntax_problem(text: &str, error: &toml::de::Error) -> String {
    let said = error.to_string();
    let word = error.span().and_then(|span| text.get(span)).map(str::trim);
    match word.filter(|word| is_whole_number(word) && word.replace('_', "").parse::<i64>().is_err()) {
        Some(word) => format!("{}\n{}", said.trim_end(), largest(word)),
        None => said,
    }
}

fn largest(word: &str) -> String {
    format!("expected a whole number of at most {} (2^63 - 1, the largest of TOML), got {word}", i64::MAX)
}

/// True for what TOML writes as a whole number, however large.
fn is_whole_number(word: &str) -> bool {
    let digits = |text: &str, radix| text.chars().all(|c| c.is_digit(radix) || c == '_') && text.contains(|c| c != '_');
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let radixes = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter();
    digits(unsigned, 10)
        || radixes.into_iter().any(|(prefix, radix)| word.strip_prefix(prefix).is_some_and(|rest| digits(rest, radix)))
}

/// What a file is that holds a study instead of the configuration of a run.
fn not_a_run(table: &Table, file: &Path) -> Option<String> {
    let sections: Vec<&str> = [("study", "[study]"), ("stage", "[[stage]]")]
        .iter()
        .filter(|(key, _)| table.contains_key(*key))
        .map(|(_, name)| *name)
        .collect();
    (!sections.is_empty()).then(|| {
        format!(
            "is a study, since it has {}, and expected is the configuration of one run; its runs are started by\n  saltflat study {}\nand the \
             configuration of each is config.toml in the run's folder",
            sections.join(" and "),
            file.display()
        )
    })
}

/// Parts that a key with dots may have: more than any key has, and so few that no walk through the tables runs out of stack.
const MOST_PARTS: usize = 16;

/// Sets `section.key` in a table; where the value is no TOML it is taken as text.
fn replace(table: &mut Table, key: &str, value: &str) -> Result<(), String> {
    let parsed = format!("value = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    if parsed.is_none() && is_whole_number(value) {
        return Err(format!("{key}: {}", largest(value)));
    }
    let value = parsed.unwrap_or_else(|| Value::String(value.into()));
    let mut parts: Vec<&str> = key.split('.').collect();
    if parts.len() > MOST_PARTS {
        return Err(format!("--set {}…: expected a key of at most {MOST_PARTS} parts", parts[..3].join(".")));
    }
    let last = parts.pop().unwrap_or_default();
    if last.is_empty() || parts.iter().any(|part| part.is_empty()) {
        return Err(format!("--set {key}={value}: expected section.key=value"));
    }
    let mut place = table;
    for part in parts {
        let entry = place.entry(part).or_insert_with(|| Value::Table(Table::new()));
        if entry.is_bool() {
            *entry = Value::Table(Table::new());
        }
        place = match entry {
            Value::Table(inner) => inner,
            Value::Array(_) => {
                return Err(format!("--set {key}: {part} is a list; give the whole of it, --set '{part}=[…]'"));
            }
            _ => return Err(format!("--set {key}: {part} is not a table")),
        };
    }
    place.insert(last.into(), value);
    Ok(())
}

/// A path as the file means it.
fn resolved(path: String, base: &Path) -> PathBuf {
    base.join(path)
}

/// Always true, for keys that any value of their type suits.
fn any<T>(_: &T) -> bool {
    true
}
