//! The implicit regularizer in one dimension and at the edge of stability (Damian, Ma, Lee 2021, figure 1 and section 6.1).

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::{About, Finding, Lab, Outcome, Row, Scale, Settings, Stopped, Trial, Watch};

const CURVES: [&str; 3] = ["regularizer", "three terms of its series", "linear approximation"];
const EDGE: &str = "near the edge";

/// Lab `regularizer`: λR(l) = −(σ²/2B) log(1 − ηl/2) beside its linear term (σ²/B) ηl/4, and R(θ) as η → 2/λ₁.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regularizer {
    /// Points of ηl from 0 up to, and without, 2.
    pub points: u64,
    /// Eigenvalues of a Hessian whose largest one comes near 2/η.
    pub eigenvalues: Vec<f64>,
    /// The least ν = 2 − ηλ₁, as a power of ten.
    pub least_power: i64,
}

impl Settings for Regularizer {
    const LAB: &'static str = "regularizer";

    fn at(scale: Scale) -> Self {
        let (points, least_power) = match scale {
            Scale::Smoke => (16, -6),
            Scale::Small => (80, -30),
            Scale::Paper => (400, -100),
        };
        Self { points, eigenvalues: vec![2.0, 1.0, 0.5, 0.25], least_power }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(4..=100_000).contains(&self.points) {
            problems.push(format!("points: expected a number from 4 to 100000, found {}", self.points));
        }
        if self.eigenvalues.is_empty() {
            problems.push("eigenvalues: expected at least one, found none".into());
        }
        for value in self.eigenvalues.iter().filter(|value| !(1e-6..=1e6).contains(*value)) {
            problems.push(format!("eigenvalues: expected numbers from 1e-6 to 1e6, found {value}"));
        }
        if !(-300..=-2).contains(&self.least_power) {
            problems.push(format!("least_power: expected a number from -300 to -2, found {}", self.least_power));
        }
        problems
    }
}

impl Regularizer {
    /// A curve over ηl, in units of σ²/B.
    fn curve(&self, name: &str) -> Vec<Row> {
        let strength = match name {
            "regularizer" => in_one_dimension,
            "linear approximation" => |eta_l: f64| eta_l / 4.0,
            _ => |eta_l: f64| series(eta_l, 3),
        };
        let at = |i: u64| 2.0 * i as f64 / self.points as f64;
        (0..self.points).map(|i| Row::new(i, &[("eta_l", at(i)), ("strength", strength(at(i)))])).collect()
    }

    /// R(θ) and R(θ)/log(2/ν) at η = (2 − ν)/λ₁, ν = 1, 10^½, …
    fn near_the_edge(&self) -> Vec<Row> {
        let of = |half: i64| {
            let nu = 10f64.powf(-half as f64 / 2.0);
            let (eta, sum) = at_the_edge(&self.eigenvalues, nu);
            let log = (2.0 / nu).ln();
            Row::new(
                half as u64,
                &[("nu", nu), ("eta", eta), ("log_2_over_nu", log), ("r", sum), ("r_over_log", sum / log)],
            )
        };
        (0..=-2 * self.least_power).map(of).collect()
    }
}

/// −½ log(1 − ηl/2): λR(l) in units of σ²/B.
fn in_one_dimension(eta_l: f64) -> f64 {
    -0.5 * (-eta_l / 2.0).ln_1p()
}

/// The first terms of its series, ½ Σⱼ (ηl/2)ʲ/j: ηl/4 + (ηl)²/16 + (ηl)³/48 + …
fn series(eta_l: f64, terms: i32) -> f64 {
    (1..=terms).rev().map(|j| 0.5 * (eta_l / 2.0).powi(j) / f64::from(j)).sum()
}

/// η = (2 − ν)/λ₁ and R(θ) = −(1/2η) Σ log(1 − ηλᵢ/2), where 1 − ηλᵢ/2 = (1 − λᵢ/λ₁) + (ν/2) λᵢ/λ₁ loses no digit.
fn at_the_edge(eigenvalues: &[f64], nu: f64) -> (f64, f64) {
    let largest = eigenvalues.iter().copied().fold(0.0, f64::max);
    let eta = (2.0 - nu) / largest;
    let log = |value: &f64| ((1.0 - value / largest) + nu / 2.0 * (value / largest)).ln();
    (eta, -eigenvalues.iter().map(log).sum::<f64>() / (2.0 * eta))
}

impl Lab for Regularizer {
    fn about(&self) -> About {
        ABOUT
    }

    fn settings(&self) -> Table {
        Table::try_from(self).unwrap_or_default()
    }

    fn trials(&self) -> Vec<Trial> {
        let trial = |curve: &str, steps| Trial::new(&[("curve", curve.to_string())], 0, steps);
        let mut trials: Vec<Trial> = CURVES.iter().map(|curve| trial(curve, self.points)).collect();
        trials.push(trial(EDGE, (1 - 2 * self.least_power) as u64));
        trials
    }

    fn run(&self, trial: &Trial, watch: &Watch) -> Result<Outcome, Stopped> {
        let rows = match trial.label("curve") {
            EDGE => self.near_the_edge(),
            curve => self.curve(curve),
        };
        watch.made(trial.steps)?;
        Ok(Outcome { rows, diverged: None })
    }

    fn findings(&self, done: &[(Trial, Outcome)]) -> Vec<Finding> {
        let rows = |name: &str| {
            let found = done.iter().find(|(trial, _)| trial.label("curve") == name);
            found.map(|(_, outcome)| outcome.rows.as_slice()).unwrap_or_default()
        };
        let (full, linear, edge) = (rows(CURVES[0]), rows(CURVES[2]), rows(EDGE));
        [beyond_linear(full, linear), series_agrees(full), slope_at_zero(full), spectral_norm(edge, &self.eigenvalues)]
            .into_iter()
            .flatten()
            .collect()
    }
}

fn value(row: &Row, name: &str) -> f64 {
    row.values.get(name).copied().unwrap_or(f64::NAN)
}

/// The ratio to the linear term beside its closed form at the points nearest to ηl = ½, 1, 3/2.
fn beyond_linear(full: &[Row], linear: &[Row]) -> Option<Finding> {
    let ratio = |i: usize| value(&full[i], "strength") / value(&linear[i], "strength");
    let points: Vec<usize> = (1..full.len().min(linear.len())).collect();
    let nearest = |at: f64| {
        let away = |i: &&usize| (value(&full[**i], "eta_l") - at).abs();
        points.iter().min_by(|a, b| away(a).total_cmp(&away(b))).copied()
    };
    let at = [nearest(0.5)?, nearest(1.0)?, nearest(1.5)?];
    let said: Vec<String> =
        at.iter().map(|&i| format!("{:.4} at ηl = {}", ratio(i), value(&full[i], "eta_l"))).collect();
    let rising = points.windows(2).all(|pair| ratio(pair[1]) > ratio(pair[0])) && ratio(points[0]) > 1.0;
    Some(Finding {
        claim: "Large learning rates penalise large eigenvalues more than the linear approximation does (figure 1)."
            .into(),
        found: format!(
            "R over its linear term is {}; it {} from {:.4} at the first point to {:.4} at the last.",
            said.join(", "),
            if rising { "rises at every point" } else { "does not rise everywhere" },
            ratio(points[0]),
            ratio(points[points.len() - 1]),
        ),
        holds: Some(rising),
    })
}

/// The logarithm against 400 terms of the series where that many are enough (ηl ≤ 3/2: the rest is below 1e-50).
fn series_agrees(full: &[Row]) -> Option<Finding> {
    let inside = full.iter().filter(|row| value(row, "eta_l") <= 1.5);
    let difference = inside.map(|row| (value(row, "strength") - series(value(row, "eta_l"), 400)).abs());
    let largest = difference.fold(None, |most: Option<f64>, d| Some(most.map_or(d, |most| most.max(d))))?;
    Some(Finding {
        claim: "R(l) = l/4 + ηl²/16 + η²l³/48 + … (section 2.2).".into(),
        found: format!("400 terms of the series differ from the logarithm by at most {largest:.1e} for ηl ≤ 3/2."),
        holds: Some(largest <= 1e-14),
    })
}

/// The difference quotient of second order at 0. The next term of the series makes its error −h²/24.
fn slope_at_zero(full: &[Row]) -> Option<Finding> {
    let [zero, one, two] = [full.first()?, full.get(1)?, full.get(2)?].map(|row| value(row, "strength"));
    let h = value(&full[1], "eta_l");
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
    let rise = |name: &str| value(last, name) - value(before, name);
    let slope = rise("r") / rise("log_2_over_nu");
    let largest = eigenvalues.iter().copied().fold(0.0, f64::max);
    let times = eigenvalues.iter().filter(|value| **value == largest).count() as f64;
    let norm = largest * times;
    let agrees = |limit: f64| (slope / limit - 1.0).abs() <= 20.0 * value(last, "nu").max(1e-14);
    Some(Finding {
        claim: "R(θ)/log(2/ν) → ‖∇²L‖₂ (k‖∇²L‖₂ where k eigenvalues are the largest) as η = (2 − ν)/λ₁ → 2/λ₁ (section 6.1)."
            .into(),
        found: format!(
            "R(θ)/log(2/ν) = {:.5} at ν = {:.0e}, and R rises by {slope:.6} for each unit of log(2/ν), which is the limit: {:.6} times \
             the {norm} that the paper gives. Only the largest eigenvalue is left, as it says, {}.",
            value(last, "r_over_log"),
            value(last, "nu"),
            slope / norm,
            if agrees(norm / 4.0) { "but with a factor of ¼, since 1/(2η) → λ₁/4" } else { "with this factor" },
        ),
        holds: Some(agrees(norm)),
    })
}

const ABOUT: About = About {
    name: "regularizer",
    title: "The implicit regularizer of label noise",
    text: "SGD with label noise minimises L + λR with R(θ) = −(1/2η) tr log(I − (η/2) ∇²L(θ)) and λ = ησ²/B. Its first term is \
        ¼ tr ∇²L; a large learning rate adds a penalty on large eigenvalues.\n\n\
        The first figure shows λR for one eigenvalue l, in units of σ²/B, over ηl: −½ log(1 − ηl/2), its linear approximation ηl/4, \
        and three terms of its series, ηl/4 + (ηl)²/16 + (ηl)³/48. The second figure goes to the edge ηλ₁ = 2 with a \
        Hessian of several eigenvalues (our choice): R/log(2/ν) over ν = 2 − ηλ₁. Nothing here is random.",
    source: "Damian, Ma, Lee 2021, figure 1 and section 6.1",
    figures: r#"
[[figure]]
kind = "curves"
y = "strength"
x = "eta_l"
title = "λR and its linear approximation"
caption = "In units of σ²/B."

[[figure]]
kind = "curves"
y = "r_over_log"
x = "nu"
log_x = true
title = "R/log(2/ν) towards the edge of stability"
caption = "η = (2 − ν)/λ₁. The distance to the limit falls as 1/log(2/ν)."
"#,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    fn done(lab: &Regularizer) -> Vec<(Trial, Outcome)> {
        let watch = Watch::default();
        lab.trials().into_iter().map(|trial| (trial.clone(), lab.run(&trial, &watch).unwrap())).collect()
    }

    /// −½ log ¾, −½ log ½ and −½ log ¼ at ηl = ½, 1, 3/2.
    #[test]
    fn one_dimension_by_hand() {
        let log_2 = std::f64::consts::LN_2;
        for (eta_l, exact) in [(0.5, log_2 - 0.5 * 3f64.ln()), (1.0, 0.5 * log_2), (1.5, log_2)] {
            assert!((in_one_dimension(eta_l) - exact).abs() < 1e-15);
            assert!((series(eta_l, 400) - exact).abs() < 1e-15);
        }
        assert!((series(0.2, 3) - (0.05 + 0.0025 + 0.008 / 48.0)).abs() < 1e-16);
    }

    /// Far from the edge it is the plain formula; −(1/2η)(log ½ + log ¾) at η = ½ and eigenvalues 2 and 1 (ν = 1).
    #[test]
    fn the_edge_by_hand() {
        let (eta, r) = at_the_edge(&[1.0, 2.0], 1.0);
        assert_eq!(eta, 0.5);
        assert!((r + 0.5f64.ln() + 0.75f64.ln()).abs() < 1e-15);
        // Of the largest alone: λ₁/(2(2 − ν)) · log(2/ν), for any ν.
        let (_, r) = at_the_edge(&[3.0], 1e-80);
        assert!((r - 0.75 * (2.0f64.ln() + 80.0 * 10f64.ln())).abs() < 1e-11);
    }

    #[test]
    fn what_is_found() {
        for scale in [Scale::Smoke, Scale::Small, Scale::Paper] {
            let lab = read::<Regularizer>(scale, &[]).unwrap();
            let findings = lab.findings(&done(&lab));
            let holds: Vec<_> = findings.iter().map(|f| f.holds).collect();
            assert_eq!(holds, [Some(true), Some(true), Some(true), Some(false)], "{findings:#?}");
            assert!(findings[0].found.contains("1.3863 at ηl = 1,"), "2 log 2: {}", findings[0].found);
            assert!(findings[3].found.contains("a factor of ¼"), "{}", findings[3].found);
            assert!(lab.findings(&[]).is_empty());
        }
    }

    #[test]
    fn findings_follow_the_rows() {
        let lab = read::<Regularizer>(Scale::Smoke, &[]).unwrap();
        let mut done = done(&lab);
        done[0].1 = done[2].1.clone();
        let holds: Vec<_> = lab.findings(&done).iter().map(|f| f.holds).collect();
        assert_eq!(holds, [Some(false), Some(false), Some(true), Some(false)]);
    }

    #[test]
    fn wrong_settings_name_their_keys() {
        for (key, value) in [("points", "0"), ("eigenvalues", "[]"), ("eigenvalues", "[-1.0]"), ("least_power", "3")] {
            let error = read::<Regularizer>(Scale::Smoke, &[(key.into(), value.into())]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("regularizer: {key}: expected")), "{error}");
        }
    }
}
