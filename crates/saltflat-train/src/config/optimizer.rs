//! `[optimizer]`, `[loss]` and `metrics.loss`.

use saltflat_config::Section;
use saltflat_data::BatchSampling;
use saltflat_models::{Loss, LossKind};
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
    /// Weight decay w ≥ 0, PyTorch's convention: every update takes g + wθ in place of the gradient g; default 0. The losses that are trained
    /// on and measured do not have the penalty (w/2) ‖θ‖², except where `metrics.loss.weight_decay` asks for it.
    #[serde(skip_serializing_if = "is_zero")]
    pub weight_decay: f64,
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
    /// Label smoothing s in [0, 1): 1 − s on the label, s/(C − 1) on every other class; absent: what the noise implies.
    pub smoothing: Option<f64>,
    /// The same in PyTorch's convention, ε in [0, 1), in place of `smoothing`: 1 − ε on the label and ε/C on every class, the label among
    /// them, so that s = ε (C − 1)/C.
    pub label_smoothing: Option<f64>,
}

fn is_zero(x: &f64) -> bool {
    *x == 0.0
}

fn is_false(x: &bool) -> bool {
    !*x
}

/// s of C outputs from whichever of the two keys there is.
fn smoothing_of(smoothing: Option<f64>, label_smoothing: Option<f64>, outputs: usize) -> Option<f64> {
    smoothing.or_else(|| label_smoothing.map(|epsilon| Loss::smoothing_of_uniform(epsilon, outputs)))
}

impl LossConfig {
    /// Label smoothing s, as either key says it, of C outputs; absent if neither does.
    pub fn smoothing(&self, outputs: usize) -> Option<f64> {
        smoothing_of(self.smoothing, self.label_smoothing, outputs)
    }

    /// The key that says the smoothing, without its section.
    pub(crate) fn smoothing_key(&self) -> &'static str {
        key_of(self.label_smoothing)
    }

    /// What is wrong with a smoothing s that is not the one that the noise implies, in the convention in which it was given.
    pub(crate) fn not_implied(&self, implied: f64, given: f64, outputs: Option<usize>) -> String {
        let (implied, given) = match (self.label_smoothing, outputs.map(|outputs| outputs as f64)) {
            (Some(epsilon), Some(outputs)) if outputs > 1.0 => {
                let converted = implied * outputs / (outputs - 1.0);
                // To the digits to which two smoothings are compared.
                ((converted * 1e12).round() / 1e12, epsilon)
            }
            _ => (implied, given),
        };
        format!("expected nothing or {implied}, the smoothing that [noise] implies, got {given}")
    }
}

fn key_of(label_smoothing: Option<f64>) -> &'static str {
    if label_smoothing.is_some() { "label_smoothing" } else { "smoothing" }
}

pub(super) fn read(mut section: Section) -> OptimizerConfig {
    let config = OptimizerConfig {
        lr: read_lr(&mut section),
        momentum: section.optional("momentum", "a number in [0, 1)", |x| (0.0..1.0).contains(x)).unwrap_or(0.0),
        nesterov: section.get("nesterov").unwrap_or(false),
        weight_decay: section
            .optional("weight_decay", "a number, not negative", |x: &f64| x.is_finite() && *x >= 0.0)
            .unwrap_or(0.0),
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
    /// The same in PyTorch's convention, in place of `smoothing`.
    pub label_smoothing: Option<f64>,
    /// Also the penalty (w/2) ‖θ‖², w = `optimizer.weight_decay`: in the losses, in the gradient norm and in the Hessian, which becomes
    /// H + wI; default false.
    #[serde(skip_serializing_if = "is_false")]
    pub weight_decay: bool,
}

impl MeasuredLossConfig {
    /// Label smoothing s, as either key says it, of C outputs; absent if neither does.
    pub fn smoothing(&self, outputs: usize) -> Option<f64> {
        smoothing_of(self.smoothing, self.label_smoothing, outputs)
    }

    /// The key that says the smoothing, without its section.
    pub(crate) fn smoothing_key(&self) -> &'static str {
        key_of(self.label_smoothing)
    }
}

/// `smoothing` and `label_smoothing`, of which one at most is there.
fn smoothings(section: &mut Section) -> [Option<f64>; 2] {
    let both = section.has("smoothing") && section.has("label_smoothing");
    let found = ["smoothing", "label_smoothing"]
        .map(|key| section.optional(key, "a number in [0, 1)", |x| (0.0..1.0).contains(x)));
    if both {
        let text = "expected smoothing or label_smoothing (PyTorch's convention, smoothing = label_smoothing (C - 1)/C of C classes), got both";
        section.problem("label_smoothing", text);
        return [found[0], None];
    }
    found
}

pub(super) fn read_measured_loss(mut section: Section) -> MeasuredLossConfig {
    let kind = section.choice("kind", &LossKind::ALL);
    let [smoothing, label_smoothing] = smoothings(&mut section);
    let weight_decay = section.get("weight_decay").unwrap_or(false);
    let config = MeasuredLossConfig { kind, smoothing, label_smoothing, weight_decay };
    section.finish("metrics.loss");
    config
}

pub(super) fn read_loss(mut section: Section) -> LossConfig {
    if !section.has("kind") {
        section.problem("kind", "is missing; expected cross_entropy or square");
    }
    let kind = section.choice("kind", &LossKind::ALL).unwrap_or(LossKind::CrossEntropy);
    let [smoothing, label_smoothing] = smoothings(&mut section);
    let config = LossConfig { kind, smoothing, label_smoothing };
    section.finish("[loss]");
    config
}
