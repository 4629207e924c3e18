//! Which architectures fit which datasets, known from the sizes of the data alone.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use burn::tensor::{DType, Device, Tensor};
use saltflat_data::Summary;
use saltflat_models::Pass;
use saltflat_train::{Outline, config::Config};

/// Every kind of network, small.
const MODELS: [&str; 9] = [
    "{ kind = \"mlp\", hidden = [8] }",
    "{ kind = \"linear-net\", hidden = [8] }",
    "{ kind = \"random-features\", features = 8 }",
    "{ kind = \"lenet\", width = 3 }",
    "{ kind = \"vgg\", depth = 11, width = 4, channels_per_group = 4, norm = \"group\" }",
    "{ kind = \"vgg\", depth = 19, width = 4, norm = \"batch\" }",
    "{ kind = \"resnet\", width = 4, channels_per_group = 4 }",
    "{ kind = \"resnet\", width = 4, blocks = [1, 1, 1, 1, 1, 1, 1], norm = \"batch\" }",
    "{ kind = \"resnet-fixup\", depth = 8, width = 4 }",
];

/// Every dataset that needs no file of its own, and the shape of its samples.
const DATA: [(&str, [usize; 3]); 7] = [
    ("{ kind = \"mnist-1k\", limit = 20 }", [1, 28, 28]),
    ("{ kind = \"mnist\", limit = 20 }", [1, 28, 28]),
    ("{ kind = \"cifar10-1k\", limit = 20 }", [3, 32, 32]),
    ("{ kind = \"cifar10\", limit = 20 }", [3, 32, 32]),
    ("{ kind = \"cifar100\", limit = 20 }", [3, 32, 32]),
    ("{ kind = \"linear-teacher\", dimension = 30, limit = 20 }", [30, 1, 1]),
    ("{ kind = \"random-feature-teacher\", dimension = 30, limit = 20 }", [30, 1, 1]),
];

/// Why a network does not fit samples of a shape, from its layers: five halvings of VGG's images, two 5 × 5 windows each with a halving of
/// LeNet's, images at all for convolutions.
fn misfit(model: &str, [_, height, _]: [usize; 3]) -> Option<&'static str> {
    let kind = model.split('"').nth(1).unwrap();
    match kind {
        "vgg" if height < 32 => Some("images of at least 32 × 32 pixels for vgg"),
        "lenet" if height < 16 => Some("images of at least"),
        _ => None,
    }
}

#[test]
fn every_architecture_on_every_dataset() {
    for (data, shape) in DATA {
        for model in MODELS {
            let loss = if data.contains("teacher") { "square" } else { "cross_entropy" };
            let text = format!(
                "data = {data}\nmodel = {model}\nloss = {{ kind = \"{loss}\" }}\noptimizer = {{ lr = 0.1, batch_size = 10 }}\n\
                 train = {{ epochs = 1 }}"
            );
            let config = Config::read(&text, Path::new("fits.toml"), &[]).unwrap();
            let summary = Summary::published(&config.data).unwrap_or_else(|| Summary::read(&config.data).unwrap());
            assert_eq!(summary.shape, shape, "{data}");
            match (Outline::new(&config, &summary), misfit(model, shape)) {
                // What is accepted runs.
                (Ok(outline), None) => {
                    let network = outline.network;
                    let (theta, buffers) = network.layout().init(0, &Device::flex(), DType::F32);
                    let [channels, height, width] = shape;
                    let inputs = Tensor::<4>::ones([2, channels, height, width], &Device::flex());
                    let leaves = theta.leaves();
                    let outputs = network.forward(inputs, &mut Pass::value(&leaves, &buffers).training()).value;
                    assert_eq!(outputs.dims(), [2, summary.outputs], "{model} on {data}");
                    let gradient = leaves.take_gradients(&mut outputs.sum().backward());
                    assert_eq!(gradient.len(), network.layout().len(), "{model} on {data}");
                }
                (Err(e), Some(reason)) => {
                    let said = e.to_string();
                    assert!(said.starts_with("model.") && said.contains(reason), "{model} on {data}: {said}");
                }
                (Ok(_), Some(reason)) => panic!("{model} on {data} was accepted, but needs {reason}"),
                (Err(e), None) => panic!("{model} on {data}: {e}"),
            }
        }
    }
}
