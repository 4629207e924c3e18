//! What the trajectories say of the paper's claims.

use std::collections::BTreeMap;

use super::settings::Varied;
use crate::{
    Finding, Outcome, Trial,
    lab::last_values,
    statistics::{Line, Mean, short},
};

/// Trials that vary λ in the same way.
type Trials<'a> = [&'a (Trial, Outcome)];

pub(super) fn all(done: &[(Trial, Outcome)]) -> Vec<Finding> {
    let all_claims = |(varied, kind): (&'static str, Varied)| -> Vec<Finding> {
        let trials: Vec<&(Trial, Outcome)> = done.iter().filter(|(trial, _)| trial.label("varied") == varied).collect();
        let claims: &[fn(&str, &Trials<'_>) -> Option<Finding>] = match kind {
            Varied::LearningRate | Varied::LabelNoise => {
                &[error_is_small, xi_is_larger, below_the_movement, regularizer_falls, xi_is_stationary, some_diverged]
            }
            Varied::Nothing => &[minimiser_is_kept],
        };
        claims.iter().filter_map(|claim| claim(varied, &trials)).collect()
    };
    Varied::ALL.into_iter().flat_map(all_claims).collect()
}

fn lambda(trial: &Trial) -> Option<f64> {
    trial.label("lambda").parse().ok()
}

/// Slopes of log `name` against log λ, by least squares, one a seed that has at least three values.
fn slopes(trials: &Trials<'_>, name: &str) -> Vec<f64> {
    let mut of_seed: BTreeMap<u64, Vec<(f64, f64)>> = BTreeMap::new();
    for (trial, outcome) in trials {
        if let (Some(lambda), Some(value)) = (lambda(trial), outcome.last(name).filter(|value| *value > 0.0)) {
            of_seed.entry(trial.seed).or_default().push((lambda.ln(), value.ln()));
        }
    }
    of_seed.values().filter_map(|points| Line::fit(points)).map(|line| line.slope).collect()
}

/// λ from and to, in words.
fn range(trials: &Trials<'_>) -> String {
    let all: Vec<f64> = trials.iter().filter_map(|(trial, _)| lambda(trial)).collect();
    let low = all.iter().copied().fold(f64::INFINITY, f64::min);
    format!("λ from {low:.1e} to {:.1e}", all.iter().copied().fold(0.0, f64::max))
}

fn error_is_small(varied: &str, trials: &Trials<'_>) -> Option<Finding> {
    let found = slopes(trials, "first_r_max");
    let slope = Mean::of(&found)?;
    Some(Finding {
        claim: format!("Varied {varied}: ‖θ − ξ − Φ‖ = O(λ^¾) up to logarithms (Lemma 1, Proposition 4, δ = ½)."),
        found: format!(
            "The largest error of the first coupling goes as λ to the power {slope} (mean of {} seeds with its standard error, {}). \
             The lemma is a bound: a larger power agrees with it.",
            found.len(),
            range(trials)
        ),
        holds: Some(slope.mean + 2.0 * slope.std_error.unwrap_or(0.0) >= 0.75),
    })
}

fn xi_is_larger(varied: &str, trials: &Trials<'_>) -> Option<Finding> {
    let found = slopes(trials, "first_xi_max");
    let slope = Mean::of(&found)?;
    Some(Finding {
        claim: format!("Varied {varied}: ‖ξ‖ = O(λ^½) up to logarithms (Proposition 2)."),
        found: format!("The largest ‖ξ‖ of the first coupling goes as λ to the power {slope}, {}.", range(trials)),
        holds: Some((slope.mean - 0.5).abs() <= 0.1 + 2.0 * slope.std_error.unwrap_or(0.0)),
    })
}

/// The error over the movement, for each λ the mean over seeds.
fn below_the_movement(varied: &str, trials: &Trials<'_>) -> Option<Finding> {
    let ratio = |outcome: &Outcome| Some(outcome.last("first_r_max")? / outcome.last("first_movement_max")?);
    let mut at: Vec<(f64, f64)> = trials.iter().filter_map(|(trial, o)| Some((lambda(trial)?, ratio(o)?))).collect();
    at.sort_by(|a, b| a.0.total_cmp(&b.0));
    let means: Vec<(f64, Mean)> = at
        .chunk_by(|a, b| a.0 == b.0)
        .filter_map(|same| Some((same[0].0, Mean::of(&same.iter().map(|p| p.1).collect::<Vec<_>>())?)))
        .collect();
    let [(_, least), .., (_, most)] = means[..] else { return None };
    let ratios: Vec<String> = means.iter().map(|(lambda, mean)| format!("{mean} at λ = {lambda:.1e}")).collect();
    Some(Finding {
        claim: format!(
            "Varied {varied}: the error is small beside the movement of the regularized trajectory, for small enough λ."
        ),
        found: format!("Largest error over largest ‖Φ − θ*‖ in the first coupling: {}.", ratios.join(", ")),
        holds: Some(least.mean < most.mean && least.mean < 0.5),
    })
}

/// Whether R falls along both, and by the same.
fn regularizer_falls(varied: &str, trials: &Trials<'_>) -> Option<Finding> {
    let drops =
        |name: &str| -> Vec<f64> { trials.iter().filter_map(|(_, outcome)| Some(outcome.last(name)? - 1.0)).collect() };
    let (sgd, descent) = (drops("regularizer_ratio"), drops("descent_ratio"));
    let apart: Vec<f64> = sgd.iter().zip(&descent).map(|(a, b)| (a - b).abs()).collect();
    let largest = sgd.iter().chain(&descent).copied().fold(f64::NEG_INFINITY, f64::max);
    let (mean_sgd, mean_descent, mean_apart) = (Mean::of(&sgd)?, Mean::of(&descent)?, Mean::of(&apart)?);
    Some(Finding {
        claim: format!("Varied {varied}: label noise decreases R as gradient descent on L + λR does (Theorem 1)."),
        found: format!(
            "From start to end R changes by {mean_sgd} of its value at θ − ξ and by {mean_descent} along gradient descent ({} \
             trajectories, the least fall {}); the two differ by {mean_apart} of it.",
            sgd.len(),
            short(largest),
        ),
        holds: Some(sgd.len() == descent.len() && largest < 0.0 && mean_apart.mean < 0.2 * mean_descent.mean.abs()),
    })
}

/// At the least λ, whose trajectories are the longest.
fn xi_is_stationary(varied: &str, trials: &Trials<'_>) -> Option<Finding> {
    let least = trials.iter().filter_map(|(trial, _)| lambda(trial)).reduce(f64::min)?;
    let slow = trials.iter().filter(|(trial, _)| lambda(trial) == Some(least));
    let found = last_values(slow.map(|(_, outcome)| outcome), "xi_sq_over_stationary");
    let ratio = Mean::of(&found)?;
    Some(Finding {
        claim: format!("Varied {varied}: E ξξᵀ → λ Π_G (2 − ηG)⁻¹ (Proposition 2)."),
        found: format!(
            "At λ = {least:.1e} ‖ξ‖² averages {ratio} times λ tr Π_G (2 − ηG)⁻¹ along a trajectory (n = {}).",
            found.len()
        ),
        holds: Some((ratio.mean - 1.0).abs() <= 4.0 * ratio.std_error?),
    })
}

fn some_diverged(varied: &str, trials: &Trials<'_>) -> Option<Finding> {
    let reasons: Vec<&String> = trials.iter().filter_map(|(_, outcome)| outcome.diverged.as_ref()).collect();
    Some(Finding {
        claim: format!("Varied {varied}: all trajectories stay where R has a value."),
        found: format!("{} of {} did not; the first: {}.", reasons.len(), trials.len(), reasons.first()?),
        holds: Some(false),
    })
}

fn minimiser_is_kept(_: &str, trials: &Trials<'_>) -> Option<Finding> {
    let moved = last_values(trials.iter().map(|(_, outcome)| outcome), "movement");
    let largest = moved.iter().copied().reduce(f64::max)?;
    Some(Finding {
        claim: "Without label noise SGD stays at a minimiser: its gradient and its minibatch noise are 0 there (section 4).".into(),
        found: format!("Minibatch SGD moves by at most {largest:.1e} (n = {}).", moved.len()),
        holds: Some(largest <= 1e-10),
    })
}
