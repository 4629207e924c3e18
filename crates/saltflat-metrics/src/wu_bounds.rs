//! The bounds of Wu, Wang, Su 2022 on the flatness of a stable minimum and on the growth of the loss at an unstable one.
//!
//! All follow from one step of SGD with η on the linearised model, where L = ½ θᵀHθ and G = H. With S the covariance of the
//! step's gradient (lemma 3.2 and equation 8 of the paper):
//!
//! E L(θₜ₊₁) = r L(θₜ) + ½η² Tr(HS), r = 1 − 2η a + η² b ≥ 0, a = θᵀH²θ/θᵀHθ, b = θᵀH³θ/θᵀHθ.
//!
//! The paper takes S = Σ/B. The mean of a batch that is drawn without replacement has S = c Σ with c = (n−B)/(B(n−1)), so c
//! stands in place of the paper's 1/B here: it is 0 for a full batch, which has no noise, and 1/B for n → ∞. The batches of
//! different steps are independent. (Those of one permutation are not, and Bernoulli sampling has S = (1/B − 1/n) Σ₁ with the
//! uncentred Σ₁.) By the definition of μ, ½η² Tr(HS) = η² c μ ‖H‖_F² L.
//!
//! The theorems are about the square loss at a minimum that fits every sample, where G = H; elsewhere they are heuristics. They
//! ask for lower bounds μ₀ and μ₁ of the alignment along the trajectory, in whose place μ and μ₁ at the measured θ stand. μ, μ₁
//! and the ‖G‖_F that a bound is compared with must come from the same samples. η is the learning rate without its schedule;
//! noise that is added to that of the batches, and sharpness-aware steps, are left out.

use crate::{
    Alignment, Estimate,
    stability::{Sampling, StabilityError},
};

/// The Wu bound √(1/(cμ))/η = √(B/μ · (n−1)/(n−B))/η on ‖G‖_F: a minimum at which ‖G‖_F is above it is linearly unstable for SGD with
/// batches of B = `batch_size` of n = `training_samples` samples (theorem 3.3). Absent if μ is absent or not positive, and for a
/// full batch.
///
/// r ≥ 0 gives E L(θₜ₊₁) ≥ η² c μ ‖H‖_F² L(θₜ), and stability asks for η² c μ ‖H‖_F² ≤ 1. With heavy-ball momentum the noise of
/// a step still enters the next parameters as η ξ, and the loss of their mean is still not negative: the inequality and the
/// bound hold as they are, though a sharper one may exist. (With Nesterov's form ξ enters as η(1+β)ξ, so the bound holds
/// there, too.)
pub fn wu_bound(mu: &Estimate, training_samples: usize, batch_size: usize, lr: f64) -> Estimate {
    match factors(mu, "mu", training_samples, batch_size, lr) {
        Ok((c, at)) => with_errors(1.0 / ((c * at).sqrt() * lr), -0.5, at, mu),
        Err(reason) => Estimate::absent(reason),
    }
}

/// The bound of proposition 3.4 on ‖G‖_F, min(1/√(c(1−c)μ₁), 2/(cμ₁))/η, which asks for the alignment μ₁ of the uncentred noise
/// instead of μ: for n → ∞ the paper's min(B/√((B−1)μ₁), 2B/μ₁)/η. Absent if μ₁ is absent or not positive, for a full batch,
/// and with momentum.
///
/// From Σ = Σ₁ − ∇L∇Lᵀ (equation 25): E L(θₜ₊₁) ≥ (1 − 2η a + η²(1−c) b + η² c μ₁ ‖H‖_F²) L(θₜ). By lemma E.1 the second and
/// third term together are at least −1/(1−c), so stability asks for ‖H‖_F ≤ 1/(η √(c(1−c)μ₁)); and they are at least
/// −2η λ₁(H) ≥ −2η ‖H‖_F, so it asks for ‖H‖_F ≤ 2/(η c μ₁), the only one of the two at B = 1, where c = 1. The proof takes the
/// mean of the next parameters to be a step of gradient descent, which it is not with momentum.
pub fn wu_bound_mu1(mu1: &Estimate, training_samples: usize, batch_size: usize, lr: f64, momentum: f64) -> Estimate {
    if momentum > 0.0 {
        return Estimate::absent("proposition 3.4 is proved without momentum");
    }
    match factors(mu1, "mu1", training_samples, batch_size, lr) {
        Ok((c, at)) => {
            // Infinite at B = 1.
            let first = 1.0 / ((c * (1.0 - c) * at).sqrt() * lr);
            let second = 2.0 / (c * at * lr);
            let (bound, power) = if first < second { (first, -0.5) } else { (second, -1.0) };
            with_errors(bound, power, at, mu1)
        }
        Err(reason) => Estimate::absent(reason),
    }
}

/// γ₀ = η² c μ ‖G‖_F² = η² c Tr(GΣ)/(2L) of theorem 3.6, the paper's η² μ₀ ‖H‖_F²/B for n → ∞: the expected loss of linearised SGD
/// is at least multiplied by it in every step, E L(θₜ₊₁) ≥ γ₀ E L(θₜ). It is (‖G‖_F/[`wu_bound`])²; above 1 SGD leaves the
/// minimum exponentially fast, and some log(1/ε)/log γ₀ steps lead from a loss of ε to one of order 1. At or below 1 the
/// inequality allows a stable minimum and does not imply one. Absent for a full batch and at zero loss; with momentum as
/// [`wu_bound`].
pub fn wu_growth_bound(alignment: &Alignment, training_samples: usize, batch_size: usize, lr: f64) -> Estimate {
    match noise_factor(training_samples, batch_size, lr) {
        Ok(c) => alignment.trace_gram_noise_over_loss.clone().times(lr * lr * c),
        Err(reason) => Estimate::absent(reason),
    }
}

/// c, and the alignment factor of this name if it is positive.
fn factors(
    alignment: &Estimate,
    name: &str,
    training_samples: usize,
    batch_size: usize,
    lr: f64,
) -> Result<(f64, f64), String> {
    let c = noise_factor(training_samples, batch_size, lr)?;
    match alignment.value {
        Some(at) if at > 0.0 => Ok((c, at)),
        Some(value) => Err(format!("{name} is {value}, not positive")),
        None => Err(format!("{name} has no value")),
    }
}

/// c of a batch without replacement, if there is noise and a step.
fn noise_factor(training_samples: usize, batch_size: usize, lr: f64) -> Result<f64, String> {
    if lr.is_nan() || lr <= 0.0 {
        return Err("lr is 0".into());
    }
    match Sampling::WithoutReplacement.noise(training_samples, batch_size) {
        Ok(noise) if noise.samples > 0.0 => Ok(noise.samples),
        Ok(_) => Err(StabilityError::NoNoise { samples: training_samples }.to_string()),
        Err(reason) => Err(reason.to_string()),
    }
}

/// A value that goes with x to this power, with its errors by the delta method: d value/value = power · dx/x.
fn with_errors(value: f64, power: f64, at: f64, x: &Estimate) -> Estimate {
    let error = |of_x: Option<f64>| of_x.map(|e| power.abs() * value * e / at);
    Estimate::exact(value).with_std_error(error(x.std_error)).with_subset_error(error(x.subset_error))
}

#[cfg(test)]
mod tests {
    use saltflat_models::{Loss, LossKind};

    use super::*;
    use crate::{Pairs, Scoring};

    /// The covariance of the mean of B = 2 of n = 5 numbers over all ten batches, against Σ: the theorem's Σ/B is c Σ. The
    /// bound with c in place of 1/B, its errors by the delta method, and no bound for a full batch.
    #[test]
    fn the_wu_bound_is_that_of_batches_without_replacement() {
        let values = [0.3, -1.2, 2.0, 0.7, 0.1];
        let (n, b, lr) = (values.len(), 2, 0.1);
        let mean = values.iter().sum::<f64>() / n as f64;
        let sigma = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
        let batches = (0..n).flat_map(|i| (0..i).map(move |j| (values[i] + values[j]) / 2.0));
        let of_batches: Vec<f64> = batches.map(|x| (x - mean).powi(2)).collect();
        let c = of_batches.iter().sum::<f64>() / of_batches.len() as f64 / sigma;
        let mu = Estimate::exact(0.4).with_std_error(Some(0.04)).with_subset_error(Some(0.02));
        let bound = wu_bound(&mu, n, b, lr);
        let expected = 1.0 / (0.4 * c).sqrt() / lr;
        assert!((bound.value.unwrap() / expected - 1.0).abs() < 1e-12, "{bound:?}, expected {expected}");
        assert!((bound.std_error.unwrap() / (0.5 * expected * 0.1) - 1.0).abs() < 1e-12);
        assert!((bound.subset_error.unwrap() / (0.5 * expected * 0.05) - 1.0).abs() < 1e-12);
        for batch in [n, n + 1] {
            let none = wu_bound(&mu, n, batch, lr);
            assert!(none.value.is_none() && none.reason.is_some(), "{none:?}");
        }
        // Many samples: √(B/μ)/η, as in the paper.
        let many = wu_bound(&mu, 1_000_000_000, b, lr).value.unwrap();
        assert!((many * lr / (2.0f64 / 0.4).sqrt() - 1.0).abs() < 1e-8);
    }

    /// f = g·θ with the target 0, and its inner products.
    struct Regression {
        features: Vec<[f64; 2]>,
        theta: [f64; 2],
    }

    fn dot(a: [f64; 2], b: [f64; 2]) -> f64 {
        a[0] * b[0] + a[1] * b[1]
    }

    impl Regression {
        fn loss(&self, theta: [f64; 2]) -> f64 {
            self.features.iter().map(|&g| 0.5 * dot(g, theta).powi(2)).sum::<f64>() / self.features.len() as f64
        }

        /// θ after a step on these samples.
        fn step(&self, samples: &[usize], lr: f64) -> [f64; 2] {
            let mut theta = self.theta;
            for &i in samples {
                let (g, r) = (self.features[i], dot(self.features[i], self.theta));
                (0..2).for_each(|k| theta[k] -= lr / samples.len() as f64 * r * g[k]);
            }
            theta
        }

        /// The mean of L after a step, over all batches of this size.
        fn expected_loss(&self, size: usize, lr: f64) -> f64 {
            let n = self.features.len();
            let batches = (0u32..1 << n).filter(|batch| batch.count_ones() as usize == size);
            let losses: Vec<f64> = batches
                .map(|batch| (0..n).filter(|i| batch & (1 << i) != 0).collect::<Vec<_>>())
                .map(|batch| self.loss(self.step(&batch, lr)))
                .collect();
            losses.iter().sum::<f64>() / losses.len() as f64
        }

        fn alignment(&self) -> Alignment {
            let (n, r) = (self.features.len(), |i: usize| dot(self.features[i], self.theta));
            let k = |i: usize, j: usize| dot(self.features[i], self.features[j]);
            let all = || (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
            Alignment::new(&Pairs {
                loss: Loss { kind: LossKind::Square, smoothing: 0.0 },
                scoring: Scoring::None,
                n,
                resolution: 0.0,
                losses: (0..n).map(|i| 0.5 * r(i) * r(i)).collect(),
                traces: (0..n).map(|i| k(i, i)).collect(),
                blocks: all().map(|(i, j)| k(i, j) * k(i, j)).collect(),
                gradients: all().map(|(i, j)| r(i) * r(j) * k(i, j)).collect(),
                mixed: all().map(|(i, j)| vec![r(j) * k(i, j)]).collect(),
                exact: None,
            })
        }
    }

    /// Over all batches of every size: the noise adds exactly γ₀ L(θ) to the expected loss of a step, so γ₀ = (‖G‖_F/bound)²;
    /// from the learning rates on at which ‖G‖_F is either bound the loss grows. γ₀ has the jackknife's error, which is a
    /// constant times that of Tr(GΣ)/(2L).
    #[test]
    fn the_growth_is_that_of_every_batch() {
        let features = vec![[1.0, 0.2], [0.3, -1.5], [-0.7, 0.4], [0.0, 0.9], [2.0, 1.0]];
        let regression = Regression { features, theta: [0.8, -0.5] };
        let found = regression.alignment();
        let loss = regression.loss(regression.theta);
        let (n, lr) = (regression.features.len(), 0.7);
        let everything: Vec<usize> = (0..n).collect();
        for size in 1..n {
            let growth = wu_growth_bound(&found, n, size, lr);
            let of_mean = regression.loss(regression.step(&everything, lr));
            let added = (regression.expected_loss(size, lr) - of_mean) / loss;
            assert!((growth.value.unwrap() / added - 1.0).abs() < 1e-12, "{growth:?}, exactly {added}");
            let norm = found.gram_frobenius.value.unwrap();
            let bound = wu_bound(&found.mu, n, size, lr).value.unwrap();
            assert!((growth.value.unwrap() / (norm / bound).powi(2) - 1.0).abs() < 1e-12);
            let relative = |e: &Estimate| e.std_error.unwrap() / e.value.unwrap();
            assert!((relative(&growth) / relative(&found.trace_gram_noise_over_loss) - 1.0).abs() < 1e-12);
            for bound in [wu_bound(&found.mu, n, size, 1.0), wu_bound_mu1(&found.mu1, n, size, 1.0, 0.0)] {
                let lr = bound.value.unwrap() / norm;
                let grown = regression.expected_loss(size, lr) / loss;
                assert!(grown > 1.0 - 1e-12, "batches of {size}, lr {lr}: {grown}");
            }
        }
        let none = wu_growth_bound(&found, n, n, lr);
        assert!(none.value.is_none() && none.reason.unwrap().contains("no gradient noise"));
        // Many samples: η² μ ‖G‖_F²/B, as in the paper.
        let many = wu_growth_bound(&found, 1_000_000_000, 2, lr).value.unwrap();
        let exact = lr * lr / 2.0 * found.mu.value.unwrap() * found.gram_frobenius.value.unwrap().powi(2);
        assert!((many / exact - 1.0).abs() < 1e-8);
        let fitted = Regression { theta: [0.0; 2], ..regression }.alignment();
        assert_eq!(wu_growth_bound(&fitted, n, 2, lr).reason.unwrap(), "the loss is zero");
    }

    /// Where proposition 3.4 is sharp, by hand. One parameter, features 1, 1, 0, 0, B = 2: G = ½, μ₁ = ½/(½)² = 2, c = ⅓, so
    /// the bound is 1/√(⅓ · ⅔ · 2)/η = 1.5/η. At η = 3 it is G, and the loss is multiplied by (1 − 3)² once, (1 − 1.5)² four
    /// times and 1 once in six: 1 in the mean. Features 1, 0, B = 1: μ₁ = 2, c = 1, so 2/(cμ₁)/η = 1/η, which is G at η = 2, where
    /// the factors are (1 − 2)² and 1.
    #[test]
    fn the_bound_of_the_uncentred_noise_is_sharp() {
        for (features, size, lr) in [(vec![1.0, 1.0, 0.0, 0.0], 2, 3.0), (vec![1.0, 0.0], 1, 2.0)] {
            let features: Vec<[f64; 2]> = features.into_iter().map(|g| [g, 0.0]).collect();
            let regression = Regression { features, theta: [1.0, 0.0] };
            let (n, found) = (regression.features.len(), regression.alignment());
            let bound = wu_bound_mu1(&found.mu1, n, size, lr, 0.0).value.unwrap();
            assert!((bound - 0.5).abs() < 1e-12 && (found.mu1.value.unwrap() - 2.0).abs() < 1e-12, "{bound}");
            let grown = regression.expected_loss(size, lr) / regression.loss(regression.theta);
            assert!((grown - 1.0).abs() < 1e-12, "{grown}");
        }
    }

    /// For n → ∞ the paper's min(B/√((B−1)μ₁), 2B/μ₁)/η, the first at B = 2, the second at B = 1; the errors by the delta method.
    #[test]
    fn both_parts_of_proposition_3_4() {
        let mu1 = Estimate::exact(0.4).with_std_error(Some(0.04));
        let (n, lr) = (1_000_000_000, 0.1);
        for (size, expected, power) in [(2, 2.0 / 0.4f64.sqrt() / lr, 0.5), (1, 2.0 / 0.4 / lr, 1.0)] {
            let bound = wu_bound_mu1(&mu1, n, size, lr, 0.0);
            assert!((bound.value.unwrap() / expected - 1.0).abs() < 1e-8, "{bound:?}, expected {expected}");
            assert!((bound.std_error.unwrap() / (power * 0.1 * expected) - 1.0).abs() < 1e-8, "{bound:?}");
        }
        for (mu1, size, momentum, reason) in [
            (&mu1, n, 0.0, "no gradient noise"),
            (&mu1, 2, 0.9, "without momentum"),
            (&Estimate::exact(0.0), 2, 0.0, "not positive"),
            (&Estimate::absent("the loss or G is zero"), 2, 0.0, "mu1 has no value"),
        ] {
            let none = wu_bound_mu1(mu1, n, size, lr, momentum);
            assert!(none.value.is_none() && none.reason.as_ref().unwrap().contains(reason), "{none:?}");
        }
    }
}
