//! The loss that is trained on, and the one that is measured.

use saltflat_config::Problem;
use saltflat_models::{Loss, LossKind};
use saltflat_noise::SuitableTargets;

use crate::config::Config;

/// Both losses of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Losses {
    /// Its expectation is what training descends on: smoothed if the noise flips labels.
    pub(crate) trained: Loss,
    /// `metrics.loss`; what it does not say is as trained.
    pub(crate) measured: Loss,
}

impl Losses {
    /// Of a configuration whose targets are this many classes, or real numbers; `outputs` is what the network has.
    ///
    /// # Errors
    /// Adds everything that the targets do not allow to the problems.
    pub(crate) fn new(config: &Config, classes: Option<usize>, outputs: usize, problems: &mut Vec<Problem>) -> Self {
        let implied = || if classes.is_some() { config.noise.smoothing(outputs) } else { 0.0 };
        let given = config.metrics.loss.unwrap_or_default();
        let smoothing = config.loss.smoothing.unwrap_or_else(implied);
        let trained = Loss { kind: config.loss.kind, smoothing };
        let measured =
            Loss { kind: given.kind.unwrap_or(trained.kind), smoothing: given.smoothing.unwrap_or(trained.smoothing) };
        let of_targets = config.noise.of_targets().map(|one| &one.noise);
        let source = match of_targets.filter(|_| config.loss.smoothing.is_none()) {
            Some(noise) => {
                config.noise.key_of(noise, if noise.reference().is_none() { "probability" } else { "like.probability" })
            }
            None => "loss.smoothing".into(),
        };
        let limit = (outputs as f64 - 1.0) / outputs as f64;
        let mut check = |kind: Option<LossKind>, smoothing: Option<f64>, section: &str, source: &str| {
            let smoothing = smoothing.filter(|s| *s > 0.0);
            if classes.is_some() {
                if let Some(s) = smoothing.filter(|s| *s >= limit) {
                    let text = format!(
                        "expected labels that are right more often than any wrong class, got {s} of them wrong (the limit is {limit})"
                    );
                    problems.push(Problem::new(source, text));
                }
                return;
            }
            if kind == Some(LossKind::CrossEntropy) {
                let text = "expected square, since the targets are real numbers, got cross_entropy";
                problems.push(Problem::new(format!("{section}.kind"), text));
            }
            if let Some(s) = smoothing {
                let text = format!("expected 0, since the targets are not classes, got {s}");
                problems.push(Problem::new(format!("{section}.smoothing"), text));
            }
        };
        check(Some(trained.kind), Some(trained.smoothing), "loss", &source);
        check(given.kind, given.smoothing, "metrics.loss", "metrics.loss.smoothing");
        // Only the data may tell the number of classes; what the configuration tells was checked when it was read.
        let flips = of_targets.is_some_and(|noise| noise.properties().suitable_targets == SuitableTargets::Classes);
        // A schedule may make the probability larger than the configured one.
        if let (true, Some(one)) = (flips && classes.is_some(), config.noise.of_targets()) {
            let factor = one.schedule.largest_factor(&config.train);
            let [first, largest] = [1.0, factor].map(|factor| one.noise.smoothing(outputs, factor));
            if first < limit && largest >= limit {
                let text = format!(
                    "expected labels that are right more often than any wrong class at every step, got {largest} of them wrong \
                     where the schedule has multiplied {first} by {factor} (the limit is {limit})"
                );
                problems.push(Problem::new(config.noise.key_of(&one.noise, "schedule.factor"), text));
            }
        }
        let is_implied = || trained.is_same_as(&Loss { smoothing: implied(), ..trained });
        if let Some(given) = config.loss.smoothing.filter(|_| flips && classes.is_some() && !is_implied()) {
            let expected = implied();
            let text = format!("expected nothing or {expected}, the smoothing that [noise] implies, got {given}");
            problems.push(Problem::new("loss.smoothing", text));
        }
        Self { trained, measured }
    }
}
