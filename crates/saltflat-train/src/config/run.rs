//! `[run]` and `[train]`.

use std::path::PathBuf;

use burn::tensor::FloatDType;
use saltflat_config::Section;
use saltflat_models::Renames;
use saltflat_record::is_control;
use serde::Serialize;

/// What a configuration is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To train: everything must be there.
    Train,
    /// To measure at given weights: `[train]` may be absent, and the run has no steps then.
    Measure,
}

/// `[run]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunConfig {
    /// The run folder is `results/NAME` unless the command line says otherwise; default: the file's name.
    pub name: String,
    /// From which every draw follows; default 0, and at most 2⁶³ − 1, the largest whole number of TOML.
    pub seed: u64,
    /// Also writes event files for TensorBoard, into `tensorboard/`; default false.
    pub tensorboard: bool,
}

/// `[train]`: length, start and end of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TrainConfig {
    /// Epochs; with `steps` too, whichever ends first.
    pub epochs: Option<u64>,
    /// Steps.
    pub steps: Option<u64>,
    /// Ends the run after an epoch whose running loss is at most this.
    pub stop_loss: Option<f64>,
    /// Ends the run after an epoch whose running accuracy is at least this.
    pub stop_accuracy: Option<f64>,
    /// Ends the run as diverged after an epoch whose running loss is above this multiple of the first epoch's; absent: only if
    /// the loss is no number any more.
    pub diverged_above: Option<f64>,
    /// The start: a run folder, a checkpoint or a safetensors file with PyTorch's names; absent: random.
    pub init: Option<PathBuf>,
    /// SHA-256 of the weights at `init`, which the run refuses to start without; absent: whatever is there. A study writes it.
    pub init_sha256: Option<String>,
    /// `[train.rename]`: OLD = "NEW", what names in `init` are in the network, and in `--weights` of a measurement; see [`Renames`]. Checkpoints of
    /// a run are not renamed.
    #[serde(skip_serializing_if = "Renames::is_empty")]
    pub rename: Renames,
    /// Leaves out the smaller batch at the end of an epoch; default false.
    pub drop_last: bool,
    /// Samples of one forward pass of a step, which bounds the memory; default 512. With batch normalisation a step is one pass, since the
    /// statistics are those of its batch.
    pub microbatch: Option<usize>,
    /// Number type of a training step's forward and backward pass; default f32.
    pub precision: Precision,
    /// Checkpoints on the way; one at the end and one at a signal are always saved.
    pub checkpoint: CheckpointConfig,
}

impl TrainConfig {
    /// Steps of the whole run, if nothing stops it before: of `epochs` and `steps` whichever is fewer.
    pub fn total_steps(&self, steps_per_epoch: u64) -> u64 {
        let by_epochs = self.epochs.map(|epochs| epochs.saturating_mul(steps_per_epoch));
        by_epochs.into_iter().chain(self.steps).min().unwrap_or(0)
    }

    /// Says which goal an epoch of this running loss and accuracy reaches, if it reaches one.
    pub fn goal(&self, running_loss: f64, running_accuracy: Option<f64>) -> Option<String> {
        if self.stop_loss.is_some_and(|goal| running_loss <= goal) {
            return Some(format!("training loss {running_loss:.3e} reached stop_loss"));
        }
        let accuracy = running_accuracy.filter(|accuracy| self.stop_accuracy.is_some_and(|goal| *accuracy >= goal))?;
        Some(format!("training accuracy {accuracy:.4} reached stop_accuracy"))
    }
}

/// Number type of the forward and backward pass of a training step. Parameters, momentum, draws, statistics of normalisation
/// layers, loss and every metric stay f32 (master weights: Micikevicius et al. 2018, arXiv 1710.03740).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Exact to rounding of 6e−8.
    #[default]
    F32,
    /// f32 whose products a device may round to 1e−3 (TF32 matrix units). Only CUDA has them, and cannot do without.
    Tf32,
    /// Half precision, rounding 5e−4, range 6e−8 to 65,504: the backward pass is that of the sum over the samples, not their mean,
    /// so that small gradients do not vanish.
    F16,
    /// Rounding 4e−3, the range of f32.
    Bf16,
}

impl Precision {
    /// With their names in configurations, in the order of the variants.
    pub const ALL: [(&str, Self); 4] =
        [("f32", Self::F32), ("tf32", Self::Tf32), ("f16", Self::F16), ("bf16", Self::Bf16)];

    /// Name in configurations.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// The number type, if it is another one than that of the parameters.
    pub(crate) fn half(self) -> Option<FloatDType> {
        match self {
            Self::F32 | Self::Tf32 => None,
            Self::F16 => Some(FloatDType::F16),
            Self::Bf16 => Some(FloatDType::BF16),
        }
    }
}

/// `train.checkpoint`: when the run is saved, and what stays. Without the section a run is saved every
/// [quarter of an hour](Every::DEFAULT), and the two newest are kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckpointConfig {
    /// When.
    #[serde(flatten)]
    pub every: Every,
    /// How many of the newest are kept; absent: all if the section says when, two otherwise.
    pub keep: Option<usize>,
    /// The metric by which the best is saved and kept too.
    pub best: Option<BestBy>,
}

/// One of the keys `every_epochs`, `every_steps` and `every_minutes`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Every {
    /// After every so many epochs.
    #[serde(rename = "every_epochs")]
    Epochs(u64),
    /// After every so many steps, also in the middle of an epoch.
    #[serde(rename = "every_steps")]
    Steps(u64),
    /// After the first step that ends so many minutes after the last checkpoint.
    #[serde(rename = "every_minutes")]
    Minutes(f64),
}

impl Every {
    /// What a run that was killed loses at most, if the configuration does not say when it is saved: a quarter of an hour.
    pub const DEFAULT: Self = Self::Minutes(15.0);
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self { every: Every::DEFAULT, keep: Some(2), best: None }
    }
}

/// A metric of `evaluate` that makes one checkpoint better than another: the higher accuracy, the lower loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // The names are those of the metrics.
pub enum BestBy {
    TestAccuracy,
    TestLoss,
    Accuracy,
    Loss,
}

impl BestBy {
    /// With their names, in the order of the variants.
    pub const ALL: [(&'static str, Self); 4] = [
        ("test_accuracy", Self::TestAccuracy),
        ("test_loss", Self::TestLoss),
        ("accuracy", Self::Accuracy),
        ("loss", Self::Loss),
    ];

    /// Name of the metric.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// True if it is measured on the test split.
    pub fn is_of_test(self) -> bool {
        matches!(self, Self::TestAccuracy | Self::TestLoss)
    }

    /// True if `value` is better than `old`; equal ones are not.
    pub fn is_better(self, value: f64, old: f64) -> bool {
        match self {
            Self::TestAccuracy | Self::Accuracy => value > old,
            Self::TestLoss | Self::Loss => value < old,
        }
    }
}

pub(super) fn read_run(mut section: Section, default: String) -> RunConfig {
    let plain = |name: &String| {
        !name.is_empty() && !name.contains(|c: char| "/\\".contains(c) || is_control(c)) && name != "." && name != ".."
    };
    let expected = "a name without slashes and control characters";
    if !section.has("name") && !plain(&default) {
        section.problem("name", format!("expected {expected}, got {default:?} from the name of the file"));
    }
    let config = RunConfig {
        name: section.optional("name", expected, plain).unwrap_or(default),
        seed: section.get("seed").unwrap_or(0),
        tensorboard: section.get("tensorboard").unwrap_or(false),
    };
    section.finish("[run]");
    config
}

pub(super) fn read_train(mut section: Section, purpose: Purpose) -> TrainConfig {
    if purpose == Purpose::Train && !section.has("epochs") && !section.has("steps") {
        section.problem("epochs", "is missing; expected epochs or steps, a whole number above 0");
    }
    let config = TrainConfig {
        epochs: section.count("epochs"),
        steps: section.count("steps"),
        stop_loss: section.optional("stop_loss", "a number above 0", |x: &f64| x.is_finite() && *x > 0.0),
        stop_accuracy: section.optional("stop_accuracy", "a number in (0, 1]", |x| *x > 0.0 && *x <= 1.0),
        diverged_above: section.optional("diverged_above", "a number above 1", |x: &f64| x.is_finite() && *x > 1.0),
        init: section.path("init", "the path of a run, a checkpoint or a safetensors file"),
        init_sha256: section
            .optional("init_sha256", "64 hexadecimal digits, in small letters", |text: &String| is_sha256(text)),
        rename: read_rename(&mut section),
        drop_last: section.get("drop_last").unwrap_or(false),
        microbatch: section.count("microbatch"),
        precision: section.choice("precision", &Precision::ALL).unwrap_or_default(),
        checkpoint: read_checkpoint(section.section("checkpoint")),
    };
    if config.init_sha256.is_some() && config.init.is_none() && !section.refused(&["init"]) {
        section.problem("init_sha256", "expected init beside it, whose weights it is about");
    }
    section.finish("[train]");
    config
}

fn read_rename(section: &mut Section) -> Renames {
    let mut renames = Renames::new();
    for (old, new) in section.map::<String>("rename") {
        if let Err(text) = renames.insert(&old, &new) {
            section.problem("rename", text);
        }
    }
    renames
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn read_checkpoint(mut section: Section) -> CheckpointConfig {
    let all = [
        section.count("every_epochs").map(Every::Epochs),
        section.count("every_steps").map(Every::Steps),
        section.optional("every_minutes", "a number above 0", |x: &f64| x.is_finite() && *x > 0.0).map(Every::Minutes),
    ];
    let mut given = all.into_iter().flatten();
    let every = given.next();
    if let (Some(_), Some(_)) = (&every, given.next()) {
        section.problem("every_*", "expected one of every_epochs, every_steps and every_minutes, got more");
    }
    let silent = every.is_none().then_some(CheckpointConfig::default().keep).flatten();
    let config = CheckpointConfig {
        every: every.unwrap_or(Every::DEFAULT),
        keep: section.count("keep").or(silent),
        best: section.choice("best", &BestBy::ALL),
    };
    section.finish("train.checkpoint");
    config
}
