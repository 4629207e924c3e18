//! Alignment of the gradient noise with the landscape.

use burn::tensor::Tensor;
use saltflat_models::{LossKind, Vector, jacobian_gram};
use serde::Serialize;

use crate::{Estimate, MetricError, Objective, error::read};

/// Which rows G = (1/n) Σ rowsᵀ rows is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GramRows {
    /// ∂f_c(xᵢ)/∂θ: the square loss.
    Jacobian,
    /// Rows of Aᵢ^½ Jᵢ: cross-entropy.
    Ggn,
}

/// α, β, μ and what they are made of (Wu, Wang, Su 2022, equations 3 and 11), on the objective's samples.
///
/// With G = (1/n) Σ rowsᵀ rows, gᵢ = ∇ℓᵢ, Σ = (1/n) Σ (gᵢ − ḡ)(gᵢ − ḡ)ᵀ, L counted from its floor:
/// α = Tr(GΣ)/(‖G‖_F‖Σ‖_F), β = ‖Σ‖_F/(2L‖G‖_F), μ = αβ. μ₁ and μ₂ have (1/n) Σ gᵢgᵢᵀ and ḡḡᵀ in place of Σ.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // Named as in the definitions above.
pub struct Alignment {
    pub rows: GramRows,
    pub samples: usize,
    pub trace_gram: Estimate,
    pub gram_frobenius: Estimate,
    pub trace_noise: Estimate,
    pub noise_frobenius: Estimate,
    pub trace_gram_noise: Estimate,
    pub alpha: Estimate,
    pub beta: Estimate,
    pub mu: Estimate,
    pub mu1: Estimate,
    pub mu2: Estimate,
    /// γ = minᵢ χᵢ / mean χ with χᵢ = tr(rowsᵢ G rowsᵢᵀ).
    pub chi_min_over_mean: Estimate,
}

/// The Wu bound √(B/μ)/η: above it in ‖H‖_F a minimum is linearly unstable for SGD (proved for the square loss, a heuristic
/// elsewhere). Absent where μ is absent or not positive.
pub fn wu_bound(mu: &Estimate, batch_size: usize, lr: f64) -> Estimate {
    match mu.value {
        Some(mu) if mu > 0.0 && lr > 0.0 => Estimate::exact((batch_size as f64 / mu).sqrt() / lr),
        Some(_) if lr <= 0.0 => Estimate::absent("lr is 0"),
        Some(mu) => Estimate::absent(format!("mu is {mu}, not positive")),
        None => Estimate::absent("mu has no value"),
    }
}

/// Measures the alignment exactly on the objective's samples, from the kernel J Jᵀ of the Jacobian. The samples are one
/// batch: n of them cost C gradients of n samples and inner products of n·C rows.
///
/// A network that couples its samples gives absent values with the reason.
///
/// # Errors
/// [`MetricError::Device`] where the kernel cannot be read.
pub fn alignment(objective: &Objective<'_>, theta: &Vector) -> Result<Alignment, MetricError> {
    let rows = match objective.loss.kind {
        LossKind::Square => GramRows::Jacobian,
        LossKind::CrossEntropy => GramRows::Ggn,
    };
    if objective.network.couples_samples() {
        let reason = "batch normalisation couples the samples of a batch, so a sample has no gradient of its own";
        return Ok(Alignment::absent(rows, objective.len(), reason));
    }
    let batch = objective.samples.batch(&objective.indices);
    let outputs = objective.network.value(theta, objective.buffers, batch.inputs.clone());
    let kernel = jacobian_gram(objective.network, theta, objective.buffers, &batch.inputs);
    let (n, classes) = (objective.len(), objective.network.outputs());
    let read = |tensor: Tensor<2>| read("alignment", tensor);
    let pairs = Pairs::new(objective, n, classes, &read(kernel)?, &read(outputs)?, &read(batch.targets)?);
    Ok(pairs.alignment(rows))
}

/// Inner products over pairs of samples, from which all invariants of G and Σ follow.
struct Pairs {
    n: usize,
    /// Mean loss, from the floor.
    loss: f64,
    /// tr of the block of rows i, i, summed over i.
    trace_rows: f64,
    /// ‖rowsᵢ rowsⱼᵀ‖_F², `[n, n]`.
    blocks: Vec<f64>,
    /// gᵢ·gⱼ, `[n, n]`.
    gradients: Vec<f64>,
    /// rowsᵢ gⱼ, `[n, n, C]`.
    mixed: Vec<Vec<f64>>,
}

impl Pairs {
    /// `kernel` `[C n, C n]` is J Jᵀ with row (c, i) at c·n + i; outputs and targets are `[n, C]`.
    fn new(
        objective: &Objective<'_>,
        n: usize,
        classes: usize,
        kernel: &[f64],
        outputs: &[f64],
        targets: &[f64],
    ) -> Self {
        let loss = &objective.loss;
        let of_sample = |values: &[f64], i: usize| values[i * classes..(i + 1) * classes].to_vec();
        let residuals: Vec<_> =
            (0..n).map(|i| loss.gradient_of_sample(&of_sample(outputs, i), &of_sample(targets, i))).collect();
        let roots: Vec<_> = (0..n).map(|i| loss.hessian_root_of_sample(&of_sample(outputs, i))).collect();
        let total: f64 = (0..n).map(|i| loss.value_of_sample(&of_sample(outputs, i), &of_sample(targets, i))).sum();
        let mut pairs = Self {
            n,
            loss: total / n as f64 - loss.floor(classes),
            trace_rows: 0.0,
            blocks: vec![0.0; n * n],
            gradients: vec![0.0; n * n],
            mixed: vec![Vec::new(); n * n],
        };
        let width = classes * n;
        for i in 0..n {
            for j in 0..n {
                let block: Vec<f64> = (0..classes * classes)
                    .map(|k| kernel[(k / classes * n + i) * width + k % classes * n + j])
                    .collect();
                // Mᵢ Kᵢⱼ, then its products with rⱼ and Mⱼᵀ.
                let left = product(&roots[i], &block, classes);
                let right = product_transposed(&left, &roots[j], classes);
                pairs.blocks[i * n + j] = right.iter().map(|x| x * x).sum();
                if i == j {
                    pairs.trace_rows += (0..classes).map(|c| right[c * classes + c]).sum::<f64>();
                }
                pairs.mixed[i * n + j] = apply(&left, &residuals[j]);
                pairs.gradients[i * n + j] = dot(&residuals[i], &apply(&block, &residuals[j]));
            }
        }
        pairs
    }

    fn alignment(&self, rows: GramRows) -> Alignment {
        let n = self.n as f64;
        let square = n * n;
        let row_mean = |i: usize| self.gradients[i * self.n..(i + 1) * self.n].iter().sum::<f64>() / n;
        let means: Vec<f64> = (0..self.n).map(row_mean).collect();
        let grand = means.iter().sum::<f64>() / n; // ‖ḡ‖²
        let trace_second_moment = (0..self.n).map(|i| self.gradients[i * self.n + i]).sum::<f64>() / n;
        let mut noise_square = 0.0;
        for i in 0..self.n {
            for j in 0..self.n {
                noise_square += (self.gradients[i * self.n + j] - means[i] - means[j] + grand).powi(2);
            }
        }
        let gram_square = self.blocks.iter().sum::<f64>() / square;
        let gram_frobenius = gram_square.sqrt();
        let noise_frobenius = noise_square.sqrt() / n;
        let (mut centred, mut uncentred, mut of_mean) = (0.0, 0.0, 0.0);
        for row in self.mixed.chunks(self.n) {
            let mean: Vec<f64> = (0..row[0].len()).map(|c| row.iter().map(|h| h[c]).sum::<f64>() / n).collect();
            of_mean += dot(&mean, &mean) / n;
            for h in row {
                uncentred += dot(h, h) / square;
                centred += h.iter().zip(&mean).map(|(h, m)| (h - m).powi(2)).sum::<f64>() / square;
            }
        }
        let chi: Vec<f64> = self.blocks.chunks(self.n).map(|row| row.iter().sum::<f64>() / n).collect();
        let chi_mean = chi.iter().sum::<f64>() / n;
        let chi_min = chi.iter().copied().fold(f64::INFINITY, f64::min);

        let ratio = |numerator: f64, denominator: f64, reason: &str| match denominator > 0.0 {
            true => Estimate::exact(numerator / denominator),
            false => Estimate::absent(reason),
        };
        let scaled = |trace: f64| ratio(trace, 2.0 * self.loss * gram_square, "the loss or G is zero");
        Alignment {
            rows,
            samples: self.n,
            trace_gram: Estimate::exact(self.trace_rows / n),
            gram_frobenius: Estimate::exact(gram_frobenius),
            trace_noise: Estimate::exact(trace_second_moment - grand),
            noise_frobenius: Estimate::exact(noise_frobenius),
            trace_gram_noise: Estimate::exact(centred),
            alpha: ratio(centred, gram_frobenius * noise_frobenius, "the gradient noise or G is zero"),
            beta: ratio(noise_frobenius, 2.0 * self.loss * gram_frobenius, "the loss or G is zero"),
            mu: scaled(centred),
            mu1: scaled(uncentred),
            mu2: scaled(of_mean),
            chi_min_over_mean: ratio(chi_min, chi_mean, "G is zero"),
        }
    }
}

impl Alignment {
    fn absent(rows: GramRows, samples: usize, reason: &str) -> Self {
        let absent = || Estimate::absent(reason);
        Self {
            rows,
            samples,
            trace_gram: absent(),
            gram_frobenius: absent(),
            trace_noise: absent(),
            noise_frobenius: absent(),
            trace_gram_noise: absent(),
            alpha: absent(),
            beta: absent(),
            mu: absent(),
            mu1: absent(),
            mu2: absent(),
            chi_min_over_mean: absent(),
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// A x for a square matrix.
fn apply(a: &[f64], x: &[f64]) -> Vec<f64> {
    a.chunks(x.len()).map(|row| dot(row, x)).collect()
}

/// A Bᵀ for square matrices of side k.
fn product_transposed(a: &[f64], b: &[f64], k: usize) -> Vec<f64> {
    a.chunks(k).flat_map(|row| b.chunks(k).map(move |other| dot(row, other))).collect()
}

/// A B for square matrices of side k.
fn product(a: &[f64], b: &[f64], k: usize) -> Vec<f64> {
    let transposed: Vec<f64> = (0..k * k).map(|i| b[i % k * k + i / k]).collect();
    product_transposed(a, &transposed, k)
}
