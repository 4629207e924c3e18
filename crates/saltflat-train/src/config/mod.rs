//! Configurations: read with all problems at once, resolved, written back.

mod check;
mod metrics;
mod noise;
mod optimizer;
mod run;
mod schedule;

use std::path::{Path, PathBuf};

pub use metrics::{MetricsConfig, NoiseStrengthConfig};
pub use noise::{ConfiguredNoise, GivenStrength, NoiseList};
pub use optimizer::{BatchSize, LossConfig, MeasuredLossConfig, OptimizerConfig};
pub use run::{BestBy, CheckpointConfig, Every, Precision, Purpose, RunConfig, TrainConfig};
use saltflat_config::{Problem, Problems, Section, problem_lines};
use saltflat_data::DataConfig;
use saltflat_models::ModelConfig;
pub use schedule::{Marks, Schedule, Span};
use serde::Serialize;
use toml::{Table, Value};

pub use crate::measure::{
    AlignmentConfig, EigenvaluesConfig, MeasuredSplit, SharpnessConfig, SpectrumConfig, StabilityConfig, TraceConfig,
};

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

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", file.as_ref().map_or(String::new(), |file| format!("{}: ", file.display())), problem_lines(problems))]
pub struct ConfigError {
    file: Option<PathBuf>,
    problems: Vec<Problem>,
}

impl ConfigError {
    /// Problems that are found when the configuration meets its data.
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        Self { file: None, problems }
    }

    /// All of them, each with its key.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What is wrong, without the name of the file.
    pub fn text(&self) -> String {
        problem_lines(&self.problems)
    }
}

impl Config {
    /// Reads a configuration. `overrides` are pairs of `section.key` and a TOML value (or a plain text) that replace what
    /// the file says. Relative paths in it are relative to the file's folder.
    ///
    /// ```
    /// # use std::path::Path;
    /// # use saltflat_train::config::Config;
    /// let error = Config::read("[optimizer]\nlr = -1.0\nmomentun = 0.9", Path::new("run.toml"), &[]).unwrap_err();
    /// let texts: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
    /// assert!(texts.contains(&"optimizer.lr: expected a number above 0, got -1.0".into()));
    /// assert!(texts.contains(&"optimizer.momentun: is not a key; did you mean momentum?".into()));
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong: keys that are not known, with the nearest that is; wrong types; values
    /// out of range; choices that contradict each other.
    pub fn read(text: &str, file: &Path, overrides: &[(String, String)]) -> Result<Self, ConfigError> {
        Self::read_as(text, file, overrides, Purpose::Train)
    }

    /// Reads a configuration for one purpose; see [`read`](Self::read).
    pub fn read_as(
        text: &str,
        file: &Path,
        overrides: &[(String, String)],
        purpose: Purpose,
    ) -> Result<Self, ConfigError> {
        let name = file.file_stem().map_or("run".into(), |stem| stem.to_string_lossy().into_owned());
        read_with(text, file, overrides, |root| Self::from_section(root, name, purpose))
    }

    /// Reads the section `[model]` alone, of a configuration or of a file that has nothing else.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong with it.
    pub fn read_model(text: &str, file: &Path, overrides: &[(String, String)]) -> Result<ModelConfig, ConfigError> {
        read_with(text, file, overrides, |mut root| ModelConfig::read(root.section("model")))
    }

    fn from_section(mut root: Section, name: String, purpose: Purpose) -> Self {
        let run = run::read_run(root.section("run"), name);
        let data = DataConfig::read(root.section("data"), run.seed);
        let model = ModelConfig::read(root.section("model"));
        let noise = NoiseList::read(&mut root);
        let loss = optimizer::read_loss(root.section("loss"));
        let optimizer = optimizer::read(root.section("optimizer"));
        let schedule = schedule::read(root.section("schedule"));
        let train = run::read_train(root.section("train"), purpose);
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
    /// If a number does not fit TOML's integers.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        let mut table = Table::try_from(self)?;
        if let Some(Value::Table(data)) = table.get_mut("data") {
            // The folder comes from the command line; the seed is the run's if nothing else is said.
            data.remove("data_dir");
            if self.data.seed == self.run.seed {
                data.remove("seed");
            }
        }
        toml::to_string(&table)
    }
}

/// Parses a file, replaces keys, and reads it; relative paths in it are relative to the file's folder.
fn read_with<T>(
    text: &str,
    file: &Path,
    overrides: &[(String, String)],
    read: impl FnOnce(Section) -> T,
) -> Result<T, ConfigError> {
    let failed = |problems| ConfigError { file: Some(file.into()), problems };
    let mut table = saltflat_config::parse(text).map_err(|problem| failed(vec![problem]))?;
    if let Some(problem) = not_a_run(&table, file) {
        return Err(failed(vec![problem]));
    }
    let problems = Problems::default();
    for (key, value) in overrides {
        if let Err(problem) = saltflat_config::set(&mut table, key, value) {
            problems.push(problem);
        }
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let base = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
    let read = read(Section::root(table, &base, &problems));
    let problems = problems.take();
    if problems.is_empty() { Ok(read) } else { Err(failed(problems)) }
}

/// What a file is that holds a study instead of the configuration of a run.
fn not_a_run(table: &Table, file: &Path) -> Option<Problem> {
    let sections: Vec<&str> = [("study", "[study]"), ("stage", "[[stage]]")]
        .iter()
        .filter(|(key, _)| table.contains_key(*key))
        .map(|(_, name)| *name)
        .collect();
    (!sections.is_empty()).then(|| {
        let text = format!(
            "is a study, since it has {}, and expected is the configuration of one run; its runs are started by\n  saltflat study {}\nand the \
             configuration of each is config.toml in the run's folder",
            sections.join(" and "),
            file.display()
        );
        Problem::new("", text)
    })
}
