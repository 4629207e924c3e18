//! State dicts that PyTorch wrote, of torchvision's own classes, load as they are and give PyTorch's logits
//! (`scripts/reference/state_dicts.py`).
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::SafeTensors;
use saltflat_models::{
    Architecture, Initialisation, Network, Norm,
    architectures::{Resnet, Vgg},
    layers::Activation,
    load,
};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/state_dicts").join(name)
}

fn numbers(bytes: &[u8], name: &str) -> (Vec<f32>, Vec<usize>) {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let view = file.tensor(name).unwrap();
    let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    (values, view.shape().to_vec())
}

fn vgg11(width: usize) -> Network {
    let vgg = Vgg {
        depth: 11,
        width,
        norm: Norm::None,
        channels_per_group: 4,
        hidden: vec![24, 12],
        pool: None,
        activation: Activation::Relu,
        init: Initialisation::Default,
    };
    vgg.build([3, 32, 32], 10).unwrap()
}

fn resnet18(width: usize) -> Network {
    let resnet = Resnet {
        width,
        blocks: vec![2, 2, 2, 2],
        norm: Norm::Group,
        channels_per_group: 4,
        activation: Activation::Relu,
        init: Initialisation::Default,
    };
    resnet.build([3, 32, 32], 10).unwrap()
}

/// Within 1e-4 of the largest logit: f32 rounding of some twenty layers is about 1e-6.
#[test]
fn logits_are_pytorchs() {
    let device = Device::flex();
    for (name, network) in [("vgg11", vgg11(4)), ("resnet18", resnet18(4))] {
        let (theta, buffers) =
            load(&file(&format!("{name}.safetensors")), network.layout(), &device, DType::F32).unwrap();
        let bytes = std::fs::read(file(&format!("{name}.logits.safetensors"))).unwrap();
        let (inputs, shape) = numbers(&bytes, "inputs");
        let shape: [usize; 4] = shape.try_into().unwrap();
        let inputs = Tensor::<4>::from_data(TensorData::new(inputs, shape), &device);
        let found = network.value(&theta, &buffers, inputs).try_into_vec_as::<f64>().unwrap();
        let (expected, _) = numbers(&bytes, "logits");
        assert_eq!(found.len(), expected.len(), "{name}");
        let largest = expected.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
        for (found, expected) in found.iter().zip(&expected) {
            let difference = (found - f64::from(*expected)).abs();
            assert!(difference <= 1e-4 * f64::from(largest), "{name}: {found} instead of {expected}");
        }
    }
}
