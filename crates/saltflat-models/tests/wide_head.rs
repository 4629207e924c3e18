//! torchvision's VGG, whose classifier has a column for each of 7 × 7 positions (`scripts/reference/state_dicts.py`).
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::Dtype;
use saltflat_models::{
    Architecture, Directions, Initialisation, Loaded, Loss, LossKind, Network, Norm, Pass, Vector, architectures::Vgg,
    layers::Activation,
};
use support::{Stored, check_logits, file, load, numbers, read, write};

/// The network of `vgg11_pool7.safetensors`, or one whose classifier has another pool before it.
fn vgg(pool: Option<usize>) -> Network {
    let vgg = Vgg {
        depth: 11,
        width: 4,
        norm: Norm::None,
        channels_per_group: 4,
        hidden: vec![6, 5],
        pool,
        activation: Activation::Relu,
        init: Initialisation::Default,
    };
    vgg.build([3, 32, 32], 10).unwrap()
}

/// torchvision's head of 49 columns a channel gives PyTorch's logits, and to a network without the pool a message says what to set.
#[test]
fn the_wide_head_of_torchvision() {
    let path = file("vgg11_pool7.safetensors");
    let loaded = load(&path, &vgg(Some(7)), &[]).unwrap();
    assert_eq!(loaded.notes, Vec::<String>::new());
    check_logits(&vgg(Some(7)), &loaded, &file("vgg11_pool7.logits.safetensors"), "logits");
    let said = load(&path, &vgg(None), &[]).unwrap_err().to_string();
    for part in
        ["classifier.0.weight  [6, 1568]", "[6, 32]", "1568 = 32 · 7 · 7 columns", "a vgg has them with model.pool = 7"]
    {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let summed = write_summed(folder.path());
    let said = load(&summed, &vgg(Some(7)), &[]).unwrap_err().to_string();
    assert!(
        said.contains("32 columns, one for each channel") && said.contains("expected a vgg without model.pool = 7"),
        "{said}"
    );
}

/// `vgg11_pool7.safetensors` with the sum of the 49 columns of each channel, in f64.
fn write_summed(folder: &Path) -> PathBuf {
    let mut all = read(&file("vgg11_pool7.safetensors"));
    let wide = all.get_mut("classifier.0.weight").unwrap();
    let columns = numbers(wide);
    let sums = columns.chunks_exact(49).flat_map(|columns| columns.iter().sum::<f64>().to_le_bytes()).collect();
    *wide = Stored { dtype: Dtype::F64, shape: vec![6, 32], bytes: sums };
    let path = folder.join("summed.safetensors");
    write(&path, &all);
    path
}

/// Why the columns are not summed when such a file is read: on 32 × 32 pixels the function is the same, but every one of the 49 columns has the
/// second derivative of their sum, so that the trace of the Hessian over this tensor is 49 times as large.
#[test]
fn summed_columns_have_a_49th_of_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    let (wide, narrow) = (vgg(Some(7)), vgg(None));
    let of_wide = load(&file("vgg11_pool7.safetensors"), &wide, &[]).unwrap();
    let of_narrow = load(&write_summed(folder.path()), &narrow, &[]).unwrap();
    check_logits(&narrow, &of_narrow, &file("vgg11_pool7.logits.safetensors"), "logits");
    let mut largest = 0.0_f64;
    for entry in (0..6 * 32).step_by(5) {
        let sum = second_derivative(&narrow, &of_narrow, entry);
        largest = largest.max(sum.abs());
        for position in [0, 17, 48] {
            let column = second_derivative(&wide, &of_wide, 49 * entry + position);
            assert!((column - sum).abs() <= 1e-9 * sum.abs().max(1e-6), "entry {entry}: {column} and {sum}");
        }
    }
    assert!(largest > 1e-3, "all second derivatives are 0");
}

/// ∂²L/∂w² of the mean cross-entropy for one entry of `classifier.0.weight`.
fn second_derivative(network: &Network, loaded: &Loaded, entry: usize) -> f64 {
    let device = (&Device::flex(), DType::F64);
    let inputs = &read(&file("vgg11_pool7.logits.safetensors"))["inputs"];
    let shape: [usize; 4] = inputs.shape.clone().try_into().unwrap();
    let inputs = Tensor::<4>::from_data(TensorData::new(numbers(inputs), shape), device);
    let mut target = vec![0.0; 30];
    [0, 13, 26].into_iter().for_each(|i| target[i] = 1.0);
    let target = Tensor::<2>::from_data(TensorData::new(target, [3, 10]), device);
    let parts = network.layout().parameters.iter().map(|spec| {
        let mut direction = vec![0.0_f32; spec.len()];
        if spec.name == "classifier.0.weight" {
            direction[entry] = 1.0;
        }
        direction
    });
    let direction = Directions::from(&Vector::from_host(parts, &Device::flex(), DType::F64));
    let outputs = network.forward(inputs, &mut Pass::jet(&loaded.theta, &loaded.buffers, &direction, 2));
    let loss = Loss { kind: LossKind::CrossEntropy, smoothing: 0.0 };
    loss.second(&outputs, target).unwrap().mean().into_scalar::<f64>()
}
