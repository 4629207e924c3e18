//! `[metrics]`.

use saltflat_metrics::{LanczosOptions, SpectrumOptions, TraceMethod};
use serde::{Serialize, Serializer};

use super::{MeasuredLossConfig, optimizer::read_measured_loss};
use saltflat_config::Section;

/// `[metrics]`: what is measured, and when. `evaluate`, `trace`, `alignment` and `noise_strength` are on unless switched off
/// (`trace = false`), the other groups are off unless asked for (`spectrum = true`, or a table); `enabled = false` is for
/// none at all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricsConfig {
    /// A measurement every so many epochs; default 1. A group may have a schedule of its own, in multiples of these.
    pub every_epochs: u64,
    /// A measurement every so many steps instead.
    pub every_steps: Option<u64>,
    /// Also at the start and at the end, wherever that is; default true.
    pub at_ends: bool,
    /// The loss that everything here is measured on, whatever the run trains on; absent: the trained one.
    pub loss: Option<MeasuredLossConfig>,
    /// Training samples on which curvature and gradient norm are measured; absent: all.
    pub samples: Option<usize>,
    /// Samples of one forward pass at most; default 500, and fewer where `memory_limit` asks for it. Bounds the memory,
    /// changes nothing else.
    pub microbatch: usize,
    /// MiB that a measurement may take beside model and data; default 2048.
    pub memory_limit: usize,
    /// Loss and accuracy of both splits, gradient and weight norm; default true.
    pub evaluate: bool,
    /// tr H and ‖H‖_F.
    #[serde(serialize_with = "or_false")]
    pub trace: Option<TraceConfig>,
    /// tr GGN.
    #[serde(serialize_with = "or_false")]
    pub gauss_newton: Option<TraceConfig>,
    /// Both ends of the spectrum of H.
    #[serde(serialize_with = "or_false")]
    pub eigenvalues: Option<EigenvaluesConfig>,
    /// Spectral density and the implicit regularizer.
    #[serde(serialize_with = "or_false")]
    pub spectrum: Option<SpectrumConfig>,
    /// α, β, μ and what they are made of.
    #[serde(serialize_with = "or_false")]
    pub alignment: Option<AlignmentConfig>,
    /// Coherence, the Dexter bounds, and the exact linear stability of SGD, on the alignment's samples.
    #[serde(serialize_with = "or_false")]
    pub stability: Option<StabilityConfig>,
    /// Curvature along gradients and updates.
    #[serde(serialize_with = "or_false")]
    pub sharpness: Option<SharpnessConfig>,
    /// trace_from_noise, of the steps between two measurements.
    #[serde(serialize_with = "or_false")]
    pub noise_strength: Option<NoiseStrengthConfig>,
}

/// `metrics.trace` and `metrics.gauss_newton`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceConfig {
    /// `hutchinson`, `hutch++` or `xtrace`; default hutchinson.
    pub method: TraceMethod,
    /// Products at most; default 16.
    pub probes: usize,
    /// Stops sooner, at this relative standard error.
    pub tolerance: Option<f64>,
    /// Also the Frobenius norm, and of H the traces by tensor; default true for H, false for the Gauss–Newton matrix.
    pub frobenius: bool,
    /// In multiples of the section's schedule; default 1.
    pub every: u64,
}

/// `metrics.eigenvalues`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EigenvaluesConfig {
    /// How many of the largest; default 5.
    pub largest: usize,
    /// How many of the smallest; default 1.
    pub smallest: usize,
    /// Residual, relative to the largest |λ|; default 1e-3.
    pub tolerance: f64,
    /// Products at most; default 300.
    pub products: usize,
    /// In multiples of the section's schedule; default 1.
    pub every: u64,
}

/// `metrics.spectrum`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpectrumConfig {
    /// Probes of the quadrature; default 8.
    pub probes: usize,
    /// Lanczos steps of a probe; default 60.
    pub steps: usize,
    /// Eigenvalues at the top that are taken out of the probes and counted exactly; default 5.
    pub deflate: usize,
    /// In multiples of the section's schedule; default 1.
    pub every: u64,
}

/// `metrics.alignment`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlignmentConfig {
    /// Training samples of one subset, the same at every measurement; default 50.
    pub samples: usize,
    /// Disjoint subsets; default 1.
    pub subsets: usize,
    /// Random sums of a sample's outputs in place of all of them; default none up to ten outputs, 8 beyond.
    pub signs: Option<usize>,
    /// Also χᵢ / mean χ of every sample, each subset relative to its own mean; default false.
    pub feature_norms: bool,
    /// In multiples of the section's schedule; default 1.
    pub every: u64,
}

/// `metrics.stability`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StabilityConfig {
    /// In multiples of the section's schedule; default 1.
    pub every: u64,
}

/// `metrics.sharpness`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SharpnessConfig {
    /// Random batches of `optimizer.batch_size`; default 20.
    pub batches: usize,
    /// In multiples of the section's schedule; default 1.
    pub every: u64,
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
        self.noise_strength.is_some() || !self.groups().is_empty()
    }

    /// Training samples of one subset of the alignment; the stability asks for some where it is off, too.
    pub fn alignment_samples(&self) -> usize {
        self.alignment.as_ref().map_or(ALIGNMENT_SAMPLES, |alignment| alignment.samples)
    }

    /// Names of the groups that are on, in the order in which they are measured; the noise strength is measured in training
    /// only.
    pub fn groups(&self) -> Vec<&'static str> {
        [
            ("evaluate", self.evaluate),
            ("trace", self.trace.is_some()),
            ("gauss_newton", self.gauss_newton.is_some()),
            ("eigenvalues", self.eigenvalues.is_some()),
            ("spectrum", self.spectrum.is_some()),
            ("alignment", self.alignment.is_some()),
            ("stability", self.stability.is_some()),
            ("sharpness", self.sharpness.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, on)| on.then_some(name))
        .collect()
    }

    /// A group is measured at every so many measurements, the first included.
    pub(crate) fn every(&self, group: &str) -> u64 {
        let every = match group {
            "trace" => self.trace.as_ref().map(|c| c.every),
            "gauss_newton" => self.gauss_newton.as_ref().map(|c| c.every),
            "eigenvalues" => self.eigenvalues.as_ref().map(|c| c.every),
            "spectrum" => self.spectrum.as_ref().map(|c| c.every),
            "alignment" => self.alignment.as_ref().map(|c| c.every),
            "stability" => self.stability.as_ref().map(|c| c.every),
            "sharpness" => self.sharpness.as_ref().map(|c| c.every),
            _ => None,
        };
        every.unwrap_or(1).max(1)
    }

    /// What is due at measurement number `index` (0 is the first): the groups whose `every` divides it.
    pub(crate) fn due(&self, index: u64) -> Self {
        let is_due = |group: &str| index.is_multiple_of(self.every(group));
        Self {
            trace: self.trace.clone().filter(|_| is_due("trace")),
            gauss_newton: self.gauss_newton.clone().filter(|_| is_due("gauss_newton")),
            eigenvalues: self.eigenvalues.clone().filter(|_| is_due("eigenvalues")),
            spectrum: self.spectrum.clone().filter(|_| is_due("spectrum")),
            alignment: self.alignment.clone().filter(|_| is_due("alignment")),
            stability: self.stability.clone().filter(|_| is_due("stability")),
            sharpness: self.sharpness.clone().filter(|_| is_due("sharpness")),
            ..self.clone()
        }
    }
}

/// Samples of one subset of the alignment, where the configuration is silent.
const ALIGNMENT_SAMPLES: usize = 50;

fn every(section: &mut Section) -> u64 {
    section.count("every").unwrap_or(1)
}

fn trace(mut section: Section, name: &str, frobenius: bool) -> TraceConfig {
    let config = TraceConfig {
        method: section.choice("method", &TraceMethod::ALL).unwrap_or_default(),
        probes: section.count("probes").unwrap_or(16),
        tolerance: section.optional("tolerance", "a number in (0, 1)", |x: &f64| *x > 0.0 && *x < 1.0),
        frobenius: section.get("frobenius").unwrap_or(frobenius),
        every: every(&mut section),
    };
    section.finish(name);
    config
}

fn eigenvalues(mut section: Section) -> EigenvaluesConfig {
    let default = LanczosOptions::default();
    let config = EigenvaluesConfig {
        largest: section.count("largest").unwrap_or(default.largest),
        smallest: section.get("smallest").unwrap_or(default.smallest),
        tolerance: section
            .optional("tolerance", "a number in (0, 1)", |x: &f64| *x > 0.0 && *x < 1.0)
            .unwrap_or(default.tolerance),
        products: section.count("products").unwrap_or(default.products),
        every: every(&mut section),
    };
    section.finish("metrics.eigenvalues");
    config
}

fn spectrum(mut section: Section) -> SpectrumConfig {
    let default = SpectrumOptions::default();
    let config = SpectrumConfig {
        probes: section.count("probes").unwrap_or(default.probes),
        steps: section.optional("steps", "a whole number above 1", |n| *n > 1).unwrap_or(default.steps),
        deflate: section.get("deflate").unwrap_or(5),
        every: every(&mut section),
    };
    section.finish("metrics.spectrum");
    config
}

fn alignment(mut section: Section) -> AlignmentConfig {
    let config = AlignmentConfig {
        samples: section.optional("samples", "a whole number above 1", |n| *n > 1).unwrap_or(ALIGNMENT_SAMPLES),
        subsets: section.count("subsets").unwrap_or(1),
        signs: section.optional("signs", "a whole number above 1", |n| *n > 1),
        feature_norms: section.get("feature_norms").unwrap_or(false),
        every: every(&mut section),
    };
    section.finish("metrics.alignment");
    config
}

pub(super) fn read(mut section: Section) -> MetricsConfig {
    let enabled = section.get("enabled").unwrap_or(true);
    let other_loss = section.has("loss");
    let loss = read_measured_loss(section.section("loss"));
    let mut config = MetricsConfig {
        every_epochs: section.count("every_epochs").unwrap_or(1),
        every_steps: section.count("every_steps"),
        at_ends: section.get("at_ends").unwrap_or(true),
        loss: other_loss.then_some(loss),
        samples: section.count("samples"),
        microbatch: section.count("microbatch").unwrap_or(500),
        memory_limit: section.count("memory_limit").unwrap_or(2048),
        evaluate: section.get("evaluate").unwrap_or(true),
        trace: section.switch("trace", true).map(|section| trace(section, "metrics.trace", true)),
        gauss_newton: section
            .switch("gauss_newton", false)
            .map(|section| trace(section, "metrics.gauss_newton", false)),
        eigenvalues: section.switch("eigenvalues", false).map(eigenvalues),
        spectrum: section.switch("spectrum", false).map(spectrum),
        alignment: section.switch("alignment", true).map(alignment),
        stability: section.switch("stability", false).map(|mut section| {
            let config = StabilityConfig { every: every(&mut section) };
            section.finish("metrics.stability");
            config
        }),
        sharpness: section.switch("sharpness", false).map(|mut section| {
            let config =
                SharpnessConfig { batches: section.count("batches").unwrap_or(20), every: every(&mut section) };
            section.finish("metrics.sharpness");
            config
        }),
        noise_strength: section.switch("noise_strength", true).map(|mut section| {
            let every_steps = section.count("every_steps").unwrap_or(1);
            section.finish("metrics.noise_strength");
            NoiseStrengthConfig { every_steps }
        }),
    };
    if !enabled {
        config = MetricsConfig {
            evaluate: false,
            trace: None,
            gauss_newton: None,
            eigenvalues: None,
            spectrum: None,
            alignment: None,
            stability: None,
            sharpness: None,
            noise_strength: None,
            ..config
        };
    }
    section.finish("[metrics]");
    config
}
