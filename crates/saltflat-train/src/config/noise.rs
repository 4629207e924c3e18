//! `[noise]`.

use saltflat_noise::{
    FlipTo, LabelFlip, LabelNoise, LabelSmoothing, NoiseConfig, ParameterGaussian, Plain, TargetDistribution,
};

use super::{Schedule, reader::Section, schedule};

pub(super) fn read(mut section: Section) -> (NoiseConfig, Schedule) {
    let kinds: Vec<(&'static str, usize)> = NoiseConfig::NAMES.into_iter().zip(0..).collect();
    let mut schedule = Schedule::Constant;
    let given = section.has("kind");
    let kind = match section.choice("kind", &kinds) {
        Some(i) => NoiseConfig::NAMES[i],
        None if !given => "none",
        // Its keys cannot be judged without a kind; the problem is noted.
        None => return (NoiseConfig::Plain(Plain {}), schedule),
    };
    let noise = match kind {
        "label-flip" => {
            NoiseConfig::LabelFlip(LabelFlip { probability: probability(&mut section), to: to(&mut section) })
        }
        "label-smoothing" => {
            NoiseConfig::LabelSmoothing(LabelSmoothing { probability: probability(&mut section), to: to(&mut section) })
        }
        "label-noise" => NoiseConfig::LabelNoise(LabelNoise {
            sigma: sigma(&mut section),
            distribution: section.choice("distribution", &TargetDistribution::ALL).unwrap_or_default(),
        }),
        "parameter-gaussian" => {
            schedule = schedule::read(section.section("schedule"));
            NoiseConfig::ParameterGaussian(ParameterGaussian { sigma: sigma(&mut section) })
        }
        _ => NoiseConfig::Plain(Plain {}),
    };
    section.finish(&format!("[noise] of kind {kind}"));
    (noise, schedule)
}

fn probability(section: &mut Section) -> f64 {
    section.required("probability", "a number in [0, 1]", |x| (0.0..=1.0).contains(x))
}

fn to(section: &mut Section) -> FlipTo {
    section.choice("to", &FlipTo::ALL).unwrap_or_default()
}

fn sigma(section: &mut Section) -> f64 {
    section.required("sigma", "a number, not negative", |x: &f64| x.is_finite() && *x >= 0.0)
}
