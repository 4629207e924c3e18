//! What makes the gradient of the quadratic model noisy.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use saltflat_config::named_enum;

use super::model::{Data, Iterate};

/// Which noise. HaoChen et al. 2021, appendix A.1, unless a variant says otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Noise {
    /// None: gradient descent.
    FullBatch,
    /// δ (∇ℓᵢ − ∇ℓⱼ) for two random samples, added to the full gradient.
    Minibatch(Shape),
    /// −s xᵢ∘v for a random sample and s = ±δ, added to the full gradient: what noise on that label changes.
    LabelNoise(Shape),
    /// The gradient of one random sample instead of the full one.
    Sgd,
    /// The same, with ±δ on its label: algorithm 1 of the main text.
    LabelNoiseSgd,
    /// N(0, σ² I) added to the full gradient.
    Gaussian(f64),
    /// v ← v − η∇L + √(2η/λ) ξ (equation 2).
    Langevin(f64),
}

named_enum! {
    /// How noise on a label is distributed.
    pub enum LabelNoise {
        /// ±δ, as the paper says.
        Sign = "sign",
        /// N(0, δ²), as the published code draws it.
        Gaussian = "gaussian",
    }
}

named_enum! {
    /// Which shape a noise has whose strength is that of another.
    pub enum Shape {
        /// As it is drawn.
        Own = "own",
        /// Gaussian with the same covariance.
        Gaussian = "gaussian",
        /// Gaussian with the diagonal of that covariance.
        Diagonal = "diagonal",
        /// Gaussian with the trace of that covariance, the same in all directions.
        Isotropic = "isotropic",
    }
}

/// Draws the noise of one step after another, for [`Iterate::step`].
#[derive(Clone, Debug)]
pub struct Draws<R> {
    noise: Noise,
    delta: f64,
    labels: LabelNoise,
    rng: R,
    /// What each sample's residual is multiplied with, `[n]`.
    weights: Vec<f64>,
    /// What is added to that, `[n]`.
    addends: Vec<f64>,
    /// What is added to the gradient, `[d]`.
    more: Vec<f64>,
    /// (1/n) Σᵢ xᵢₖ², `[d]`.
    mean_squares: Vec<f64>,
}

impl<R: RngExt> Draws<R> {
    /// Noise of strength δ for these data.
    pub fn new(noise: Noise, delta: f64, labels: LabelNoise, data: &Data, rng: R) -> Self {
        let weight = match noise {
            Noise::Sgd | Noise::LabelNoiseSgd => 0.0,
            _ => 1.0 / data.samples as f64,
        };
        Self {
            noise,
            delta,
            labels,
            rng,
            weights: vec![weight; data.samples],
            addends: vec![0.0; data.samples],
            more: vec![0.0; data.dimension],
            mean_squares: data.mean_squares(|_| 1.0),
        }
    }

    /// Makes one step.
    pub fn step(&mut self, point: &mut Iterate<'_>, data: &Data, lr: f64) {
        let (n, delta) = (data.samples, self.delta);
        match self.noise {
            Noise::FullBatch => point.step(lr, &self.weights, &self.addends, None),
            Noise::Minibatch(Shape::Own) => {
                let (i, j) = (self.rng.random_range(0..n), self.rng.random_range(0..n));
                let before = self.weights[i];
                self.weights[i] += delta;
                self.weights[j] -= delta;
                point.step(lr, &self.weights, &self.addends, None);
                self.weights[i] = before;
                self.weights[j] = before;
            }
            Noise::LabelNoise(Shape::Own) => {
                let i = self.rng.random_range(0..n);
                self.addends[i] = self.draw_label_noise();
                point.step(lr, &self.weights, &self.addends, None);
                self.addends[i] = 0.0;
            }
            Noise::Sgd | Noise::LabelNoiseSgd => {
                let i = self.rng.random_range(0..n);
                self.weights[i] = 1.0;
                if self.noise == Noise::LabelNoiseSgd {
                    self.addends[i] = self.draw_label_noise();
                }
                point.step(lr, &self.weights, &self.addends, None);
                self.weights[i] = 0.0;
                self.addends[i] = 0.0;
            }
            Noise::Gaussian(sigma) => self.step_with(point, lr, |_| sigma),
            // The rate is taken in again by the step.
            Noise::Langevin(lambda) => self.step_with(point, lr, |_| (2.0 / (lr * lambda)).sqrt()),
            Noise::LabelNoise(Shape::Gaussian) => {
                let scale = delta / (n as f64).sqrt();
                normal(&mut self.rng, &mut self.addends, |_| scale);
                point.step(lr, &self.weights, &self.addends, None);
            }
            Noise::Minibatch(Shape::Gaussian) => {
                // (1/√n) Σᵢ ξᵢ (∇ℓᵢ − ∇L) has the covariance of one sample; the difference of two has twice that.
                normal(&mut self.rng, &mut self.weights, |_| 1.0);
                let mean = self.weights.iter().sum::<f64>() / n as f64;
                let scale = delta * (2.0 / n as f64).sqrt();
                self.weights.iter_mut().for_each(|w| *w = 1.0 / n as f64 + scale * (*w - mean));
                point.step(lr, &self.weights, &self.addends, None);
            }
            Noise::LabelNoise(shape) => {
                let squares: Vec<f64> = point.v().iter().zip(&self.mean_squares).map(|(v, m)| v * v * m).collect();
                self.step_like(point, lr, &squares, shape);
            }
            Noise::Minibatch(shape) => {
                let squares = variances(point, data);
                self.step_like(point, lr, &squares, shape);
            }
        }
    }

    /// With δ² times these variances on the diagonal, or their mean everywhere.
    fn step_like(&mut self, point: &mut Iterate<'_>, lr: f64, variances: &[f64], shape: Shape) {
        let mean = variances.iter().sum::<f64>() / variances.len() as f64;
        let delta = self.delta;
        match shape {
            Shape::Isotropic => self.step_with(point, lr, |_| delta * mean.sqrt()),
            _ => self.step_with(point, lr, |k| delta * variances[k].max(0.0).sqrt()),
        }
    }

    /// With Gaussian noise of these standard deviations.
    fn step_with(&mut self, point: &mut Iterate<'_>, lr: f64, std: impl Fn(usize) -> f64) {
        normal(&mut self.rng, &mut self.more, std);
        point.step(lr, &self.weights, &self.addends, Some(&self.more));
    }

    fn draw_label_noise(&mut self) -> f64 {
        match self.labels {
            LabelNoise::Sign if self.rng.random() => self.delta,
            LabelNoise::Sign => -self.delta,
            LabelNoise::Gaussian => {
                let draw: f64 = StandardNormal.sample(&mut self.rng);
                self.delta * draw
            }
        }
    }
}

fn normal<R: RngExt>(rng: &mut R, out: &mut [f64], std: impl Fn(usize) -> f64) {
    for (k, z) in out.iter_mut().enumerate() {
        let draw: f64 = StandardNormal.sample(rng);
        *z = std(k) * draw;
    }
}

/// The diagonal of the covariance of ∇ℓᵢ − ∇ℓⱼ: 2 ((1/n) Σᵢ rᵢ² xᵢₖ² vₖ² − (∇L)ₖ²), `[d]`.
fn variances(point: &Iterate<'_>, data: &Data) -> Vec<f64> {
    let residuals = point.residuals();
    let squares = data.mean_squares(|i| residuals[i] * residuals[i]);
    let gradient = data.mean_inputs(|i| residuals[i]);
    let of = |((v, square), g): ((&f64, &f64), &f64)| 2.0 * v * v * (square - g * g);
    point.v().iter().zip(&squares).zip(&gradient).map(of).collect()
}

#[cfg(test)]
mod tests {
    use saltflat_random::{Key, Stream};

    use super::*;

    const DRAWS: usize = 20_000;

    /// Noise in the gradient at v = (0.8, …), over many draws: means and second moments, `[d]`.
    fn moments(noise: Noise, labels: LabelNoise, data: &Data) -> (Vec<f64>, Vec<f64>) {
        let rng = Key::new(5, Stream::LabNoise, 0).rng();
        let mut draws = Draws::new(noise, 1.5, labels, data, rng);
        let start = Iterate::new(data, 0.8);
        let mut descent = start.clone();
        descent.step(1.0, &vec![1.0 / data.samples as f64; data.samples], &vec![0.0; data.samples], None);
        let (mut mean, mut square) = (vec![0.0; data.dimension], vec![0.0; data.dimension]);
        for _ in 0..DRAWS {
            let mut point = start.clone();
            draws.step(&mut point, data, 1.0);
            for (k, (a, b)) in descent.v().iter().zip(point.v()).enumerate() {
                mean[k] += (a - b) / DRAWS as f64;
                square[k] += (a - b).powi(2) / DRAWS as f64;
            }
        }
        (mean, square)
    }

    fn data() -> Data {
        Data::new(9, 6, 3, 2)
    }

    /// The variance of each kind in closed form, from the samples one by one.
    fn expected(of: impl Fn(usize) -> Vec<f64>) -> Vec<f64> {
        let all: Vec<Vec<f64>> = (0..6).map(of).collect();
        let mean = |k: usize| all.iter().map(|g| g[k]).sum::<f64>() / 6.0;
        (0..9).map(|k| all.iter().map(|g| (g[k] - mean(k)).powi(2)).sum::<f64>() / 6.0).collect()
    }

    fn sample(i: usize) -> Vec<f64> {
        data().mean_inputs(|j| if i == j { 6.0 } else { 0.0 })
    }

    fn check(noise: Noise, labels: LabelNoise, variance: &[f64]) {
        let (mean, square) = moments(noise, labels, &data());
        for k in 0..9 {
            // Five standard errors; a fourth moment of at most six squared variances.
            let error = (variance[k] / DRAWS as f64).sqrt();
            assert!(mean[k].abs() < 5.0 * error, "{noise:?} {k}: mean {}", mean[k]);
            let bound = 5.0 * (5.0 / DRAWS as f64).sqrt();
            assert!((square[k] / variance[k] - 1.0).abs() < bound, "{noise:?} {k}: {} {}", square[k], variance[k]);
        }
    }

    /// δ² (1/n) Σᵢ (xᵢₖ vₖ)², for both distributions; 2 δ² Var(∇ℓᵢ)ₖ.
    #[test]
    fn every_shape_has_the_diagonal_or_the_trace_of_the_noise() {
        let of_labels: Vec<f64> =
            (0..9).map(|k| 2.25 * (0..6).map(|i| (0.8 * sample(i)[k]).powi(2)).sum::<f64>() / 6.0).collect();
        let residuals = Iterate::new(&data(), 0.8).residuals();
        let gradients = |i: usize| sample(i).iter().map(|x| residuals[i] * x * 0.8).collect::<Vec<_>>();
        let of_pairs: Vec<f64> = expected(gradients).iter().map(|variance| 2.0 * 2.25 * variance).collect();
        for shape in [Shape::Own, Shape::Gaussian, Shape::Diagonal] {
            check(Noise::LabelNoise(shape), LabelNoise::Sign, &of_labels);
            check(Noise::Minibatch(shape), LabelNoise::Sign, &of_pairs);
        }
        check(Noise::LabelNoise(Shape::Own), LabelNoise::Gaussian, &of_labels);
        let isotropic = |variance: &[f64]| vec![variance.iter().sum::<f64>() / 9.0; 9];
        check(Noise::LabelNoise(Shape::Isotropic), LabelNoise::Sign, &isotropic(&of_labels));
        check(Noise::Minibatch(Shape::Isotropic), LabelNoise::Sign, &isotropic(&of_pairs));
    }

    /// One sample's gradient has the full one as its mean; with labels δ² (1/n) Σᵢ (xᵢₖ vₖ)² comes on top. σ², and 2/(ηλ).
    #[test]
    fn the_other_kinds() {
        let residuals = Iterate::new(&data(), 0.8).residuals();
        let gradients = |i: usize| sample(i).iter().map(|x| residuals[i] * x * 0.8).collect::<Vec<_>>();
        let of_samples = expected(gradients);
        check(Noise::Sgd, LabelNoise::Sign, &of_samples);
        let labels = |k: usize| 2.25 * (0..6).map(|i| (0.8 * sample(i)[k]).powi(2)).sum::<f64>() / 6.0;
        let both: Vec<f64> = of_samples.iter().enumerate().map(|(k, variance)| variance + labels(k)).collect();
        check(Noise::LabelNoiseSgd, LabelNoise::Sign, &both);
        check(Noise::Gaussian(0.3), LabelNoise::Sign, &[0.09; 9]);
        check(Noise::Langevin(50.0), LabelNoise::Sign, &[0.04; 9]);
    }
}
