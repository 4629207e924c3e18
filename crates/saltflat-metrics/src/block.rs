//! The diagonal blocks of a symmetric matrix, one for each parameter tensor.

use saltflat_models::Vector;

use crate::{Interrupt, MetricError, Operator};

/// The diagonal block of A that belongs to one tensor of its space: a symmetric matrix of the tensor's size, whose products are the tensor's
/// part of A v, where v is 0 outside of it. Its spectrum lies within that of A (Cauchy's interlacing theorem). A product costs one with A.
///
/// ```
/// # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/support/least_squares.rs")); }
/// # use support::LeastSquares;
/// use saltflat_metrics::{Curvature, CurvatureOperator, DiagonalBlock, LanczosOptions, lanczos};
/// use saltflat_random::{Key, Stream};
///
/// // One tensor, the weights: its block is the whole of H = diag(1, 4)/2.
/// let model = LeastSquares::new(&[[1.0, 0.0], [0.0, 2.0]], &[0.0, 0.0]);
/// let objective = model.objective();
/// let hessian = CurvatureOperator::new(&objective, &model.weights, Curvature::Hessian);
/// let options = LanczosOptions { largest: 1, smallest: 0, ..LanczosOptions::default() };
/// for block in DiagonalBlock::all(&hessian) {
///     let found = lanczos(&block, &options, &[], Key::new(1, Stream::Eigenvalue, 0))?;
///     assert!((found.largest[0].value - 2.0).abs() < 1e-9);
/// }
/// # Ok::<(), saltflat_metrics::MetricError>(())
/// ```
pub struct DiagonalBlock<'a> {
    operator: &'a dyn Operator,
    tensor: usize,
    /// The tensor alone.
    space: Vector,
    /// 0 in the space of A.
    zeros: Vector,
}

impl<'a> DiagonalBlock<'a> {
    /// The blocks of all tensors, in the layout's order.
    pub fn all(operator: &'a dyn Operator) -> Vec<Self> {
        let zeros = operator.space().zeros_like();
        let block = |tensor: usize| Self {
            operator,
            tensor,
            space: Vector::new(vec![operator.space().parts()[tensor].clone()]),
            zeros: zeros.clone(),
        };
        (0..zeros.parts().len()).map(block).collect()
    }

    /// v in the space of A.
    fn embed(&self, v: &Vector) -> Vector {
        let own = |(i, zero)| if i == self.tensor { v.parts().first().unwrap_or(zero) } else { zero };
        Vector::new(self.zeros.parts().iter().enumerate().map(own).cloned().collect())
    }
}

impl Operator for DiagonalBlock<'_> {
    fn space(&self) -> &Vector {
        &self.space
    }

    fn interrupt(&self) -> Interrupt<'_> {
        self.operator.interrupt()
    }

    fn apply(&self, v: &Vector) -> Result<Vector, MetricError> {
        let product = self.operator.apply(&self.embed(v))?;
        Ok(Vector::new(product.parts().get(self.tensor).cloned().into_iter().collect()))
    }

    fn products(&self) -> usize {
        self.operator.products()
    }
}
