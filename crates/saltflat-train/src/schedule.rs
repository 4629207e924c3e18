//! Schedules: a factor on the learning rate, or on the strength of a noise, as a function of the step.

use crate::config::{Schedule, Span, TrainConfig};

impl Span {
    /// Length in steps.
    pub fn steps(self, steps_per_epoch: u64) -> f64 {
        match self {
            Self::Epochs(epochs) => epochs * steps_per_epoch as f64,
            Self::Steps(steps) => steps as f64,
        }
    }
}

impl Schedule {
    /// Factor at step t (0 is the first) of T = `steps`: constant 1; warm-up t/W for t < W, so that the first step has
    /// factor 0 as in Damian et al. 2021, appendix D; then 1, or ½ (1 + cos(π (t − W)/(T − W))); step decay
    /// factor^(number of marks at or before t).
    pub fn factor(&self, step: u64, steps_per_epoch: u64, steps: u64) -> f64 {
        let t = step as f64;
        match self {
            Self::Constant => 1.0,
            Self::WarmupConstant { warmup } => warmup_factor(t, warmup.steps(steps_per_epoch)).unwrap_or(1.0),
            Self::WarmupCosine { warmup } => {
                let warmup = warmup.steps(steps_per_epoch);
                warmup_factor(t, warmup).unwrap_or_else(|| {
                    let part = ((t - warmup) / (steps as f64 - warmup)).clamp(0.0, 1.0);
                    0.5 * (1.0 + (std::f64::consts::PI * part).cos())
                })
            }
            Self::StepDecay { at, factor } => {
                let passed = at.iter().filter(|mark| mark.steps(steps_per_epoch) <= t).count();
                factor.powi(passed as i32)
            }
        }
    }
}

impl Schedule {
    /// The largest factor in a run of this length, if that is known: it is above 1 only for step decays that grow.
    pub fn largest_factor(&self, train: &TrainConfig) -> f64 {
        let Self::StepDecay { at, factor } = self else { return 1.0 };
        let is_reached = |mark: &&Span| match mark {
            Span::Steps(steps) => train.steps.is_none_or(|all| *steps < all),
            Span::Epochs(epochs) => train.epochs.is_none_or(|all| *epochs < all as f64),
        };
        let marks = at.iter().filter(is_reached).count();
        factor.powi(marks as i32).max(1.0)
    }
}

/// t/W before the end of the warm-up.
fn warmup_factor(t: f64, warmup: f64) -> Option<f64> {
    (t < warmup).then(|| t / warmup)
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
        let decay = Schedule::StepDecay { at: vec![Span::Epochs(3.0), Span::Epochs(6.0)], factor: 0.5 };
        assert_eq!(at(&decay, [0, 29, 30, 59, 60]), [1.0, 1.0, 0.5, 0.5, 0.25]);
    }
}
