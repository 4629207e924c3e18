//! State dicts that PyTorch wrote, of torchvision's own classes, load as they are and give PyTorch's logits
//! (`scripts/reference/state_dicts.py`).
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use saltflat_models::{
    Architecture, Initialisation, ModelError, Network, Norm,
    architectures::{Resnet, Vgg},
    half_precision,
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

/// Weights of another width are refused, and the message names the tensors with both shapes.
#[test]
fn weights_that_do_not_fit_are_named() {
    for (name, network, tensor) in [
        ("vgg11", vgg11(8), "features.0.weight is [4, 3, 3, 3], expected [8, 3, 3, 3]"),
        ("vgg11", resnet18(4), "conv1.weight"),
    ] {
        let result = load(&file(&format!("{name}.safetensors")), network.layout(), &Device::flex(), DType::F32);
        let error = result.expect_err("another network");
        assert!(matches!(error, ModelError::Weights { .. }));
        assert!(error.to_string().contains(tensor) && error.to_string().contains("more"), "{error}");
    }
}

/// The tensors of a file, each under what `name` makes of its name and as `number` stores it.
fn rewritten(
    folder: &tempfile::TempDir,
    name: impl Fn(&str) -> String,
    dtype: Dtype,
    number: impl Fn(f32) -> Vec<u8>,
) -> PathBuf {
    let bytes = std::fs::read(file("resnet18.safetensors")).unwrap();
    let stored = SafeTensors::deserialize(&bytes).unwrap();
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = stored
        .names()
        .into_iter()
        .map(|old| {
            let (values, shape) = numbers(&bytes, old);
            (name(old), shape, values.into_iter().flat_map(&number).collect())
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, data)| (name, TensorView::new(dtype, shape.clone(), data).unwrap()));
    let path = folder.path().join("weights.safetensors");
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}

fn f32_bytes(x: f32) -> Vec<u8> {
    x.to_le_bytes().into()
}

fn load_resnet(path: &std::path::Path) -> Result<Vec<f64>, String> {
    let (theta, _) = load(path, resnet18(4).layout(), &Device::flex(), DType::F32).map_err(|e| e.to_string())?;
    Ok(theta.parts().iter().flat_map(|part| part.clone().try_into_vec_as::<f64>().unwrap()).collect())
}

/// What wraps a network writes its names with another beginning; the message says which, and how they are renamed.
#[test]
fn names_with_another_beginning_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    for (prefix, words) in [
        ("module.", "as torch.nn.DataParallel writes it"),
        ("_orig_mod.", "as torch.compile writes it"),
        ("net.encoder.", "\"net.encoder.\": 62 of the 62 missing tensors"),
    ] {
        let path = rewritten(&folder, |name| format!("{prefix}{name}"), Dtype::F32, f32_bytes);
        let said = load_resnet(&path).unwrap_err();
        for part in [words, "expected conv1.weight, found", &format!("k.removeprefix('{prefix}')")] {
            assert!(said.contains(part), "{prefix}: no {part:?} in {said}");
        }
        assert!(said.len() < 700, "{said}");
    }
    // Names that lack what the network's begin with; with one that is renamed by hand most of them still do.
    let path = rewritten(
        &folder,
        |name| if name == "fc.bias" { "head.bias".into() } else { name.replace("layer1.", "stage.layer1.") },
        Dtype::F32,
        f32_bytes,
    );
    let said = load_resnet(&path).unwrap_err();
    assert!(said.contains("before names in the file stands \"stage.\""), "{said}");
    let path = rewritten(&folder, |name| name.replace("layer2.", "2."), Dtype::F32, f32_bytes);
    let said = load_resnet(&path).unwrap_err();
    assert!(said.contains("before names in the file is no \"layer\"") && said.contains("'layer' + k"), "{said}");
    // Other names altogether: how many fit, some of those that are missing and some of those in the file.
    let said = load(&file("vgg11.safetensors"), resnet18(4).layout(), &Device::flex(), DType::F32).unwrap_err();
    let said = said.to_string();
    for part in
        ["0 of its 62 tensors are in the file", "conv1.weight", "and 57 more missing", "classifier.0.bias is not"]
    {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}

/// Half precision is read as it is: bf16 is the upper half of an f32, and cutting off the lower half loses less than 2⁻⁷ of a number.
#[test]
fn half_precision_is_read_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let exact = load_resnet(&file("resnet18.safetensors")).unwrap();
    assert_eq!(half_precision(&file("resnet18.safetensors")).unwrap(), None);
    let path = rewritten(&folder, str::to_string, Dtype::BF16, |x| x.to_le_bytes()[2..].into());
    let found = load_resnet(&path).unwrap();
    assert_eq!(found.len(), exact.len());
    assert!(found.iter().zip(&exact).all(|(found, exact)| (found - exact).abs() <= exact.abs() / 128.0));
    assert_ne!(found, exact);
    let said = half_precision(&path).unwrap().unwrap();
    assert!(said.contains("62 tensors are in half precision (such as bn1.bias, BF16)"), "{said}");
    // 0x3c01 is 1 + 2⁻¹⁰ in f16.
    let path = rewritten(&folder, str::to_string, Dtype::F16, |_| vec![0x01, 0x3c]);
    assert!(load_resnet(&path).unwrap().iter().all(|&x| x == 1.0 + 0.5_f64.powi(10)));
    // Of other types the name and the type are told.
    let path = rewritten(&folder, str::to_string, Dtype::I32, |_| vec![0; 4]);
    let said = load_resnet(&path).unwrap_err();
    assert!(
        said.contains("conv1.weight is I32, expected F32, F64, F16 or BF16") && said.contains(".float()"),
        "{said}"
    );
}
