//! The walks, and statistics of many walkers.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use saltflat_config::named_enum;

use crate::{Row, statistics::median};

/// Walkers this near to 0 count as arrived there.
pub(super) const NEAR_ZERO: f64 = 1e-3;

named_enum! {
    /// What moves a walker.
    pub enum Walk {
        /// v ← v + ηξv, ξ = ±1 (equation 5). In d dimensions: d such walks in parallel.
        ParameterDependent = "parameter-dependent",
        /// v ← v + ηξ, ξ standard normal (equation 6).
        Brownian = "brownian",
        /// In d dimensions v ← v + η(‖v‖/√d) ξ, ξ standard normal: the noise of each coordinate has the mean of the variances
        /// η²vₖ² that the coordinates would have by themselves. (The paper's η²‖v‖² is the same at η√d.)
        EqualVariance = "equal-variance",
    }
}

impl Walk {
    /// Makes one step of all walkers, each `dimension` of which are the coordinates of one point.
    pub(super) fn step(self, walkers: &mut [f64], eta: f64, dimension: usize, rng: &mut impl Rng) {
        let normal = |v: &mut f64, scale: f64, rng: &mut _| {
            let xi: f64 = StandardNormal.sample(rng);
            *v += scale * xi;
        };
        match self {
            Walk::ParameterDependent => {
                let factors = [1.0 - eta, 1.0 + eta];
                for some in walkers.chunks_mut(64) {
                    let signs = rng.next_u64();
                    some.iter_mut().enumerate().for_each(|(i, v)| *v *= factors[(signs >> i & 1) as usize]);
                }
            }
            Walk::Brownian => walkers.iter_mut().for_each(|v| normal(v, eta, rng)),
            Walk::EqualVariance => {
                for point in walkers.chunks_mut(dimension) {
                    let mean_square = point.iter().map(|v| v * v).sum::<f64>() / point.len() as f64;
                    point.iter_mut().for_each(|v| normal(v, eta * mean_square.sqrt(), rng));
                }
            }
        }
    }
}

/// Statistics of the walkers after a step: their `mean` with its standard error, their `variance`, the median of |v|, the
/// share with |v| below 0.001, and, if all are at or above 0, the mean of √v with its standard error.
pub(super) fn statistics_of(step: u64, walkers: &[f64]) -> Row {
    let (mean, variance) = moments(walkers.iter().copied());
    let n = walkers.len() as f64;
    let sizes: Vec<f64> = walkers.iter().map(|v| v.abs()).collect();
    let near = sizes.iter().filter(|&&v| v < NEAR_ZERO).count() as f64 / n;
    let mut row = Row::new(
        step,
        &[
            ("mean", mean),
            ("mean_std_error", (variance / n).sqrt()),
            ("variance", variance),
            ("median_abs", median(sizes).unwrap_or(f64::NAN)),
            ("share_near_zero", near),
        ],
    );
    if walkers.iter().all(|&v| v >= 0.0) {
        let (mean, variance) = moments(walkers.iter().map(|v| v.sqrt()));
        row.values.insert("mean_sqrt".into(), mean);
        row.values.insert("mean_sqrt_std_error".into(), (variance / n).sqrt());
    }
    row
}

/// Mean and unbiased variance.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    (mean, values.map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use saltflat_random::{Key, Stream};

    fn after(walk: Walk, walkers: usize, dimension: usize, steps: u64) -> Row {
        let mut rng = Key::new(5, Stream::LabNoise, 0).part(walk as u64).rng();
        let mut all = vec![1.0; walkers];
        (0..steps).for_each(|_| walk.step(&mut all, 0.2, dimension, &mut rng));
        statistics_of(steps, &all)
    }

    /// After t steps of η = 0.2: E v = 1 in all walks; Var v = (1 + η²)ᵗ − 1 for both noises that scale with v, η²t for the
    /// other. Within 4.5 standard errors, of the variance by the fourth moments: (1 + 6η² + η⁴)ᵗ for signs, 3σ⁴ for normals.
    #[test]
    fn moments_are_the_closed_forms() {
        let (n, t) = (200_000, 10);
        let growth = 1.04f64.powi(t);
        // E(v − 1)⁴ of the walk of signs: moments 1, growth, (1 + 3η²)ᵗ, (1 + 6η² + η⁴)ᵗ.
        let fourth = 1.2416f64.powi(t) - 4.0 * 1.12f64.powi(t) + 6.0 * growth - 3.0;
        for (walk, variance, fourth) in [
            (Walk::ParameterDependent, growth - 1.0, fourth),
            (Walk::Brownian, 0.4, 3.0 * 0.16),
            // About: coordinates of 500 are nearly normal, their variance of one value.
            (Walk::EqualVariance, growth - 1.0, 3.2 * (growth - 1.0).powi(2)),
        ] {
            let row = after(walk, n, 500, t as u64);
            let error = (variance / n as f64).sqrt();
            assert!((row.values["mean"] - 1.0).abs() < 4.5 * error, "{walk:?} {:?}", row.values);
            assert!((row.values["mean_std_error"] / error - 1.0).abs() < 0.05);
            let error = ((fourth - variance * variance) / n as f64).sqrt();
            assert!((row.values["variance"] - variance).abs() < 4.5 * error, "{walk:?} {:?}", row.values);
        }
    }

    /// Two steps of signs: (1 ± η)(1 ± η) with ¼, ½, ¼.
    #[test]
    fn two_steps_of_signs() {
        let row = after(Walk::ParameterDependent, 100_000, 1, 2);
        assert!((row.values["median_abs"] - 0.96).abs() < 1e-12);
        let root = (0.25 * 0.8 + 0.5 * 0.96f64.sqrt() + 0.25 * 1.2f64) - row.values["mean_sqrt"];
        assert!(root.abs() < 4.5 * row.values["mean_sqrt_std_error"], "{root}");
        let mut rng = Key::new(5, Stream::LabNoise, 0).rng();
        let (mut all, mut counts) = (vec![1.0; 10_000], [0.0; 3]);
        (0..2).for_each(|_| Walk::ParameterDependent.step(&mut all, 0.2, 1, &mut rng));
        for v in all {
            let place = [0.64, 0.96, 1.44].iter().position(|&at: &f64| (at - v).abs() < 1e-12).unwrap();
            counts[place] += 1e-4;
        }
        assert!((counts[0] - 0.25f64).abs() < 0.02 && (counts[1] - 0.5f64).abs() < 0.0225, "{counts:?}");
    }

    #[test]
    fn what_is_seen() {
        let row = statistics_of(3, &[-1.0, 0.0, 0.0005, 4.0]);
        let expected = [("mean", 3.0005 / 4.0), ("median_abs", 1.0005 / 2.0), ("share_near_zero", 0.5)];
        assert!(expected.iter().all(|(name, value)| (row.values[*name] - value).abs() < 1e-12), "{row:?}");
        assert!(row.step == 3 && !row.values.contains_key("mean_sqrt"));
        let row = statistics_of(0, &[0.0, 4.0, 1.0]);
        assert!((row.values["mean_sqrt"] - 1.0).abs() < 1e-12 && (row.values["variance"] - 13.0 / 3.0).abs() < 1e-12);
        assert!((row.values["mean_sqrt_std_error"] - (1.0f64 / 3.0).sqrt()).abs() < 1e-12);
    }
}
