//! `[optimizer]`, `[loss]` and `metrics.loss`.

use saltflat_config::Section;
use saltflat_data::BatchSampling;
use saltflat_models::LossKind;
use serde::{Serialize, Serializer};
use toml::Value;

use crate::Sam;

/// Samples of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// This many.
    Samples(usize),
    /// All of them, `"full"`: gradient descent.
    Full,
}

impl Serialize for BatchSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Samples(n) => serializer.serialize_u64(*n as u64),
            Self::Full => serializer.serialize_str("full"),
        }
    }
}

/// `[optimizer]`: SGD.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OptimizerConfig {
    /// Learning rate η, before its schedule.
    pub lr: f64,
    /// β of heavy-ball momentum, PyTorch's convention; default 0.
    pub momentum: f64,
    /// Nesterov's form; default false.
    pub nesterov: bool,
    /// Batch size B.
    pub batch_size: BatchSize,
    /// How the samples of a batch are drawn; default `epoch`.
    pub sampling: BatchSampling,
    /// Sharpness-aware minimisation; default none, `true` for ρ = 0.05.
    pub sam: Option<Sam>,
}

/// The smallest normal number of f32, in which parameters are moved; a learning rate below it moves none, and divisions by it overflow.
const LEAST_LR: f64 = f32::MIN_POSITIVE as f64;

/// `[loss]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LossConfig {
    /// `cross_entropy` or `square`.
    pub kind: LossKind,
    /// Label smoothing s in [0, 1); absent: what the noise implies.
    pub smoothing: Option<f64>,
}

pub(super) fn read(mut section: Section) -> OptimizerConfig {
    let config = OptimizerConfig {
        lr: read_lr(&mut section),
        momentum: section.optional("momentum", "a number in [0, 1)", |x| (0.0..1.0).contains(x)).unwrap_or(0.0),
        nesterov: section.get("nesterov").unwrap_or(false),
        batch_size: batch_size(&mut section),
        sampling: section.choice("sampling", &BatchSampling::ALL).unwrap_or_default(),
        sam: section.switch("sam", false).map(sam),
    };
    section.finish("[optimizer]");
    config
}

fn read_lr(section: &mut Section) -> f64 {
    let given = section.has("lr");
    let lr = section.required("lr", "a number above 0", |x: &f64| x.is_finite() && *x > 0.0);
    if given && lr > 0.0 && lr < LEAST_LR {
        section.problem("lr", format!("expected at least {LEAST_LR:e}, the smallest normal number of f32, got {lr:e}"));
    }
    lr
}

fn sam(mut section: Section) -> Sam {
    let rho = section.optional("rho", "a number above 0", |x: &f64| x.is_finite() && *x > 0.0).unwrap_or(0.05);
    section.finish("optimizer.sam");
    Sam { rho }
}

fn batch_size(section: &mut Section) -> BatchSize {
    let expected = "a whole number above 0, or \"full\"";
    match section.value("batch_size") {
        None => section.problem("batch_size", format!("is missing; expected {expected}")),
        Some(Value::Integer(n)) if n > 0 => return BatchSize::Samples(n as usize),
        Some(Value::String(text)) if text == "full" => return BatchSize::Full,
        Some(other) => section.problem("batch_size", format!("expected {expected}, got {other}")),
    }
    BatchSize::Full
}

/// `metrics.loss`: the loss that is measured, if it is another one than the trained one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MeasuredLossConfig {
    /// `cross_entropy` or `square`; absent: as trained.
    pub kind: Option<LossKind>,
    /// Label smoothing s in [0, 1); absent: as trained.
    pub smoothing: Option<f64>,
}

fn smoothing(section: &mut Section) -> Option<f64> {
    section.optional("smoothing", "a number in [0, 1)", |x| (0.0..1.0).contains(x))
}

pub(super) fn read_measured_loss(mut section: Section) -> MeasuredLossConfig {
    let config =
        MeasuredLossConfig { kind: section.choice("kind", &LossKind::ALL), smoothing: smoothing(&mut section) };
    section.finish("metrics.loss");
    config
}

pub(super) fn read_loss(mut section: Section) -> LossConfig {
    if !section.has("kind") {
        section.problem("kind", "is missing; expected cross_entropy or square");
    }
    let config = LossConfig {
        kind: section.choice("kind", &LossKind::ALL).unwrap_or(LossKind::CrossEntropy),
        smoothing: smoothing(&mut section),
    };
    section.finish("[loss]");
    config
}
