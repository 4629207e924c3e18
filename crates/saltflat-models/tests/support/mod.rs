//! Files of weights that `scripts/reference/state_dicts.py` makes, and copies of them that differ.
#![allow(dead_code, clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use saltflat_models::{Loaded, ModelError, Network, Renames, load_renamed};

pub fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/state_dicts").join(name)
}

/// A tensor of a file.
#[derive(Clone)]
pub struct Stored {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

pub type All = BTreeMap<String, Stored>;

pub fn read(path: &Path) -> All {
    let bytes = fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    let stored = |view: TensorView<'_>| Stored {
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    };
    tensors.into_iter().map(|(name, view)| (name, stored(view))).collect()
}

pub fn write(path: &Path, all: &All) {
    let views = all.iter().map(|(name, x)| (name, TensorView::new(x.dtype, x.shape.clone(), &x.bytes).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

pub fn numbers(x: &Stored) -> Vec<f64> {
    match x.dtype {
        Dtype::F32 => x.bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b).into()).collect(),
        _ => x.bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
    }
}

/// Reads weights in f64 under these other names.
pub fn load(path: &Path, network: &Network, renames: &[(&str, &str)]) -> Result<Loaded, ModelError> {
    let mut map = Renames::new();
    renames.iter().for_each(|(old, new)| map.insert(old, new).unwrap());
    load_renamed(path, network.layout(), &map, &Device::flex(), DType::F64)
}

/// Within 1e-9 of PyTorch's f64.
pub fn check_logits(network: &Network, loaded: &Loaded, logits: &Path, name: &str) {
    let results = read(logits);
    let inputs = &results["inputs"];
    let shape: [usize; 4] = inputs.shape.clone().try_into().unwrap();
    let inputs = Tensor::<4>::from_data(TensorData::new(numbers(inputs), shape), (&Device::flex(), DType::F64));
    let found = network.value(&loaded.theta, &loaded.buffers, inputs).try_into_vec_as::<f64>().unwrap();
    let expected = numbers(&results[name]);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{name}: {found} instead of {expected}");
    }
}
