//! What two keys say together and cannot both hold.

use saltflat_data::{BatchSampling, Targets};
use saltflat_models::LossKind;
use saltflat_noise::SuitableTargets;

use super::{BatchSize, Config, Span};
use saltflat_config::Section;

impl Config {
    /// Reports every contradiction that can be seen without the data. Keys that were refused before have a default in
    /// their place, so nothing is said about them.
    pub(super) fn check(&self, root: &Section) {
        self.check_smoothing(root);
        self.check_targets(root);
        self.check_warmup(root);
        self.check_pairs(root);
        self.check_sampling(root);
        let refused = |key| root.refused(&[key]);
        if self.optimizer.nesterov && self.optimizer.momentum == 0.0 && !refused("optimizer.momentum") {
            root.problem("optimizer.nesterov", "expected optimizer.momentum above 0, got 0");
        }
        if self.optimizer.batch_size == BatchSize::Full && self.train.drop_last && !refused("optimizer.batch_size") {
            root.problem("train.drop_last", "expected false with a full batch, got true");
        }
        if let Some(best) = self.train.checkpoint.best.filter(|_| !self.metrics.evaluate) {
            let text = format!("expected metrics.evaluate on, which measures {}, got it off", best.name());
            root.problem("train.checkpoint.best", text);
        }
    }

    /// Number of outputs C, if the configuration tells it.
    fn outputs(&self) -> Option<usize> {
        let of_kind = self.data.kind.targets.map(Targets::outputs);
        self.model.outputs.or(self.data.classes.as_ref().map(Vec::len)).or(of_kind)
    }

    /// `loss.smoothing`, or what `loss.label_smoothing` makes of it, is below (C − 1)/C, from which on the label is no longer the likeliest class, and is what the
    /// noise implies, if it implies any.
    fn check_smoothing(&self, root: &Section) {
        let key = format!("loss.{}", self.loss.smoothing_key());
        let keys = [key.as_str(), "noise", "model.kind", "model.outputs", "data.kind", "data.classes"];
        // Of a number that only the data tells, any will do for `smoothing`; what `label_smoothing` makes is then checked with the data.
        let given = match (self.outputs(), self.loss.label_smoothing) {
            (Some(outputs), _) => self.loss.smoothing(outputs),
            (None, None) => self.loss.smoothing,
            (None, Some(_)) => None,
        };
        let Some(given) = given else { return };
        let of_noise = |(key, _): (String, _)| {
            root.refused(&[&key])
                || ["kind", "probability", "to"].iter().any(|name| root.refused(&[&format!("{key}.{name}")]))
        };
        if root.refused(&keys) || self.noise.with_keys().any(of_noise) || self.data.binary {
            return;
        }
        let of_classes = self.noise.of_targets().map(|one| one.noise.reference_or_self());
        let of_classes = of_classes.filter(|noise| noise.properties().suitable_targets == SuitableTargets::Classes);
        let implied = of_classes.and_then(|noise| match self.outputs() {
            Some(outputs) => Some(noise.smoothing(outputs, 1.0)),
            // Only the data tells the number of classes, and the smoothing may not depend on it.
            None => Some(noise.smoothing(2, 1.0)).filter(|smoothing| *smoothing == noise.smoothing(3, 1.0)),
        });
        if let Some(implied) = implied.filter(|implied| (given - implied).abs() > 1e-12) {
            root.problem(&key, self.loss.not_implied(implied, given, self.outputs()));
        } else if let (None, Some(outputs)) = (implied, self.outputs().filter(|&outputs| outputs > 1)) {
            let limit = (outputs as f64 - 1.0) / outputs as f64;
            if given >= limit {
                let text = format!("expected less than {limit}, for {outputs} classes, got {given}");
                root.problem(&key, text);
            }
        }
    }

    /// The loss and the noise suit the targets: classes, or real numbers with `data.binary` and some tensors.
    fn check_targets(&self, root: &Section) {
        let cross_entropy = self.loss.kind == LossKind::CrossEntropy && !root.refused(&["loss.kind"]);
        if self.data.binary && cross_entropy {
            root.problem("loss.kind", "expected square with data.binary, whose targets are 0 and 1, got cross_entropy");
        }
        for (key, one) in self.noise.with_keys() {
            let kind = format!("{key}.kind");
            let noise = one.noise.reference_or_self();
            match noise.properties().suitable_targets {
                SuitableTargets::Classes if self.data.binary => {
                    let text = "expected label-noise with data.binary: there are no classes to flip";
                    root.problem(&kind, text);
                }
                SuitableTargets::RealNumbers if cross_entropy => {
                    let text = "expected label-flip with cross_entropy, got";
                    root.problem(&kind, format!("{text} {}, which is for real targets", noise.name()));
                }
                SuitableTargets::RealNumbers
                    if matches!(self.data.kind.targets, Some(Targets::Classes(_)))
                        && !self.data.binary
                        && !root.refused(&["data.kind", "data.binary"]) =>
                {
                    let text = "expected label-flip with classes, got";
                    root.problem(&kind, format!("{text} {}, which is for real targets (data.binary)", noise.name()));
                }
                SuitableTargets::Any | SuitableTargets::Classes | SuitableTargets::RealNumbers => {}
            }
        }
    }

    /// With Bernoulli sampling a batch may have any number of samples: the noise must not depend on it.
    fn check_sampling(&self, root: &Section) {
        if self.optimizer.sampling != BatchSampling::Bernoulli {
            return;
        }
        for noise in self.noise.iter().map(|one| one.noise.reference_or_self()) {
            if noise.properties().least_batch > 0 {
                let text = "expected epoch or independent with the noise";
                let text = format!("{text} {}, which needs samples in every batch", noise.name());
                root.problem("optimizer.sampling", text);
            }
        }
    }

    /// A single sample has no minibatch noise.
    fn check_pairs(&self, root: &Section) {
        let needs_pairs = self.noise.iter().any(|one| one.noise.properties().least_batch > 1);
        if needs_pairs && self.optimizer.batch_size == BatchSize::Samples(1) {
            let text = "expected at least 2 samples, whose gradients [noise] compares, got 1";
            root.problem("optimizer.batch_size", text);
        }
    }

    /// A warm-up ends before the training does. With epochs, `train.steps` cuts a run short: a trial of some steps keeps
    /// its schedule.
    fn check_warmup(&self, root: &Section) {
        let of_noise = self.noise.with_keys().map(|(key, one)| (format!("{key}.schedule"), &one.schedule));
        for (name, schedule) in [("schedule".to_string(), &self.schedule)].into_iter().chain(of_noise) {
            match (schedule.warmup(), self.train.steps, self.train.epochs) {
                (Some(Span::Steps(warmup)), Some(steps), None) if warmup > steps => root.problem(
                    &format!("{name}.warmup_steps"),
                    format!("expected at most train.steps = {steps}, got {warmup}"),
                ),
                (Some(Span::Epochs(warmup)), _, Some(epochs)) if warmup > epochs as f64 => root.problem(
                    &format!("{name}.warmup_epochs"),
                    format!("expected at most train.epochs = {epochs}, got {warmup}"),
                ),
                _ => {}
            }
        }
    }
}
