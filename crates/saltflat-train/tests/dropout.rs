//! Runs of networks with dropout.
#![allow(clippy::unwrap_used)]

mod runs;
mod support;

use std::fs;

use burn::tensor::Tensor;
use runs::{ALL, Runs, at_step, files};
use saltflat_models::{Pass, Vector};
use saltflat_random::{Key, Stream};
use saltflat_train::{Outcome, Plan, Trainer, config::Config};
use serde_json::Value;

/// Two hidden layers with this between and behind them; the tensors have the same names whatever stands there.
fn model(between: &str) -> String {
    format!(
        "{{ kind = \"layers\", layers = [\"flatten\", {{ kind = \"linear\", outputs = 12, name = \"a\" }}, \"relu\", {between} \
         {{ kind = \"linear\", outputs = 10, name = \"b\" }}, \"tanh\", {between} \
         {{ kind = \"linear\", outputs = 10, name = \"c\" }}] }}"
    )
}

const DROPOUT: &str = "{ kind = \"dropout\", probability = 0.4 },";

/// Stopped after any step and resumed, a run has all files of the whole one, with the same bytes.
#[test]
fn a_resumed_run_has_the_same_bits() {
    let runs =
        Runs::new(&[ALL, &[("model", &model(DROPOUT)), ("optimizer.sam.rho", "0.1"), ("train.microbatch", "7")]]);
    assert!(matches!(runs.begin("whole", &|| false), Outcome::Finished(_)));
    let whole = files(&runs.path("whole"));
    for step in 0..9 {
        let name = format!("stopped-{step}");
        assert_eq!(runs.begin(&name, &at_step(step)), Outcome::Interrupted);
        assert!(matches!(runs.resume(&name, &|| false), Outcome::Finished(_)));
        let found = files(&runs.path(&name));
        for (file, bytes) in &whole {
            assert!(found.get(file) == Some(bytes), "stopped at step {step}, {file} differs: {:?}", found.keys());
        }
    }
}

/// The rows of the measurements.
fn rows(runs: &Runs, name: &str) -> Vec<Value> {
    assert!(matches!(runs.begin(name, &|| false), Outcome::Finished(_)));
    let text = fs::read_to_string(runs.path(name).join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// At the start, where both networks have the same parameters, what is measured is what it is without dropout, to the last bit; the steps are
/// others.
#[test]
fn measurements_have_no_dropout() {
    let noise = ("metrics.noise_strength", "false");
    let with = Runs::new(&[ALL, &[("model", &model(DROPOUT)), noise]]);
    let without = Runs::new(&[ALL, &[("model", &model("")), noise]]);
    let (rows_with, rows_without) = (rows(&with, "run"), rows(&without, "run"));
    assert!(rows_with[0]["metrics"]["trace_hessian"]["value"].is_number());
    assert_eq!(rows_with[0], rows_without[0]);
    assert_ne!(rows_with.last(), rows_without.last());
    assert_eq!(rows_with, rows(&with, "again"));
}

/// The label noise of steps with dropout is about another function than tr H.
#[test]
fn label_noise_with_dropout_is_no_estimate_of_the_trace() {
    let runs = Runs::new(&[&[("model", &model(DROPOUT))]]);
    let rows = rows(&runs, "run");
    let said = rows.last().unwrap().to_string();
    assert!(said.contains("the noise of the steps is about the network with dropout"), "{said}");
}

fn plan(runs: &Runs, overrides: &[(&str, &str)]) -> Plan {
    let text = format!(
        "data = {{ kind = \"mnist-1k\", limit = 40 }}\nmodel = {}\nloss = {{ kind = \"square\" }}\n\
         optimizer = {{ lr = 0.1, batch_size = 40 }}\ntrain = {{ epochs = 40 }}",
        model(DROPOUT)
    );
    let overrides: Vec<_> = overrides.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let config = Config::read(&text, "dropout.toml".as_ref(), &overrides).unwrap();
    Plan::new(config, &runs.cpu.device, burn::tensor::DType::F64).unwrap()
}

/// The mean loss of all samples and its gradient, with the dropout of step 0 if `drops`.
fn loss(plan: &Plan, theta: &Vector, drops: bool) -> (f64, Vector) {
    let indices: Vec<u32> = (0..40).collect();
    let (leaves, buffers) = (theta.leaves(), Vector::default());
    let pass = Pass::value(&leaves, &buffers);
    let key = Key::new(plan.config.run.seed, Stream::Dropout, 0);
    let mut pass = if drops { pass.training_with(key, 0) } else { pass };
    let outputs = plan.network.forward(plan.train.inputs(&indices, None), &mut pass).value;
    let targets = plan.train.targets_with_loss(&plan.loss, &indices).values;
    let targets: Tensor<2> = plan.train.upload(&targets);
    let mean = plan.loss.value(outputs, targets).mean();
    let value = mean.clone().without_autodiff().into_scalar::<f64>();
    (value, leaves.take_gradients(&mut mean.backward()))
}

/// A step is θ − η ∇L of the network with the step's draw, however many passes it takes; with SAM the gradient is that at θ + ρ ∇L / ‖∇L‖ with the
/// same draw.
#[test]
fn every_pass_of_a_step_has_the_same_draw() {
    let runs = Runs::new(&[]);
    let indices: Vec<u32> = (0..40).collect();
    let lr = 0.1;
    for (overrides, rho) in [
        (&[][..], None),
        (&[("train.microbatch", "7")][..], None),
        (&[("optimizer.sam.rho", "0.5"), ("train.microbatch", "9")][..], Some(0.5)),
    ] {
        let plan = plan(&runs, overrides);
        let mut trainer = Trainer::new(&plan, Trainer::random_start(&plan));
        let theta = trainer.theta().clone();
        trainer.make_step(&indices);
        let gradient = loss(&plan, &theta, true).1;
        let gradient = match rho {
            None => gradient,
            Some(rho) => {
                let norm = gradient.norm_squared().into_scalar::<f64>().sqrt();
                loss(&plan, &theta.plus_scaled(rho / norm, &gradient), true).1
            }
        };
        let off = trainer.theta().plus_scaled(-1.0, &theta.plus_scaled(-lr, &gradient));
        let (off, step) = (off.norm_squared().into_scalar::<f64>(), gradient.norm_squared().into_scalar::<f64>());
        assert!(off.sqrt() <= 1e-12 * lr * step.sqrt(), "{overrides:?}: {:e}", off.sqrt());
        let plain = loss(&plan, &theta, false).1;
        let other = plain.plus_scaled(-1.0, &gradient).norm_squared().into_scalar::<f64>();
        assert!(other > 0.01 * step, "the gradient without dropout is another");
    }
}

/// The loss without dropout falls to less than half of its start.
#[test]
fn a_run_with_dropout_learns() {
    let runs = Runs::new(&[]);
    let plan = plan(&runs, &[("optimizer.momentum", "0.9")]);
    let mut trainer = Trainer::new(&plan, Trainer::random_start(&plan));
    let before = loss(&plan, trainer.theta(), false).0;
    let indices: Vec<u32> = (0..40).collect();
    for _ in 0..300 {
        trainer.make_step(&indices);
    }
    let after = loss(&plan, trainer.theta(), false).0;
    assert!(after < before / 2.0, "{before} {after}");
}
