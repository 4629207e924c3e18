//! Coherence against direct computations in parameter space, and the theorems of Dexter et al. against exact stability.

use crate::common::{Problem, assert_close, extremes};
use nalgebra::DMatrix;
use saltflat_metrics::stability::{
    LinearDynamics, RowGram, Sampling, Solver, StabilityError, coherence, dexter_convergence_bound,
    dexter_divergence_bound, gram_eigenvalues,
};

fn critical_lr(problem: &Problem, b: usize) -> f64 {
    let noise = Sampling::Bernoulli.noise(problem.rows.len(), b).expect("a batch of the samples");
    let dynamics = LinearDynamics::new(&problem.gram(), 1e-12).expect("a problem with curvature");
    dynamics.critical_lr(noise, &Solver::default()).expect("moderate numbers").0
}

/// The construction of theorem 2: σ samples on one axis, the others (where `spread`, as in the paper's experiments) on an
/// axis each, otherwise zero. λ₁(H) = `top`.
fn theorem_2(n: usize, sigma: usize, top: f64, spread: bool) -> Problem {
    let size = (top * n as f64 / sigma as f64).sqrt();
    let sample = |i: usize| match i < sigma {
        true => (0, size),
        false => (i - sigma + 1, if spread { size } else { 0.0 }),
    };
    Problem::axes(n, &(0..n).map(sample).collect::<Vec<_>>())
}

#[test]
fn coherence_is_that_of_the_hessians_in_parameter_space() {
    for (n, c, p, seed) in [(5, 1, 7, 1), (4, 3, 5, 2), (6, 2, 30, 3)] {
        let problem = Problem::random(n, c, p, seed);
        let hessians = problem.hessians();
        let overlaps = DMatrix::from_fn(n, n, |i, j| (&hessians[i] * &hessians[j]).trace().sqrt());
        let top = hessians.iter().map(|h| extremes(h).1).fold(0.0, f64::max);
        let found = coherence(&problem.gram()).unwrap();
        assert_close(found.top_of_samples, top, 1e-12, "top of samples");
        assert_close(found.top_of_overlaps, extremes(&overlaps).1, 1e-12, "top of overlaps");
        assert_close(found.sigma, extremes(&overlaps).1 / top, 1e-12, "sigma");

        let mut expected: Vec<f64> = problem.hessian().symmetric_eigenvalues().iter().copied().collect();
        expected.sort_by(|a, b| b.total_cmp(a));
        let eigenvalues = gram_eigenvalues(&problem.gram()).unwrap();
        assert_eq!(eigenvalues.len(), n * c);
        for k in 0..p.max(n * c) {
            let of = |values: &[f64]| values.get(k).copied().unwrap_or(0.0);
            assert!((of(&eigenvalues) - of(&expected)).abs() < 1e-12 * expected[0], "eigenvalue {k}");
        }
    }
}

#[test]
fn equal_samples_have_coherence_n_and_orthogonal_ones_coherence_one() {
    let equal = Problem::axes(3, &[(1, 0.7); 6]);
    assert_close(coherence(&equal.gram()).unwrap().sigma, 6.0, 1e-13, "equal");
    let orthogonal = Problem::axes(4, &[(0, 1.0), (1, 0.3), (2, 2.0), (3, 1.1)]);
    assert_close(coherence(&orthogonal.gram()).unwrap().sigma, 1.0, 1e-13, "orthogonal");
}

#[test]
fn sgd_diverges_above_the_bound_of_theorem_1() {
    let mut tightest = f64::INFINITY;
    for seed in 0..40 {
        let (n, c, p) = (4 + seed as usize % 5, 1 + seed as usize % 3, 2 + seed as usize % 4);
        let problem = Problem::random(n, c, p, seed);
        let sigma = coherence(&problem.gram()).unwrap().sigma;
        let top = gram_eigenvalues(&problem.gram()).unwrap()[0];
        for b in 1..=n / 2 {
            // The learning rate at which λ₁(H) is on the bound, which goes as 1/lr.
            let lr = dexter_divergence_bound(sigma, n, b, 1.0).unwrap() / top;
            let noise = Sampling::Bernoulli.noise(n, b).unwrap();
            let dynamics = LinearDynamics::new(&problem.gram(), 1e-12).unwrap();
            let growth = dynamics.growth(1.0001 * lr, noise, &Solver::default()).unwrap();
            assert!(growth.converged && growth.value > 1.0, "seed {seed}, B = {b}: growth {}", growth.value);
            tightest = tightest.min(lr / critical_lr(&problem, b));
        }
    }
    assert!(tightest >= 1.0, "a bound below the critical learning rate, ratio {tightest}");
}

#[test]
fn theorem_1_is_sharp_for_orthogonal_samples_and_half_batches() {
    // η* = 2B/(n h) and the bound 1/(h √(n/B − 1)) meet at n = 2B.
    let problem = Problem::axes(6, &[0, 1, 2, 3, 4, 5].map(|axis| (axis, 1.3)));
    let top = gram_eigenvalues(&problem.gram()).unwrap()[0];
    let bound = dexter_divergence_bound(1.0, 6, 3, critical_lr(&problem, 3)).unwrap();
    assert_close(bound, top, 1e-9, "bound at the critical learning rate");
}

#[test]
fn the_construction_of_theorem_2_is_stable_exactly_below_its_bound() {
    for (n, sigma, b) in [(10, 1, 2), (10, 3, 1), (10, 3, 5), (12, 6, 2), (8, 8, 1), (100, 5, 10)] {
        for spread in [false, true] {
            let problem = theorem_2(n, sigma, 2.0, spread);
            assert_close(coherence(&problem.gram()).unwrap().sigma, sigma as f64, 1e-12, "sigma");
            assert_close(gram_eigenvalues(&problem.gram()).unwrap()[0], 2.0, 1e-12, "top eigenvalue");
            // λ₁ = 2 is on the bound for this learning rate.
            let lr = dexter_convergence_bound(sigma as f64, n, b, 1.0).unwrap() / 2.0;
            let dynamics = LinearDynamics::new(&problem.gram(), 1e-12).unwrap();
            let noise = Sampling::Bernoulli.noise(n, b).unwrap();
            let growth = |lr| dynamics.growth(lr, noise, &Solver::default()).unwrap().value;
            assert!(growth(0.999 * lr) < 1.0, "below: {}", growth(0.999 * lr));
            assert!(growth(1.001 * lr) > 1.0, "above: {}", growth(1.001 * lr));
            assert_close(critical_lr(&problem, b), lr, 1e-9, "critical lr");
        }
    }
}

#[test]
fn what_has_no_value_is_refused_with_the_reason() {
    assert_eq!(dexter_divergence_bound(2.0, 8, 8, 0.1), Err(StabilityError::NoNoise { samples: 8 }));
    // Without noise the bound of theorem 2 is that of gradient descent.
    assert_close(dexter_convergence_bound(2.0, 8, 8, 0.1).unwrap(), 20.0, 1e-15, "2/lr");
    for b in [0, 9] {
        let error = Err(StabilityError::BatchSize { batch_size: b, samples: 8 });
        assert_eq!(dexter_divergence_bound(2.0, 8, b, 0.1), error);
        assert_eq!(dexter_convergence_bound(2.0, 8, b, 0.1), error);
    }
    assert_eq!(dexter_divergence_bound(2.0, 8, 2, 0.0), Err(StabilityError::LearningRate(0.0)));
    let gram = |samples, rows_per_sample, matrix| RowGram { samples, rows_per_sample, matrix };
    let sigma = |gram: RowGram| coherence(&gram).unwrap_err();
    assert_eq!(sigma(gram(2, 1, DMatrix::zeros(2, 2))), StabilityError::ZeroRows);
    assert_eq!(sigma(gram(0, 1, DMatrix::zeros(0, 0))), StabilityError::ZeroRows);
    assert_eq!(sigma(gram(2, 1, DMatrix::from_element(2, 2, f64::NAN))), StabilityError::NotFinite);
    assert!(matches!(sigma(gram(2, 2, DMatrix::zeros(2, 2))), StabilityError::Shape { rows: 2, .. }));
}
