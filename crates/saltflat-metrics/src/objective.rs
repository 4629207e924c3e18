//! The loss of a network on a set of samples.

use burn::tensor::{Tensor, TensorData};
use saltflat_models::{Loss, Network, Vector};

use crate::{Interrupt, MetricError};

/// What a prediction is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scoring {
    /// The class with the largest output against the class with the largest target.
    Class,
    /// One output, above or below ½.
    Binary,
    /// Real targets: there is no accuracy.
    None,
}

/// A batch of samples on a device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[batch, channels, height, width]`.
    pub inputs: Tensor<4>,
    /// The expected target q of each sample, `[batch, C]`.
    pub targets: Tensor<2>,
}

/// A set of samples that gives batches on a device.
pub trait Samples {
    /// Number of samples.
    fn len(&self) -> usize;

    /// True if there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples with these indices, in this order.
    fn batch(&self, indices: &[u32]) -> Batch;

    /// How predictions are scored.
    fn scoring(&self) -> Scoring;
}

/// Samples that are on a device as a whole.
#[derive(Clone, Debug)]
pub struct TensorSamples {
    /// `[n, channels, height, width]`.
    pub inputs: Tensor<4>,
    /// The expected target q of each sample, `[n, C]`.
    pub targets: Tensor<2>,
    /// How predictions are scored.
    pub scoring: Scoring,
}

impl Samples for TensorSamples {
    fn len(&self) -> usize {
        self.inputs.dims()[0]
    }

    fn batch(&self, indices: &[u32]) -> Batch {
        let indices: Vec<i32> = indices.iter().map(|&i| i as i32).collect();
        let indices = Tensor::from_data(TensorData::from(indices.as_slice()), &self.inputs.device());
        Batch {
            inputs: self.inputs.clone().select(0, indices.clone()),
            targets: self.targets.clone().select(0, indices),
        }
    }

    fn scoring(&self) -> Scoring {
        self.scoring
    }
}

/// L(θ) = (1/n) Σ ℓ(f(xᵢ; θ), qᵢ) on n samples of a set.
///
/// ```
/// use burn::tensor::{DType, Device, Tensor, TensorData};
/// use saltflat_metrics::{Objective, Scoring, TensorSamples, evaluate, gradient, norm};
/// use saltflat_models::{Init, Layout, Loss, LossKind, Network, layers::Linear};
///
/// // f(x; w) = w·x of two inputs, at w = (1, 1).
/// let device = Device::flex();
/// let mut layout = Layout::default();
/// let layer = Linear::new(&mut layout, "linear", [2, 1], Init::Constant(1.0), None);
/// let network = Network::new(layout, vec![layer.into()], [2, 1, 1], 1);
/// let (weights, buffers) = network.layout().init(0, &device, DType::F64);
///
/// // The inputs (1, 0) and (0, 2) with the targets 0.
/// let inputs = TensorData::new(vec![1.0, 0.0, 0.0, 2.0], [2, 2, 1, 1]);
/// let samples = TensorSamples {
///     inputs: Tensor::from_data(inputs, (&device, DType::F64)),
///     targets: Tensor::zeros([2, 1], (&device, DType::F64)),
///     scoring: Scoring::None,
/// };
/// let loss = Loss { kind: LossKind::Square, smoothing: 0.0 };
/// let objective = Objective::on_all(&network, &buffers, loss, &samples, 100);
///
/// // L = ½ · (½ · 1² + ½ · 2²), ∇L = ½ · (1, 0) + ½ · (0, 4).
/// assert_eq!(evaluate(&objective, &weights)?.loss, 1.25);
/// assert!((norm(&gradient(&objective, &weights)?)? - 4.25_f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), saltflat_metrics::MetricError>(())
/// ```
pub struct Objective<'a> {
    /// The network f.
    pub network: &'a Network,
    /// The buffers: tensors that are stored with θ and not trained, such as running statistics.
    pub buffers: &'a Vector,
    /// The per-sample loss ℓ.
    pub loss: Loss,
    /// The set of samples.
    pub samples: &'a dyn Samples,
    /// Indices of the n samples of the set over which L is the mean.
    pub indices: Vec<u32>,
    /// Samples of one forward pass; bounds the memory, changes nothing else.
    pub microbatch: usize,
    /// Asked before every microbatch.
    pub interrupt: Interrupt<'a>,
}

impl<'a> Objective<'a> {
    /// The loss on all samples.
    pub fn on_all(
        network: &'a Network,
        buffers: &'a Vector,
        loss: Loss,
        samples: &'a dyn Samples,
        microbatch: usize,
    ) -> Self {
        let indices = (0..samples.len() as u32).collect();
        Self { network, buffers, loss, samples, indices, microbatch, interrupt: Interrupt::default() }
    }

    /// The same loss; this interrupt gives up what is measured on it.
    pub fn interrupted_by(self, interrupt: Interrupt<'a>) -> Self {
        Self { interrupt, ..self }
    }

    /// The same loss on other samples of the set.
    pub fn on(&self, indices: Vec<u32>) -> Self {
        Self { indices, ..*self }
    }

    /// The same loss with other buffers.
    pub fn with_buffers<'b>(&'b self, buffers: &'b Vector) -> Objective<'b> {
        Objective { buffers, indices: self.indices.clone(), ..*self }
    }

    /// Number of samples n.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// True if there is no sample.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The samples, a microbatch at a time; before each the interrupt is asked, and gives
    /// [`MetricError::Interrupted`] in the microbatch's place.
    pub fn batches(&self) -> impl Iterator<Item = Result<Batch, MetricError>> {
        self.indices.chunks(self.microbatch.max(1)).map(|indices| {
            self.interrupt.check()?;
            Ok(self.samples.batch(indices))
        })
    }

    /// Σ over microbatches of the gradient of what `term` makes of a batch, divided by n.
    ///
    /// # Errors
    /// [`MetricError::Interrupted`].
    pub(crate) fn sum_of_gradients(
        &self,
        theta: &Vector,
        term: impl Fn(&Vector, Batch) -> Option<Tensor<2>>,
    ) -> Result<Vector, MetricError> {
        let scale = 1.0 / self.len() as f64;
        let mut sum: Option<Vector> = None;
        for batch in self.batches() {
            let leaves = theta.leaves();
            let Some(value) = term(&leaves, batch?) else { continue };
            let mut gradients = value.sum().mul_scalar(scale).backward();
            add_to(&mut sum, leaves.take_gradients(&mut gradients));
        }
        Ok(sum.unwrap_or_else(|| theta.zeros_like()))
    }
}

/// Adds to a sum that may not have begun.
pub(crate) fn add_to(sum: &mut Option<Vector>, term: Vector) {
    *sum = Some(match sum.take() {
        None => term,
        Some(sum) => sum.plus(&term),
    });
}
