//! Eigenvalues at both ends of the spectrum by the Lanczos method.

use std::collections::VecDeque;

use nalgebra::DMatrix;
use saltflat_models::Vector;
use saltflat_random::Key;
use serde::Serialize;

use crate::{
    MetricError, Operator,
    basis::{Basis, norm},
    dense::eigen,
};

/// Vectors beside the basis: the one that is multiplied, its product, what the product itself holds, Gram–Schmidt's two.
const WORKING: usize = 8;

/// Products from one look at the Ritz values to the next.
const LOOK: usize = 3;
/// Products of the check for eigenvalues that the search has not seen.
const CHECK: usize = 8;

/// Eigenvalues that are searched however little memory there is.
pub const ALWAYS: usize = 64;

/// Which eigenvalues, and how well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LanczosOptions {
    /// How many of the largest.
    pub largest: usize,
    /// How many of the smallest.
    pub smallest: usize,
    /// A pair is converged where ‖Au − λu‖ is at most this times |λ|, or a tenth of the largest |λ| found where that is more.
    pub tolerance: f64,
    /// Products at most.
    pub products: usize,
    /// Bytes that the basis and the vectors beside it may take; where it is full it is cut down to the wanted Ritz vectors
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
    /// True where the residual is within the tolerance.
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
    /// Their vectors, of length 1.
    pub smallest_vectors: Vec<Vector>,
    /// Products that it took.
    pub products: usize,
}

/// Eigenvalues at both ends of A's spectrum: Rayleigh–Ritz on the Krylov space of a random vector, with full
/// reorthogonalisation (Lanczos 1950; Parlett 1980), restarted with the wanted Ritz vectors where memory ends
/// (Wu and Simon 2000). `warm` are vectors to start from beside it, such as those of the last measurement.
///
/// One vector sees an eigenvalue of higher multiplicity once. So what was found is checked: from a new random vector,
/// orthogonal to all before, eight more products must bring no wanted eigenvalue to light; where they do, the search goes
/// on with both. A copy that lies close to the bulk of the spectrum can escape the check.
///
/// The residuals are those of the projected problem, √Σ (f·Au)² over the basis vectors f that were not yet multiplied;
/// equal to ‖Au − λu‖ up to rounding, about 1e−6 |λ₁| in f32.
///
/// # Errors
/// [`MetricError::Device`] where inner products cannot be read, [`MetricError::Interrupted`], [`MetricError::NotFinite`] where
/// a product overflows, and [`MetricError::Memory`] where more than [`ALWAYS`] eigenvalues are wanted whose vectors do not fit.
pub fn lanczos(
    operator: &dyn Operator,
    options: &LanczosOptions,
    warm: &[Vector],
    key: Key,
) -> Result<Eigenpairs, MetricError> {
    let p = operator.space().len();
    let options = &LanczosOptions { largest: options.largest.min(p), smallest: options.smallest.min(p), ..*options };
    let wanted = (options.largest + options.smallest).min(p);
    // With fewer a restart keeps everything and makes no progress.
    let room = |waiting: usize| wanted + 2 * waiting + 2;
    let bytes = (p * operator.space().dtype().size()).max(1);
    let fits = options.memory / bytes;
    let least = room(2).min(p);
    if wanted > ALWAYS && least > fits {
        let what = format!("the vectors of {wanted} eigenvalues");
        return Err(MetricError::Memory {
            what,
            needed: least.saturating_mul(bytes) >> 20,
            limit: options.memory >> 20,
        });
    }
    let capacity = fits.saturating_sub(WORKING).max(room(2));
    let mut krylov = Krylov::new(operator, key);
    match warm {
        [first, rest @ ..] if capacity < room(2 + warm.len()) => {
            // There is room for one: the sum has a part of each.
            krylov.start(&rest.iter().fold(first.clone(), |sum, v| sum.plus(v)))?;
        }
        _ => {
            for v in warm {
                krylov.start(v)?;
            }
            krylov.start_random()?;
        }
    }
    let limit = options.products.max(wanted).min(if capacity >= p { p } else { usize::MAX });
    let mut next_look = wanted.max(LOOK);
    // Under a check: the wanted values before it.
    let mut before: Option<Vec<f64>> = None;
    loop {
        let invariant = krylov.step(before.is_some())?;
        let done = invariant || krylov.products >= limit;
        let full = krylov.basis.len() >= capacity;
        let due = krylov.products >= next_look;
        if !done && !full && !due {
            continue;
        }
        let ritz = krylov.ritz()?;
        if done {
            return krylov.pairs(&ritz, options);
        }
        if due {
            next_look = krylov.products + LOOK;
            let chosen = ritz.chosen(options);
            let converged = chosen.len() >= wanted && chosen.iter().all(|&i| ritz.is_converged(i, options.tolerance));
            let values: Vec<f64> = chosen.iter().map(|&i| ritz.values[i]).collect();
            let unchanged = |before: &Vec<f64>| {
                let same =
                    |(&i, before): (&usize, &f64)| (ritz.values[i] - before).abs() <= ritz.bound(i, options.tolerance);
                chosen.iter().zip(before).all(same)
            };
            if converged && (before.as_ref().is_some_and(unchanged) || !krylov.start_random()?) {
                return krylov.pairs(&ritz, options);
            }
            before = converged.then_some(values);
            if converged {
                next_look = krylov.products + CHECK;
            }
        }
        if full {
            krylov.restart(&ritz, options, capacity)?;
        }
    }
}

/// The basis, which of its vectors were multiplied with A, and A's entries between them.
struct Krylov<'a> {
    operator: &'a dyn Operator,
    basis: Basis<'a>,
    /// Indices of basis vectors q for which A q is known, in the order of `columns`.
    processed: Vec<usize>,
    /// Indices of those that wait.
    frontier: VecDeque<usize>,
    /// qᵢ·A q of each processed q, over all basis vectors i that there are by now.
    columns: Vec<Vec<f64>>,
    products: usize,
    key: Key,
    draws: u64,
}

/// Eigenpairs of A projected on the processed vectors.
struct Ritz {
    values: Vec<f64>,
    /// Coefficients over the processed vectors, a column a pair.
    vectors: DMatrix<f64>,
    residuals: Vec<f64>,
    /// Largest |value|.
    scale: f64,
}

impl<'a> Krylov<'a> {
    fn new(operator: &'a dyn Operator, key: Key) -> Self {
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

    /// Takes a vector into the basis, as one that waits; false where it depends on those that are there.
    fn start(&mut self, v: &Vector) -> Result<bool, MetricError> {
        let size = norm(v)?;
        let (rest, _) = self.basis.remove(Basis::regroup(v))?;
        self.push(rest, 1e-4 * size)
    }

    fn start_random(&mut self) -> Result<bool, MetricError> {
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

    /// Multiplies the next vector that waits, or the one that waits least. True where the basis spans the whole space, or everything that the start
    /// vectors reach and a random vector adds nothing.
    fn step(&mut self, newest: bool) -> Result<bool, MetricError> {
        let next = if newest { self.frontier.pop_back() } else { self.frontier.pop_front() };
        let Some(index) = next else {
            // An invariant subspace: go on from a random vector outside of it, unless there is none.
            return Ok(!self.start_random()?);
        };
        let q = self.basis.vector(index);
        let mut product = self.operator.apply(std::slice::from_ref(&q))?;
        self.products += 1;
        let Some(product) = product.pop() else { return Ok(true) };
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

    fn ritz(&self) -> Result<Ritz, MetricError> {
        let m = self.processed.len();
        let matrix =
            DMatrix::from_fn(m, m, |a, b| 0.5 * (self.entry(self.processed[a], b) + self.entry(self.processed[b], a)));
        let eigen = eigen(matrix, self.operator.interrupt())?;
        let mut order: Vec<usize> = (0..m).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        let values: Vec<f64> = order.iter().map(|&i| eigen.eigenvalues[i]).collect();
        let vectors = DMatrix::from_fn(m, m, |row, column| eigen.eigenvectors[(row, order[column])]);
        let residual = |s: usize| {
            let component = |&f: &usize| (0..m).map(|j| self.entry(f, j) * vectors[(j, s)]).sum::<f64>();
            self.frontier.iter().map(|f| component(f).powi(2)).sum::<f64>().sqrt()
        };
        let residuals = (0..m).map(residual).collect();
        let scale = values.iter().fold(0.0, |max: f64, value| max.max(value.abs()));
        Ok(Ritz { values, vectors, residuals, scale })
    }

    /// The Ritz vector, in chunks.
    fn ritz_vector(&self, ritz: &Ritz, index: usize) -> Result<Vector, MetricError> {
        let mut coefficients = vec![0.0; self.basis.len()];
        for (j, &q) in self.processed.iter().enumerate() {
            coefficients[q] = ritz.vectors[(j, index)];
        }
        self.basis.combine(&coefficients)
    }

    /// Keeps the Ritz vectors that matter and the vectors that wait.
    fn restart(&mut self, ritz: &Ritz, options: &LanczosOptions, capacity: usize) -> Result<(), MetricError> {
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

    fn pairs(&self, ritz: &Ritz, options: &LanczosOptions) -> Result<Eigenpairs, MetricError> {
        let m = ritz.values.len();
        let value = |i: usize| Eigenvalue {
            value: ritz.values[i],
            residual: ritz.residuals[i],
            converged: ritz.is_converged(i, options.tolerance),
        };
        let vector = |i: usize| Ok(self.basis.restore(&self.ritz_vector(ritz, i)?));
        let top = 0..options.largest.min(m);
        let bottom = || (0..options.smallest.min(m)).map(|i| m - 1 - i);
        Ok(Eigenpairs {
            largest: top.clone().map(value).collect(),
            largest_vectors: top.map(vector).collect::<Result<_, MetricError>>()?,
            smallest: bottom().map(value).collect(),
            smallest_vectors: bottom().map(vector).collect::<Result<_, MetricError>>()?,
            products: self.products,
        })
    }
}

impl Ritz {
    /// The residual up to which a pair is converged.
    fn bound(&self, i: usize, tolerance: f64) -> f64 {
        tolerance * self.values[i].abs().max(0.1 * self.scale)
    }

    fn is_converged(&self, i: usize, tolerance: f64) -> bool {
        self.residuals[i] <= self.bound(i, tolerance)
    }

    /// Indices of the pairs that are asked for.
    fn chosen(&self, options: &LanczosOptions) -> Vec<usize> {
        let m = self.values.len();
        (0..options.largest.min(m)).chain((0..options.smallest.min(m)).map(|i| m - 1 - i)).collect()
    }
}
