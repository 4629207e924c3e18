//! The Krylov space of the Lanczos method, and what the method takes and gives.

use std::collections::VecDeque;

use nalgebra::DMatrix;
use saltflat_models::Vector;
use saltflat_random::Key;
use serde::Serialize;

use crate::{
    MetricError, Operator,
    basis::{Basis, eigen, norm},
};

/// The basis, which of its vectors were multiplied with A, and A's entries between them.
pub(super) struct Krylov<'a> {
    operator: &'a dyn Operator,
    pub(super) basis: Basis<'a>,
    /// Indices of basis vectors q for which A q is known, in the order of `columns`.
    processed: Vec<usize>,
    /// Indices of those that wait.
    frontier: VecDeque<usize>,
    /// qᵢ·A q of each processed q, over all basis vectors i that there are by now.
    columns: Vec<Vec<f64>>,
    pub(super) products: usize,
    key: Key,
    draws: u64,
}

/// Eigenpairs of A projected on the processed vectors.
pub(super) struct Ritz {
    pub(super) values: Vec<f64>,
    /// Coefficients over the processed vectors, a column a pair.
    vectors: DMatrix<f64>,
    residuals: Vec<f64>,
    /// Largest |value|.
    scale: f64,
}

impl<'a> Krylov<'a> {
    pub(super) fn new(operator: &'a dyn Operator, key: Key) -> Self {
        Self {
            operator,
            basis: Basis::new(operator.space(), operator.interrupt()),
            processed: Vec::new(),
            frontier: VecDeque::new(),
            columns: Vec::new(),
            products: 0,
            key,
            draws: 0,
        }
    }

    /// Takes a vector into the basis, as one that waits; false if it depends on those that are there.
    pub(super) fn start(&mut self, v: &Vector) -> Result<bool, MetricError> {
        let size = norm(v)?;
        let (rest, _) = self.basis.remove(Basis::regroup(v))?;
        self.push(rest, 1e-4 * size)
    }

    pub(super) fn start_random(&mut self) -> Result<bool, MetricError> {
        self.draws += 1;
        let v = self.operator.space().normal_like(self.key.part(self.draws));
        self.start(&v)
    }

    fn push(&mut self, rest: Vector, negligible: f64) -> Result<bool, MetricError> {
        let size = norm(&rest)?;
        if size <= negligible || self.basis.len() >= self.operator.space().len() {
            return Ok(false);
        }
        self.frontier.push_back(self.basis.len());
        self.basis.push(&rest.scale(1.0 / size));
        Ok(true)
    }

    /// Multiplies the next vector that waits, or the one that waits least. True if the basis spans the whole space, or everything that the start
    /// vectors reach and a random vector adds nothing.
    pub(super) fn step(&mut self, newest: bool) -> Result<bool, MetricError> {
        let next = if newest { self.frontier.pop_back() } else { self.frontier.pop_front() };
        let Some(index) = next else {
            // An invariant subspace: go on from a random vector outside of it, unless there is none.
            return Ok(!self.start_random()?);
        };
        let q = self.basis.vector(index);
        let product = self.operator.apply(&q)?;
        self.products += 1;
        let size = norm(&product)?;
        let (rest, mut column) = self.basis.remove(Basis::regroup(&product))?;
        let before = self.basis.len();
        let epsilon = if self.operator.space().dtype() == burn::tensor::DType::F64 { 1e-12 } else { 1e-5 };
        let remaining = norm(&rest)?;
        if self.push(rest, epsilon * size)? {
            debug_assert_eq!(before + 1, self.basis.len());
            column.push(remaining);
        }
        self.processed.push(index);
        self.columns.push(column);
        Ok(self.frontier.is_empty() && self.basis.len() >= self.operator.space().len())
    }

    fn entry(&self, row: usize, column: usize) -> f64 {
        self.columns[column].get(row).copied().unwrap_or(0.0)
    }

    pub(super) fn ritz(&self) -> Result<Ritz, MetricError> {
        let m = self.processed.len();
        let matrix =
            DMatrix::from_fn(m, m, |a, b| 0.5 * (self.entry(self.processed[a], b) + self.entry(self.processed[b], a)));
        let (values, vectors) = eigen(matrix, self.operator.interrupt())?;
        let residual = |s: usize| {
            let component = |&f: &usize| (0..m).map(|j| self.entry(f, j) * vectors[(j, s)]).sum::<f64>();
            self.frontier.iter().map(|f| component(f).powi(2)).sum::<f64>().sqrt()
        };
        let residuals = (0..m).map(residual).collect();
        let scale = values.iter().fold(0.0, |max: f64, value| max.max(value.abs()));
        Ok(Ritz { values, vectors, residuals, scale })
    }

    fn ritz_vector(&self, ritz: &Ritz, index: usize) -> Result<Vector, MetricError> {
        let mut coefficients = vec![0.0; self.basis.len()];
        for (j, &q) in self.processed.iter().enumerate() {
            coefficients[q] = ritz.vectors[(j, index)];
        }
        self.basis.combine(&coefficients)
    }

    /// Keeps the Ritz vectors that matter and the vectors that wait.
    pub(super) fn restart(
        &mut self,
        ritz: &Ritz,
        options: &LanczosOptions,
        capacity: usize,
    ) -> Result<(), MetricError> {
        let m = self.processed.len();
        let spare = capacity.saturating_sub(options.largest + options.smallest + self.frontier.len()) / 3;
        let top = (options.largest + spare / 2).min(m);
        let bottom = (options.smallest + spare / 2).min(m - top);
        let kept: Vec<usize> = (0..top).chain(m - bottom..m).collect();
        let mut rotation = DMatrix::zeros(kept.len() + self.frontier.len(), self.basis.len());
        let mut columns = Vec::new();
        for (row, &i) in kept.iter().enumerate() {
            self.processed.iter().enumerate().for_each(|(j, &q)| rotation[(row, q)] = ritz.vectors[(j, i)]);
            let mut column = vec![0.0; kept.len()];
            column[row] = ritz.values[i];
            column.extend(
                self.frontier.iter().map(|&f| (0..m).map(|j| self.entry(f, j) * ritz.vectors[(j, i)]).sum::<f64>()),
            );
            columns.push(column);
        }
        for (i, &f) in self.frontier.iter().enumerate() {
            rotation[(kept.len() + i, f)] = 1.0;
        }
        self.basis.rotate(&rotation)?;
        self.columns = columns;
        self.frontier = (kept.len()..kept.len() + self.frontier.len()).collect();
        self.processed = (0..kept.len()).collect();
        Ok(())
    }

    pub(super) fn pairs(&self, ritz: &Ritz, options: &LanczosOptions) -> Result<Eigenpairs, MetricError> {
        let m = ritz.values.len();
        let value = |i: usize| Eigenvalue {
            value: ritz.values[i],
            // The sum over no vector is −0.
            residual: ritz.residuals[i].abs(),
            converged: ritz.is_converged(i, options.tolerance),
        };
        let vector = |i: usize| Ok(self.basis.restore(&self.ritz_vector(ritz, i)?));
        let top = 0..options.largest.min(m);
        let bottom = (0..options.smallest.min(m)).map(|i| m - 1 - i);
        Ok(Eigenpairs {
            largest: top.clone().map(value).collect(),
            largest_vectors: top.map(vector).collect::<Result<_, MetricError>>()?,
            smallest: bottom.map(value).collect(),
            products: self.products,
        })
    }
}

impl Ritz {
    /// The residual up to which a pair is converged.
    pub(super) fn bound(&self, i: usize, tolerance: f64) -> f64 {
        tolerance * self.values[i].abs().max(0.1 * self.scale)
    }

    pub(super) fn is_converged(&self, i: usize, tolerance: f64) -> bool {
        self.residuals[i] <= self.bound(i, tolerance)
    }

    /// Indices of the pairs that are asked for.
    pub(super) fn chosen(&self, options: &LanczosOptions) -> Vec<usize> {
        let m = self.values.len();
        (0..options.largest.min(m)).chain((0..options.smallest.min(m)).map(|i| m - 1 - i)).collect()
    }
}

/// Eigenvalues that are searched however little memory there is.
pub const GUARANTEED_EIGENVALUES: usize = 64;

/// Which eigenvalues, and how well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LanczosOptions {
    /// How many of the largest.
    pub largest: usize,
    /// How many of the smallest.
    pub smallest: usize,
    /// A pair is converged if ‖Au − λu‖ is at most this times |λ|, or a tenth of the largest |λ| found if that is more.
    pub tolerance: f64,
    /// Products at most.
    pub products: usize,
    /// Bytes that the basis and the vectors beside it may take; when it is full it is cut down to the wanted Ritz vectors
    /// (thick restart). The least that it can do with is a basis of 6 more vectors than are wanted.
    pub memory: usize,
}

impl Default for LanczosOptions {
    fn default() -> Self {
        Self { largest: 5, smallest: 1, tolerance: 1e-3, products: 300, memory: 1 << 30 }
    }
}

/// An approximate eigenpair.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Eigenvalue {
    /// λ.
    pub value: f64,
    /// ‖Au − λu‖: an eigenvalue of A lies within this of λ.
    pub residual: f64,
    /// True if the residual is within the tolerance.
    pub converged: bool,
}

/// Both ends of a spectrum.
#[derive(Clone, Debug)]
pub struct Eigenpairs {
    /// The largest eigenvalues, largest first.
    pub largest: Vec<Eigenvalue>,
    /// Their vectors, of length 1.
    pub largest_vectors: Vec<Vector>,
    /// The smallest eigenvalues, smallest first.
    pub smallest: Vec<Eigenvalue>,
    /// Products that it took.
    pub products: usize,
}
