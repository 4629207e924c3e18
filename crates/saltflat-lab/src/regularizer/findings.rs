//! What the curves say of the paper's claims.

use super::curves::series;
use crate::{Finding, Row};

/// `full` and `linear`: rows of λR and of its linear approximation; `edge`: rows near the edge of a Hessian with these eigenvalues.
pub(super) fn all(full: &[Row], linear: &[Row], edge: &[Row], eigenvalues: &[f64]) -> Vec<Finding> {
    let all = [beyond_linear(full, linear), series_agrees(full), slope_at_zero(full), spectral_norm(edge, eigenvalues)];
    all.into_iter().flatten().collect()
}

/// The ratio to the linear term beside its closed form at the points nearest to ηl = ½, 1, 3/2.
fn beyond_linear(full: &[Row], linear: &[Row]) -> Option<Finding> {
    let ratio = |i: usize| full[i].value("strength") / linear[i].value("strength");
    let points: Vec<usize> = (1..full.len().min(linear.len())).collect();
    let nearest = |at: f64| {
        let away = |i: &&usize| (full[**i].value("eta_l") - at).abs();
        points.iter().min_by(|a, b| away(a).total_cmp(&away(b))).copied()
    };
    let at = [nearest(0.5)?, nearest(1.0)?, nearest(1.5)?];
    let ratios: Vec<String> =
        at.iter().map(|&i| format!("{:.4} at ηl = {}", ratio(i), full[i].value("eta_l"))).collect();
    let rising = points.windows(2).all(|pair| ratio(pair[1]) > ratio(pair[0])) && ratio(points[0]) > 1.0;
    Some(Finding {
        claim: "Large learning rates penalise large eigenvalues more than the linear approximation does (figure 1)."
            .into(),
        found: format!(
            "R over its linear term is {}; it {} from {:.4} at the first point to {:.4} at the last.",
            ratios.join(", "),
            if rising { "rises at every point" } else { "does not rise everywhere" },
            ratio(points[0]),
            ratio(points[points.len() - 1]),
        ),
        holds: Some(rising),
    })
}

/// The logarithm against 400 terms of the series for ηl ≤ 3/2, for which the rest is below 1e-50.
fn series_agrees(full: &[Row]) -> Option<Finding> {
    let inside = full.iter().filter(|row| row.value("eta_l") <= 1.5);
    let difference = inside.map(|row| (row.value("strength") - series(row.value("eta_l"), 400)).abs());
    let largest = difference.fold(None, |most: Option<f64>, d| Some(most.map_or(d, |most| most.max(d))))?;
    Some(Finding {
        claim: "R(l) = l/4 + ηl²/16 + η²l³/48 + … (section 2.2).".into(),
        found: format!("400 terms of the series differ from the logarithm by at most {largest:.1e} for ηl ≤ 3/2."),
        holds: Some(largest <= 1e-14),
    })
}

/// The difference quotient of second order at 0. The next term of the series makes its error −h²/24.
fn slope_at_zero(full: &[Row]) -> Option<Finding> {
    let [zero, one, two] = [full.first()?, full.get(1)?, full.get(2)?].map(|row| row.value("strength"));
    let h = full[1].value("eta_l");
    let slope = (4.0 * one - two - 3.0 * zero) / (2.0 * h);
    Some(Finding {
        claim: "As η → 0, R(θ) → ¼ tr ∇²L(θ): the slope at 0 is ¼ (section 2.2).".into(),
        found: format!("The difference quotient at 0 is {slope:.6}, with points {h} apart."),
        holds: Some((slope - 0.25).abs() <= h * h / 12.0),
    })
}

/// Whether R(θ)/log(2/ν) goes to the spectral norm. R is linear in log(2/ν) near the edge; the slope is the limit.
fn spectral_norm(edge: &[Row], eigenvalues: &[f64]) -> Option<Finding> {
    let [.., before, last] = edge else { return None };
    let rise = |name: &str| last.value(name) - before.value(name);
    let slope = rise("r") / rise("log_2_over_nu");
    let largest = eigenvalues.iter().copied().fold(0.0, f64::max);
    let times = eigenvalues.iter().filter(|value| **value == largest).count() as f64;
    let norm = largest * times;
    let agrees = |limit: f64| (slope / limit - 1.0).abs() <= 20.0 * last.value("nu").max(1e-14);
    Some(Finding {
        claim: "R(θ)/log(2/ν) → ‖∇²L‖₂ (k‖∇²L‖₂ where k eigenvalues are the largest) as η = (2 − ν)/λ₁ → 2/λ₁ (section 6.1)."
            .into(),
        found: format!(
            "R(θ)/log(2/ν) = {:.5} at ν = {:.0e}, and R rises by {slope:.6} for each unit of log(2/ν), which is the limit: {:.6} times \
             the {norm} that the paper gives. Only the largest eigenvalue is left, as it says, {}.",
            last.value("r_over_log"),
            last.value("nu"),
            slope / norm,
            if agrees(norm / 4.0) { "but with a factor of ¼, since 1/(2η) → λ₁/4" } else { "with this factor" },
        ),
        holds: Some(agrees(norm)),
    })
}
