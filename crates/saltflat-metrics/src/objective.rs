//! The loss of a network on a set of samples, and loss and accuracy of a split.

use burn::tensor::{Tensor, TensorData};
use saltflat_models::{Loss, Network, Vector};

use crate::{Interrupt, MetricError, error::read, operator::number};

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

/// L(θ) = (1/n) Σ ℓ(f(xᵢ; θ), qᵢ) + (w/2) ‖θ‖² on n samples of a set; the weight decay w is 0 unless it is
/// [set](Self::with_weight_decay).
///
/// ```
/// use burn::tensor::{DType, Device, Tensor, TensorData};
/// use saltflat_metrics::{Objective, Scoring, TensorSamples, evaluate, gradient, norm};
/// use saltflat_models::{Init, Item, Loss, LossKind, Network, layers::LinearConfig};
///
/// // f(x; w) = w·x of two inputs, at w = (1, 1).
/// let device = Device::flex();
/// let layer = LinearConfig::new(1, Init::Constant(1.0), None);
/// let network = Network::from_layers(&[Item::from(layer)], [2, 1, 1], 1).unwrap();
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
    /// w ≥ 0, the factor of ½‖θ‖² in L. It is in L, in ∇L and in the products with the Hessian and the Gauss–Newton matrix, which become
    /// H + wI and GGN + wI; it is the same for every sample, so that the gradient noise and the [`Pairs`](crate::Pairs) do not have it.
    pub weight_decay: f64,
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
        Self {
            network,
            buffers,
            loss,
            weight_decay: 0.0,
            samples,
            indices,
            microbatch,
            interrupt: Interrupt::default(),
        }
    }

    /// With (w/2) ‖θ‖² added to the loss.
    pub fn with_weight_decay(self, weight_decay: f64) -> Self {
        Self { weight_decay, ..self }
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

/// How a network does on a set of samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// L with its weight decay, counted from the smallest value that the smoothed loss can have.
    pub loss: f64,
    /// Part of the samples that are classified rightly, against clean labels; absent for real targets, and NaN if the loss is not
    /// finite: outputs that are not finite have no largest one.
    pub accuracy: Option<f64>,
}

/// ‖v‖; if its square is outside the range of the type, by way of v divided by its largest entry.
///
/// # Errors
/// [`MetricError::Device`] if the numbers cannot be read.
pub fn norm(v: &Vector) -> Result<f64, MetricError> {
    let square = number(v.norm_squared())?;
    // Squares of entries below the smallest normal number lose their digits.
    if (1e-28..f64::INFINITY).contains(&square) {
        return Ok(square.sqrt());
    }
    let largest = v.parts().iter().map(|part| part.clone().abs().max()).reduce(Tensor::max_pair).map(number);
    match largest.transpose()? {
        Some(largest) if (1e-37..f64::INFINITY).contains(&largest) => {
            Ok(largest * number(v.scale(1.0 / largest).norm_squared())?.sqrt())
        }
        _ => Ok(square.sqrt()),
    }
}

/// Loss and accuracy on the objective's samples. Costs a third of a gradient; one read from the device.
///
/// # Errors
/// [`MetricError::Device`] if the sums cannot be read, and [`MetricError::Interrupted`].
pub fn evaluate(objective: &Objective<'_>, theta: &Vector) -> Result<Evaluation, MetricError> {
    let scoring = objective.samples.scoring();
    let mut sums = Vec::new();
    for batch in objective.batches() {
        let batch = batch?;
        let outputs = objective.network.value(theta, objective.buffers, batch.inputs);
        sums.push(objective.loss.value(outputs.clone(), batch.targets.clone()).sum());
        sums.extend(scoring.correct(outputs, batch.targets));
    }
    let sums = read("evaluation", Tensor::cat(sums, 0))?;
    let (n, scored) = (objective.len() as f64, scoring != Scoring::None);
    let stride = if scored { 2 } else { 1 };
    let total = |offset: usize| sums.iter().skip(offset).step_by(stride).sum::<f64>() / n;
    let loss = total(0) - objective.loss.floor(objective.network.outputs());
    let loss = match objective.weight_decay {
        0.0 => loss,
        decay => loss + 0.5 * decay * norm(theta)?.powi(2),
    };
    Ok(Evaluation { loss, accuracy: scored.then(|| if loss.is_finite() { total(1) } else { f64::NAN }) })
}

impl Scoring {
    /// Number of rightly classified samples of outputs and targets `[batch, C]`, one element; absent for real targets.
    pub fn correct(self, outputs: Tensor<2>, targets: Tensor<2>) -> Option<Tensor<1>> {
        let dtype = outputs.dtype();
        let hit = match self {
            Self::Class => outputs.argmax(1).equal(targets.argmax(1)),
            Self::Binary => outputs.greater_scalar(0.5).equal(targets.greater_scalar(0.5)),
            Self::None => return None,
        };
        Some(hit.float().sum().cast(dtype))
    }
}
