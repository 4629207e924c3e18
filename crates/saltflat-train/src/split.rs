//! A split of the data on a device, with its targets.

use burn::tensor::{DType, Device, Tensor, TensorData};
use saltflat_data::{Change, DeviceData, Examples, Labels, Standardise};
use saltflat_metrics::{Batch, Samples, Scoring};
use saltflat_models::Loss;
use saltflat_noise::Targets;

/// Inputs on the device, labels on the host (they are small, and the noise works on targets there).
#[derive(Debug)]
pub struct Split {
    data: DeviceData,
    known: KnownTargets,
    /// The loss that is trained on.
    loss: Loss,
    outputs: usize,
    scoring: Scoring,
    device: Device,
    dtype: DType,
}

/// What is known of the samples.
#[derive(Debug)]
enum KnownTargets {
    /// The class of each; a loss with smoothing makes targets of them.
    Classes(Vec<u32>),
    /// Targets, `[n, outputs]`, whatever the loss.
    Real(Vec<f32>),
}

impl Split {
    /// Puts the examples on the device. Class labels become the smoothed targets of a loss over `outputs` classes.
    pub fn new(
        examples: &Examples,
        standardise: Option<&Standardise>,
        loss: &Loss,
        outputs: usize,
        device: &Device,
        dtype: DType,
    ) -> Self {
        let data = DeviceData::new(examples, standardise, device, dtype);
        let (known, scoring) = match examples.labels() {
            Labels::Classes { labels, .. } => (KnownTargets::Classes(labels.clone()), Scoring::Class),
            Labels::Real { values, .. } => {
                let binary = outputs == 1 && values.iter().all(|&y| y == 0.0 || y == 1.0);
                (KnownTargets::Real(values.clone()), if binary { Scoring::Binary } else { Scoring::None })
            }
        };
        Self { data, known, loss: *loss, outputs, scoring, device: device.clone(), dtype }
    }

    /// The expected targets of these samples under the loss that is trained on, and their clean labels.
    pub fn targets(&self, indices: &[u32]) -> Targets {
        self.targets_with_loss(&self.loss, indices)
    }

    /// The expected targets of these samples under any loss, and their clean labels.
    pub fn targets_with_loss(&self, loss: &Loss, indices: &[u32]) -> Targets {
        let outputs = self.outputs;
        match &self.known {
            KnownTargets::Classes(all) => {
                let labels: Vec<u32> = indices.iter().map(|&i| all[i as usize]).collect();
                let mut values = vec![0.0; labels.len() * outputs];
                for (target, &label) in values.chunks_mut(outputs).zip(&labels) {
                    loss.target(label, target);
                }
                Targets { values, outputs, labels: Some(labels) }
            }
            KnownTargets::Real(all) => {
                let row = |&i: &u32| &all[i as usize * outputs..(i as usize + 1) * outputs];
                Targets { values: indices.iter().flat_map(row).copied().collect(), outputs, labels: None }
            }
        }
    }

    /// The expected targets of these samples under a loss on the device, `[batch, outputs]`: in f64 without a detour through f32, of which the
    /// rounded targets of a smoothed loss would be of another loss.
    fn expected_targets(&self, loss: &Loss, indices: &[u32]) -> Tensor<2> {
        match (&self.known, self.dtype) {
            (KnownTargets::Classes(all), DType::F64) => {
                let [own, others] = loss.target_values(self.outputs);
                let mut values = vec![others; indices.len() * self.outputs];
                for (target, &i) in values.chunks_mut(self.outputs).zip(indices) {
                    target[all[i as usize] as usize] = own;
                }
                Tensor::from_data(TensorData::new(values, [indices.len(), self.outputs]), (&self.device, self.dtype))
            }
            _ => self.upload(&self.targets_with_loss(loss, indices).values),
        }
    }

    /// The same samples with the targets of another loss; the inputs are not copied.
    pub fn with_loss(&self, loss: Loss) -> SplitWithLoss<'_> {
        SplitWithLoss { split: self, loss }
    }

    /// Inputs of these samples, `[batch, channels, height, width]`, augmented if there is a change for each.
    pub fn inputs(&self, indices: &[u32], augmentation: Option<&[Change]>) -> Tensor<4> {
        match augmentation {
            None => self.data.batch(indices),
            Some(changes) => self.data.batch_augmented(indices, changes),
        }
    }

    /// Targets `[batch, outputs]` on the device.
    pub fn upload(&self, targets: &[f32]) -> Tensor<2> {
        let shape = [targets.len() / self.outputs, self.outputs];
        Tensor::from_data(TensorData::new(targets.to_vec(), shape), (&self.device, self.dtype))
    }
}

/// With the targets of the loss that is trained on.
impl Samples for Split {
    fn len(&self) -> usize {
        self.data.len()
    }

    fn batch(&self, indices: &[u32]) -> Batch {
        self.with_loss(self.loss).batch(indices)
    }

    fn scoring(&self) -> Scoring {
        self.scoring
    }
}

/// A split with the targets of a loss, its own or another one.
#[derive(Clone, Copy, Debug)]
pub struct SplitWithLoss<'a> {
    split: &'a Split,
    loss: Loss,
}

impl Samples for SplitWithLoss<'_> {
    fn len(&self) -> usize {
        self.split.len()
    }

    fn batch(&self, indices: &[u32]) -> Batch {
        Batch { inputs: self.split.inputs(indices, None), targets: self.split.expected_targets(&self.loss, indices) }
    }

    fn scoring(&self) -> Scoring {
        self.split.scoring
    }
}
