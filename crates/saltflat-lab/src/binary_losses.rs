//! Minimum, noise and curvature of smoothed losses with labels ±1 (Damian, Ma, Lee 2021, table 1).

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::{About, Finding, Lab, Outcome, Row, Scale, Settings, Stopped, Trial, Watch};

/// The largest difference that is rounding.
const ROUNDING: f64 = 1e-12;

/// Lab `binary-losses`: c, σ² and α of table 1, found numerically and in closed form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BinaryLosses {
    /// The least probability of a flip.
    pub p_from: f64,
    /// The largest probability of a flip, below ½.
    pub p_to: f64,
    /// Values of p, equally far apart.
    pub points: u64,
}

impl Settings for BinaryLosses {
    const LAB: &'static str = "binary-losses";

    fn at(scale: Scale) -> Self {
        let points = match scale {
            Scale::Smoke => 9,
            Scale::Small => 49,
            Scale::Paper => 499,
        };
        Self { p_from: 0.001, p_to: 0.499, points }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (key, p) in [("p_from", self.p_from), ("p_to", self.p_to)] {
            if !(1e-6..0.5).contains(&p) {
                problems.push(format!("{key}: expected a number from 1e-6 to below 0.5, found {p}"));
            }
        }
        if self.p_from > self.p_to {
            problems.push(format!("p_to: expected a number from p_from = {} on, found {}", self.p_from, self.p_to));
        }
        if !(1..=100_000).contains(&self.points) {
            problems.push(format!("points: expected a number from 1 to 100000, found {}", self.points));
        }
        problems
    }
}

/// A loss l(x) of the margin x = y f with its first two derivatives, and what table 1 says of it.
struct Loss {
    name: &'static str,
    slope: fn(f64) -> f64,
    curvature: fn(f64) -> f64,
    /// (c, σ², α) at p.
    closed: fn(f64) -> (f64, f64, f64),
}

const LOSSES: [Loss; 3] = [
    // l = log(1 + e⁻ˣ)
    Loss {
        name: "logistic",
        slope: |x| -1.0 / (1.0 + x.exp()),
        curvature: |x| 0.25 / (x / 2.0).cosh().powi(2),
        closed: |p| (((1.0 - p) / p).ln(), p * (1.0 - p), p * (1.0 - p)),
    },
    // l = e⁻ˣ
    Loss {
        name: "exponential",
        slope: |x| -(-x).exp(),
        curvature: |x| (-x).exp(),
        closed: |p| (0.5 * ((1.0 - p) / p).ln(), 1.0, 2.0 * (p * (1.0 - p)).sqrt()),
    },
    // l = ½(x − 1)²
    Loss {
        name: "square",
        slope: |x| x - 1.0,
        curvature: |_| 1.0,
        closed: |p| (1.0 - 2.0 * p, 4.0 * p * (1.0 - p), 1.0),
    },
];

impl Loss {
    /// l̄′(x) = (1−p) l′(x) − p l′(−x).
    fn smoothed_slope(&self, p: f64, x: f64) -> f64 {
        (1.0 - p) * (self.slope)(x) - p * (self.slope)(-x)
    }

    /// l̄″(x) = (1−p) l″(x) + p l″(−x).
    fn smoothed_curvature(&self, p: f64, x: f64) -> f64 {
        (1.0 - p) * (self.curvature)(x) + p * (self.curvature)(-x)
    }

    /// c = argmin l̄: Newton's method on l̄′ inside a bracket that bisection narrows where a step leaves it.
    fn minimum(&self, p: f64) -> f64 {
        let (mut low, mut high) = (-1.0, 1.0);
        while self.smoothed_slope(p, low) > 0.0 {
            low *= 2.0;
        }
        while self.smoothed_slope(p, high) < 0.0 {
            high *= 2.0;
        }
        let mut x = 0.0;
        for _ in 0..200 {
            let slope = self.smoothed_slope(p, x);
            if slope > 0.0 {
                high = x;
            } else {
                low = x;
            }
            let newton = x - slope / self.smoothed_curvature(p, x);
            let next = if (low..=high).contains(&newton) { newton } else { 0.5 * (low + high) };
            if next == x {
                break;
            }
            x = next;
        }
        x
    }

    /// Everything of table 1 at p, found and in closed form, with the mean and variance of ε.
    fn row(&self, step: u64, p: f64) -> Row {
        let c = self.minimum(p);
        let (at, against) = ((self.slope)(c), (self.slope)(-c));
        let sigma_sq = p * (1.0 - p) * (at + against).powi(2);
        let alpha = self.smoothed_curvature(p, c);
        let (closed_c, closed_sigma_sq, closed_alpha) = (self.closed)(p);
        // Equation 8: the gradient of a sample with its label kept (1−p) or flipped (p), less that of the smoothed loss.
        let noise = [(1.0 - p, at - self.smoothed_slope(p, c)), (p, -against - self.smoothed_slope(p, c))];
        let expected = |of: fn(f64) -> f64| noise.iter().map(|(weight, epsilon)| weight * of(*epsilon)).sum::<f64>();
        let (mean, variance) = (expected(|epsilon| epsilon), expected(|epsilon| epsilon * epsilon));
        // Equation 9: the same two values.
        let two = [p * (at + against), -(1.0 - p) * (at + against)];
        let values = noise.iter().zip(two).map(|((_, epsilon), two)| (epsilon - two).abs()).fold(0.0, f64::max);
        Row::new(
            step,
            &[
                ("p", p),
                ("c", c),
                ("sigma_sq", sigma_sq),
                ("alpha", alpha),
                ("c_closed", closed_c),
                ("sigma_sq_closed", closed_sigma_sq),
                ("alpha_closed", closed_alpha),
                ("c_difference", (c - closed_c).abs()),
                ("sigma_sq_difference", (sigma_sq - closed_sigma_sq).abs()),
                ("alpha_difference", (alpha - closed_alpha).abs()),
                ("noise_mean", mean),
                ("noise_variance", variance),
                ("noise_difference", values.max((variance - sigma_sq).abs())),
            ],
        )
    }
}

impl Lab for BinaryLosses {
    fn about(&self) -> About {
        ABOUT
    }

    fn settings(&self) -> Table {
        Table::try_from(self).unwrap_or_default()
    }

    fn trials(&self) -> Vec<Trial> {
        let trial = |loss: &Loss| Trial::new(&[("loss", loss.name.to_string())], 0, self.points);
        LOSSES.iter().map(trial).collect()
    }

    fn run(&self, trial: &Trial, watch: &Watch) -> Result<Outcome, Stopped> {
        let BinaryLosses { p_from, p_to, points } = *self;
        let mut rows = Vec::new();
        for loss in LOSSES.iter().filter(|loss| loss.name == trial.label("loss")) {
            for i in 0..points {
                let share = if points > 1 { i as f64 / (points - 1) as f64 } else { 0.0 };
                rows.push(loss.row(i, p_from + share * (p_to - p_from)));
                watch.made(1)?;
            }
        }
        Ok(Outcome { rows, diverged: None })
    }

    fn findings(&self, done: &[(Trial, Outcome)]) -> Vec<Finding> {
        done.iter().filter(|(_, outcome)| !outcome.rows.is_empty()).flat_map(|(t, o)| of_table(t, &o.rows)).collect()
    }
}

fn of_table(trial: &Trial, rows: &[Row]) -> [Finding; 2] {
    let loss = trial.label("loss");
    let largest =
        |name: &str| rows.iter().map(|row| row.values.get(name).copied().unwrap_or(f64::NAN).abs()).fold(0.0, worse);
    let differences = ["c", "sigma_sq", "alpha"].map(|name| largest(&format!("{name}_difference")));
    let [c, sigma_sq, alpha] = differences;
    let (mean, noise) = (largest("noise_mean"), largest("noise_difference"));
    let p = |row: &Row| row.values.get("p").copied().unwrap_or(f64::NAN);
    let range = format!("{} values of p from {} to {}", rows.len(), p(&rows[0]), p(&rows[rows.len() - 1]));
    [
        Finding {
            claim: format!("{}: c, σ² and α are those of table 1.", capital(loss)),
            found: format!("Largest differences over {range}: {c:.1e} in c, {sigma_sq:.1e} in σ², {alpha:.1e} in α."),
            holds: Some(differences.iter().all(|difference| *difference <= ROUNDING)),
        },
        Finding {
            claim: format!(
                "{}: the noise ε of a flipped label has the values of equation 9, mean 0 and variance σ².",
                capital(loss)
            ),
            found: format!(
                "Over {range}, exact expectations: |mean| at most {mean:.1e}, values and variance {noise:.1e} away."
            ),
            holds: Some(mean <= ROUNDING && noise <= ROUNDING),
        },
    ]
}

/// The larger one; what is no number is the worst.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

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
[[figure]]
kind = "curves"
y = "c"
x = "p"
title = "Minimum c of the smoothed loss"

[[figure]]
kind = "curves"
y = "sigma_sq"
x = "p"
title = "Variance σ² of the noise"

[[figure]]
kind = "curves"
y = "alpha"
x = "p"
title = "Curvature α at the minimum"
"#,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    fn done(lab: &BinaryLosses) -> Vec<(Trial, Outcome)> {
        let watch = Watch::default();
        lab.trials().into_iter().map(|trial| (trial.clone(), lab.run(&trial, &watch).unwrap())).collect()
    }

    /// At p = 1/5, by hand: log 4, 0.16, 0.16; ½ log 4 = log 2, 1, 0.8; 0.6, 0.64, 1.
    #[test]
    fn one_fifth_by_hand() {
        let log_2 = std::f64::consts::LN_2;
        let exact = [(2.0 * log_2, 0.16, 0.16), (log_2, 1.0, 0.8), (0.6, 0.64, 1.0)];
        for (loss, (c, sigma_sq, alpha)) in LOSSES.iter().zip(exact) {
            let row = loss.row(0, 0.2);
            for (name, exact) in [("c", c), ("sigma_sq", sigma_sq), ("alpha", alpha)] {
                assert!((row.values[name] - exact).abs() < 1e-14, "{} {name}: {}", loss.name, row.values[name]);
                assert!((row.values[&format!("{name}_closed")] - exact).abs() < 1e-15, "{} {name}", loss.name);
            }
        }
    }

    /// The derivatives against central differences of the losses, at error h² ~ 1e-10.
    #[test]
    fn derivatives_are_those_of_the_losses() {
        let losses: [fn(f64) -> f64; 3] = [|x| (-x).exp().ln_1p(), |x| (-x).exp(), |x| 0.5 * (x - 1.0).powi(2)];
        let h = 1e-5;
        for (loss, l) in LOSSES.iter().zip(losses) {
            for x in [-3.0, -0.4, 0.0, 1.2, 5.0] {
                let slope = (l(x + h) - l(x - h)) / (2.0 * h);
                let curvature = ((loss.slope)(x + h) - (loss.slope)(x - h)) / (2.0 * h);
                assert!(((loss.slope)(x) - slope).abs() < 1e-8, "{} at {x}", loss.name);
                assert!(((loss.curvature)(x) - curvature).abs() < 1e-8, "{} at {x}", loss.name);
            }
        }
    }

    #[test]
    fn table_1_holds() {
        for scale in [Scale::Smoke, Scale::Paper] {
            let lab = read::<BinaryLosses>(scale, &[]).unwrap();
            let mut done = done(&lab);
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
        for (key, value) in [("p_from", "-0.1"), ("p_to", "0.5"), ("p_to", "0.0001"), ("points", "0"), ("p_to", "nan")]
        {
            let error = read::<BinaryLosses>(Scale::Smoke, &[(key.into(), value.into())]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("binary-losses: {key}: expected")), "{error}");
        }
    }
}
