//! Alignment of the gradient noise with the landscape.

use nalgebra::DMatrix;

use crate::{Estimate, GramRows, Interrupt, MetricError, Pairs, dense::eigen};

/// α, β, μ and what they are made of (Wu, Wang, Su 2022, equations 3 and 11), on n samples.
///
/// With G = (1/n) Σ rowsᵀ rows, gᵢ = ∇ℓᵢ, Σ = (1/n) Σ (gᵢ − ḡ)(gᵢ − ḡ)ᵀ, L counted from its floor:
/// α = Tr(GΣ)/(‖G‖_F‖Σ‖_F), β = ‖Σ‖_F/(2L‖G‖_F), μ = αβ. μ₁ and μ₂ have (1/n) Σ gᵢgᵢᵀ and ḡḡᵀ in place of Σ.
///
/// The values are exact for these samples; the standard errors say how far they may be from those of other samples, by the
/// delete-one jackknife (Efron and Stein 1981): se² = (n−1)/n Σₖ (x₍ₖ₎ − x̄)², x₍ₖ₎ the value without sample k.
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
    /// Tr(GΣ)/(2L) = μ‖G‖_F², from which [`wu_growth_bound`](crate::wu_growth_bound) follows; no metric of its own.
    pub trace_gram_noise_over_loss: Estimate,
}

/// Names of the metrics, which are the first of [`Values`].
const NAMES: [&str; 11] = [
    "trace_gram",
    "gram_frobenius",
    "trace_noise",
    "noise_frobenius",
    "trace_gram_noise",
    "alpha",
    "beta",
    "mu",
    "mu1",
    "mu2",
    "chi_min_over_mean",
];

/// The quantities in the order of the fields of [`Alignment`]; NaN where one is a division by zero, infinite where a number on
/// the way to it overflowed.
type Values = [f64; 12];

/// What the divisor of a quantity is made of, in the order of [`Values`]; empty where there is none.
const REASONS: [&str; 12] = [
    "",
    "",
    "",
    "",
    "",
    "the gradient noise or G is zero",
    "the loss or G is zero",
    "the loss or G is zero",
    "the loss or G is zero",
    "the loss or G is zero",
    "G is zero",
    "the loss is zero",
];

impl Alignment {
    /// From the inner products of the samples.
    pub fn new(pairs: &Pairs) -> Self {
        let sums = Sums::new(pairs);
        let values = sums.values(pairs, None);
        let n = pairs.n as f64;
        let without: Vec<Values> = match pairs.n {
            0..=2 => Vec::new(),
            _ => (0..pairs.n).map(|k| sums.values(pairs, Some(k))).collect(),
        };
        let estimate = |index: usize| {
            if values[index].is_nan() && !REASONS[index].is_empty() {
                return Estimate::absent(REASONS[index]);
            }
            let mean = without.iter().map(|values| values[index]).sum::<f64>() / n;
            let spread: f64 = without.iter().map(|values| (values[index] - mean).powi(2)).sum();
            let error = ((n - 1.0) / n * spread).sqrt();
            Estimate::exact(values[index]).with_std_error((!without.is_empty()).then_some(error))
        };
        Self::of(pairs.rows(), pairs.n, estimate)
    }

    /// No value, and why.
    pub fn absent(rows: GramRows, samples: usize, reason: &str) -> Self {
        Self::of(rows, samples, |_| Estimate::absent(reason))
    }

    /// The mean over disjoint subsets of samples: the standard errors are combined, and the spread over the subsets, s/√S,
    /// is the subset error.
    pub fn mean(of_subsets: &[Self]) -> Option<Self> {
        let first = of_subsets.first()?;
        if of_subsets.len() == 1 {
            return Some(first.clone());
        }
        let fields: Vec<_> = of_subsets.iter().map(Self::fields).collect();
        Some(Self::of(first.rows, of_subsets.iter().map(|a| a.samples).sum(), |index| {
            Estimate::of_subsets(&fields.iter().map(|fields| fields[index]).collect::<Vec<_>>())
        }))
    }

    fn of(rows: GramRows, samples: usize, estimate: impl Fn(usize) -> Estimate) -> Self {
        Self {
            rows,
            samples,
            trace_gram: estimate(0),
            gram_frobenius: estimate(1),
            trace_noise: estimate(2),
            noise_frobenius: estimate(3),
            trace_gram_noise: estimate(4),
            alpha: estimate(5),
            beta: estimate(6),
            mu: estimate(7),
            mu1: estimate(8),
            mu2: estimate(9),
            chi_min_over_mean: estimate(10),
            trace_gram_noise_over_loss: estimate(11),
        }
    }

    /// The estimates in the order of [`Values`].
    fn fields(&self) -> [&Estimate; 12] {
        [
            &self.trace_gram,
            &self.gram_frobenius,
            &self.trace_noise,
            &self.noise_frobenius,
            &self.trace_gram_noise,
            &self.alpha,
            &self.beta,
            &self.mu,
            &self.mu1,
            &self.mu2,
            &self.chi_min_over_mean,
            &self.trace_gram_noise_over_loss,
        ]
    }

    /// Every metric with its name.
    pub fn named(&self) -> [(&'static str, &Estimate); 11] {
        let fields = self.fields();
        std::array::from_fn(|i| (NAMES[i], fields[i]))
    }
}

/// χᵢ / mean χ of each sample, χᵢ = tr(rowsᵢ G rowsᵢᵀ): the relative feature norms (Wu, Wang, Su 2022, assumption 1 and figures
/// 2 and 6), in the order of the samples. Nothing where G is zero.
///
/// # Errors
/// [`MetricError::NotFinite`] where one of them overflows.
pub fn feature_norms(pairs: &Pairs) -> Result<Vec<f64>, MetricError> {
    let chi: Vec<f64> = pairs.blocks.chunks(pairs.n).map(|row| row.iter().sum()).collect();
    let mean = chi.iter().sum::<f64>() / pairs.n as f64;
    match mean.is_finite() {
        false => Err(MetricError::NotFinite("overflow: a feature norm is not finite".into())),
        true if mean > 0.0 => Ok(chi.iter().map(|chi| chi / mean).collect()),
        true => Ok(Vec::new()),
    }
}

/// The largest eigenvalues of Σ = (1/n) Σ (gᵢ − ḡ)(gᵢ − ḡ)ᵀ, largest first: those of its n × n Gram matrix.
///
/// # Errors
/// [`MetricError::NotFinite`] where an entry of that matrix overflows, [`MetricError::Interrupted`].
pub fn noise_eigenvalues(pairs: &Pairs, count: usize, interrupt: Interrupt<'_>) -> Result<Vec<f64>, MetricError> {
    let n = pairs.n;
    let matrix = DMatrix::from_row_slice(n, n, &pairs.gradients);
    let means: Vec<f64> = matrix.row_iter().map(|row| row.mean()).collect();
    let grand = means.iter().sum::<f64>() / n as f64;
    let centred = DMatrix::from_fn(n, n, |i, j| {
        (0.5 * (matrix[(i, j)] + matrix[(j, i)]) - means[i] - means[j] + grand) / n as f64
    });
    let mut values = eigen(centred, interrupt)?.eigenvalues.as_slice().to_vec();
    values.sort_by(|a, b| b.total_cmp(a));
    values.truncate(count);
    Ok(values)
}

/// Sums over all samples, from which those without one follow.
struct Sums {
    loss: f64,
    traces: f64,
    /// Σⱼ of blocks, for each i.
    blocks: Vec<f64>,
    /// Σⱼ gᵢ·gⱼ and Σⱼ (gᵢ·gⱼ)², for each i.
    gradients: Vec<f64>,
    gradient_squares: Vec<f64>,
    /// Σⱼ rowsᵢ gⱼ, and Σ‖rowsᵢ gⱼ‖² over a row and over a column.
    mixed: Vec<Vec<f64>>,
    mixed_rows: Vec<f64>,
    mixed_columns: Vec<f64>,
}

impl Sums {
    fn new(pairs: &Pairs) -> Self {
        let n = pairs.n;
        let square = |h: &Vec<f64>| h.iter().map(|x| x * x).sum::<f64>();
        let width = pairs.mixed.first().map_or(0, Vec::len);
        let mixed = |row: &[Vec<f64>]| (0..width).map(|c| row.iter().map(|h| h[c]).sum()).collect();
        Self {
            loss: pairs.losses.iter().sum(),
            traces: pairs.traces.iter().sum(),
            blocks: pairs.blocks.chunks(n).map(|row| row.iter().sum()).collect(),
            gradients: pairs.gradients.chunks(n).map(|row| row.iter().sum()).collect(),
            gradient_squares: pairs.gradients.chunks(n).map(|row| row.iter().map(|x| x * x).sum()).collect(),
            mixed: pairs.mixed.chunks(n).map(mixed).collect(),
            mixed_rows: pairs.mixed.chunks(n).map(|row| row.iter().map(square).sum()).collect(),
            mixed_columns: (0..n).map(|j| (0..n).map(|i| square(&pairs.mixed[i * n + j])).sum()).collect(),
        }
    }

    /// The quantities on all samples, or on all but one.
    fn values(&self, pairs: &Pairs, without: Option<usize>) -> Values {
        let all = pairs.n;
        let kept = |i: &usize| Some(*i) != without;
        let n = (all - usize::from(without.is_some())) as f64;
        let at = |i: usize, j: usize| i * all + j;
        // A sum over i and j: the whole less row and column `without`, which meet at their corner.
        let pairwise = |rows: &[f64], columns: &[f64], corner: &dyn Fn(usize) -> f64| {
            let total: f64 = rows.iter().sum();
            without.map_or(total, |k| total - rows[k] - columns[k] + corner(k))
        };
        let single = |total: f64, values: &dyn Fn(usize) -> f64| without.map_or(total, |k| total - values(k));
        let squared = |h: &[f64]| h.iter().map(|x| x * x).sum::<f64>();

        let loss = single(self.loss, &|k| pairs.losses[k]) / n;
        let loss = if loss <= pairs.resolution { 0.0 } else { loss };
        let trace_gram = single(self.traces, &|k| pairs.traces[k]) / n;
        let gram_square = pairwise(&self.blocks, &self.blocks, &|k| pairs.blocks[at(k, k)]) / (n * n);
        let gram_frobenius = not_negative(gram_square).sqrt();

        let second_moment =
            single((0..all).map(|i| pairs.gradients[at(i, i)]).sum(), &|k| pairs.gradients[at(k, k)]) / n;
        let row = |i: usize| self.gradients[i] - without.map_or(0.0, |k| pairs.gradients[at(i, k)]);
        let rows: Vec<f64> = (0..all).filter(kept).map(row).collect();
        let mean_square = rows.iter().sum::<f64>() / (n * n); // ‖ḡ‖²
        let squares = pairwise(&self.gradient_squares, &self.gradient_squares, &|k| pairs.gradients[at(k, k)].powi(2));
        let noise_square = squares - 2.0 / n * rows.iter().map(|r| r * r).sum::<f64>() + (mean_square * n).powi(2);
        let noise_frobenius = not_negative(noise_square).sqrt() / n;

        let mixed_squares = pairwise(&self.mixed_rows, &self.mixed_columns, &|k| squared(&pairs.mixed[at(k, k)]));
        let of_mean = |i: usize| match without {
            None => squared(&self.mixed[i]),
            Some(k) => self.mixed[i].iter().zip(&pairs.mixed[at(i, k)]).map(|(sum, h)| (sum - h).powi(2)).sum(),
        };
        let of_mean = (0..all).filter(kept).map(of_mean).sum::<f64>() / n.powi(3);
        let uncentred = mixed_squares / (n * n);
        let centred = uncentred - of_mean;

        let chi = |i: usize| (self.blocks[i] - without.map_or(0.0, |k| pairs.blocks[at(i, k)])) / n;
        let chi: Vec<f64> = (0..all).filter(kept).map(chi).collect();
        let chi_min = chi.iter().copied().fold(f64::INFINITY, f64::min);

        let ratio = |top: f64, bottom: f64| match (top.is_finite() && bottom.is_finite(), bottom > 0.0) {
            (false, _) => f64::INFINITY,
            (true, true) => top / bottom,
            (true, false) => f64::NAN,
        };
        let scaled = |trace: f64| ratio(trace, 2.0 * loss * gram_square);
        [
            trace_gram,
            gram_frobenius,
            second_moment - mean_square,
            noise_frobenius,
            centred,
            ratio(centred, gram_frobenius * noise_frobenius),
            ratio(noise_frobenius, 2.0 * loss * gram_frobenius),
            scaled(centred),
            scaled(uncentred),
            scaled(of_mean),
            ratio(chi_min, chi.iter().sum::<f64>() / n),
            ratio(centred, 2.0 * loss),
        ]
    }
}

/// What rounding has made negative is 0; what is no number stays none.
fn not_negative(x: f64) -> f64 {
    if x < 0.0 { 0.0 } else { x }
}

#[cfg(test)]
mod tests {
    use saltflat_models::{Loss, LossKind};

    use super::*;
    use crate::Scoring;

    /// Features (1, 0), (0, 2), (1, 1): inner products 1, 4, 2 on the diagonal and 0, 1, 2 beside it. n χ is 1 + 0 + 1,
    /// 0 + 16 + 4, 1 + 4 + 4, their mean 31/3; the least of them over it is γ.
    #[test]
    fn feature_norms_by_hand() {
        let blocks = vec![1.0, 0.0, 1.0, 0.0, 16.0, 4.0, 1.0, 4.0, 4.0];
        let pairs = Pairs {
            loss: Loss { kind: LossKind::Square, smoothing: 0.0 },
            scoring: Scoring::None,
            n: 3,
            resolution: 0.0,
            losses: vec![1.0; 3],
            traces: vec![1.0, 4.0, 2.0],
            blocks,
            gradients: vec![0.0; 9],
            mixed: vec![vec![0.0]; 9],
            exact: None,
        };
        let norms = feature_norms(&pairs).unwrap();
        let expected = [6.0 / 31.0, 60.0 / 31.0, 27.0 / 31.0];
        assert!(norms.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{norms:?}");
        let gamma = Alignment::new(&pairs).chi_min_over_mean.value.unwrap();
        assert!((gamma - 6.0 / 31.0).abs() < 1e-15);
        assert!(feature_norms(&Pairs { blocks: vec![0.0; 9], ..pairs }).unwrap().is_empty());
    }

    /// Sums without a sample are those of the samples that are left.
    #[test]
    fn leaving_one_out_is_measuring_the_others() {
        let n = 5;
        let number = |i: usize, j: usize| ((7 * i + 3 * j) as f64).sin() + ((7 * j + 3 * i) as f64).sin();
        let of = |kept: &[usize]| Pairs {
            loss: Loss { kind: LossKind::CrossEntropy, smoothing: 0.0 },
            scoring: Scoring::Class,
            n: kept.len(),
            resolution: 0.0,
            losses: kept.iter().map(|&i| 1.0 + 0.1 * i as f64).collect(),
            traces: kept.iter().map(|&i| 2.0 + (i as f64).cos()).collect(),
            blocks: kept.iter().flat_map(|&i| kept.iter().map(move |&j| number(i, j).powi(2))).collect(),
            gradients: kept
                .iter()
                .flat_map(|&i| kept.iter().map(move |&j| number(i, j) + f64::from(u8::from(i == j)) * 4.0))
                .collect(),
            mixed: kept
                .iter()
                .flat_map(|&i| kept.iter().map(move |&j| vec![number(i, j), (i as f64 - 2.0 * j as f64).cos()]))
                .collect(),
            exact: None,
        };
        let all = of(&(0..n).collect::<Vec<_>>());
        let sums = Sums::new(&all);
        for k in 0..n {
            let left = of(&(0..n).filter(|&i| i != k).collect::<Vec<_>>());
            let expected = Sums::new(&left).values(&left, None);
            for (found, expected) in sums.values(&all, Some(k)).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12 * expected.abs().max(1.0), "{found} {expected}");
            }
        }
    }
}
