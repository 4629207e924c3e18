//! The table of one noise.

use saltflat_config::Section;
use saltflat_noise::{
    Diagonal, FlipTo, GeometryAware, Isotropic, IsotropicLossScaled, LabelFlip, LabelNoise, LabelSmoothing, Langevin,
    LogitGaussian, Minibatch, NoiseConfig, ParameterGaussian, Plain, SgdCovariance, SigmaConvention,
    TargetDistribution,
};
use toml::{Table, Value};

use super::{ConfiguredNoise, Schedule, schedule};

/// A given strength of the noise, instead of the one that its σ has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EqualStrength {
    /// s = E‖ξ‖², ξ the noise in the gradient of a step.
    pub target: f64,
    /// The unscaled noise is measured every so many steps.
    pub every: u64,
}

/// Pairs of samples that `minibatch` draws in a step at most. The noise of more is Gaussian in all but name, as `sgd-covariance` is.
const MOST_PAIRS: usize = 1 << 20;

/// β below this makes the noise of Langevin dynamics, √(2η/β) a parameter, infinite in f32 for any learning rate that moves it.
const LEAST_INVERSE_TEMPERATURE: f64 = 1e-70;

/// What a key that only scales a noise is where `noise.strength` scales it.
const UNIT: f64 = 1.0;

/// Reads the table of one noise, of several in a list or by itself. Absent if its kind is not known: then its keys cannot be
/// judged, and the problem is noted.
pub(super) fn read(mut section: Section, of_several: bool) -> Option<ConfiguredNoise> {
    let kinds = NoiseConfig::NAMES.map(|name| (name, name));
    let kind = match section.has("kind") {
        true => section.choice("kind", &kinds)?,
        false if of_several => {
            // A table that was refused has been replaced by none.
            if !section.is_refused() {
                section.problem("kind", format!("is missing; expected one of {}", NoiseConfig::NAMES.join(", ")));
            }
            return None;
        }
        false => {
            section.choice("kind", &kinds);
            "none"
        }
    };
    let strength = match kind {
        "none" | "label-smoothing" => None,
        _ => strength(&mut section),
    };
    let noise = read_kind(&mut section, kind, strength.is_some());
    let schedule = match kind {
        "none" => Schedule::Constant,
        _ => schedule::read(section.section("schedule")),
    };
    section.finish(&format!("[noise] of kind {kind}"));
    Some(ConfiguredNoise { noise, schedule, strength })
}

/// The keys of one kind. `scaled` where `noise.strength` is given, so that a key that only scales must be absent.
fn read_kind(section: &mut Section, kind: &str, scaled: bool) -> NoiseConfig {
    match kind {
        "label-flip" => NoiseConfig::LabelFlip(LabelFlip { probability: probability(section), to: to(section) }),
        "label-smoothing" => {
            NoiseConfig::LabelSmoothing(LabelSmoothing { probability: probability(section), to: to(section) })
        }
        "label-noise" => NoiseConfig::LabelNoise(LabelNoise {
            sigma: sigma(section, scaled),
            distribution: section.choice("distribution", &TargetDistribution::ALL).unwrap_or_default(),
        }),
        "logit-gaussian" => NoiseConfig::LogitGaussian(LogitGaussian {
            sigma: sigma(section, scaled),
            convention: section.choice("convention", &SigmaConvention::ALL).unwrap_or_default(),
        }),
        "sgd-covariance" => NoiseConfig::SgdCovariance(SgdCovariance { batch_size: batch_size(section, scaled) }),
        "minibatch" => NoiseConfig::Minibatch(Minibatch {
            batch_size: section
                .optional("batch_size", &format!("a whole number from 1 to {MOST_PAIRS}"), |n| {
                    (1..=MOST_PAIRS).contains(n)
                })
                .unwrap_or(1),
            sigma: optional_scale(section, "sigma", "a number, not negative", scaled, |x| *x >= 0.0).unwrap_or(UNIT),
        }),
        "geometry-aware" => NoiseConfig::GeometryAware(GeometryAware { batch_size: batch_size(section, scaled) }),
        "isotropic" => NoiseConfig::Isotropic(Isotropic { like: like(section) }),
        "diagonal" => NoiseConfig::Diagonal(Diagonal { like: like(section) }),
        "isotropic-loss-scaled" => {
            NoiseConfig::IsotropicLossScaled(IsotropicLossScaled { sigma: sigma(section, scaled) })
        }
        "parameter-gaussian" => NoiseConfig::ParameterGaussian(ParameterGaussian { sigma: sigma(section, scaled) }),
        "langevin" => NoiseConfig::Langevin(Langevin {
            inverse_temperature: scale(section, "inverse_temperature", "a number of at least 1e-70", scaled, |x| {
                *x >= LEAST_INVERSE_TEMPERATURE
            }),
        }),
        _ => NoiseConfig::Plain(Plain {}),
    }
}

/// `strength` with `strength_every`.
fn strength(section: &mut Section) -> Option<EqualStrength> {
    let given = section.has("strength");
    let target = section.optional("strength", "a number, not negative", |x: &f64| x.is_finite() && *x >= 0.0);
    if !given && section.has("strength_every") {
        section.problem("strength_every", "expected noise.strength beside it");
    }
    let every = section.count("strength_every").unwrap_or(1);
    given.then(|| EqualStrength { target: target.unwrap_or_default(), every })
}

/// The reference of an isotropic or diagonal noise: a `[noise]` of its own, without a schedule.
fn like(section: &mut Section) -> Box<NoiseConfig> {
    let given = section.has("like");
    let mut inner = section.section("like");
    let found = inner.has("kind");
    if !found {
        let text = format!("is missing; expected one of {}", NoiseConfig::REFERENCES.join(", "));
        if given {
            inner.problem("kind", text);
        } else {
            section.problem(
                "like",
                "is missing; expected a noise, such as { kind = \"sgd-covariance\", batch_size = 32 }",
            );
        }
        return Box::new(NoiseConfig::Plain(Plain {}));
    }
    let Some(kind) = inner.choice("kind", &NoiseConfig::REFERENCES.map(|name| (name, name))) else {
        return Box::new(NoiseConfig::Plain(Plain {}));
    };
    let noise = read_kind(&mut inner, kind, false);
    inner.finish(&format!("noise.like of kind {kind}"));
    Box::new(noise)
}

fn probability(section: &mut Section) -> f64 {
    section.required("probability", "a number in [0, 1]", |x| (0.0..=1.0).contains(x))
}

fn to(section: &mut Section) -> FlipTo {
    section.choice("to", &FlipTo::ALL).unwrap_or_default()
}

fn sigma(section: &mut Section, scaled: bool) -> f64 {
    scale(section, "sigma", "a number, not negative", scaled, |x| *x >= 0.0)
}

fn batch_size(section: &mut Section, scaled: bool) -> usize {
    if scaled {
        instead_of_strength(section, "batch_size");
        return section.optional("batch_size", "", |_| true).unwrap_or(1);
    }
    section.required("batch_size", "a whole number above 0", |&n| n > 0)
}

/// A number that only scales the noise.
fn scale(section: &mut Section, key: &'static str, expected: &str, scaled: bool, holds: fn(&f64) -> bool) -> f64 {
    if !scaled && !section.has(key) {
        section.problem(key, format!("is missing; expected {expected}"));
    }
    optional_scale(section, key, expected, scaled, holds).unwrap_or(UNIT)
}

/// A number that only scales the noise and may be absent.
fn optional_scale(
    section: &mut Section,
    key: &'static str,
    expected: &str,
    scaled: bool,
    holds: fn(&f64) -> bool,
) -> Option<f64> {
    if scaled {
        instead_of_strength(section, key);
    }
    section.optional(key, expected, |x: &f64| x.is_finite() && holds(x))
}

fn instead_of_strength(section: &Section, key: &str) {
    if section.has(key) {
        section.problem(key, "expected nothing beside noise.strength, which says how strong the noise is");
    }
}

/// The table of a noise: its kind with what is not part of it, and without what `strength` stands for.
pub(super) fn to_table(one: &ConfiguredNoise) -> Result<Table, toml::ser::Error> {
    let mut table = Table::try_from(&one.noise)?;
    if one.noise != NoiseConfig::Plain(Plain {}) {
        table.insert("schedule".into(), Value::try_from(&one.schedule)?);
    }
    let Some(strength) = &one.strength else { return Ok(table) };
    table.insert("strength".into(), strength.target.into());
    table.insert("strength_every".into(), Value::try_from(strength.every)?);
    table.remove("sigma");
    table.remove("inverse_temperature");
    if !matches!(one.noise, NoiseConfig::Minibatch(_)) {
        table.remove("batch_size");
    }
    Ok(table)
}
