//! The loss that is trained on, and the one that is measured.

use saltflat_models::{Loss, LossKind};
use saltflat_noise::NoiseConfig;
use saltflat_record::RecordedLoss;
use serde::{Deserialize, Serialize};

use crate::{Plan, config::Config};

/// Both losses of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Losses {
    /// Its expectation is what training descends on: smoothed where the noise flips labels.
    pub(crate) trained: Loss,
    /// `metrics.loss`; what it does not say is as trained.
    pub(crate) measured: Loss,
}

impl Losses {
    /// Of a configuration whose targets are this many classes, or real numbers; `outputs` is what the network has.
    ///
    /// # Errors
    /// A line for everything that the targets do not allow.
    pub(crate) fn new(config: &Config, classes: Option<usize>, outputs: usize) -> Result<Self, Vec<String>> {
        let implied = || if classes.is_some() { config.noise.smoothing(outputs) } else { 0.0 };
        let given = config.metrics.loss.unwrap_or_default();
        let smoothing = config.loss.smoothing.unwrap_or_else(implied);
        let trained = Loss { kind: config.loss.kind, smoothing };
        let measured =
            Loss { kind: given.kind.unwrap_or(trained.kind), smoothing: given.smoothing.unwrap_or(trained.smoothing) };
        let of_targets = config.noise.of_targets().map(|one| &one.noise);
        let source = match of_targets.filter(|_| config.loss.smoothing.is_none()) {
            Some(noise) => {
                config.noise.key_of(noise, if noise == noise.reference() { "probability" } else { "like.probability" })
            }
            None => "loss.smoothing".into(),
        };
        let (mut problems, mut scheduled) = (Vec::new(), Vec::new());
        let mut check = |kind: Option<LossKind>, smoothing: Option<f64>, section: &str, source: &str| match classes {
            None => {
                if kind == Some(LossKind::CrossEntropy) {
                    let expected = "expected square, since the targets are real numbers, got cross_entropy";
                    problems.push(format!("{section}.kind: {expected}"));
                }
                if let Some(s) = smoothing.filter(|s| *s > 0.0) {
                    problems
                        .push(format!("{section}.smoothing: expected 0, since the targets are not classes, got {s}"));
                }
            }
            Some(_) => {
                let limit = (outputs as f64 - 1.0) / outputs as f64;
                if let Some(s) = smoothing.filter(|s| *s > 0.0 && *s >= limit) {
                    problems.push(format!(
                        "{source}: expected labels that are right more often than any wrong class, got {s} of them \
                         wrong (the limit is {limit})"
                    ));
                }
            }
        };
        // Only the data may tell the number of classes; what the configuration tells was checked when it was read.
        let flips = matches!(
            of_targets.map(NoiseConfig::reference),
            Some(NoiseConfig::LabelFlip(_) | NoiseConfig::LabelSmoothing(_))
        );
        let is_wrong = || !trained.is_same_as(&Loss { smoothing: implied(), ..trained });
        let wrong = config.loss.smoothing.filter(|_| flips && classes.is_some() && is_wrong());
        check(Some(trained.kind), Some(trained.smoothing), "loss", &source);
        // A schedule may take the probability where the configured one is not.
        if let (true, Some(one)) = (flips && classes.is_some(), config.noise.of_targets()) {
            let factor = one.schedule.largest(&config.train);
            let limit = (outputs as f64 - 1.0) / outputs as f64;
            let [first, largest] = [1.0, factor].map(|factor| one.noise.noise().smoothing(outputs, factor));
            if first < limit && largest >= limit {
                scheduled.push(format!(
                    "{}: expected labels that are right more often than any wrong class at every step, got {largest} of them wrong \
                     where the schedule has multiplied {first} by {factor} (the limit is {limit})",
                    config.noise.key_of(&one.noise, "schedule.factor")
                ));
            }
        }
        check(given.kind, given.smoothing, "metrics.loss", "metrics.loss.smoothing");
        problems.extend(scheduled);
        if let Some(given) = wrong {
            let expected = implied();
            problems.push(format!(
                "loss.smoothing: expected nothing or {expected}, the smoothing that [noise] implies, got {given}"
            ));
        }
        if problems.is_empty() { Ok(Self { trained, measured }) } else { Err(problems) }
    }
}

/// The loss of which a measurement is: every number of its row but the accuracies and the norm of the weights depends on it,
/// so that rows of different losses are not comparable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredLoss {
    /// Which loss.
    pub kind: LossKind,
    /// Label smoothing s.
    pub smoothing: f64,
    /// The smallest value that the smoothed loss can have; `loss` and `test_loss` are counted from it.
    pub floor: f64,
    /// Factor of ½‖θ‖² in the loss: 0, there is no weight decay.
    pub weight_decay: f64,
}

impl MeasuredLoss {
    /// What this plan measures.
    pub fn of(plan: &Plan) -> Self {
        let loss = plan.measured_loss();
        let floor = loss.floor(plan.network.outputs());
        Self { kind: loss.kind, smoothing: loss.smoothing, floor, weight_decay: 0.0 }
    }
}

impl From<MeasuredLoss> for RecordedLoss {
    fn from(MeasuredLoss { kind, smoothing, floor, weight_decay }: MeasuredLoss) -> Self {
        Self { kind: kind.name().into(), smoothing, floor, weight_decay }
    }
}

impl std::fmt::Display for MeasuredLoss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, smoothing, floor, weight_decay } = *self;
        write!(f, "{}", Loss { kind, smoothing })?;
        if floor != 0.0 {
            write!(f, ", counted from its floor {floor:.6}")?;
        }
        if weight_decay != 0.0 {
            write!(f, ", weight decay {weight_decay}")?;
        }
        Ok(())
    }
}
