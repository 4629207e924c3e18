//! The golden cases: five tiny networks with exact values.
#![allow(dead_code, clippy::unwrap_used)]

pub mod dense;
pub mod regression;

use std::{fs, path::PathBuf};

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::SafeTensors;
use saltflat_metrics::{Objective, Scoring, TensorSamples};
use saltflat_models::{
    AnyArchitecture, Initialisation, Loss, LossKind, Network, Norm, Pass, Vector,
    architectures::{Lenet, Mlp, Resnet},
    layers::Activation,
    load,
};
use saltflat_noise::{OutputNoise, Targets};
use serde_json::Value;

pub struct Golden {
    pub name: &'static str,
    pub network: Network,
    pub theta: Vector,
    pub buffers: Vector,
    pub loss: Loss,
    pub samples: TensorSamples,
    pub labels: Vec<u32>,
    pub lr: f64,
    pub batch_size: usize,
    pub expected: Value,
}

impl Golden {
    pub fn objective(&self, microbatch: usize) -> Objective<'_> {
        Objective::on_all(&self.network, &self.buffers, self.loss, &self.samples, microbatch)
    }

    pub fn number(&self, key: &str) -> f64 {
        self.expected[key].as_f64().unwrap_or_else(|| panic!("{}: no {key}", self.name))
    }
}

pub fn all(dtype: DType) -> Vec<Golden> {
    let (default, norm) = (Initialisation::Default, Norm::Group);
    let mlp = |hidden: &[usize], activation| {
        AnyArchitecture::from(Mlp { hidden: hidden.to_vec(), activation, init: default })
    };
    let square = Loss { kind: LossKind::Square, smoothing: 0.0 };
    let smoothed = Loss { kind: LossKind::CrossEntropy, smoothing: 0.2 };
    let relu = Activation::Relu;
    let lenet = AnyArchitecture::from(Lenet { width: 4, activation: relu, init: default });
    let resnet = AnyArchitecture::from(Resnet {
        width: 8,
        blocks: vec![1, 1],
        norm,
        channels_per_group: 4,
        activation: relu,
        init: default,
    });
    vec![
        read("mlp_relu_square", mlp(&[24, 24], relu), square, 0.05, 5, dtype),
        read("mlp_softplus_ce", mlp(&[16, 8], Activation::Softplus), smoothed, 0.1, 8, dtype),
        read("lenet_relu_square", lenet, square, 0.1, 4, dtype),
        read("resnet_gn_ce", resnet, smoothed, 0.1, 4, dtype),
        read("mlp_tanh_two_classes", mlp(&[6], Activation::Tanh), smoothed, 0.1, 6, dtype),
    ]
}

fn read(name: &'static str, model: AnyArchitecture, loss: Loss, lr: f64, batch_size: usize, dtype: DType) -> Golden {
    let device = Device::flex();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let expected: Value =
        serde_json::from_slice(&fs::read(folder.join(format!("{name}.expected.json"))).unwrap()).unwrap();
    let outputs = expected["outputs"].as_u64().unwrap() as usize;
    let bytes = fs::read(folder.join(format!("{name}.data.safetensors"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let view = file.tensor("inputs").unwrap();
    let values: Vec<f32> = view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let mut shape = view.shape().to_vec();
    shape.resize(4, 1);
    let shape: [usize; 4] = shape.try_into().unwrap();
    let inputs = Tensor::from_data(TensorData::new(values, shape), (&device, dtype));
    let mut labels = Vec::new();
    let targets: Vec<f64> = match file.tensor("labels") {
        Ok(view) => {
            labels = view.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as u32).collect();
            labels.iter().flat_map(|&label| exact_target(loss, label, outputs)).collect()
        }
        Err(_) => {
            let data = file.tensor("targets").unwrap();
            data.data().chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect()
        }
    };
    let targets = Tensor::from_data(TensorData::new(targets, [shape[0], outputs]), (&device, dtype));
    let network = model.build([shape[1], shape[2], shape[3]], outputs).unwrap();
    assert_eq!(network.layout().len() as u64, expected["p"].as_u64().unwrap());
    let (theta, buffers) =
        load(&folder.join(format!("{name}.weights.safetensors")), network.layout(), &device, dtype).unwrap();
    let scoring = if labels.is_empty() { Scoring::None } else { Scoring::Class };
    Golden {
        name,
        network,
        theta,
        buffers,
        loss,
        samples: TensorSamples { inputs, targets, scoring },
        labels,
        lr,
        batch_size,
        expected,
    }
}

/// The smoothed target in f64: in f32 its rounding alone would show at 1e-8.
pub fn exact_target(loss: Loss, label: u32, outputs: usize) -> Vec<f64> {
    (0..outputs)
        .map(|c| if c == label as usize { 1.0 - loss.smoothing } else { loss.smoothing / (outputs - 1) as f64 })
        .collect()
}

/// ∇L̂ − ∇L̄ on all samples for these drawn targets, `[n, C]`, by the code with which the trainer measures it.
pub fn label_noise(
    samples: &TensorSamples,
    network: &Network,
    loss: &Loss,
    theta: &Vector,
    buffers: &Vector,
    drawn: Vec<f32>,
) -> Vector {
    let [n, outputs] = samples.targets.dims();
    let targets = |values| Targets { values, outputs, labels: None };
    let expected = targets(samples.targets.clone().try_into_vec_as().unwrap());
    let noise = OutputNoise::of_targets(&expected, &targets(drawn));
    let leaves = theta.leaves();
    let values = network.forward(samples.inputs.clone(), &mut Pass::value(&leaves, buffers).training()).value;
    noise.gradient(loss, &leaves, values, samples.targets.clone(), 0..n, n)
}
