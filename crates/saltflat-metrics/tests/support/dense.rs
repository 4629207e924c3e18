//! Symmetric matrices whose spectrum is known.

use std::cell::Cell;

use burn::tensor::{DType, Device, Tensor, TensorData};
use nalgebra::DMatrix;
use saltflat_metrics::{MetricError, Operator};
use saltflat_models::Vector;
use saltflat_random::{Key, Stream};

/// A p × p matrix, on a space with two tensors.
pub struct Dense {
    pub matrix: DMatrix<f64>,
    device_matrix: Tensor<2>,
    space: Vector,
    products: Cell<usize>,
}

impl Dense {
    pub fn new(matrix: DMatrix<f64>, dtype: DType) -> Self {
        let device = Device::flex();
        let p = matrix.nrows();
        // Column-major is row-major of the transpose, and the matrix is symmetric.
        let device_matrix = Tensor::from_data(TensorData::new(matrix.as_slice().to_vec(), [p, p]), (&device, dtype));
        let space = Vector::from_host([vec![0.0; p / 3], vec![0.0; p - p / 3]], &device, dtype);
        Self { matrix, device_matrix, space, products: Cell::new(0) }
    }

    /// Q diag(λ) Qᵀ with a random orthogonal Q.
    pub fn with_spectrum(eigenvalues: &[f64], seed: u64, dtype: DType) -> Self {
        let p = eigenvalues.len();
        let normal = Key::new(seed, Stream::Probe, 99).normal(p * p).into_iter().map(f64::from);
        let q = DMatrix::from_iterator(p, p, normal).qr().q();
        let diagonal = DMatrix::from_diagonal(&nalgebra::DVector::from_row_slice(eigenvalues));
        let matrix = &q * diagonal * q.transpose();
        Self::new((&matrix + matrix.transpose()) * 0.5, dtype)
    }
}

impl Operator for Dense {
    fn space(&self) -> &Vector {
        &self.space
    }

    fn apply(&self, v: &Vector) -> Result<Vector, MetricError> {
        self.products.set(self.products.get() + 1);
        let p = self.matrix.nrows();
        let flat = Tensor::cat(v.parts().to_vec(), 0).reshape([p, 1]);
        let image: Tensor<1> = self.device_matrix.clone().matmul(flat).flatten(0, 1);
        Ok(Vector::new(image.split_with_sizes(vec![p / 3, p - p / 3], 0)))
    }

    fn products(&self) -> usize {
        self.products.get()
    }
}
