//! The device against the CPU: every layer's rules, one training step, and an epoch under every noise.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::Context;
use burn::tensor::{DType, Device, Tensor};
use saltflat_metrics::{Curvature, CurvatureOperator, Objective, Operator, Samples, gradient};
use saltflat_models::{LayerCase, Vector, layers::LAYERS};
use saltflat_noise::{NOISES, NoiseKind, SuitableTargets};
use saltflat_random::{Key, Stream};
use saltflat_train::{
    DeviceInfo, MeasurementPoint, Measurer, Plan, TrainError, Trainer,
    config::{Config, Purpose},
};

use super::finding::{Finding, Findings};
use crate::{args::DoctorArgs, faults::caught, output::OutputError};

const N: usize = 6;

/// Built-in networks.
const NETWORKS: [(&str, &str, &str); 4] = [
    ("lenet", "mnist-1k", "{kind = \"lenet\", width = 2}"),
    ("resnet, group norm", "cifar10-1k", "{kind = \"resnet\", width = 4, blocks = [1, 1], channels_per_group = 2}"),
    ("resnet, batch norm", "cifar10-1k", "{kind = \"resnet\", width = 2, blocks = [1], norm = \"batch\"}"),
    ("resnet-fixup", "cifar10-1k", "{kind = \"resnet-fixup\", width = 2, depth = 8}"),
];

/// Rows of the contract test in one network: few, so that the error of one is not small beside the values of the others.
const ROWS: usize = 5;

/// A network to compare: what it is, its data, and its `[model]`.
type Network = (String, &'static str, String);

/// Built-in networks, and networks of all layers: the rows of the contract test side by side, behind a convolution to images of the shape
/// that they take, [`CASE_INPUT`](saltflat_models::CASE_INPUT).
fn networks() -> Vec<Network> {
    let rows: Vec<_> = LAYERS.iter().flat_map(|kind| (kind.cases)()).collect();
    let of_rows = rows.chunks(ROWS).map(|rows| {
        let branch = |row: &LayerCase| {
            let layers =
                row.layers.trim().trim_start_matches('[').trim_end_matches(']').trim_end().trim_end_matches(',');
            format!("[{layers}, \"flatten\", {{kind = \"linear\", outputs = 4}}]")
        };
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        let branches: Vec<String> = rows.iter().map(branch).collect();
        let model = format!(
            "{{kind = \"layers\", layers = [{{kind = \"conv2d\", outputs = 4, kernel = [4, 6], stride = 4}}, \"silu\", \
             {{kind = \"parallel\", branches = [{}]}}, \"tanh\", {{kind = \"linear\", outputs = 10}}]}}",
            branches.join(", ")
        );
        (names.join("; "), "mnist-1k", model)
    });
    let built_in = NETWORKS.into_iter().map(|(name, data, model)| (name.to_string(), data, model.to_string()));
    built_in.chain(of_rows).collect()
}

/// What f32 rounding does to sums of some thousand products, with room; a wrong kernel is off by more than a thousandth.
const TOLERANCE: f64 = 1e-4;

/// On a GPU, and there a second time in another process with the other choice of fused kernels.
pub fn look(findings: &mut Findings, args: &DoctorArgs, device: &DeviceInfo) -> Result<(), OutputError> {
    if device.backend == "flex" {
        return findings.add(Finding::ok("device against the CPU", "the device is the CPU"));
    }
    let (networks, noises) = (networks().len(), NOISES.len());
    errln!(
        "       (the device against the CPU, {networks} networks and {noises} noises; a software adapter takes half an hour …)"
    );
    here(findings, device, false)?;
    if !cfg!(feature = "fusion") {
        return Ok(());
    }
    let other = if std::env::var("SALTFLAT_FUSION").is_ok_and(|value| value == "off") { "on" } else { "off" };
    errln!("       (the same with SALTFLAT_FUSION={other} …)");
    match elsewhere(args, other) {
        Ok(all) => {
            for finding in all {
                findings.add(finding.named(&format!("SALTFLAT_FUSION={other}, ")))?;
            }
        }
        Err(error) => {
            findings.add(Finding::failed(format!("SALTFLAT_FUSION={other}"), format!("{error:#}"), ADVICE))?;
        }
    }
    Ok(())
}

/// What another process with this choice of fused kernels finds.
fn elsewhere(args: &DoctorArgs, fusion: &str) -> anyhow::Result<Vec<Finding>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["doctor", "--parity", "--json", "--device", &args.device.to_string()]);
    let output = command.env("SALTFLAT_FUSION", fusion).stderr(Stdio::null()).output()?;
    serde_json::from_slice(&output.stdout).with_context(|| format!("the process ended with {}", output.status))
}

pub fn here(findings: &mut Findings, device: &DeviceInfo, only_noises: bool) -> Result<(), OutputError> {
    let networks = if only_noises { Vec::new() } else { networks() };
    for (name, data, model) in networks {
        findings.add(compared(device, &name, |device| values(device, data, &model)))?;
    }
    findings.add(compared(device, "draws", draws))?;
    for kind in NOISES {
        findings.add(compared(device, &format!("noise {}", kind.name), |device| {
            Ok(vec![("epoch", epoch(device, kind)?)])
        }))?;
    }
    Ok(())
}

/// The same values from the device and from the CPU.
fn compared(device: &DeviceInfo, name: &str, values: impl Fn(&Device) -> Result<Values, TrainError>) -> Finding {
    let check = format!("{} against the CPU: {name}", device.name);
    let found = caught(|| {
        let (cpu, here) = (values(&Device::flex())?, values(&device.device)?);
        Ok(cpu.iter().zip(&here).map(|((name, a), (_, b))| (*name, difference(a, b))).collect::<Vec<_>>())
    });
    let differences = match found {
        Err(error) => return Finding::failed(check, error.to_string(), ADVICE),
        Ok(differences) => differences,
    };
    let all: Vec<String> = differences.iter().map(|(name, x)| format!("{name} {x:.1e}")).collect();
    let found = format!("relative differences: {}", all.join(", "));
    match differences.iter().all(|(_, x)| *x <= TOLERANCE) {
        true => Finding::ok(check, found),
        false => Finding::failed(check, format!("{found}; expected at most {TOLERANCE:.0e}"), ADVICE),
    }
}

const ADVICE: &str = "publish no number of this device: use --device cpu, SALTFLAT_FUSION=off, another driver, or a build without \
                      autotuning (--no-default-features --features wgpu,fusion), and report it with the output of doctor --json";

type Values = Vec<(&'static str, Vec<f64>)>;

/// Gradient, a Hessian product and forms, and the inner products of the samples' gradients at a random start, and a step from there.
fn values(device: &Device, data: &str, model: &str) -> Result<Values, TrainError> {
    let pair = |key: &str, value: &str| (key.to_string(), value.to_string());
    let set = [
        pair("data", &format!("{{kind = \"{data}\", limit = {N}, test_limit = 2}}")),
        pair("model", model),
        pair("metrics.alignment.samples", &N.to_string()),
    ];
    let text = "[loss]\nkind = \"cross_entropy\"\n[noise]\nkind = \"label-flip\"\nprobability = 0.2\n[optimizer]\nlr = 0.05\n\
                momentum = 0.9\nbatch_size = \"full\"\n[train]\nsteps = 1\n";
    let config = Config::read_as(text, Path::new("doctor"), &set, Purpose::Train)?;
    let plan = Plan::new(config, device, DType::F32)?;
    let (theta, buffers) = Trainer::random_start(&plan);
    let indices: Vec<u32> = (0..plan.train.len() as u32).collect();
    let objective = Objective::on_all(&plan.network, &buffers, plan.loss, &plan.train, plan.train.len());
    let [v, w] = [0, 1].map(|i| theta.normal_like(Key::new(1, Stream::Probe, i)));
    // Without a backward pass, by the second coefficients of the layers, both directions in one walk.
    let hessian = CurvatureOperator::new(&objective, &theta, Curvature::Hessian);
    let forms = hessian.forms(&[v.clone(), w])?.values();
    let point = MeasurementPoint { theta: &theta, buffers: &buffers, update: None, step: 0 };
    let aligned = plan.config.metrics.only(&["alignment"]).map_err(TrainError::Training)?;
    let inner = Measurer::default().measure(&plan, &aligned, point)?;
    let inner: Vec<f64> = inner.metrics.values().filter_map(|estimate| estimate["value"].as_f64()).collect();
    let mut found = vec![
        ("gradient", host(&gradient(&objective, &theta)?)?),
        ("Hessian product", host(&hessian.apply(&v)?)?),
        ("Hessian forms", forms),
    ];
    if !inner.is_empty() {
        found.push(("alignment", inner));
    }
    let mut trainer = Trainer::new(&plan, (theta.clone(), buffers.clone()));
    trainer.make_step(&indices);
    found.push(("step", host(&trainer.theta().plus_scaled(-1.0, &theta))?));
    if plan.network.couples_samples() {
        found.push(("running statistics", host(&trainer.buffers().plus_scaled(-1.0, &buffers))?));
    }
    Ok(found)
}

/// Random numbers for tensors whose sizes fit no block of the generator.
fn draws(device: &Device) -> Result<Values, TrainError> {
    let zeros = |n: usize| Tensor::<1>::zeros([n], (device, DType::F32));
    let (key, like) =
        (Key::new(1, Stream::ParameterNoise, 3).part(5), Vector::new([7, 70_001, 513].map(zeros).to_vec()));
    // From the middle of a block, and of a part, of the draw.
    let uniform = Vector::new(like.parts().iter().map(|part| key.uniform_like(98_309, part)).collect());
    Ok(vec![
        ("normal", host(&like.normal_like(key))?),
        ("signs", host(&like.signs_like(key))?),
        ("uniform", host(&uniform)?),
    ])
}

/// What an epoch of three steps under the example of this noise adds to the weights.
fn epoch(device: &Device, kind: &NoiseKind) -> Result<Vec<f64>, TrainError> {
    let (binary, loss) = if needs_real_targets(kind) { (true, "square") } else { (false, "cross_entropy") };
    let (kind, keys) = (kind.name, kind.example);
    let text = format!(
        "[data]\nkind = \"mnist-1k\"\nlimit = 12\ntest_limit = 2\nbinary = {binary}\n[model]\nkind = \"mlp\"\nhidden = [6]\n\
         [loss]\nkind = \"{loss}\"\n[noise]\nkind = \"{kind}\"\n{keys}\n[optimizer]\nlr = 0.05\nmomentum = 0.9\n\
         batch_size = 4\n[train]\nepochs = 1\n[metrics]\nenabled = false\n"
    );
    let config = Config::read_as(&text, Path::new("doctor"), &[], Purpose::Train)?;
    let plan = Plan::new(config, device, DType::F32)?;
    let start = Trainer::random_start(&plan);
    let mut trainer = Trainer::new(&plan, start.clone());
    let indices: Vec<u32> = (0..plan.train.len() as u32).collect();
    indices.chunks(plan.batch_size).for_each(|batch| trainer.make_step(batch));
    host(&trainer.theta().plus_scaled(-1.0, &start.0))
}

fn needs_real_targets(kind: &NoiseKind) -> bool {
    let noise = saltflat_noise::example(kind, NOISES);
    noise.is_ok_and(|noise| noise.properties().suitable_targets == SuitableTargets::RealNumbers)
}

fn host(vector: &Vector) -> Result<Vec<f64>, TrainError> {
    let parts = vector.parts().iter().map(|part| part.clone().try_into_vec_as::<f64>());
    let parts = parts.collect::<Result<Vec<_>, _>>().map_err(|e| TrainError::Training(e.to_string()))?;
    Ok(parts.concat())
}

/// ‖a − b‖ / ‖a‖; infinite if one of them is not finite or lacks an entry.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let off = norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut a.iter().copied());
    if a.len() == b.len() && off.is_finite() { off } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind of noise that a configuration can name is there and moves the weights in its own way.
    #[test]
    fn every_noise_has_an_epoch() {
        let moved: Vec<_> = NOISES.iter().map(|kind| epoch(&Device::flex(), kind).unwrap()).collect();
        for (i, (a, kind)) in moved.iter().zip(NOISES).enumerate() {
            assert_eq!(a.len(), 784 * 6 + 6 + 7 * if kind.name == "label-noise" { 1 } else { 10 });
            for (b, other) in moved[..i].iter().zip(NOISES) {
                assert!(difference(a, b) > TOLERANCE, "{} and {}", kind.name, other.name);
            }
        }
    }

    /// All that is compared is there for every network, equal if the device is the same, and told apart if one kernel
    /// is off by a thousandth.
    #[test]
    fn every_network_has_values_to_compare() {
        let networks = networks();
        assert!(networks.len() > NETWORKS.len() + 10);
        for (name, data, model) in &networks {
            let [one, other] = [(); 2].map(|()| values(&Device::flex(), data, model).unwrap());
            let mut expected = vec!["gradient", "Hessian product", "Hessian forms", "alignment", "step"];
            if name.contains("batch norm") {
                expected.push("running statistics");
            }
            assert_eq!(one.iter().map(|(what, _)| *what).collect::<Vec<_>>(), expected, "{name}");
            for ((what, a), (_, b)) in one.iter().zip(&other) {
                assert!(!a.is_empty() && difference(a, b) == 0.0, "{name}, {what}");
                let off: Vec<f64> = b.iter().map(|x| 1.001 * x).collect();
                assert!(difference(a, &off) > TOLERANCE, "{name}, {what}");
            }
            assert_eq!(difference(&one[0].1, &[f64::NAN]), f64::INFINITY);
        }
    }
}
