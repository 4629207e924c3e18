//! Linear stability against enumerated batches, closed forms and simulated trajectories.

use crate::common::{Problem, SAMPLINGS, assert_close, dense_map, draw, extremes, jacobian, rng, signs};
use nalgebra::DMatrix;
use saltflat_metrics::stability::{LinearDynamics, RowGram, Sampling, Solver, Stability, StabilityError, stability};

const PRECISION: f64 = 1e-12;

fn measure(problem: &Problem, lr: f64, b: usize, sampling: Sampling) -> Stability {
    let found = stability(&problem.gram(), lr, b, sampling, PRECISION).expect("a problem with curvature");
    assert!(found.converged, "{found:?}");
    found
}

/// E(1 − x k/B)² over k ~ Binomial(trials, p).
fn binomial_growth(trials: usize, p: f64, b: usize, x: f64) -> f64 {
    let mut weight = (1.0 - p).powi(trials as i32);
    let mut total = 0.0;
    for k in 0..=trials {
        total += weight * (1.0 - x * k as f64 / b as f64).powi(2);
        weight *= (trials - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
    }
    total
}

#[test]
fn growth_is_the_top_eigenvalue_of_the_map_over_all_batches() {
    for (c, seed) in [(1, 1), (2, 2), (2, 3)] {
        let problem = Problem::random(4, c, 3, seed);
        for sampling in SAMPLINGS {
            for b in 1..=4 {
                for lr in [0.05, 0.5, 1.0, 3.0] {
                    let (lowest, top) = extremes(&dense_map(&problem, sampling, b, lr));
                    assert!(lowest >= -top, "a negative eigenvalue leads: {lowest}, {top}");
                    let found = measure(&problem, lr, b, sampling);
                    assert_eq!(found.rank, 3);
                    assert_close(found.growth, top, 1e-9, &format!("growth, {sampling:?}, B = {b}, lr {lr}"));
                    assert_eq!(found.stable, top < 1.0, "{sampling:?}, B = {b}, lr {lr}");
                }
            }
        }
    }
}

#[test]
fn critical_lr_is_where_the_growth_over_all_batches_crosses_one() {
    for (c, seed) in [(1, 4), (2, 5)] {
        let problem = Problem::random(4, c, 3, seed);
        for sampling in SAMPLINGS {
            for b in 1..=4 {
                let (mut low, mut high) = (0.0, 100.0);
                for _ in 0..60 {
                    let lr = 0.5 * (low + high);
                    let (_, top) = extremes(&dense_map(&problem, sampling, b, lr));
                    if top < 1.0 { low = lr } else { high = lr }
                }
                let found = measure(&problem, 0.1, b, sampling);
                assert_close(found.critical_lr, low, 1e-9, &format!("critical lr, {sampling:?}, B = {b}"));
                assert!(found.critical_lr <= found.gd_critical_lr * (1.0 + 1e-9));
            }
        }
    }
}

#[test]
fn critical_lr_and_growth_agree_where_restarts_are_needed() {
    // Rank 36, 666 dimensions, in a basis of 12.
    let dynamics = LinearDynamics::new(&Problem::random(12, 3, 50, 6).gram(), PRECISION).unwrap();
    assert_eq!(dynamics.rank(), 36);
    let solver = Solver { basis: 12, tolerance: 1e-10, ..Solver::default() };
    for sampling in SAMPLINGS {
        let noise = sampling.noise(12, 2).unwrap();
        let (critical, top) = dynamics.critical_lr(noise, &solver).unwrap();
        assert!(top.converged && top.applications > 12, "{top:?}");
        let growth = dynamics.growth(critical, noise, &solver).unwrap();
        assert!(growth.converged, "{growth:?}");
        assert_close(growth.value, 1.0, 1e-8, "growth at the critical lr");
        assert!(dynamics.growth(0.99 * critical, noise, &solver).unwrap().value < 1.0);
        let mut moment = DMatrix::identity(36, 36);
        for _ in 0..500 {
            moment /= moment.trace();
            moment = dynamics.step(&moment, 1.5 * critical, noise);
        }
        let growth = dynamics.growth(1.5 * critical, noise, &solver).unwrap().value;
        assert_close(growth, moment.trace(), 1e-9, "power iteration above the critical lr");
    }
}

#[test]
fn slow_directions_are_told_apart() {
    let mut problem = Problem::random(4, 1, 4, 15);
    for rows in &mut problem.rows {
        (0..4).for_each(|k| rows.column_mut(k).scale_mut(0.1_f64.powi(k as i32)));
    }
    let dynamics = LinearDynamics::new(&problem.gram(), PRECISION).unwrap();
    let solver = Solver { tolerance: 1e-12, ..Solver::default() };
    for sampling in SAMPLINGS {
        let (_, top) = extremes(&dense_map(&problem, sampling, 2, 0.2));
        assert!(1.0 - top < 1e-4, "a slow direction: {top}");
        let growth = dynamics.growth(0.2, sampling.noise(4, 2).unwrap(), &solver).unwrap();
        assert!(growth.converged, "{growth:?}");
        assert_close(1.0 - growth.value, 1.0 - top, 1e-6, "distance from one");
    }
}

#[test]
fn mean_square_of_simulated_trajectories_is_the_trace_of_the_moment() {
    const TRAJECTORIES: usize = 20_000;
    let (n, b, parameters, steps, lr) = (6, 3, 4, 4, 0.4);
    let problem = Problem::random(n, 1, parameters, 7);
    let dynamics = LinearDynamics::new(&problem.gram(), PRECISION).unwrap();
    assert_eq!(dynamics.rank(), parameters);
    let hessians = problem.hessians();
    let mut rng = rng(8);
    for sampling in SAMPLINGS {
        let noise = sampling.noise(n, b).unwrap();
        let (mut sums, mut squares) = (vec![0.0; steps], vec![0.0; steps]);
        for _ in 0..TRAJECTORIES {
            let mut w = signs(&mut rng, parameters);
            for t in 0..steps {
                w = jacobian(&hessians, &draw(sampling, n, b, &mut rng), b, lr) * w;
                sums[t] += w.norm_squared();
                squares[t] += w.norm_squared().powi(2);
            }
        }
        let mut moment = DMatrix::identity(parameters, parameters);
        for t in 0..steps {
            moment = dynamics.step(&moment, lr, noise);
            let count = TRAJECTORIES as f64;
            let mean = sums[t] / count;
            let error = ((squares[t] / count - mean * mean) / count).sqrt();
            assert!(error < 0.05 * mean, "heavy-tailed: {mean} ± {error}");
            let expected = moment.trace();
            assert!((mean - expected).abs() < 4.0 * error, "{sampling:?}, t = {t}: {mean} ± {error}, {expected}");
        }
        // In the long run every step multiplies by the growth factor.
        for _ in 0..3000 {
            moment /= moment.trace();
            moment = dynamics.step(&moment, lr, noise);
        }
        assert_close(moment.trace(), measure(&problem, lr, b, sampling).growth, 1e-9, "ratio of successive steps");
    }
}

#[test]
fn equal_samples_of_rank_one_follow_the_binomial() {
    let (n, b, h): (usize, usize, f64) = (5, 2, 1.7);
    let problem = Problem::axes(3, &[(1, h.sqrt()); 5]);
    for lr in [0.1, 0.9, 1.5] {
        let bernoulli = binomial_growth(n, b as f64 / n as f64, b, lr * h);
        assert_close(measure(&problem, lr, b, Sampling::Bernoulli).growth, bernoulli, 1e-12, "Bernoulli");
        for sampling in [Sampling::WithoutReplacement, Sampling::WithReplacement] {
            let found = measure(&problem, lr, b, sampling);
            assert_close(found.growth, (1.0 - lr * h).powi(2), 1e-11, "the batch is always the same");
            assert_close(found.critical_lr, 2.0 / h, 1e-12, "critical lr");
        }
    }
    // (1 − ηh)² + (ηh)² (1/B − 1/n) = 1.
    let critical = 2.0 / (h * (1.0 + 1.0 / b as f64 - 1.0 / n as f64));
    assert_close(measure(&problem, 0.1, b, Sampling::Bernoulli).critical_lr, critical, 1e-12, "critical lr");
}

#[test]
fn orthogonal_samples_follow_one_draw_each() {
    let (n, b) = (4, 2);
    let curvatures = [0.3, 1.0, 0.8, 0.05]; // eigenvalues of H; sample i has n times the i-th
    let samples: Vec<_> = curvatures.iter().enumerate().map(|(i, h)| (i, (n as f64 * h).sqrt())).collect();
    let problem = Problem::axes(4, &samples);
    for lr in [0.2, 1.0, 1.3] {
        // A coordinate is stepped by n/B times its curvature, or not at all.
        let drawn = |h: f64| binomial_growth(1, b as f64 / n as f64, b, lr * n as f64 * h);
        let expanded = |h: f64| 1.0 - 2.0 * lr * h + lr * lr * h * h * n as f64 / b as f64;
        let expected = curvatures.map(drawn).into_iter().fold(0.0, f64::max);
        assert_close(expected, curvatures.map(expanded).into_iter().fold(0.0, f64::max), 1e-14, "the closed form");
        for sampling in [Sampling::Bernoulli, Sampling::WithoutReplacement] {
            let found = measure(&problem, lr, b, sampling);
            assert_close(found.growth, expected, 1e-10, "one draw");
            assert_close(found.critical_lr, 2.0 * b as f64 / n as f64, 1e-10, "critical lr");
        }
        let repeated = |h: f64| binomial_growth(b, 1.0 / n as f64, b, lr * n as f64 * h);
        let expected = curvatures.map(repeated).into_iter().fold(0.0, f64::max);
        assert_close(measure(&problem, lr, b, Sampling::WithReplacement).growth, expected, 1e-10, "B draws");
    }
}

#[test]
fn the_full_batch_and_a_single_sample_are_gradient_descent() {
    for (n, seed) in [(1, 9), (5, 10)] {
        let problem = Problem::random(n, 2, 6, seed);
        let eigenvalues: Vec<f64> = problem.hessian().symmetric_eigenvalues().iter().copied().collect();
        let top = eigenvalues.iter().copied().fold(0.0, f64::max);
        for lr in [0.1, 3.0] {
            let kept = eigenvalues.iter().filter(|&&h| h > 1e-9 * top);
            let growth = kept.map(|h| (1.0 - lr * h).powi(2)).fold(0.0, f64::max);
            for sampling in [Sampling::Bernoulli, Sampling::WithoutReplacement] {
                let found = measure(&problem, lr, n, sampling);
                assert_close(found.growth, growth, 1e-9, "growth");
                assert_close(found.gd_growth, growth, 1e-10, "growth of gradient descent");
                assert_close(found.critical_lr, 2.0 / top, 1e-10, "critical lr");
                assert_close(found.gd_critical_lr, 2.0 / top, 1e-10, "critical lr of gradient descent");
            }
        }
    }
}

#[test]
fn units_do_not_matter() {
    let problem = Problem::random(4, 2, 3, 11);
    let expected = measure(&problem, 0.3, 2, Sampling::Bernoulli);
    for unit in [1e-140, 1e140] {
        let RowGram { samples, rows_per_sample, matrix } = problem.gram();
        let gram = RowGram { samples, rows_per_sample, matrix: matrix * unit };
        let found = stability(&gram, 0.3 / unit, 2, Sampling::Bernoulli, PRECISION).unwrap();
        assert_close(found.growth, expected.growth, 1e-9, "growth");
        assert_close(found.critical_lr * unit, expected.critical_lr, 1e-9, "critical lr");
    }
}

#[test]
fn rounding_of_the_gram_matrix_moves_the_critical_lr_as_little() {
    let problem = Problem::random(8, 3, 10, 12);
    let exact = measure(&problem, 0.3, 2, Sampling::WithoutReplacement);
    let mut gram = problem.gram();
    gram.matrix.iter_mut().for_each(|x| *x = f64::from(*x as f32));
    let mut rng = rng(13);
    let top = gram.matrix.amax();
    gram.matrix.iter_mut().for_each(|x| *x += 1e-7 * top * crate::common::symmetric(&mut rng));
    for precision in [1e-5, 1e-6, 0.0] {
        let found = stability(&gram, 0.3, 2, Sampling::WithoutReplacement, precision).unwrap();
        assert_close(found.critical_lr, exact.critical_lr, 1e-5, "critical lr");
    }
    assert_eq!(stability(&gram, 0.3, 2, Sampling::WithoutReplacement, 1e-5).unwrap().rank, 10);
}

#[test]
fn what_has_no_value_is_refused_with_the_reason() {
    let problem = Problem::random(4, 1, 3, 14);
    let error = |lr, b, sampling, precision| stability(&problem.gram(), lr, b, sampling, precision).unwrap_err();
    for lr in [0.0, -1.0, f64::INFINITY] {
        assert_eq!(error(lr, 2, Sampling::Bernoulli, PRECISION), StabilityError::LearningRate(lr));
    }
    assert!(matches!(error(f64::NAN, 2, Sampling::Bernoulli, PRECISION), StabilityError::LearningRate(_)));
    for (b, sampling) in [(0, Sampling::WithReplacement), (5, Sampling::Bernoulli), (5, Sampling::WithoutReplacement)] {
        let expected = StabilityError::BatchSize { batch_size: b, samples: 4 };
        assert_eq!(error(0.1, b, sampling, PRECISION), expected);
    }
    // A batch with repetitions may be larger than the set.
    assert!(stability(&problem.gram(), 0.1, 5, Sampling::WithReplacement, PRECISION).unwrap().converged);
    assert_eq!(error(0.1, 2, Sampling::Bernoulli, 1.0), StabilityError::RelativePrecision(1.0));
    assert_eq!(error(1e300, 2, Sampling::Bernoulli, PRECISION), StabilityError::Overflow);
    let zero = RowGram { samples: 2, rows_per_sample: 1, matrix: DMatrix::zeros(2, 2) };
    assert_eq!(stability(&zero, 0.1, 1, Sampling::Bernoulli, PRECISION), Err(StabilityError::ZeroRows));
}

#[test]
fn an_iteration_cut_short_says_so() {
    let dynamics = LinearDynamics::new(&Problem::random(12, 3, 50, 6).gram(), PRECISION).unwrap();
    let solver = Solver { max_applications: 2, ..Solver::default() };
    let noise = Sampling::Bernoulli.noise(12, 2).unwrap();
    let found = dynamics.stability(0.1, noise, &solver).unwrap();
    assert!(!found.converged && found.critical_residual > 1e-6, "{found:?}");
}
