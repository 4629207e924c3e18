//! The Hessians of the proof of theorem 2, and the batch sizes at which SGD on them is stable.

use saltflat_config::named_enum;

use super::sampling::{LogFactorials, Sampling};

named_enum! {
    /// The loss of a sample, which says how its Hessian is made of m and a coordinate.
    pub enum SampleLoss {
        /// ½ wᵀHᵢw: its Hessian is Hᵢ, as in definition 1 and the theorems.
        HalfQuadratic = "half-quadratic",
        /// wᵀHᵢw, as section 5.1 writes it: its Hessian is 2Hᵢ, so that λ₁ is 4 and gradient descent itself diverges at
        /// every rate above ½. The lines are those of 2Hᵢ.
        Quadratic = "quadratic",
    }
}

impl SampleLoss {
    /// The Hessian of the loss over Hᵢ.
    pub fn curvature(self) -> f64 {
        match self {
            Self::HalfQuadratic => 1.0,
            Self::Quadratic => 2.0,
        }
    }
}

/// n Hessians of rank one: Hᵢ = m e₁e₁ᵀ for the first σ samples and m e_{i−σ+1} e_{i−σ+1}ᵀ for the others, with
/// m = 2n/σ (twice that for the loss wᵀHᵢw), in n − σ + 1 dimensions.
///
/// A step multiplies each coordinate by 1 − (η m/B) K, K the number of draws among the samples of the coordinate: σ for the
/// first, one for each other. λ₁(H) = σm/n. S of definition 2 is m times a block of σ × σ ones and an identity, so the
/// coherence λ₁(S)/maxᵢ λ₁(Hᵢ) is σ exactly. (The paper writes √n for σ = n; the largest eigenvalue of n × n ones is n.)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Construction {
    /// Samples.
    pub n: usize,
    /// Samples that share the first coordinate: the coherence.
    pub sigma: usize,
    /// m.
    pub curvature: f64,
}

impl Construction {
    /// The Hessians of n samples with this coherence.
    pub fn new(n: usize, sigma: usize, loss: SampleLoss) -> Self {
        Self { n, sigma, curvature: loss.curvature() * 2.0 * n as f64 / sigma as f64 }
    }

    /// Coordinates: n − σ + 1.
    pub fn dimension(&self) -> usize {
        self.n - self.sigma + 1
    }

    /// λ₁(H) = σm/n.
    pub fn top_eigenvalue(&self) -> f64 {
        self.sigma as f64 * self.curvature / self.n as f64
    }

    /// How many samples share a coordinate: σ, and 1 if there are others.
    fn shares(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.sigma).chain((self.sigma < self.n).then_some(1))
    }

    /// The batch size below which theorem 1 says that E‖Ĵₖ…Ĵ₁‖ grows without bound: n/(1 + (σ/(ηλ₁))²), from
    /// λ₁ > (σ/η)(n/B − 1)^(−1/2); infinite if λ₁ > 2/η.
    pub fn theorem_1_batch_size(&self, eta: f64) -> f64 {
        let edge = eta * self.top_eigenvalue();
        if edge > 2.0 { f64::INFINITY } else { self.n as f64 / (1.0 + (self.sigma as f64 / edge).powi(2)) }
    }

    /// The batch size above which theorem 2's condition λ₁ < (2σ/η)(σ + n/B − 1)⁻¹ holds: n/(2σ/(ηλ₁) − σ + 1); infinite
    /// if no batch size fulfils it.
    pub fn theorem_2_batch_size(&self, eta: f64) -> f64 {
        let sigma = self.sigma as f64;
        let least = 2.0 * sigma / (eta * self.top_eigenvalue()) - sigma + 1.0;
        if least > 0.0 { self.n as f64 / least } else { f64::INFINITY }
    }

    /// The batch size below which E‖w‖² grows: at which the mean of (1 − (ηm/B) K)² is 1 for the coordinate that needs the
    /// largest batch; infinite if no batch size will do.
    ///
    /// With c = ηm/B, E(1 − cK)² < 1 says c(E K² / E K) < 2, that is Var K/E K + E K < 2/c. With E K = Bs/n this is
    /// 1/B < 2/(ηm) − (s−1)/n for Bernoulli draws (with s = σ: theorem 2's line),
    /// n/B < 1 + (n−1)(2/(ηm) − s/n)/(1 − s/n) without and 1/B < (2/(ηm) − s/n)/(1 − s/n) with replacement.
    pub fn mean_square_batch_size(&self, eta: f64, sampling: Sampling) -> f64 {
        let n = self.n as f64;
        let of = |s: usize| {
            let (share, room) = (s as f64 / n, 2.0 / (eta * self.curvature));
            let inverse = match sampling {
                Sampling::Bernoulli => room - share + 1.0 / n,
                Sampling::WithoutReplacement if s == self.n && room > share => return 0.0,
                Sampling::WithoutReplacement => (1.0 + (n - 1.0) * (room - share) / (1.0 - share)) / n,
                Sampling::WithReplacement if s == self.n && room > share => return 0.0,
                Sampling::WithReplacement => (room - share) / (1.0 - share),
            };
            if inverse > 0.0 { 1.0 / inverse } else { f64::INFINITY }
        };
        self.shares().map(of).fold(0.0, f64::max)
    }

    /// The largest Lyapunov exponent, by which a typical trajectory grows: the larger of E ln|1 − (ηm/B) K| of the first
    /// coordinate and of the others. −∞ if every coordinate can be hit by a factor of exactly 0.
    pub(super) fn lyapunov_exponent(&self, logs: &LogFactorials, eta: f64, batch: usize, sampling: Sampling) -> f64 {
        let rate = eta * self.curvature / batch as f64;
        let of = |s: usize| -> f64 {
            let counts = logs.counts(sampling, self.n, s, batch).into_iter().enumerate();
            counts.filter(|(_, p)| *p > 0.0).map(|(k, p)| p * log_factor(rate, k)).sum()
        };
        self.shares().map(of).fold(f64::NEG_INFINITY, f64::max)
    }

    /// The largest batch size at which a typical trajectory grows: the largest Lyapunov exponent is above 0; 0 if there
    /// is none.
    pub(super) fn almost_sure_batch_size(&self, logs: &LogFactorials, eta: f64, sampling: Sampling) -> usize {
        let grows = |batch: &usize| self.lyapunov_exponent(logs, eta, *batch, sampling) > 0.0;
        (1..=self.n).rev().find(grows).unwrap_or(0)
    }
}

/// ln|1 − rate k|; −∞ if that is 0 but for rounding.
fn log_factor(rate: f64, k: usize) -> f64 {
    let factor = 1.0 - rate * k as f64;
    if factor.abs() < 1e-12 { f64::NEG_INFINITY } else { factor.abs().ln() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    /// The Hessians as matrices.
    fn hessians(of: &Construction) -> Vec<DMatrix<f64>> {
        let coordinate = |i: usize| i.saturating_sub(of.sigma - 1);
        let matrix = |i: usize| {
            let mut h = DMatrix::zeros(of.dimension(), of.dimension());
            h[(coordinate(i), coordinate(i))] = of.curvature;
            h
        };
        (0..of.n).map(matrix).collect()
    }

    fn top(matrix: &DMatrix<f64>) -> f64 {
        matrix.clone().symmetric_eigenvalues().max()
    }

    /// λ₁(H), and σ by definition 2: the square roots of the inner products, not the formulas above.
    fn definitions(of: &Construction) -> (f64, f64) {
        let all = hessians(of);
        let mean = all.iter().sum::<DMatrix<f64>>() / of.n as f64;
        let s = DMatrix::from_fn(of.n, of.n, |i, j| (&all[i] * &all[j]).trace().sqrt());
        (top(&mean), top(&s) / all.iter().map(top).fold(0.0, f64::max))
    }

    fn all(n: usize) -> impl Iterator<Item = (Construction, f64)> {
        let losses = [SampleLoss::HalfQuadratic, SampleLoss::Quadratic];
        let constructions = move |loss| (1..=n).map(move |sigma| Construction::new(n, sigma, loss));
        let etas = |construction| (1..40).map(move |i| (construction, 0.0243 * f64::from(i)));
        losses.into_iter().flat_map(constructions).flat_map(etas)
    }

    #[test]
    fn the_lines_are_the_theorems() {
        for (construction, eta) in all(6) {
            let (lambda, sigma) = definitions(&construction);
            assert!((lambda - construction.top_eigenvalue()).abs() < 1e-12);
            assert!((sigma - construction.sigma as f64).abs() < 1e-12, "{sigma} {construction:?}");
            let n = construction.n as f64;
            for batch in (1..=60).map(|tenth| f64::from(tenth) / 10.0 + 1e-7) {
                let diverges = lambda > 2.0 / eta || lambda > sigma / eta * (n / batch - 1.0).powf(-0.5);
                let bounded = lambda < 2.0 * sigma / eta / (sigma + n / batch - 1.0);
                assert_eq!(batch < construction.theorem_1_batch_size(eta), diverges, "{construction:?} {eta} {batch}");
                assert_eq!(batch > construction.theorem_2_batch_size(eta), bounded, "{construction:?} {eta} {batch}");
            }
        }
    }

    /// Every batch that can be drawn, with its probability.
    fn batches(n: usize, batch: usize, sampling: Sampling) -> Vec<(Vec<u32>, f64)> {
        let subsets = (0..1u32 << n).map(|bits| (0..n).map(|i| bits >> i & 1).collect::<Vec<u32>>());
        let size = |times: &[u32]| times.iter().sum::<u32>() as usize;
        let p = batch as f64 / n as f64;
        match sampling {
            Sampling::Bernoulli => subsets
                .map(|times| (p.powi(size(&times) as i32) * (1.0 - p).powi((n - size(&times)) as i32), times))
                .map(|(weight, times)| (times, weight))
                .collect(),
            Sampling::WithoutReplacement => {
                let fit: Vec<Vec<u32>> = subsets.filter(|times| size(times) == batch).collect();
                let weight = 1.0 / fit.len() as f64;
                fit.into_iter().map(|times| (times, weight)).collect()
            }
            Sampling::WithReplacement => {
                let many = n.pow(batch as u32);
                let sequence = |code: usize| {
                    let mut times = vec![0; n];
                    (0..batch).for_each(|k| times[code / n.pow(k as u32) % n] += 1);
                    (times, 1.0 / many as f64)
                };
                (0..many).map(sequence).collect()
            }
        }
    }

    /// Sums over all batches of five samples: E‖w‖² grows below the line and nowhere else, and the Lyapunov exponent is the
    /// mean logarithm.
    #[test]
    fn moments_are_those_of_all_batches() {
        let n = 5;
        let logs = LogFactorials::up_to(n);
        for sampling in [Sampling::Bernoulli, Sampling::WithoutReplacement, Sampling::WithReplacement] {
            for batch in 1..=n {
                let batches = batches(n, batch, sampling);
                for (construction, eta) in all(n) {
                    let hessians = hessians(&construction);
                    let (mut square, mut log) =
                        (vec![0.0; construction.dimension()], vec![0.0; construction.dimension()]);
                    for (times, weight) in batches.iter().filter(|b| b.1 > 0.0) {
                        for (j, (square, log)) in square.iter_mut().zip(&mut log).enumerate() {
                            let sum: f64 = hessians.iter().zip(times).map(|(h, &t)| f64::from(t) * h[(j, j)]).sum();
                            let factor = 1.0 - eta / batch as f64 * sum;
                            *square += weight * factor * factor;
                            *log += weight * if factor.abs() < 1e-12 { f64::NEG_INFINITY } else { factor.abs().ln() };
                        }
                    }
                    let largest = |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let line = construction.mean_square_batch_size(eta, sampling);
                    if (largest(&square) - 1.0).abs() > 1e-9 {
                        assert_eq!(
                            largest(&square) > 1.0,
                            (batch as f64) < line,
                            "{construction:?} {sampling:?} {eta}"
                        );
                    }
                    let exponent = construction.lyapunov_exponent(&logs, eta, batch, sampling);
                    let same = exponent == largest(&log) || (exponent - largest(&log)).abs() < 1e-10;
                    assert!(same, "{construction:?} {sampling:?} {eta} {batch}: {exponent} {}", largest(&log));
                }
            }
        }
    }

    #[test]
    fn the_typical_line_is_the_last_that_grows() {
        let logs = LogFactorials::up_to(30);
        for (construction, eta) in all(30) {
            let line = construction.almost_sure_batch_size(&logs, eta, Sampling::Bernoulli);
            let grows = |batch| construction.lyapunov_exponent(&logs, eta, batch, Sampling::Bernoulli) > 0.0;
            assert!((line == 0 || grows(line)) && !(line + 1..=30).any(grows));
            // Jensen: if the mean logarithm is above 0, the mean square is above 1.
            assert!(line == 0 || (line as f64) < construction.mean_square_batch_size(eta, Sampling::Bernoulli));
        }
    }
}
