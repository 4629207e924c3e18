//! Minimum, noise and curvature of smoothed losses with labels ±1 (Damian, Ma, Lee 2021, table 1).

mod losses;

use saltflat_config::Section;
use serde::Serialize;

use crate::{About, Finding, Lab, Outcome, Progress, Row, Scale, Settings, Stopped, Trial};
use losses::{BinaryLoss, LOSSES};

/// The largest difference that is rounding.
const ROUNDING: f64 = 1e-12;

/// Lab `binary-losses`: c, σ² and α of table 1, found numerically and in closed form.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BinaryLosses {
    /// The least probability of a flip.
    pub p_from: f64,
    /// The largest probability of a flip, below ½.
    pub p_to: f64,
    /// Values of p, equally far apart.
    pub points: u64,
}

impl Settings for BinaryLosses {
    const ABOUT: About = About {
        name: "binary-losses",
        title: "Smoothed losses with labels ±1",
        text: "Each label is flipped with probability p, so the expected loss of the margin x = y f is l̄(x) = (1−p) l(x) + p l(−x). At its \
            minimum c the flips still make noise, of variance σ² = p(1−p)(l′(c) + l′(−c))², which drives the regularization with \
            λ = ησ²/B; α = l̄″(c) is the curvature there. Table 1 gives all three for logistic loss, exponential loss and square loss.\n\n\
            Here c is found by Newton's method on l̄′ alone, σ² and α follow from it, and the mean and variance of the noise are the \
            exact expectation over the two values of the flip. The closed forms stand beside them. The paper has p in (0, 1); from ½ \
            on the flipped label is the likelier one and c is not positive, so p stays below ½ here. Nothing is random.",
        source: "Damian, Ma, Lee 2021, table 1 and appendix E.2",
        figures: r#"
figure = [
    { kind = "curves", y = "c", x = "p", title = "Minimum c of the smoothed loss" },
    { kind = "curves", y = "sigma_sq", x = "p", title = "Variance σ² of the noise" },
    { kind = "curves", y = "alpha", x = "p", title = "Curvature α at the minimum" },
]
"#,
    };

    fn at(scale: Scale) -> Self {
        let points = match scale {
            Scale::Smoke => 9,
            Scale::Small => 49,
            Scale::Paper => 499,
        };
        Self { p_from: 0.001, p_to: 0.499, points }
    }

    fn read(&mut self, section: &mut Section) {
        let range = 1e-6..0.5;
        section.update("p_from", &mut self.p_from, "a number from 1e-6 to below 0.5", |p| range.contains(p));
        let from = self.p_from;
        let expected = format!("a number from p_from = {from} to below 0.5");
        section.update("p_to", &mut self.p_to, &expected, |p| range.contains(p) && *p >= from);
        let is_possible = |points: &u64| (1..=100_000).contains(points);
        section.update("points", &mut self.points, "a whole number from 1 to 100000", is_possible);
    }
}

impl Lab for BinaryLosses {
    fn trials(&self) -> Vec<Trial> {
        let trial = |loss: &BinaryLoss| Trial::new(&[("loss", loss.name.to_string())], 0, self.points);
        LOSSES.iter().map(trial).collect()
    }

    fn run(&self, trial: &Trial, progress: &Progress) -> Result<Outcome, Stopped> {
        let BinaryLosses { p_from, p_to, points } = *self;
        let mut rows = Vec::new();
        for loss in LOSSES.iter().filter(|loss| loss.name == trial.label("loss")) {
            for i in 0..points {
                let share = if points > 1 { i as f64 / (points - 1) as f64 } else { 0.0 };
                rows.push(loss.row(i, p_from + share * (p_to - p_from)));
                progress.advance(1)?;
            }
        }
        Ok(Outcome { rows, diverged: None })
    }

    fn findings(&self, done: &[(Trial, Outcome)]) -> Vec<Finding> {
        let with_rows = done.iter().filter(|(_, outcome)| !outcome.rows.is_empty());
        with_rows.flat_map(|(trial, outcome)| findings_of(trial.label("loss"), &outcome.rows)).collect()
    }
}

fn findings_of(loss: &str, rows: &[Row]) -> [Finding; 2] {
    let largest = |name: &str| rows.iter().map(|row| row.value(name).abs()).fold(0.0, max_or_nan);
    let differences = ["c", "sigma_sq", "alpha"].map(|name| largest(&format!("{name}_difference")));
    let [c, sigma_sq, alpha] = differences;
    let (mean, noise) = (largest("noise_mean"), largest("noise_difference"));
    let (first, last) = (rows[0].value("p"), rows[rows.len() - 1].value("p"));
    let range = format!("{} values of p from {first} to {last}", rows.len());
    [
        Finding {
            claim: format!("{}: c, σ² and α are those of table 1.", capitalized(loss)),
            found: format!("Largest differences over {range}: {c:.1e} in c, {sigma_sq:.1e} in σ², {alpha:.1e} in α."),
            holds: Some(differences.iter().all(|difference| *difference <= ROUNDING)),
        },
        Finding {
            claim: format!(
                "{}: the noise ε of a flipped label has the values of equation 9, mean 0 and variance σ².",
                capitalized(loss)
            ),
            found: format!(
                "Over {range}, exact expectations: |mean| at most {mean:.1e}, values and variance {noise:.1e} away."
            ),
            holds: Some(mean <= ROUNDING && noise <= ROUNDING),
        },
    ]
}

/// The larger of two numbers; NaN if one of them is.
fn max_or_nan(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        read,
        testing::{assert_refused, run_all},
    };

    #[test]
    fn table_1_holds() {
        for scale in [Scale::Smoke, Scale::Paper] {
            let lab = read::<BinaryLosses>(scale, &[]).unwrap();
            let mut done = run_all(&lab);
            let findings = lab.findings(&done);
            assert_eq!(findings.len(), 6);
            assert!(findings.iter().all(|f| f.holds == Some(true)), "{findings:#?}");
            done[1].1.rows[3].values.insert("alpha_difference".into(), f64::NAN);
            done[2].1.rows[0].values.insert("noise_mean".into(), -1e-11);
            let holds: Vec<_> = lab.findings(&done).iter().map(|f| f.holds == Some(true)).collect();
            assert_eq!(holds, [true, true, false, true, true, false]);
        }
    }

    #[test]
    fn wrong_settings_name_their_keys() {
        assert_refused::<BinaryLosses>(&[
            ("p_from", "-0.1"),
            ("p_to", "0.5"),
            ("p_to", "0.0001"),
            ("points", "0"),
            ("p_to", "nan"),
        ]);
    }
}
