//! A split of the data on a device, with its targets.

use burn::tensor::{DType, Device, Tensor, TensorData};
use saltflat_data::{Change, DeviceData, Examples, Labels, Standardise};
use saltflat_metrics::{Batch, Samples, Scoring};
use saltflat_models::Loss;
use saltflat_noise::Targets;

/// Inputs on the device, expected targets on the host (they are small, and the noise works on them there).
#[derive(Debug)]
pub struct Split {
    data: DeviceData,
    /// Expected targets q, `[n, outputs]`.
    targets: Vec<f32>,
    labels: Option<Vec<u32>>,
    outputs: usize,
    scoring: Scoring,
    device: Device,
    dtype: DType,
}

impl Split {
    /// Puts the examples on the device. Class labels become the loss's smoothed targets over `outputs` classes.
    pub fn new(
        examples: &Examples,
        standardise: Option<&Standardise>,
        loss: &Loss,
        outputs: usize,
        device: &Device,
        dtype: DType,
    ) -> Self {
        let data = DeviceData::new(examples, standardise, device, dtype);
        let (targets, labels, scoring) = match examples.labels() {
            Labels::Classes { labels, .. } => {
                let mut targets = vec![0.0; labels.len() * outputs];
                for (target, &label) in targets.chunks_mut(outputs).zip(labels) {
                    loss.target(label, target);
                }
                (targets, Some(labels.clone()), Scoring::Class)
            }
            Labels::Real { values, .. } => {
                let binary = outputs == 1 && values.iter().all(|&y| y == 0.0 || y == 1.0);
                (values.clone(), None, if binary { Scoring::Binary } else { Scoring::None })
            }
        };
        Self { data, targets, labels, outputs, scoring, device: device.clone(), dtype }
    }

    /// The expected targets of these samples and their clean labels.
    pub fn targets(&self, indices: &[u32]) -> Targets {
        let row = |&i: &u32| &self.targets[i as usize * self.outputs..(i as usize + 1) * self.outputs];
        Targets {
            values: indices.iter().flat_map(row).copied().collect(),
            outputs: self.outputs,
            labels: self.labels.as_ref().map(|labels| indices.iter().map(|&i| labels[i as usize]).collect()),
        }
    }

    /// Inputs of these samples, `[batch, channels, height, width]`, augmented where there is a change for each.
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

impl Samples for Split {
    fn len(&self) -> usize {
        self.data.len()
    }

    fn batch(&self, indices: &[u32]) -> Batch {
        Batch { inputs: self.inputs(indices, None), targets: self.upload(&self.targets(indices).values) }
    }

    fn scoring(&self) -> Scoring {
        self.scoring
    }
}
