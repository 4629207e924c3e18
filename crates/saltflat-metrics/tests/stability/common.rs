//! Samples as explicit matrices in parameter space, for computing everything a second way.
#![allow(dead_code)] // Not every test uses all of it.

use chacha20::ChaCha8Rng;
use nalgebra::{DMatrix, DVector};
use rand::{RngExt, SeedableRng};
use saltflat_metrics::stability::{RowGram, Sampling};

pub const SAMPLINGS: [Sampling; 3] = [Sampling::Bernoulli, Sampling::WithoutReplacement, Sampling::WithReplacement];

/// Rows of each sample, `[C, p]`.
pub struct Problem {
    pub rows: Vec<DMatrix<f64>>,
}

impl Problem {
    /// Entries uniform in (−1, 1), the samples of different size.
    pub fn random(samples: usize, rows_per_sample: usize, parameters: usize, seed: u64) -> Self {
        let mut rng = rng(seed);
        let rows = (0..samples)
            .map(|i| DMatrix::from_fn(rows_per_sample, parameters, |_, _| symmetric(&mut rng) * (1.0 + i as f64 / 3.0)))
            .collect();
        Self { rows }
    }

    /// One row a sample: `size` times the unit vector of `axis`.
    pub fn axes(parameters: usize, samples: &[(usize, f64)]) -> Self {
        let row = |&(axis, size): &(usize, f64)| DMatrix::from_fn(1, parameters, |_, k| f64::from(k == axis) * size);
        Self { rows: samples.iter().map(row).collect() }
    }

    pub fn gram(&self) -> RowGram {
        let (n, c) = (self.rows.len(), self.rows[0].nrows());
        let entry = |a: usize, b: usize| self.rows[a / c].row(a % c).dot(&self.rows[b / c].row(b % c));
        RowGram { samples: n, rows_per_sample: c, matrix: DMatrix::from_fn(n * c, n * c, entry) }
    }

    /// Hᵢ, `[p, p]` each.
    pub fn hessians(&self) -> Vec<DMatrix<f64>> {
        self.rows.iter().map(|r| r.transpose() * r).collect()
    }

    /// H, `[p, p]`.
    pub fn hessian(&self) -> DMatrix<f64> {
        let p = self.rows[0].ncols();
        self.hessians().iter().sum::<DMatrix<f64>>() / self.rows.len() as f64 + DMatrix::zeros(p, p)
    }
}

pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Uniform in (−1, 1).
pub fn symmetric(rng: &mut ChaCha8Rng) -> f64 {
    2.0 * rng.random::<f64>() - 1.0
}

/// Random signs: E[w wᵀ] = I.
pub fn signs(rng: &mut ChaCha8Rng, len: usize) -> DVector<f64> {
    DVector::from_fn(len, |_, _| if rng.random::<bool>() { 1.0 } else { -1.0 })
}

/// How often each sample is in a batch, drawn at random.
pub fn draw(sampling: Sampling, n: usize, b: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut counts = vec![0; n];
    match sampling {
        Sampling::Bernoulli => {
            counts.iter_mut().for_each(|c| *c = usize::from(rng.random::<f64>() < b as f64 / n as f64));
        }
        Sampling::WithoutReplacement => {
            let mut left: Vec<usize> = (0..n).collect();
            for _ in 0..b {
                counts[left.swap_remove(rng.random_range(0..left.len()))] = 1;
            }
        }
        Sampling::WithReplacement => (0..b).for_each(|_| counts[rng.random_range(0..n)] += 1),
    }
    counts
}

/// All batches: how often each sample is in one, and its probability.
pub fn batches(sampling: Sampling, n: usize, b: usize) -> Vec<(Vec<usize>, f64)> {
    match sampling {
        Sampling::WithReplacement => {
            let total = n.pow(b as u32);
            let digits = |mut k: usize| {
                let mut counts = vec![0; n];
                for _ in 0..b {
                    counts[k % n] += 1;
                    k /= n;
                }
                counts
            };
            (0..total).map(|k| (digits(k), 1.0 / total as f64)).collect()
        }
        _ => {
            let subsets = (0..1_usize << n).map(|mask| (0..n).map(|i| mask >> i & 1).collect::<Vec<_>>());
            let p = b as f64 / n as f64;
            let weight = |counts: &Vec<usize>| {
                let size = counts.iter().sum::<usize>();
                match sampling {
                    Sampling::Bernoulli => p.powi(size as i32) * (1.0 - p).powi((n - size) as i32),
                    _ => f64::from(size == b),
                }
            };
            let weighted: Vec<_> = subsets.map(|counts| (weight(&counts), counts)).collect();
            let total: f64 = weighted.iter().map(|(w, _)| w).sum();
            weighted.into_iter().filter(|(w, _)| *w > 0.0).map(|(w, counts)| (counts, w / total)).collect()
        }
    }
}

/// I − ηĤ for one batch.
pub fn jacobian(hessians: &[DMatrix<f64>], counts: &[usize], b: usize, lr: f64) -> DMatrix<f64> {
    let p = hessians[0].nrows();
    let mut jacobian = DMatrix::identity(p, p);
    for (h, &count) in hessians.iter().zip(counts) {
        jacobian -= h * (lr * count as f64 / b as f64);
    }
    jacobian
}

/// T on vec(M), `[p², p²]`: the mean of Ĵ ⊗ Ĵ over all batches.
pub fn dense_map(problem: &Problem, sampling: Sampling, b: usize, lr: f64) -> DMatrix<f64> {
    let (hessians, p) = (problem.hessians(), problem.rows[0].ncols());
    let mut map = DMatrix::zeros(p * p, p * p);
    for (counts, weight) in batches(sampling, hessians.len(), b) {
        let jacobian = jacobian(&hessians, &counts, b, lr);
        map += jacobian.kronecker(&jacobian) * weight;
    }
    map
}

/// Smallest and largest eigenvalue of a symmetric matrix.
pub fn extremes(matrix: &DMatrix<f64>) -> (f64, f64) {
    let values = matrix.symmetric_eigenvalues();
    (values.min(), values.max())
}

pub fn assert_close(found: f64, expected: f64, relative: f64, what: &str) {
    let error = (found - expected).abs() / expected.abs();
    assert!(error <= relative, "{what}: found {found}, expected {expected}, relative error {error:.1e}");
}
