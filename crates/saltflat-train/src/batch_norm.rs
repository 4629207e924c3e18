//! What batch normalisation asks of the batches of a run: its statistics are those of all samples of a step, so that a step is one pass, and
//! a variance needs two values.

use saltflat_config::Problem;
use saltflat_data::BatchSampling;
use saltflat_models::Network;

use crate::config::Config;

/// The steps of a run, in samples.
pub(crate) struct StepSizes {
    /// Training samples.
    pub samples: usize,
    /// Samples of a step.
    pub size: usize,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
    /// Steps of the run.
    pub steps: u64,
}

impl StepSizes {
    /// Samples of the last step of an epoch, if the run makes it and it has fewer than the others.
    fn smaller_last(&self) -> Option<usize> {
        let last = self.samples % self.size;
        let made = self.steps >= self.steps_per_epoch && self.steps_per_epoch > (self.samples / self.size) as u64;
        (last > 0 && made).then_some(last)
    }
}

/// Everything that cannot be trained with a network whose layers couple the samples of a batch. A run without steps, which only measures,
/// has no batches.
pub(crate) fn problems(config: &Config, network: &Network, batches: &StepSizes) -> Vec<Problem> {
    let Some(positions) = network.coupled_positions().filter(|_| batches.steps > 0) else { return Vec::new() };
    let mut found = Vec::new();
    let size = batches.size;
    if config.optimizer.sampling == BatchSampling::Bernoulli {
        let text = "expected epoch or independent with batch normalisation, whose statistics need samples in every batch, got bernoulli";
        found.push(Problem::new("optimizer.sampling", text));
    }
    if let Some(microbatch) = config.train.microbatch.filter(|&microbatch| microbatch < size) {
        let text = format!(
            "expected nothing, or at least the batch of {size} samples, whose statistics batch normalisation takes in one pass, got \
             {microbatch}; a smaller optimizer.batch_size or model.norm = \"group\" takes less memory"
        );
        found.push(Problem::new("train.microbatch", text));
    }
    // Of a single value the variance is 0, and so is what is normalised by it, whatever the value.
    if positions == 1 && size == 1 {
        let text = "expected at least 2 samples, since a layer of batch normalisation sees images of 1 × 1, and one value per channel has no \
                    variance, got 1";
        found.push(Problem::new("optimizer.batch_size", text));
    } else if positions == 1 && config.optimizer.sampling == BatchSampling::Epoch && batches.smaller_last() == Some(1) {
        let text = format!(
            "the last batch of an epoch has 1 sample ({} samples in batches of {size}), and a layer of batch normalisation, which sees images \
             of 1 × 1, needs more than one value per channel; set train.drop_last = true or another batch size",
            batches.samples
        );
        found.push(Problem::new("optimizer.batch_size", text));
    }
    found
}
