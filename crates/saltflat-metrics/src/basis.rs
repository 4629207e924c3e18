//! An orthonormal basis in parameter space, as a matrix, and eigenvalues of small symmetric matrices on the host.

use burn::tensor::{Tensor, TensorData};
use nalgebra::{DMatrix, Dyn, SymmetricEigen};
use saltflat_models::Vector;

use crate::{Interrupt, MetricError, error::read};

/// Entries of one chunk of a vector: with [`BLOCK`] rows a block is 128 MiB in f32, the smallest storage binding that a
/// GPU may offer.
const CHUNK: usize = 1 << 21;
/// Vectors of one block: products with a block read each vector once, and are ten times as fast as one by one.
const BLOCK: usize = 16;

/// Orthonormal vectors q₁ … q_k of a parameter space, the rows of a matrix that is cut into blocks of rows and chunks of
/// columns. Vectors go in and come out regrouped: their parts are the chunks ([`Basis::regroup`]).
pub(crate) struct Basis<'a> {
    space: Vector,
    /// Asked before every chunk.
    interrupt: Interrupt<'a>,
    /// Of each chunk its blocks `[rows, chunk]`: full ones with BLOCK rows, then smaller and smaller powers of two.
    chunks: Vec<Vec<Tensor<2>>>,
    len: usize,
}

impl<'a> Basis<'a> {
    /// No vector yet, of the space that `space` is in.
    pub(crate) fn new(space: &Vector, interrupt: Interrupt<'a>) -> Self {
        let chunks = space.len().div_ceil(CHUNK).max(1);
        Self { space: space.clone(), interrupt, chunks: vec![Vec::new(); chunks], len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// A vector of the space in chunks.
    pub(crate) fn regroup(v: &Vector) -> Vector {
        let flat = Tensor::cat(v.parts().to_vec(), 0);
        if v.len() <= CHUNK { Vector::new(vec![flat]) } else { Vector::new(flat.split(CHUNK, 0)) }
    }

    /// A vector in chunks, in the layout of the space again.
    pub(crate) fn restore(&self, chunks: &Vector) -> Vector {
        let lengths = self.space.parts().iter().map(|part| part.dims()[0]).collect();
        Vector::new(Tensor::cat(chunks.parts().to_vec(), 0).split_with_sizes(lengths, 0))
    }

    /// qᵢ·v for every i; one read from the device.
    pub(crate) fn dots(&self, v: &Vector) -> Result<Vec<f64>, MetricError> {
        if self.len == 0 {
            return Ok(Vec::new());
        }
        let mut sum: Option<Tensor<2>> = None;
        for (blocks, part) in self.chunks.iter().zip(v.parts()) {
            self.interrupt.check()?;
            let column = part.clone().reshape([part.dims()[0], 1]);
            let products = Tensor::cat(blocks.iter().map(|block| block.clone().matmul(column.clone())).collect(), 0);
            sum = Some(match sum {
                None => products,
                Some(sum) => sum + products,
            });
        }
        sum.map_or(Ok(Vec::new()), |sum| read("inner products with a basis", sum))
    }

    /// Σ cᵢ qᵢ, in chunks; `coefficients` has k entries, at least one.
    pub(crate) fn combine(&self, coefficients: &[f64]) -> Result<Vector, MetricError> {
        let row = DMatrix::from_row_slice(1, coefficients.len(), coefficients);
        let chunk = |blocks: &Vec<Tensor<2>>| {
            self.interrupt.check()?;
            Ok(self.product(&row, blocks.iter().cloned()).map_or_else(|| self.no_columns(), |sum| sum.flatten(0, 1)))
        };
        Ok(Vector::new(self.chunks.iter().map(chunk).collect::<Result<_, MetricError>>()?))
    }

    /// `coefficients` `[new, k]` times the rows of a chunk.
    fn product(&self, coefficients: &DMatrix<f64>, blocks: impl Iterator<Item = Tensor<2>>) -> Option<Tensor<2>> {
        let device = self.space.parts()[0].device().without_autodiff();
        let new = coefficients.nrows();
        let mut start = 0;
        let products = blocks.map(|block| {
            let rows = block.dims()[0];
            let part = coefficients.columns(start, rows).transpose().as_slice().to_vec();
            start += rows;
            let part = Tensor::<2>::from_data(TensorData::new(part, [new, rows]), (&device, self.space.dtype()));
            part.matmul(block)
        });
        products.reduce(|sum, product| sum + product)
    }

    fn no_columns(&self) -> Tensor<1> {
        Tensor::zeros([0], (&self.space.parts()[0].device().without_autodiff(), self.space.dtype()))
    }

    /// v − Q Qᵀ v, and Qᵀ v: Gram–Schmidt twice, so that the rest is orthogonal to rounding.
    pub(crate) fn remove(&self, v: Vector) -> Result<(Vector, Vec<f64>), MetricError> {
        let mut rest = v;
        let mut total = vec![0.0; self.len];
        if self.len == 0 {
            return Ok((rest, total));
        }
        for _ in 0..2 {
            let coefficients = self.dots(&rest)?;
            rest = rest.plus_scaled(-1.0, &self.combine(&coefficients)?);
            total.iter_mut().zip(coefficients).for_each(|(sum, c)| *sum += c);
        }
        Ok((rest, total))
    }

    /// Takes in a vector of length 1, orthogonal to all others, in chunks.
    pub(crate) fn push(&mut self, q: &Vector) {
        for (blocks, part) in self.chunks.iter_mut().zip(q.parts()) {
            blocks.push(part.clone().reshape([1, part.dims()[0]]));
            // Two blocks of one size become one, as in a binary counter: few blocks, and each vector is copied four times.
            while let [.., a, b] = blocks.as_slice()
                && a.dims()[0] == b.dims()[0]
                && 2 * b.dims()[0] <= BLOCK
            {
                let pair = blocks.split_off(blocks.len() - 2);
                blocks.push(Tensor::cat(pair, 0));
            }
        }
        self.len += 1;
    }

    /// Replaces the vectors by combinations of them, one a row of `coefficients` `[new, k]`, orthonormal again if its rows
    /// are. A chunk of columns at a time, so that no second basis is ever held.
    /// If it is interrupted the basis is of no further use.
    pub(crate) fn rotate(&mut self, coefficients: &DMatrix<f64>) -> Result<(), MetricError> {
        let new = coefficients.nrows();
        for chunk in 0..self.chunks.len() {
            self.interrupt.check()?;
            let blocks = std::mem::take(&mut self.chunks[chunk]);
            let Some(sum) = self.product(coefficients, blocks.into_iter()) else { continue };
            let mut start = 0;
            let columns = sum.dims()[1];
            while start < new {
                // Full blocks first, then the powers of two that the rest is made of, as `push` would leave them.
                let rows = BLOCK.min(1 << (new - start).ilog2());
                self.chunks[chunk].push(sum.clone().slice([start..start + rows, 0..columns]));
                start += rows;
            }
        }
        self.len = new;
        Ok(())
    }

    /// The vector with this index, in chunks.
    pub(crate) fn row(&self, index: usize) -> Vector {
        let chunk = |blocks: &Vec<Tensor<2>>| {
            let mut start = 0;
            for block in blocks {
                let [rows, columns] = block.dims();
                if index < start + rows {
                    return block.clone().slice([index - start..index - start + 1, 0..columns]).flatten(0, 1);
                }
                start += rows;
            }
            self.no_columns()
        };
        Vector::new(self.chunks.iter().map(chunk).collect())
    }

    /// The vector with this index, in the layout of the space.
    pub(crate) fn vector(&self, index: usize) -> Vector {
        self.restore(&self.row(index))
    }
}

/// ‖v‖, of which everything here is made: if it overflows nothing more can be computed.
///
/// # Errors
/// [`MetricError::NotFinite`], and [`MetricError::Device`].
pub(crate) fn norm(v: &Vector) -> Result<f64, MetricError> {
    let square = crate::operator::number(v.norm_squared())?;
    match square.is_finite() {
        true => Ok(square.sqrt()),
        false => Err(MetricError::NotFinite(format!("overflow: the squared length of a vector is {square}"))),
    }
}

/// Rows up to which a decomposition takes milliseconds, so that it need not be interrupted.
const QUICK: usize = 256;

/// Eigenvalues of a symmetric matrix with finite entries, largest first, and the eigenvectors in the same order as columns.
///
/// # Errors
/// [`MetricError::NotFinite`] if an entry is not finite, [`MetricError::Interrupted`].
pub(crate) fn eigen(matrix: DMatrix<f64>, interrupt: Interrupt<'_>) -> Result<(Vec<f64>, DMatrix<f64>), MetricError> {
    if matrix.iter().any(|x| !x.is_finite()) {
        return Err(MetricError::NotFinite(
            "overflow: a matrix of inner products has an entry that is not finite".into(),
        ));
    }
    match matrix.nrows() {
        0..=QUICK => Ok(sorted(SymmetricEigen::new(matrix))),
        _ => interrupt.run(|| sorted(SymmetricEigen::new(matrix))),
    }
}

/// The eigenvalues, largest first, and the eigenvectors in the same order.
pub(crate) fn sorted(eigen: SymmetricEigen<f64, Dyn>) -> (Vec<f64>, DMatrix<f64>) {
    let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    (order.iter().map(|&k| eigen.eigenvalues[k]).collect(), eigen.eigenvectors.select_columns(&order))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device};
    use saltflat_random::{Key, Stream};

    use super::*;

    /// 40 random vectors of a space with three tensors: QᵀQ = 1 to rounding, and a combination has its coefficients.
    #[test]
    fn a_basis_is_orthonormal() {
        let space = Vector::from_host([vec![0.0; 30], vec![0.0; 50], vec![0.0; 7]], &Device::flex(), DType::F64);
        let mut basis = Basis::new(&space, Interrupt::default());
        for i in 0..40 {
            let v = space.normal_like(Key::new(1, Stream::Probe, i));
            let (rest, _) = basis.remove(Basis::regroup(&v)).expect("on the CPU");
            let norm = norm(&rest).expect("on the CPU");
            basis.push(&rest.scale(1.0 / norm));
        }
        for i in 0..40 {
            let dots = basis.dots(&Basis::regroup(&basis.vector(i))).expect("on the CPU");
            for (j, dot) in dots.iter().enumerate() {
                let expected = f64::from(u8::from(i == j));
                assert!((dot - expected).abs() < 1e-13, "{i} {j}: {dot}");
            }
        }
        let coefficients: Vec<f64> = (0..40).map(f64::from).collect();
        let v = basis.restore(&basis.combine(&coefficients).expect("on the CPU"));
        assert_eq!(v.parts().iter().map(|part| part.dims()[0]).collect::<Vec<_>>(), [30, 50, 7]);
        let found = basis.dots(&Basis::regroup(&v)).expect("on the CPU");
        assert!(found.iter().zip(&coefficients).all(|(a, b)| (a - b).abs() < 1e-11));
    }
}
