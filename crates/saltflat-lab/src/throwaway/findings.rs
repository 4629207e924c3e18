//! What the walkers say about the paper's claims, beside closed forms.

use super::{
    settings::ThrowawayLab,
    walk::{NEAR_ZERO, Walk},
};
use crate::{Finding, Outcome, Row, Trial, lab::outcomes};

/// Agreement is within so many standard errors.
const ERRORS: f64 = 4.0;

/// What all seeds of a walk say at one step.
struct Pooled {
    step: u64,
    /// Walkers of all seeds.
    walkers: f64,
    rows: Vec<Row>,
}

impl Pooled {
    /// The mean over seeds.
    fn mean(&self, name: &str) -> f64 {
        self.rows.iter().map(|row| row.value(name)).sum::<f64>() / self.rows.len() as f64
    }

    /// ln of the geometric mean over seeds.
    fn mean_log(&self, name: &str) -> f64 {
        self.rows.iter().map(|row| row.value(name).ln()).sum::<f64>() / self.rows.len() as f64
    }
}

struct Findings<'a> {
    settings: &'a ThrowawayLab,
    done: &'a [(Trial, Outcome)],
}

/// The findings of all walks that are done.
pub(super) fn all(settings: &ThrowawayLab, done: &[(Trial, Outcome)]) -> Vec<Finding> {
    let all = Findings { settings, done };
    let own = [
        all.mean_is_kept(),
        all.brownian_variance(),
        all.typical_shrinks(),
        all.converges(),
        all.potential_falls(),
        all.equal_variance_is_free(),
    ];
    own.into_iter().flatten().collect()
}

impl Findings<'_> {
    /// The walkers of all seeds at the last step at or before `most` that all have.
    fn at(&self, walk: Walk, most: f64) -> Option<Pooled> {
        // 1/0.1² is less than 100 in floating point.
        let most = most * (1.0 + 1e-9);
        let ended = outcomes(self.done, "walk", walk.name()).into_iter().filter(|outcome| outcome.diverged.is_none());
        let last = |outcome: &Outcome| outcome.rows.iter().rev().find(|row| row.step as f64 <= most).cloned();
        let rows: Vec<Row> = ended.filter_map(last).collect();
        let step = rows.first()?.step;
        let walkers = (rows.len() * self.settings.walkers) as f64;
        rows.iter().all(|row| row.step == step).then_some(Pooled { step, walkers, rows })
    }

    fn end(&self, walk: Walk) -> Option<Pooled> {
        self.at(walk, f64::INFINITY)
    }

    /// (1 + η²)ᵗ − 1 is the variance of v, so that the mean is tested while η²t is at most 1.
    fn mean_is_kept(&self) -> Option<Finding> {
        let eta = self.settings.eta;
        let (early, end) = (self.at(Walk::ParameterDependent, eta.powi(-2))?, self.end(Walk::ParameterDependent)?);
        let variance = (early.step as f64 * (eta * eta).ln_1p()).exp_m1();
        let (mean, error) = (early.mean("mean"), (variance / early.walkers).sqrt());
        Some(Finding {
            claim: "Parameter-dependent noise keeps the mean: E v = 1".into(),
            found: format!(
                "At step {} the mean of {} walkers is {mean:.4}, with the standard error {error:.4} of the closed form \
                 Var v = (1+η²)ᵗ − 1. At step {} that variance is {} and the sample's mean {}: the mean of the walk \
                 is then that of walkers too rare to be among these, and the sample's mean is no estimate of it.",
                early.step,
                early.walkers,
                end.step,
                short((end.step as f64 * (eta * eta).ln_1p()).exp_m1()),
                short(end.mean("mean"))
            ),
            holds: (early.step > 0).then_some((mean - 1.0).abs() <= ERRORS * error),
        })
    }

    fn brownian_variance(&self) -> Option<Finding> {
        let end = self.end(Walk::Brownian)?;
        let variance = self.settings.eta.powi(2) * end.step as f64;
        let (mean, mean_error) = (end.mean("mean"), (variance / end.walkers).sqrt());
        let (seen, error) = (end.mean("variance"), variance * (2.0 / end.walkers).sqrt());
        let holds = (mean - 1.0).abs() <= ERRORS * mean_error && (seen - variance).abs() <= ERRORS * error;
        Some(Finding {
            claim: "Brownian motion keeps its mean and has the variance η²t".into(),
            found: format!(
                "At step {} the mean is {mean:.4} ± {mean_error:.4} and the variance {seen:.4} ± {error:.4}, against η²t = {}.",
                end.step,
                short(variance)
            ),
            holds: (end.step > 0).then_some(holds),
        })
    }

    /// ln v is a sum of signs: its median is (t/2) ln(1 − η²) up to a step of the lattice of sums.
    fn typical_shrinks(&self) -> Option<Finding> {
        let (eta, end) = (self.settings.eta, self.end(Walk::ParameterDependent)?);
        let steps = end.step as f64;
        let (expected, seen) = (steps / 2.0 * (-eta * eta).ln_1p(), end.mean_log("median_abs"));
        let lattice = eta.ln_1p() - (-eta).ln_1p();
        // The standard error of the median of normal variables; the standard deviation of a step is half the lattice's.
        let error = (std::f64::consts::PI / 2.0).sqrt() * lattice / 2.0 * (steps / end.walkers).sqrt();
        Some(Finding {
            claim: "A typical walker with parameter-dependent noise shrinks as (1−η²)^(t/2)".into(),
            found: format!(
                "At step {} the median of |v| is exp({seen:.3} ± {error:.3}), against exp({expected:.3}); values of v are \
                 apart by factors of exp({lattice:.3}). A step's rate is {} against {}.",
                end.step,
                short(seen / steps.max(1.0)),
                short(expected / steps.max(1.0))
            ),
            holds: (end.step > 0).then_some((seen - expected).abs() <= lattice + ERRORS * error),
        })
    }

    fn converges(&self) -> Option<Finding> {
        let (end, brownian) = (self.end(Walk::ParameterDependent)?, self.end(Walk::Brownian)?);
        let expected = near_zero(self.settings.eta, end.step);
        let (seen, error) = (end.mean("share_near_zero"), (expected * (1.0 - expected) / end.walkers).sqrt());
        let agrees = (seen - expected).abs() <= ERRORS * error + 1.0 / end.walkers;
        Some(Finding {
            claim: "With parameter-dependent noise v converges to 0 with high probability; Brownian motion does not"
                .into(),
            found: format!(
                "At step {} |v| is below {NEAR_ZERO} for {:.3} % of the walkers, {:.3} % by the binomial distribution of the \
                 signs; for {:.3} % of those of the Brownian motion.",
                end.step,
                100.0 * seen,
                100.0 * expected,
                100.0 * brownian.mean("share_near_zero")
            ),
            // Steps enough to say so.
            holds: (expected > 0.95).then_some(agrees && brownian.mean("share_near_zero") < 0.05),
        })
    }

    /// E √v = rᵗ with r = (√(1+η) + √(1−η))/2, and Var √v = 1 − r²ᵗ; tested while η²t/4 is at most 1.
    fn potential_falls(&self) -> Option<Finding> {
        let eta = self.settings.eta;
        let early = self.at(Walk::ParameterDependent, 4.0 * eta.powi(-2))?;
        let end = self.end(Walk::ParameterDependent)?;
        let rate = (((1.0 + eta).sqrt() + (1.0 - eta).sqrt()) / 2.0).ln();
        let expected = (rate * early.step as f64).exp();
        let (seen, error) = (early.mean("mean_sqrt"), ((1.0 - expected * expected) / early.walkers).sqrt());
        Some(Finding {
            claim: "The potential E√v falls to 0".into(),
            found: format!(
                "At step {} its mean over the walkers is {seen:.4} ± {error:.4}, against ((√(1+η)+√(1−η))/2)ᵗ = {expected:.4}; \
                 at step {} {} against {}, where rare walkers hold it up too.",
                early.step,
                end.step,
                short(end.mean("mean_sqrt")),
                short((rate * end.step as f64).exp())
            ),
            holds: (early.step > 0).then_some((seen - expected).abs() <= ERRORS * error),
        })
    }

    fn equal_variance_is_free(&self) -> Option<Finding> {
        let (own, equal) = (self.end(Walk::ParameterDependent)?, self.end(Walk::EqualVariance)?);
        let [caught, free] = [&own, &equal].map(|end| end.mean("share_near_zero"));
        Some(Finding {
            claim: "In d dimensions noise of one variance in all coordinates loses the pull to 0, even where that variance \
                    follows the norm"
                .into(),
            found: format!(
                "At step {} {:.3} % of the coordinates are below {NEAR_ZERO} where each has its own variance, {:.3} % where {} \
                 share theirs; the medians of |v| are {} and {}.",
                own.step,
                100.0 * caught,
                100.0 * free,
                self.settings.dimension,
                short(own.mean_log("median_abs").exp()),
                short(equal.mean_log("median_abs").exp())
            ),
            holds: (near_zero(self.settings.eta, own.step) > 0.95).then_some(caught > 0.9 && free < 0.1),
        })
    }
}

/// The probability that v < 0.001 after t steps from 1: of too few signs + among t.
fn near_zero(eta: f64, steps: u64) -> f64 {
    let (up, down) = (eta.ln_1p(), (-eta).ln_1p());
    let (mut probability, mut log) = (0.0, -(steps as f64) * std::f64::consts::LN_2);
    for k in 0..=steps {
        if k as f64 * up + (steps - k) as f64 * down >= NEAR_ZERO.ln() {
            break;
        }
        probability += f64::exp(log);
        log += ((steps - k) as f64 / (k + 1) as f64).ln();
    }
    probability.min(1.0)
}

/// Four decimals, or three significant digits of small and large numbers.
fn short(x: f64) -> String {
    if x != 0.0 && !(1e-3..1e5).contains(&x.abs()) { format!("{x:.2e}") } else { format!("{x:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lab, Progress, Scale, Settings};

    /// Three steps of η = 0.95: below 0.001 are 0.05³ and none else; four: 0.05⁴ and 0.05³·1.95, five of 16.
    #[test]
    fn the_share_near_zero_is_binomial() {
        assert_eq!((near_zero(0.95, 1), near_zero(0.1, 20)), (0.0, 0.0));
        assert!((near_zero(0.95, 3) - 1.0 / 8.0).abs() < 1e-12);
        assert!((near_zero(0.95, 4) - 5.0 / 16.0).abs() < 1e-12);
        assert!((near_zero(0.1, 40_000) - 1.0).abs() < 1e-9);
    }

    fn holds(settings: &ThrowawayLab, spoil: impl Fn(&mut Row)) -> Vec<Option<bool>> {
        let lab = settings.clone();
        let run = |trial: Trial| {
            let mut outcome = lab.run(&trial, &Progress::default()).unwrap();
            outcome.rows.iter_mut().for_each(&spoil);
            (trial, outcome)
        };
        let done: Vec<(Trial, Outcome)> = lab.trials().into_iter().map(run).collect();
        all(settings, &done).into_iter().map(|finding| finding.holds).collect()
    }

    #[test]
    fn every_claim_can_fail() {
        let settings = ThrowawayLab { eta: 0.2, steps: 1000, walkers: 2000, seeds: 2, ..Settings::at(Scale::Smoke) };
        assert_eq!(holds(&settings, |_| {}), [Some(true); 6]);
        let spoiled = holds(&settings, |row| {
            for (name, factor) in
                [("mean", 1.2), ("variance", 1.2), ("median_abs", 20.0), ("share_near_zero", 0.5), ("mean_sqrt", 1.2)]
            {
                row.values.entry(name.into()).and_modify(|value| *value *= factor);
            }
        });
        assert_eq!(spoiled, [Some(false); 6]);
        // Too few steps to say what v converges to.
        let few = holds(&ThrowawayLab { steps: 100, ..settings.clone() }, |_| {});
        assert_eq!(few, [Some(true), Some(true), Some(true), None, Some(true), None]);
        assert!(all(&settings, &[]).is_empty());
    }
}
