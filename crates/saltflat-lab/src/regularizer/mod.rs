//! The implicit regularizer in one dimension and at the edge of stability (Damian, Ma, Lee 2021, figure 1 and section 6.1).

mod curves;
mod findings;

use saltflat_config::{Section, named_enum};
use serde::Serialize;

use crate::{About, Finding, Lab, Outcome, Progress, Row, Scale, Settings, Stopped, Trial};
use curves::{at_the_edge, in_one_dimension, series};

named_enum! {
    /// What a trial computes.
    enum Curve {
        /// λR(l) in units of σ²/B over ηl.
        Regularizer = "regularizer",
        /// The same from the first three terms of its series.
        Series = "three terms of its series",
        /// The same from the first term.
        Linear = "linear approximation",
        /// R(θ) as η → 2/λ₁.
        Edge = "near the edge",
    }
}

/// Lab `regularizer`: λR(l) = −(σ²/2B) log(1 − ηl/2) beside its linear term (σ²/B) ηl/4, and R(θ) as η → 2/λ₁.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Regularizer {
    /// Points of ηl from 0 up to, and without, 2.
    pub points: u64,
    /// Eigenvalues of a Hessian whose largest one comes near 2/η.
    pub eigenvalues: Vec<f64>,
    /// The least ν = 2 − ηλ₁, as a power of ten.
    pub least_power: i64,
}

impl Settings for Regularizer {
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
figure = [
    { kind = "curves", y = "strength", x = "eta_l", title = "λR and its linear approximation",
      caption = "In units of σ²/B." },
    { kind = "curves", y = "r_over_log", x = "nu", log_x = true, title = "R/log(2/ν) towards the edge of stability",
      caption = "η = (2 − ν)/λ₁. The distance to the limit falls as 1/log(2/ν)." },
]
"#,
    };

    fn at(scale: Scale) -> Self {
        let (points, least_power) = match scale {
            Scale::Smoke => (16, -6),
            Scale::Small => (80, -30),
            Scale::Paper => (400, -100),
        };
        Self { points, eigenvalues: vec![2.0, 1.0, 0.5, 0.25], least_power }
    }

    fn read(&mut self, section: &mut Section) {
        let is_possible = |points: &u64| (4..=100_000).contains(points);
        section.update("points", &mut self.points, "a whole number from 4 to 100000", is_possible);
        let are_possible = |all: &Vec<f64>| !all.is_empty() && all.iter().all(|value| (1e-6..=1e6).contains(value));
        section.update(
            "eigenvalues",
            &mut self.eigenvalues,
            "at least one number, each from 1e-6 to 1e6",
            are_possible,
        );
        let is_possible = |power: &i64| (-300..=-2).contains(power);
        section.update("least_power", &mut self.least_power, "a whole number from -300 to -2", is_possible);
    }
}

impl Regularizer {
    /// λR in units of σ²/B over ηl.
    fn curve(&self, strength: impl Fn(f64) -> f64) -> Vec<Row> {
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

impl Lab for Regularizer {
    fn trials(&self) -> Vec<Trial> {
        let trial = |&(name, curve): &(&str, Curve)| {
            let edge_points = (1 - 2 * self.least_power) as u64;
            let steps = if curve == Curve::Edge { edge_points } else { self.points };
            Trial::new(&[("curve", name.to_string())], 0, steps)
        };
        Curve::ALL.iter().map(trial).collect()
    }

    fn run(&self, trial: &Trial, progress: &Progress) -> Result<Outcome, Stopped> {
        let rows = match Curve::from_name(trial.label("curve")) {
            None => Vec::new(),
            Some(Curve::Regularizer) => self.curve(in_one_dimension),
            Some(Curve::Series) => self.curve(|eta_l| series(eta_l, 3)),
            Some(Curve::Linear) => self.curve(|eta_l| eta_l / 4.0),
            Some(Curve::Edge) => self.near_the_edge(),
        };
        progress.advance(trial.steps)?;
        Ok(Outcome { rows, diverged: None })
    }

    fn findings(&self, done: &[(Trial, Outcome)]) -> Vec<Finding> {
        let rows = |curve: Curve| {
            let found = done.iter().find(|(trial, _)| trial.label("curve") == curve.name());
            found.map(|(_, outcome)| outcome.rows.as_slice()).unwrap_or_default()
        };
        findings::all(rows(Curve::Regularizer), rows(Curve::Linear), rows(Curve::Edge), &self.eigenvalues)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        read,
        testing::{assert_refused, run_all},
    };

    #[test]
    fn what_is_found() {
        for scale in [Scale::Smoke, Scale::Small, Scale::Paper] {
            let lab = read::<Regularizer>(scale, &[]).unwrap();
            let findings = lab.findings(&run_all(&lab));
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
        let mut done = run_all(&lab);
        done[0].1 = done[2].1.clone();
        let holds: Vec<_> = lab.findings(&done).iter().map(|f| f.holds).collect();
        assert_eq!(holds, [Some(false), Some(false), Some(true), Some(false)]);
    }

    #[test]
    fn wrong_settings_name_their_keys() {
        assert_refused::<Regularizer>(&[
            ("points", "0"),
            ("eigenvalues", "[]"),
            ("eigenvalues", "[-1.0]"),
            ("least_power", "3"),
        ]);
    }
}
