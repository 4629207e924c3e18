//! Alignment of the gradient noise with the landscape.

mod sums;

use nalgebra::DMatrix;
use sums::{Sums, Values};

use crate::{Estimate, GramRows, Interrupt, MetricError, Pairs, basis::eigen};

/// The quantities in the order of [`Values`], each with the reason why it has no value if its divisor is zero.
macro_rules! alignment {
    ($(#[$struct_doc:meta])* Alignment { $($(#[$doc:meta])* $field:ident, $zero:literal;)* }) => {
        $(#[$struct_doc])*
        #[derive(Clone, Debug)]
        #[allow(missing_docs)] // Named as in the definitions above.
        pub struct Alignment {
            pub rows: GramRows,
            pub samples: usize,
            $($(#[$doc])* pub $field: Estimate,)*
        }

        const REASONS: [&str; 12] = [$($zero),*];

        impl Alignment {
            fn of(rows: GramRows, samples: usize, estimate: impl Fn(usize) -> Estimate) -> Self {
                let [$($field),*] = std::array::from_fn(estimate);
                Self { rows, samples, $($field),* }
            }

            /// The estimates in the order of [`Values`].
            fn fields(&self) -> [&Estimate; 12] {
                [$(&self.$field),*]
            }
        }
    };
}

alignment! {
    /// α, β, μ and what they are made of (Wu, Wang, Su 2022, equations 3 and 11), on n samples.
    ///
    /// With G = (1/n) Σ rowsᵀ rows, gᵢ = ∇ℓᵢ, Σ = (1/n) Σ (gᵢ − ḡ)(gᵢ − ḡ)ᵀ, L less its smallest possible value:
    /// α = Tr(GΣ)/(‖G‖_F‖Σ‖_F), β = ‖Σ‖_F/(2L‖G‖_F), μ = αβ. μ₁ and μ₂ have (1/n) Σ gᵢgᵢᵀ and ḡḡᵀ in place of Σ.
    ///
    /// The values are exact for these samples; the standard errors say how far they may be from those of other samples, by the
    /// delete-one jackknife (Efron and Stein 1981): se² = (n−1)/n Σₖ (x₍ₖ₎ − x̄)², x₍ₖ₎ the value without sample k.
    ///
    /// ```
    /// # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/support/least_squares.rs")); }
    /// # use support::LeastSquares;
    /// use saltflat_metrics::{Alignment, Outputs, Pairs, wu_bound};
    /// use saltflat_random::{Key, Stream};
    ///
    /// // The square loss of w·x at w = (1, 1): G = H = diag(1, 4)/2, the samples' gradients are (1, 0) and (0, 4).
    /// let model = LeastSquares::new(&[[1.0, 0.0], [0.0, 2.0]], &[0.0, 0.0]);
    /// let (memory, key) = (1 << 30, Key::new(1, Stream::OutputSigns, 0));
    /// let pairs = Pairs::measure(&model.objective(), &model.weights, Outputs::Exact, memory, key)?;
    /// let found = Alignment::new(&pairs.into_result().expect("the samples are independent"));
    /// assert!((found.gram_frobenius.value.unwrap() - 4.25_f64.sqrt()).abs() < 1e-12);
    /// let [alpha, beta, mu] = [&found.alpha, &found.beta, &found.mu].map(|x| x.value.unwrap());
    /// assert!(alpha <= 1.0 && (mu - alpha * beta).abs() < 1e-12);
    /// // ‖G‖_F above which SGD with single samples and η = 0.1 is unstable.
    /// assert!(wu_bound(&found.mu, 2, 1, 0.1).value.unwrap() > 0.0);
    /// # Ok::<(), saltflat_metrics::MetricError>(())
    /// ```
    Alignment {
        trace_gram, "";
        gram_frobenius, "";
        trace_noise, "";
        noise_frobenius, "";
        trace_gram_noise, "";
        alpha, "the gradient noise or G is zero";
        beta, "the loss or G is zero";
        mu, "the loss or G is zero";
        mu1, "the loss or G is zero";
        mu2, "the loss or G is zero";
        /// γ = minᵢ χᵢ / mean χ with χᵢ = tr(rowsᵢ G rowsᵢᵀ).
        chi_min_over_mean, "G is zero";
        /// Tr(GΣ)/(2L) = μ‖G‖_F², from which [`wu_growth_bound`](crate::wu_growth_bound) follows; no metric of its own.
        trace_gram_noise_over_loss, "the loss is zero";
    }
}

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
            let zero = REASONS[index];
            if values[index].is_nan() && !zero.is_empty() {
                return Estimate::absent(zero);
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
}

/// χᵢ / mean χ of each sample, χᵢ = tr(rowsᵢ G rowsᵢᵀ): the relative feature norms (Wu, Wang, Su 2022, assumption 1 and figures
/// 2 and 6), in the order of the samples. Nothing if G is zero.
///
/// # Errors
/// [`MetricError::NotFinite`] if one of them overflows.
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
/// [`MetricError::NotFinite`] if an entry of that matrix overflows, [`MetricError::Interrupted`].
pub fn noise_eigenvalues(pairs: &Pairs, count: usize, interrupt: Interrupt<'_>) -> Result<Vec<f64>, MetricError> {
    let n = pairs.n;
    let matrix = DMatrix::from_row_slice(n, n, &pairs.gradients);
    let means: Vec<f64> = matrix.row_iter().map(|row| row.mean()).collect();
    let grand = means.iter().sum::<f64>() / n as f64;
    let centred = DMatrix::from_fn(n, n, |i, j| {
        (0.5 * (matrix[(i, j)] + matrix[(j, i)]) - means[i] - means[j] + grand) / n as f64
    });
    let (mut values, _) = eigen(centred, interrupt)?;
    values.truncate(count);
    Ok(values)
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
}
