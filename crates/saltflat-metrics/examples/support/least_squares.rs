// A model whose Hessian is known, for examples and doc-tests.

use burn::tensor::{DType, Device, Tensor, TensorData};
use saltflat_metrics::{Objective, Scoring, TensorSamples};
use saltflat_models::{Init, Layout, Loss, LossKind, Network, Place, Vector, layers::Linear};

/// f(x; w) = w·x with the square loss ½(w·x − y)². Its Hessian is (1/n) Σ xxᵀ at every w.
pub struct LeastSquares {
    pub network: Network,
    pub weights: Vector,
    pub buffers: Vector,
    pub samples: TensorSamples,
}

impl LeastSquares {
    /// The inputs `[n, D]` and targets `[n]`, at w = (1, …, 1).
    pub fn new<const D: usize>(inputs: &[[f64; D]], targets: &[f64]) -> Self {
        let device = Device::flex();
        let options = (&device, DType::F64);
        let mut layout = Layout::default();
        let place = &mut Place::new(&mut layout, "linear", [D, 1, 1]);
        let layer = Linear::new(place, [D, 1], Init::Constant(1.0), None);
        let network = Network::new(layout, vec![layer.into()], [D, 1, 1], 1);
        let (weights, buffers) = network.layout().init(0, &device, DType::F64);
        let n = targets.len();
        let samples = TensorSamples {
            inputs: Tensor::from_data(TensorData::new(inputs.concat(), [n, D, 1, 1]), options),
            targets: Tensor::from_data(TensorData::new(targets.to_vec(), [n, 1]), options),
            scoring: Scoring::None,
        };
        Self { network, weights, buffers, samples }
    }

    /// The loss on all samples.
    pub fn objective(&self) -> Objective<'_> {
        let loss = Loss { kind: LossKind::Square, smoothing: 0.0 };
        Objective::on_all(&self.network, &self.buffers, loss, &self.samples, 100)
    }
}
