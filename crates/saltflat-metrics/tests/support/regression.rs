//! Linear and softmax regression, whose Hessians are known.

use burn::tensor::{DType, Device, Tensor, TensorData};
use nalgebra::{DMatrix, DVector};
use saltflat_metrics::{Objective, Scoring, TensorSamples};
use saltflat_models::{Architecture, Initialisation, Loss, LossKind, Network, Vector, architectures::LinearNet};
use saltflat_random::{Key, Stream};

/// Inputs.
pub const D: usize = 6;

pub struct Regression {
    pub network: Network,
    pub theta: Vector,
    pub buffers: Vector,
    pub loss: Loss,
    pub samples: TensorSamples,
    pub x: DMatrix<f64>,
    pub y: DMatrix<f64>,
}

impl Regression {
    /// n samples of D inputs with scales 1, ½, ⅓ …, and targets of `outputs` numbers.
    pub fn new(kind: LossKind, n: usize, outputs: usize) -> Self {
        let device = Device::flex();
        let normal = |part: u64, count: usize| {
            Key::new(23, Stream::Probe, 0).part(part).normal(count).into_iter().map(f64::from).collect::<Vec<_>>()
        };
        let x = DMatrix::from_row_slice(n, D, &normal(0, n * D));
        let x = DMatrix::from_fn(n, D, |i, j| x[(i, j)] / (j + 1) as f64);
        let y = match kind {
            LossKind::Square => DMatrix::from_row_slice(n, outputs, &normal(1, n * outputs)),
            LossKind::CrossEntropy => DMatrix::from_fn(n, outputs, |i, c| f64::from(u8::from(i % outputs == c))),
        };
        let rows = |m: &DMatrix<f64>| m.transpose().as_slice().to_vec();
        let options = (&device, DType::F64);
        let samples = TensorSamples {
            inputs: Tensor::from_data(TensorData::new(rows(&x), [n, D, 1, 1]), options),
            targets: Tensor::from_data(TensorData::new(rows(&y), [n, outputs]), options),
            scoring: Scoring::None,
        };
        let network =
            LinearNet { hidden: Vec::new(), init: Initialisation::Default }.build([D, 1, 1], outputs).unwrap();
        let (theta, buffers) = network.layout().init(3, &device, DType::F64);
        Self { network, theta, buffers, loss: Loss { kind, smoothing: 0.0 }, samples, x, y }
    }

    pub fn objective(&self) -> Objective<'_> {
        Objective::on_all(&self.network, &self.buffers, self.loss, &self.samples, 7)
    }

    /// W, `[outputs, D]`.
    pub fn weights(&self) -> DMatrix<f64> {
        let numbers = self.theta.parts()[0].clone().try_into_vec_as::<f64>().unwrap();
        DMatrix::from_row_slice(self.y.ncols(), D, &numbers)
    }

    /// Hessian of one sample in vec(W), row-major: A ⊗ x xᵀ.
    pub fn hessian_of(&self, i: usize) -> DMatrix<f64> {
        let x = self.x.row(i).transpose();
        let a = match self.loss.kind {
            LossKind::Square => DMatrix::identity(self.y.ncols(), self.y.ncols()),
            LossKind::CrossEntropy => {
                let exp = (self.weights() * &x).map(f64::exp);
                let p = &exp / exp.sum();
                DMatrix::from_diagonal(&p) - &p * p.transpose()
            }
        };
        a.kronecker(&(&x * x.transpose()))
    }

    pub fn hessian(&self, indices: &[usize]) -> DMatrix<f64> {
        indices.iter().map(|&i| self.hessian_of(i)).sum::<DMatrix<f64>>() / indices.len() as f64
    }

    pub fn all(&self) -> Vec<usize> {
        (0..self.x.nrows()).collect()
    }
}

pub fn host(v: &Vector) -> DVector<f64> {
    let numbers = v.parts().iter().flat_map(|part| part.clone().try_into_vec_as::<f64>().unwrap());
    DVector::from_vec(numbers.collect())
}
