//! What the trajectories say of the paper's claims.

use std::f64::consts::TAU;

use super::{
    settings::Cycling,
    world::{GradientNoise, Z_SQ, period, stationary},
};
use crate::{
    Finding, Outcome, Row, Trial,
    lab::{last_values, outcomes},
    statistics::Mean,
};

/// The last angle in turns of each that did not diverge.
fn advances(outcomes: &[&Outcome]) -> Vec<f64> {
    last_values(outcomes.iter().copied(), "angle")
}

fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let n = pairs.len() as f64;
    let (a, b) = (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
    let sum = |of: fn(f64, f64) -> f64| pairs.iter().map(|p| of(p.0 - a, p.1 - b)).sum::<f64>();
    sum(|a, b| a * b) / (sum(|a, _| a * a) * sum(|_, b| b * b)).sqrt()
}

pub(super) fn all(lab: &Cycling, done: &[(Trial, Outcome)]) -> Vec<Finding> {
    let of = |noise: GradientNoise| outcomes(done, "noise", noise.name());
    let minibatch = of(GradientNoise::Minibatch);
    [
        cycles(lab, &minibatch),
        has_predicted_period(lab, &minibatch),
        follows_cosine(&minibatch),
        only_one_grows(lab, &minibatch),
        does_not_cycle(&minibatch, &of(GradientNoise::LabelNoise)),
        start_is_minimal(&of(GradientNoise::Nothing)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn cycles(lab: &Cycling, minibatch: &[&Outcome]) -> Option<Finding> {
    let turns = advances(minibatch);
    let left = match minibatch.len() - turns.len() {
        0 => String::new(),
        diverged => format!(" {diverged} more left all bounds."),
    };
    let least = turns.iter().copied().fold(f64::INFINITY, f64::min);
    let found = match Mean::of(&turns) {
        Some(mean) => format!(
            "In {} steps the angle advances by {mean} turns (mean of {} seeds with its standard error), by at least {least:.2}.{left}",
            lab.steps,
            turns.len()
        ),
        None => format!("No trajectory reached its end.{left}"),
    };
    (!minibatch.is_empty()).then(|| Finding {
        claim: "Minibatch SGD cycles counter-clockwise over x² + y² = 1 (appendix F.2).".into(),
        found,
        holds: Some(turns.len() == minibatch.len() && least > 1.0),
    })
}

fn has_predicted_period(lab: &Cycling, minibatch: &[&Outcome]) -> Option<Finding> {
    let turns = Mean::of(&advances(minibatch))?;
    let expected = lab.steps as f64 / lab.predicted_period();
    // Terms of the next order in η change the speed by a share of the order of η.
    let room = 3.0 * turns.std_error? + lab.lr * expected;
    Some(Finding {
        claim: "The motion comes from Ornstein–Uhlenbeck processes zᵢ that bias (x, y) towards smaller curvature along them.".into(),
        found: format!(
            "With each zᵢ² at its stationary mean ηaᵢ²/((2aᵢ² + bᵢ²)B), right for small η, a turn takes {:.2} B/η² = {:.3e} steps. \
             Found: {:.3e} steps; {turns} turns where {expected:.2} are expected.",
            period(),
            lab.predicted_period(),
            lab.steps as f64 / turns.mean,
        ),
        holds: Some((turns.mean - expected).abs() <= room),
    })
}

/// How well x and y follow cos and sin of an angle that grows evenly, at the rate of each trajectory.
fn follows_cosine(minibatch: &[&Outcome]) -> Option<Finding> {
    let ended: Vec<&&Outcome> = minibatch.iter().filter(|outcome| outcome.diverged.is_none()).collect();
    let mut found = Vec::new();
    for outcome in &ended {
        let sum = |of: &dyn Fn(f64, &Row) -> f64| outcome.rows.iter().map(|row| of(row.step as f64, row)).sum::<f64>();
        let rate = sum(&|step, row| step * row.value("angle")) / sum(&|step, _| step * step);
        let against = |name: &str, of: fn(f64) -> f64| {
            let pair = |row: &Row| (row.value(name), of(TAU * rate * row.step as f64));
            correlation(&outcome.rows.iter().map(pair).collect::<Vec<_>>())
        };
        found.extend([against("x", f64::cos), against("y", f64::sin)]);
    }
    let mean = Mean::of(&found)?.mean;
    let least = found.iter().copied().fold(f64::INFINITY, f64::min);
    let rows = ended.iter().flat_map(|outcome| &outcome.rows);
    let apart = rows.map(|row| (row.value("radius") - 1.0).abs()).fold(0.0, f64::max);
    Some(Finding {
        claim: "x follows a cosine curve and y a sine curve (figure 5).".into(),
        found: format!(
            "Correlations of x and y with cos and sin of an angle that grows evenly: mean {mean:.3}, least {least:.3}. The radius \
             stays within {apart:.3} of 1."
        ),
        holds: Some(least > 0.7 && apart < 0.25),
    })
}

/// The averages of zᵢ² over the rows in which (x, y) is near (1, 0), in units of η/B.
fn only_one_grows(lab: &Cycling, minibatch: &[&Outcome]) -> Option<Finding> {
    let after_the_first = minibatch.iter().flat_map(|outcome| outcome.rows.iter().skip(1));
    let near: Vec<&Row> = after_the_first.filter(|row| row.value("x") > 0.97).collect();
    let mean = |name: &str| {
        let sum = near.iter().map(|row| row.value(name)).sum::<f64>();
        sum / near.len() as f64 * lab.batch_size as f64 / lab.lr
    };
    let grown @ [z1, others @ ..] = Z_SQ.map(mean);
    let listed = |values: [f64; 4]| values.map(|z_sq| format!("{z_sq:.2}")).join(", ");
    (!near.is_empty()).then(|| Finding {
        claim: "At x = 1, y = 0 only z₁ can grow to become nonzero (intuition in appendix F.2).".into(),
        found: format!(
            "Where x > 0.97, the averages of z₁² to z₄² are {} times η/B ({} rows); held at x = 1, y = 0 they are {}. There f₇, f₈ = \
             2z₄ ∓ 1 shake z₄ also, f₃, f₄ = z₂ ∓ 1 shake z₂, and only z₃ is at rest. The sum of their pushes still increases y.",
            listed(grown),
            near.len(),
            listed(stationary(1.0, 0.0)),
        ),
        holds: Some(others.iter().all(|z_sq| *z_sq < 0.1 * z1)),
    })
}

fn does_not_cycle(minibatch: &[&Outcome], labels: &[&Outcome]) -> Option<Finding> {
    let (with, without) = (Mean::of(&advances(minibatch))?, advances(labels));
    let mean = Mean::of(&without)?;
    let largest = without.iter().fold(0.0, |most: f64, turns| most.max(turns.abs()));
    let apart = 4.0 * mean.std_error.unwrap_or(f64::INFINITY);
    Some(Finding {
        claim: "This is no motion in a fixed potential; label noise is coupled to one (section 5.3).".into(),
        found: format!(
            "Label noise on the full gradient, its covariance of the same trace on the circle, moves the angle by {mean} turns (n = {}), \
             at most {largest:.2}, where minibatch SGD makes {with}.",
            without.len()
        ),
        holds: Some(mean.mean.abs() <= apart && largest < 0.25 * with.mean),
    })
}

fn start_is_minimal(nothing: &[&Outcome]) -> Option<Finding> {
    let rows = &nothing.first()?.rows;
    let moved = rows.iter().map(|row| (row.value("x") - 1.0).abs().max(row.value("y").abs())).fold(0.0, f64::max);
    Some(Finding {
        claim: "The start (1, 0, 0, 0, 0, 0) is a minimum of L: the motion is the noise's.".into(),
        found: format!("Full-batch gradient descent moves x and y by at most {moved:.1e}."),
        holds: Some(moved <= 1e-12),
    })
}
