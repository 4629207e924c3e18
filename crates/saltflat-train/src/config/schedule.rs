//! `[schedule]` and `noise.schedule`: a factor on the learning rate, or on the strength of a noise, as a function of the step.

use saltflat_config::Section;
use serde::Serialize;

use super::TrainConfig;

/// The length of a warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Span {
    /// In epochs.
    #[serde(rename = "warmup_epochs")]
    Epochs(f64),
    /// In steps.
    #[serde(rename = "warmup_steps")]
    Steps(u64),
}

/// Points of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Marks {
    /// In epochs.
    #[serde(rename = "at_epochs")]
    Epochs(Vec<f64>),
    /// In steps.
    #[serde(rename = "at_steps")]
    Steps(Vec<u64>),
}

/// A factor as a function of the step; [`factor`](Self::factor) has the formulas.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Schedule {
    /// 1.
    #[default]
    Constant,
    /// Linear from 0, then 1.
    WarmupConstant {
        /// Length of the linear part.
        #[serde(flatten)]
        warmup: Span,
    },
    /// Linear from 0, then half a cosine to 0 at the end of training.
    WarmupCosine {
        /// Length of the linear part.
        #[serde(flatten)]
        warmup: Span,
    },
    /// 1, multiplied by `factor` at each mark.
    StepDecay {
        /// The marks.
        #[serde(flatten)]
        at: Marks,
        /// At each.
        factor: f64,
    },
}

impl Schedule {
    /// Factor at step t (0 is the first) of T = `steps`: constant 1; warm-up t/W for t < W, so that the first step has
    /// factor 0 as in Damian et al. 2021, appendix D; then 1, or ½ (1 + cos(π (t − W)/(T − W))); step decay
    /// factor^(number of marks at or before t).
    pub fn factor(&self, step: u64, steps_per_epoch: u64, steps: u64) -> f64 {
        let t = step as f64;
        let warmup = self.warmup().map_or(0.0, |warmup| match warmup {
            Span::Epochs(epochs) => epochs * steps_per_epoch as f64,
            Span::Steps(steps) => steps as f64,
        });
        match self {
            Self::WarmupConstant { .. } | Self::WarmupCosine { .. } if t < warmup => t / warmup,
            Self::Constant | Self::WarmupConstant { .. } => 1.0,
            Self::WarmupCosine { .. } => {
                let part = ((t - warmup) / (steps as f64 - warmup)).clamp(0.0, 1.0);
                0.5 * (1.0 + (std::f64::consts::PI * part).cos())
            }
            Self::StepDecay { at, factor } => {
                let passed = match at {
                    Marks::Epochs(at) => at.iter().filter(|mark| **mark * steps_per_epoch as f64 <= t).count(),
                    Marks::Steps(at) => at.iter().filter(|mark| **mark as f64 <= t).count(),
                };
                factor.powi(passed as i32)
            }
        }
    }

    /// The largest factor in a run of this length, if that is known: it is above 1 only for step decays that grow.
    pub fn largest_factor(&self, train: &TrainConfig) -> f64 {
        let Self::StepDecay { at, factor } = self else { return 1.0 };
        let marks = match at {
            Marks::Epochs(at) => at.iter().filter(|mark| train.epochs.is_none_or(|all| **mark < all as f64)).count(),
            Marks::Steps(at) => at.iter().filter(|mark| train.steps.is_none_or(|all| **mark < all)).count(),
        };
        factor.powi(marks as i32).max(1.0)
    }

    /// Length of the warm-up, if there is one.
    pub fn warmup(&self) -> Option<Span> {
        match self {
            Self::WarmupConstant { warmup } | Self::WarmupCosine { warmup } => Some(*warmup),
            Self::Constant | Self::StepDecay { .. } => None,
        }
    }
}

/// A kind of schedule: how its keys are read, and its name in messages.
type Kind = (fn(&mut Section) -> Schedule, &'static str);

const KINDS: [(&str, Kind); 4] = [
    ("constant", (|_| Schedule::Constant, "a constant schedule")),
    ("warmup-constant", (|section| Schedule::WarmupConstant { warmup: warmup(section) }, "a warmup-constant schedule")),
    ("warmup-cosine", (|section| Schedule::WarmupCosine { warmup: warmup(section) }, "a warmup-cosine schedule")),
    ("step-decay", (step_decay, "a step-decay schedule")),
];

pub(super) fn read(mut section: Section) -> Schedule {
    let is_given = section.has("kind");
    let (read, name) = match section.choice("kind", &KINDS) {
        Some(kind) => kind,
        None if !is_given => KINDS[0].1,
        // Its keys cannot be judged without a kind; the problem is noted.
        None => return Schedule::Constant,
    };
    let schedule = read(&mut section);
    section.finish(name);
    schedule
}

/// `warmup_epochs` or `warmup_steps`.
fn warmup(section: &mut Section) -> Span {
    one_of(section, ["warmup_epochs", "warmup_steps"]);
    let epochs = section.optional("warmup_epochs", "a number, not negative", |x: &f64| x.is_finite() && *x >= 0.0);
    let steps = section.get("warmup_steps");
    steps.map(Span::Steps).or(epochs.map(Span::Epochs)).unwrap_or(Span::Steps(0))
}

fn step_decay(section: &mut Section) -> Schedule {
    one_of(section, ["at_epochs", "at_steps"]);
    let are_positive = |all: &Vec<f64>| !all.is_empty() && all.iter().all(|x| x.is_finite() && *x > 0.0);
    let epochs = section.optional("at_epochs", "a list of numbers above 0", are_positive);
    let steps = section.optional("at_steps", "a list of whole numbers", |all: &Vec<u64>| !all.is_empty());
    let at = steps.map_or_else(|| Marks::Epochs(epochs.unwrap_or_default()), Marks::Steps);
    let factor = section.required("factor", "a number above 0", |x: &f64| x.is_finite() && *x > 0.0);
    Schedule::StepDecay { at, factor }
}

/// Exactly one of two keys must be there.
fn one_of(section: &Section, keys: [&str; 2]) {
    if section.has(keys[0]) == section.has(keys[1]) {
        section.problem(keys[0], format!("expected either {} or {}", keys[0], keys[1]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(schedule: &Schedule, steps: [u64; 5]) -> [f64; 5] {
        steps.map(|step| schedule.factor(step, 10, 100))
    }

    /// 10 steps an epoch, 100 in all.
    #[test]
    fn factors_by_hand() {
        assert_eq!(at(&Schedule::Constant, [0, 1, 2, 50, 99]), [1.0; 5]);
        let warmup = Schedule::WarmupConstant { warmup: Span::Epochs(2.0) };
        assert_eq!(at(&warmup, [0, 5, 10, 20, 99]), [0.0, 0.25, 0.5, 1.0, 1.0]);
        let cosine = Schedule::WarmupCosine { warmup: Span::Steps(20) };
        let found = at(&cosine, [0, 10, 20, 60, 100]);
        for (found, expected) in found.iter().zip([0.0, 0.5, 1.0, 0.5, 0.0]) {
            assert!((found - expected).abs() < 1e-15);
        }
        let decay = Schedule::StepDecay { at: Marks::Epochs(vec![3.0, 6.0]), factor: 0.5 };
        assert_eq!(at(&decay, [0, 29, 30, 59, 60]), [1.0, 1.0, 0.5, 0.5, 0.25]);
    }
}
