//! Label-noise SGD, the Ornstein–Uhlenbeck process of the same draws, and gradient descent on L + λR.

use nalgebra::DVector;
use rand::{Rng, RngExt};

use super::{model::Model, settings::NoiseSettings};
use crate::Row;

/// θ, ξ and Φ, step by step.
pub(super) struct CoupledTrajectory<'a, R> {
    model: &'a Model,
    noise: NoiseSettings,
    rng: R,
    lambda: f64,
    /// Where all began, and R there.
    start: DVector<f64>,
    r_start: f64,
    /// Reference point θ* of ξ.
    reference: DVector<f64>,
    theta: DVector<f64>,
    xi: DVector<f64>,
    /// Gradient descent on L + λR that began where the last coupling did.
    phi: DVector<f64>,
    /// The same from the start, never set anew.
    descent: DVector<f64>,
    /// Largest ‖θ − ξ − Φ‖, ‖ξ‖ and ‖Φ − θ*‖ of the first coupling (Lemma 1).
    first: [f64; 3],
    /// Steps of the first coupling.
    window: u64,
    steps: u64,
    /// Sums of ‖ξ‖² and of its stationary mean, from the second coupling on.
    squares: (f64, f64),
    stationary: f64,
}

impl<'a, R: Rng> CoupledTrajectory<'a, R> {
    pub fn new(model: &'a Model, start: DVector<f64>, noise: NoiseSettings, window: u64, rng: R) -> Self {
        let lambda = noise.lambda(model.samples());
        let mut trajectory = Self {
            model,
            noise,
            rng,
            lambda,
            reference: start.clone(),
            theta: start.clone(),
            xi: DVector::zeros(start.len()),
            phi: start.clone(),
            descent: start.clone(),
            r_start: model.regularizer(&start, noise.lr).unwrap_or(f64::NAN),
            start,
            first: [0.0; 3],
            window,
            steps: 0,
            squares: (0.0, 0.0),
            stationary: 0.0,
        };
        trajectory.stationary = trajectory.stationary_square();
        trajectory
    }

    /// One step of each. A new coupling begins every `window` steps (Definition 3 and Lemma 2): θ* becomes Φ, and Φ becomes θ − ξ.
    ///
    /// # Errors
    /// If R has no value on a regularized trajectory, or a trajectory left all bounds: the step, and which of the two.
    pub fn step(&mut self) -> Result<(), String> {
        if self.steps > 0 && self.steps.is_multiple_of(self.window) {
            self.start_coupling();
        }
        let (pull, kick, kick_there) = self.draw();
        let lr = self.noise.lr;
        self.theta += kick - pull * lr;
        let held = self.contraction();
        self.xi += kick_there - held * lr;
        let (model, lambda) = (self.model, self.lambda);
        self.steps += 1;
        for point in [&mut self.phi, &mut self.descent] {
            let Some(of_r) = model.regularizer_gradient(point, lr) else {
                return Err(format!(
                    "step {}: lr · λ₁ ≥ 2 on the regularized trajectory, where R has no value",
                    self.steps
                ));
            };
            *point -= (model.gradient(point) + of_r * lambda) * lr;
        }
        if !self.theta.iter().chain(&self.phi).all(|value| value.abs() <= 1e3) {
            return Err(format!("step {}: a coordinate of θ or Φ left [−1000, 1000]", self.steps));
        }
        if self.steps <= self.window {
            let now = [self.error(), self.xi.norm(), (&self.phi - &self.start).norm()];
            self.first = std::array::from_fn(|i| self.first[i].max(now[i]));
        } else {
            self.squares.0 += self.xi.norm_squared();
            self.squares.1 += self.stationary;
        }
        Ok(())
    }

    /// The next coupling, in which θ* + Δ = θ − ξ.
    fn start_coupling(&mut self) {
        self.reference = self.phi.clone();
        self.phi = &self.theta - &self.xi;
        self.stationary = self.stationary_square();
    }

    /// ∇L⁽ᵏ⁾(θ), (η/B) Σ εᵢ ∇fᵢ(θ) and the same at θ*.
    fn draw(&mut self) -> (DVector<f64>, DVector<f64>, DVector<f64>) {
        let (model, d) = (self.model, self.theta.len());
        let [mut pull, mut kick, mut kick_there] = [(); 3].map(|()| DVector::zeros(d));
        let size = self.noise.batch_size.unwrap_or(model.samples());
        for j in 0..size {
            let i = if self.noise.batch_size.is_some() { self.rng.random_range(0..model.samples()) } else { j };
            let epsilon = if self.rng.random::<bool>() { self.noise.sigma } else { -self.noise.sigma };
            let residual = model.residual(i, &self.theta);
            model.add_gradient(i, &self.theta, residual / size as f64, &mut pull);
            let weight = self.noise.lr * epsilon / size as f64;
            model.add_gradient(i, &self.theta, weight, &mut kick);
            model.add_gradient(i, &self.reference, weight, &mut kick_there);
        }
        (pull, kick, kick_there)
    }

    /// G(θ*) ξ.
    fn contraction(&self) -> DVector<f64> {
        let (model, n) = (self.model, self.model.samples());
        let mut sum = DVector::zeros(self.xi.len());
        let mut row = DVector::zeros(self.xi.len());
        for i in 0..n {
            row.fill(0.0);
            model.add_gradient(i, &self.reference, 1.0, &mut row);
            sum.axpy(row.dot(&self.xi) / n as f64, &row, 1.0);
        }
        sum
    }

    /// λ tr Π_G (2 − ηG)⁻¹: E‖ξ‖² in the long run (Proposition 2).
    fn stationary_square(&self) -> f64 {
        let eigenvalues = self.model.gauss_newton(&self.reference).symmetric_eigenvalues();
        let least = 1e-10 * eigenvalues.max();
        let terms = eigenvalues.iter().filter(|value| **value > least).map(|value| 1.0 / (2.0 - self.noise.lr * value));
        self.lambda * terms.sum::<f64>()
    }

    /// ‖r‖ = ‖θ − ξ − Φ‖.
    fn error(&self) -> f64 {
        (&self.theta - &self.xi - &self.phi).norm()
    }

    /// Where it stands. Time is ηλk, in which gradient descent on R moves at speed ‖∇R‖.
    pub fn row(&self) -> Row {
        let [error, xi, movement] = self.first;
        let r = |point: &DVector<f64>| self.model.regularizer(point, self.noise.lr).unwrap_or(f64::NAN);
        let held = &self.theta - &self.xi;
        let mut row = Row::new(
            self.steps,
            &[
                ("time", self.noise.lr * self.lambda * self.steps as f64),
                ("r", self.error()),
                ("xi", self.xi.norm()),
                ("movement", (&held - &self.start).norm()),
                ("movement_regularized", (&self.descent - &self.start).norm()),
                ("regularizer", r(&held)),
                ("regularizer_ratio", r(&held) / self.r_start),
                ("descent_ratio", r(&self.descent) / self.r_start),
                ("trace_hessian", self.model.hessian(&held).trace()),
                ("first_r_max", error),
                ("first_xi_max", xi),
                ("first_movement_max", movement),
            ],
        );
        if self.squares.1 > 0.0 {
            row.values.insert("xi_sq_over_stationary".into(), self.squares.0 / self.squares.1);
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use saltflat_random::{Key, Stream};

    use super::*;

    fn world(seed: u64) -> (Model, DVector<f64>) {
        Model::with_minimiser(6, 3, &mut Key::new(seed, Stream::Lab, 0).rng())
    }

    fn rng() -> impl Rng {
        Key::new(5, Stream::LabNoise, 0).rng()
    }

    /// θ₁ − θ* = ξ₁ exactly, as both take the same kick at θ*; with σ = 0 nothing moves but Φ by −ηλ∇R with λ = 0.
    #[test]
    fn the_first_step_is_the_noise() {
        let (model, start) = world(0);
        for batch_size in [Some(1), Some(4), None] {
            let noise = NoiseSettings { lr: 0.3, sigma: 0.2, batch_size };
            let mut trajectory = CoupledTrajectory::new(&model, start.clone(), noise, 10, rng());
            trajectory.step().unwrap();
            assert!((&trajectory.theta - &start - &trajectory.xi).amax() < 1e-15);
            assert!(trajectory.xi.norm() > 1e-3);
            let still = NoiseSettings { sigma: 0.0, ..noise };
            let mut trajectory = CoupledTrajectory::new(&model, start.clone(), still, 10, rng());
            (0..50).for_each(|_| trajectory.step().unwrap());
            assert!((&trajectory.theta - &start).amax() < 1e-14 && (&trajectory.descent - &start).amax() < 1e-14);
        }
    }

    /// Proposition 2: the long-run mean of ‖ξ‖², with θ* held where it is as σ is small, for both ways of taking batches. The
    /// variance of the mean of K steps is (2/K) Σ sⱼ²(1 + aⱼ²)/(1 − aⱼ²) with aⱼ = 1 − ηgⱼ and sⱼ = λ/(2 − ηgⱼ).
    #[test]
    fn xi_has_its_stationary_covariance() {
        let (model, start) = Model::with_minimiser(3, 2, &mut Key::new(1, Stream::Lab, 0).rng());
        for batch_size in [Some(2), None] {
            let (noise, steps) = (NoiseSettings { lr: 1.2, sigma: 1e-4, batch_size }, 150_000);
            let mut trajectory = CoupledTrajectory::new(&model, start.clone(), noise, 1000, rng());
            (0..steps).for_each(|_| trajectory.step().unwrap());
            let ratio = trajectory.row().values["xi_sq_over_stationary"];
            let rates = model.gauss_newton(&start).symmetric_eigenvalues() * noise.lr;
            let rates: Vec<f64> = rates.iter().copied().filter(|rate| *rate > 1e-10).collect();
            let (mut mean, mut variance) = (0.0, 0.0);
            for (a, s) in rates.iter().map(|rate| (1.0 - rate, 1.0 / (2.0 - rate))) {
                mean += s;
                variance += 2.0 / f64::from(steps) * s * s * (1.0 + a * a) / (1.0 - a * a);
            }
            let error = variance.sqrt() / mean;
            assert!(error < 0.05 && (ratio - 1.0).abs() < 4.0 * error, "{batch_size:?}: {ratio} ± {error}");
        }
    }

    /// Definition 3 and Lemma 2: θ* is where Φ was, and Φ begins at θ* + Δ = θ − ξ, so that r = 0 there.
    #[test]
    fn a_new_coupling_begins_without_error() {
        let (model, start) = world(2);
        let noise = NoiseSettings { lr: 0.3, sigma: 0.1, batch_size: None };
        let mut trajectory = CoupledTrajectory::new(&model, start, noise, 100, rng());
        (0..100).for_each(|_| trajectory.step().unwrap());
        let (phi, theta, error) = (trajectory.phi.clone(), trajectory.theta.clone(), trajectory.error());
        trajectory.start_coupling();
        assert!(error > 1e-4 && trajectory.error() < 1e-15, "{error} {}", trajectory.error());
        assert_eq!((&trajectory.reference, &trajectory.theta), (&phi, &theta));
        assert!((&trajectory.theta - &trajectory.descent - &trajectory.xi).norm() > 1e-4, "the descent goes on");
    }

    #[test]
    fn past_the_edge_is_said() {
        let (model, start) = world(0);
        let noise = NoiseSettings { lr: 2.1, sigma: 0.1, batch_size: None };
        let problem = CoupledTrajectory::new(&model, start, noise, 10, rng()).step().unwrap_err();
        assert!(problem.starts_with("step 1: lr · λ₁ ≥ 2"), "{problem}");
    }
}
