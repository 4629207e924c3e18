//! Label-noise SGD is coupled to gradient descent on L + λR (Damian, Ma, Lee 2021, Lemma 1).

mod findings;
mod model;
mod trajectory;

use saltflat_random::{Key, Stream};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::{About, Finding, Lab, Outcome, Scale, Settings, Stopped, Trial, Watch};
use model::Model;
use trajectory::{Noise, Trajectory};

const RATES: &str = "learning rate";
const LABELS: &str = "label noise";
const NOTHING: &str = "no label noise";
/// Steps between two looks at the watch.
const LOOK: u64 = 100;
/// Samples a step; a step is not interrupted.
const MOST_DRAWN: u64 = 1000;

/// Lab `coupling`: θ ≈ Φ(θ*) + ξ on fᵢ(θ) = ⟨θ∘θ, xᵢ⟩, over two decades of λ = ησ²/B. The model and all settings are ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coupling {
    /// Parameters d.
    pub dimension: u64,
    /// Samples n, fewer than parameters.
    pub samples: u64,
    /// Learning rates of the trials in which η varies.
    pub lrs: Vec<f64>,
    /// σ of the labels in these.
    pub sigma: f64,
    /// Samples a step in these, drawn with replacement.
    pub batch_size: u64,
    /// σ of the trials in which σ varies; they take each sample once a step.
    pub sigmas: Vec<f64>,
    /// Learning rate in these. The largest eigenvalue at the start is 1.
    pub lr: f64,
    /// Steps of a coupling in units of 1/(η√λ).
    pub window: f64,
    /// Steps of a trajectory in units of 1/(ηλ).
    pub horizon: f64,
    /// Rows of a trajectory, about.
    pub rows: u64,
    /// Worlds; each has its own data, start and noise.
    pub seeds: u64,
}

impl Settings for Coupling {
    const LAB: &'static str = "coupling";

    fn at(scale: Scale) -> Self {
        let paper = Self {
            dimension: 6,
            samples: 3,
            lrs: vec![0.3, 0.1, 0.03, 0.01, 0.003],
            sigma: 0.3,
            batch_size: 1,
            sigmas: vec![0.3, 0.17, 0.1, 0.054, 0.03],
            lr: 1.0,
            window: 10.0,
            horizon: 2.0,
            rows: 200,
            seeds: 5,
        };
        match scale {
            Scale::Paper => paper,
            Scale::Small => Self { lrs: vec![0.3, 0.1, 0.03, 0.01], ..paper },
            Scale::Smoke => {
                Self { lrs: vec![0.3, 0.1, 0.03], sigmas: vec![0.3, 0.1, 0.03], horizon: 0.5, seeds: 3, ..paper }
            }
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut expect = |holds: bool, key: &str, expected: &str, found: String| {
            if !holds {
                problems.push(format!("{key}: expected {expected}, found {found}"));
            }
        };
        expect((2..=50).contains(&self.dimension), "dimension", "a number from 2 to 50", self.dimension.to_string());
        let fewer = (1..self.dimension.max(1)).contains(&self.samples);
        expect(fewer, "samples", "at least 1 and fewer than dimension", self.samples.to_string());
        for (key, value) in [("rows", self.rows), ("seeds", self.seeds)] {
            expect(value > 0, key, "a number from 1 on", value.to_string());
        }
        let drawn = (1..=MOST_DRAWN).contains(&self.batch_size);
        expect(drawn, "batch_size", &format!("a number from 1 to {MOST_DRAWN}"), self.batch_size.to_string());
        let below_edge = |lr: f64| lr > 0.0 && lr < 2.0;
        let edge =
            "above 0 and below 2: the largest eigenvalue at the start is 1, and R has no value from lr · λ₁ = 2 on";
        for lr in self.lrs.iter().filter(|lr| !below_edge(**lr)) {
            expect(false, "lrs", &format!("numbers {edge}"), lr.to_string());
        }
        expect(below_edge(self.lr), "lr", &format!("a number {edge}"), self.lr.to_string());
        let strength = |sigma: f64| (1e-4..=10.0).contains(&sigma);
        expect(strength(self.sigma), "sigma", "a number from 1e-4 to 10", self.sigma.to_string());
        for sigma in self.sigmas.iter().filter(|sigma| !strength(**sigma)) {
            expect(false, "sigmas", "numbers from 1e-4 to 10", sigma.to_string());
        }
        for (key, values) in [("lrs", &self.lrs), ("sigmas", &self.sigmas)] {
            let twice = values.iter().enumerate().find(|(i, value)| values[..*i].contains(value));
            expect(
                twice.is_none(),
                key,
                "each number once",
                twice.map_or(String::new(), |(_, v)| format!("{v} twice")),
            );
        }
        for (key, value) in [("window", self.window), ("horizon", self.horizon)] {
            expect(value > 0.0 && value <= 1e4, key, "a number above 0, at most 10000", value.to_string());
        }
        problems
    }
}

/// The trials of one seed: labels and noise.
type Case = (Vec<(&'static str, String)>, Noise);

impl Coupling {
    fn cases(&self) -> Vec<Case> {
        let batch_size = Some(self.batch_size as usize);
        let rates = self.lrs.iter().map(|&lr| (RATES, Noise { lr, sigma: self.sigma, batch_size }));
        let labels = self.sigmas.iter().map(|&sigma| (LABELS, Noise { lr: self.lr, sigma, batch_size: None }));
        let labelled = |(varied, noise): (&str, Noise)| {
            let lambda = format!("{:.3e}", noise.lambda(self.samples as usize));
            (vec![("varied", varied.to_string()), ("lambda", lambda)], noise)
        };
        let mut cases: Vec<Case> = rates.chain(labels).map(labelled).collect();
        if let Some(&lr) = self.lrs.first() {
            cases.push((vec![("varied", NOTHING.to_string())], Noise { lr, sigma: 0.0, batch_size }));
        }
        cases
    }

    /// Steps of a coupling and of all.
    fn lengths(&self, noise: &Noise) -> (u64, u64) {
        let lambda = match noise.lambda(self.samples as usize) {
            // Without label noise: as long as with it.
            0.0 => Noise { sigma: self.sigma, ..*noise }.lambda(self.samples as usize),
            lambda => lambda,
        };
        let window = (self.window / (noise.lr * lambda.sqrt())).ceil().max(1.0) as u64;
        (window, ((self.horizon / (noise.lr * lambda)).ceil() as u64).max(window))
    }
}

impl Lab for Coupling {
    fn about(&self) -> About {
        ABOUT
    }

    fn settings(&self) -> Table {
        Table::try_from(self).unwrap_or_default()
    }

    fn trials(&self) -> Vec<Trial> {
        let trials =
            |(labels, noise): Case| (0..self.seeds).map(move |seed| Trial::new(&labels, seed, self.lengths(&noise).1));
        self.cases().into_iter().flat_map(trials).collect()
    }

    fn run(&self, trial: &Trial, watch: &Watch) -> Result<Outcome, Stopped> {
        let cases = self.cases();
        let is_this = |(labels, _): &Case| Trial::new(labels, trial.seed, trial.steps).labels == trial.labels;
        let Some((k, (_, noise))) = cases.iter().enumerate().find(|(_, case)| is_this(case)) else {
            return Ok(Outcome {
                rows: Vec::new(),
                diverged: Some("there is no such trial under these settings".into()),
            });
        };
        let mut data = Key::new(trial.seed, Stream::SmallWorld, 0).rng();
        let (model, start) = Model::with_minimiser(self.dimension as usize, self.samples as usize, &mut data);
        let rng = Key::new(trial.seed, Stream::SmallWorldNoise, 0).part(k as u64).rng();
        let (window, steps) = self.lengths(noise);
        let every = steps.div_ceil(self.rows);
        let mut trajectory = Trajectory::new(&model, start, *noise, window, rng);
        let mut rows = vec![trajectory.row()];
        for made in 1..=steps {
            if let Err(problem) = trajectory.step() {
                return Ok(Outcome { rows, diverged: Some(problem) });
            }
            if made % LOOK == 0 || made == steps {
                watch.made(if made % LOOK == 0 { LOOK } else { made % LOOK })?;
            }
            if made % every == 0 || made == steps || made == window {
                rows.push(trajectory.row());
            }
        }
        Ok(Outcome { rows, diverged: None })
    }

    fn findings(&self, done: &[(Trial, Outcome)]) -> Vec<Finding> {
        findings::all(done)
    }
}

const ABOUT: About = About {
    name: "coupling",
    title: "Label noise follows gradient descent on L + λR",
    text: "Lemma 1: SGD with label noise from a minimiser θ* stays near Φ_k(θ*) + ξ_k, where Φ_k is k steps of gradient descent on L + λR \
        with R = −(1/2η) tr log(I − (η/2)∇²L) and λ = ησ²/B, and ξ is the Ornstein–Uhlenbeck process ξ ← (I − ηG(θ*))ξ + ε* of the \
        same draws. Here all three are run side by side, with exact derivatives, on fᵢ(θ) = ⟨θ∘θ, xᵢ⟩ with fewer samples than \
        parameters. What is left, r = θ − ξ − Φ, should be of the order λ^¾ (δ = ½) while ‖ξ‖ is of the order λ^½.\n\n\
        A coupling lasts window/(η√λ) steps, which is the lemma's longest up to constants and logarithms. Then the next begins as in Lemma 2: θ* \
        becomes Φ, and Φ starts anew at θ − ξ. A trajectory lasts horizon/(ηλ) steps, in which R can fall by an amount that does not \
        shrink with λ. λ varies through η, with sampled batches as in Algorithm 1, and through σ at one large η, with every \
        sample once a step: there minibatch noise would not become small beside the label noise, as η does not.\n\n\
        The model, its size and every setting are ours. Inputs are normal, scaled so that the largest eigenvalue at the start is 1; \
        the start has entries uniform in (½, 1½) and labels that it fits exactly. Each seed has its own data.",
    source: "Damian, Ma, Lee 2021, Lemma 1, Lemma 2 and Propositions 2 and 4",
    figures: r#"
[[figure]]
kind = "final"
y = "first_r_max"
x = "lambda"
log = true
log_x = true
title = "Largest error ‖θ − ξ − Φ‖ in the first coupling"

[[figure]]
kind = "final"
y = "first_xi_max"
x = "lambda"
log = true
log_x = true
title = "Largest ‖ξ‖ in the first coupling"

[[figure]]
kind = "curves"
y = "regularizer_ratio"
x = "time"
title = "R at θ − ξ over R at the start"
caption = "Time is ηλ times the step."

[[figure]]
kind = "curves"
y = "descent_ratio"
x = "time"
title = "R along gradient descent on L + λR over R at the start"
caption = "Time is ηλ times the step."
"#,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    fn done(lab: &Coupling) -> Vec<(Trial, Outcome)> {
        let watch = Watch::default();
        lab.trials().into_iter().map(|trial| (trial.clone(), lab.run(&trial, &watch).unwrap())).collect()
    }

    fn with(changes: &[(&str, &str)]) -> Result<Coupling, crate::LabError> {
        read(Scale::Smoke, &changes.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect::<Vec<_>>())
    }

    #[test]
    fn the_lemma_is_seen() {
        let lab = with(&[]).unwrap();
        let done = done(&lab);
        let findings = lab.findings(&done);
        let of_labels: Vec<_> = findings.iter().filter(|f| f.claim.starts_with("Varied label noise")).collect();
        assert_eq!(of_labels.len(), 5);
        assert!(of_labels.iter().all(|f| f.holds == Some(true)), "{findings:#?}");
        assert!(findings.last().is_some_and(|f| f.holds == Some(true) && f.claim.starts_with("Without label noise")));
        assert!(lab.findings(&[]).is_empty());
        // Every step is counted, and a trial is a pure function.
        let watch = Watch::default();
        assert_eq!(lab.run(&done[4].0, &watch).unwrap(), done[4].1);
        assert_eq!(watch.steps(), done[4].0.steps);
    }

    /// Coupled to the wrong regularized trajectory, such as one with errors as large as the movement, the findings say so.
    #[test]
    fn findings_follow_the_rows() {
        let lab = with(&[("seeds", "2"), ("lrs", "[]")]).unwrap();
        let mut done = done(&lab);
        for (trial, outcome) in &mut done {
            let lambda: f64 = trial.label("lambda").parse().unwrap();
            for row in &mut outcome.rows {
                row.values.insert("first_r_max".into(), lambda.sqrt());
                row.values.insert("first_xi_max".into(), lambda);
                row.values.insert("first_movement_max".into(), lambda);
                row.values.insert("regularizer_ratio".into(), 1.0);
                row.values.insert("xi_sq_over_stationary".into(), 2.0 + 0.001 * trial.seed as f64);
            }
        }
        let holds: Vec<_> = lab.findings(&done).iter().map(|f| f.holds).collect();
        assert_eq!(holds, [Some(false); 5]);
    }

    #[test]
    fn leaving_the_bounds_is_a_result() {
        let lab = with(&[("lr", "1.9"), ("sigmas", "[8.0]"), ("lrs", "[]"), ("horizon", "1000")]).unwrap();
        let done = done(&lab);
        assert!(done.iter().any(|(_, outcome)| outcome.diverged.as_ref().is_some_and(|why| why.starts_with("step "))));
        assert!(lab.findings(&done).iter().any(|f| f.holds == Some(false) && f.claim.contains("R has a value")));
    }

    #[test]
    fn wrong_settings_name_their_keys() {
        let wrong = [
            ("lr", "2.0"),
            ("lrs", "[0.1, -0.1]"),
            ("lrs", "[0.1, 0.1]"),
            ("sigma", "-1.0"),
            ("sigmas", "[0.0]"),
            ("samples", "6"),
            ("dimension", "1"),
            ("batch_size", "0"),
            ("seeds", "0"),
            ("window", "0"),
            ("horizon", "inf"),
        ];
        for (key, value) in wrong {
            let error = with(&[(key, value)]).unwrap_err().to_string();
            assert!(error.contains(&format!("{key}: expected")), "{error}");
        }
        assert!(with(&[("lr", "2.0")]).unwrap_err().to_string().contains("R has no value from lr · λ₁ = 2 on"));
    }
}
