//! `[metrics]`.

use serde::{Serialize, Serializer};

use super::{any, reader::Section};

/// `[metrics]`: what is measured, and when. Everything is on unless switched off: `trace = false`, or `enabled = false` for
/// all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricsConfig {
    /// A measurement every so many epochs; default 1.
    pub every_epochs: u64,
    /// Also at the start and at the end, wherever that is; default true.
    pub at_ends: bool,
    /// Training samples on which trace, Frobenius norm and gradient norm are measured; absent: all.
    pub samples: Option<usize>,
    /// Samples of one forward pass; bounds the memory, changes nothing else; default 500.
    pub microbatch: usize,
    /// Loss and accuracy of both splits, gradient and weight norm; default true.
    pub evaluate: bool,
    /// tr H and ‖H‖_F.
    #[serde(serialize_with = "or_false")]
    pub trace: Option<TraceConfig>,
    /// α, β, μ and what they are made of.
    #[serde(serialize_with = "or_false")]
    pub alignment: Option<AlignmentConfig>,
    /// trace_from_noise.
    #[serde(serialize_with = "or_false")]
    pub noise_strength: Option<NoiseStrengthConfig>,
}

/// `metrics.trace`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraceConfig {
    /// Hutchinson probes of a measurement; default 16.
    pub probes: usize,
}

/// `metrics.alignment`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlignmentConfig {
    /// Training samples, the same at every measurement; default 50.
    pub samples: usize,
}

/// `metrics.noise_strength`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoiseStrengthConfig {
    /// Measures every so many steps of an epoch that ends with a measurement; each costs one more gradient; default 1.
    pub every_steps: u64,
}

/// `false` where there is none.
fn or_false<T: Serialize, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => value.serialize(serializer),
        None => serializer.serialize_bool(false),
    }
}

impl MetricsConfig {
    /// True where anything is measured.
    pub fn is_on(&self) -> bool {
        self.evaluate || self.trace.is_some() || self.alignment.is_some() || self.noise_strength.is_some()
    }
}

pub(super) fn read(mut section: Section) -> MetricsConfig {
    let some = "a whole number above 0";
    let enabled = section.optional("enabled", "", any).unwrap_or(true);
    let mut config = MetricsConfig {
        every_epochs: section.optional("every_epochs", some, |n| *n > 0).unwrap_or(1),
        at_ends: section.optional("at_ends", "", any).unwrap_or(true),
        samples: section.optional("samples", some, |n| *n > 0),
        microbatch: section.optional("microbatch", some, |n| *n > 0).unwrap_or(500),
        evaluate: section.optional("evaluate", "", any).unwrap_or(true),
        trace: section.switch("trace", true).map(|mut section| {
            let probes = section.optional("probes", some, |n| *n > 0).unwrap_or(16);
            section.finish("metrics.trace");
            TraceConfig { probes }
        }),
        alignment: section.switch("alignment", true).map(|mut section| {
            let samples = section.optional("samples", "a whole number above 1", |n| *n > 1).unwrap_or(50);
            section.finish("metrics.alignment");
            AlignmentConfig { samples }
        }),
        noise_strength: section.switch("noise_strength", true).map(|mut section| {
            let every_steps = section.optional("every_steps", some, |n| *n > 0).unwrap_or(1);
            section.finish("metrics.noise_strength");
            NoiseStrengthConfig { every_steps }
        }),
    };
    if !enabled {
        config.evaluate = false;
        (config.trace, config.alignment, config.noise_strength) = (None, None, None);
    }
    section.finish("[metrics]");
    config
}
