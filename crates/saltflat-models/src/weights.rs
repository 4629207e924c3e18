//! Weights as safetensors files with PyTorch's names.

use std::{collections::HashMap, path::Path};

use burn::tensor::{DType, Device, Tensor, TensorData, bf16, f16};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use saltflat_record::read_regular;

use crate::{Layout, ModelError, TensorSpec, Vector, differences::differences, foreign::refusal};

/// Serialises a point: parameters and buffers under their names, f32 or f64 as they are. Equal points give equal bytes.
///
/// # Errors
/// [`ModelError::File`] where the numbers cannot be read from the device; the caller writes the bytes.
pub fn save(layout: &Layout, theta: &Vector, buffers: &Vector) -> Result<Vec<u8>, ModelError> {
    let failed = |reason: String| ModelError::File { path: "checkpoint".into(), reason };
    let mut tensors = Vec::new();
    for (specs, vector) in [(&layout.parameters, theta), (&layout.buffers, buffers)] {
        for (spec, part) in specs.iter().zip(vector.parts()) {
            let data =
                part.clone().without_autodiff().try_into_data().map_err(|e| failed(format!("{}: {e}", spec.name)))?;
            let dtype = if data.dtype() == DType::F64 { Dtype::F64 } else { Dtype::F32 };
            tensors.push((spec, dtype, data));
        }
    }
    let views = tensors
        .iter()
        .map(|(spec, dtype, data)| {
            TensorView::new(*dtype, spec.shape.clone(), data.as_bytes())
                .map(|view| (spec.name.as_str(), view))
                .map_err(|e| failed(format!("{}: {e}", spec.name)))
        })
        .collect::<Result<Vec<_>, _>>()?;
    // One entry only: the library writes several in an order that changes from process to process.
    let metadata = HashMap::from([("format".into(), "pt".into())]);
    safetensors::serialize(views, Some(metadata)).map_err(|e| failed(e.to_string()))
}

/// Reads parameters and buffers of a network from a safetensors file with PyTorch's names, F32 or F64; F16 and BF16, whose numbers are all f32
/// numbers, are taken too ([`half_precision`] says so).
///
/// # Errors
/// [`ModelError::File`] where the file cannot be read (a pickle of PyTorch's is refused) or a number in it is not finite, [`ModelError::Weights`] where its
/// tensors are not the network's; the message names the first that differ.
pub fn load(path: &Path, layout: &Layout, device: &Device, dtype: DType) -> Result<(Vector, Vector), ModelError> {
    let failed = |reason: String| ModelError::File { path: path.into(), reason };
    let bytes = read_regular(path).map_err(|e| failed(e.to_string()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| failed(refusal(path, &bytes, &e.to_string())))?;
    if let Some(differences) = differences(path, &file, layout) {
        return Err(ModelError::Weights { path: path.into(), differences });
    }
    let read = |specs: &[TensorSpec]| {
        let parts = specs.iter().map(|spec| {
            let view = file.tensor(&spec.name).map_err(|e| failed(e.to_string()))?;
            let values = floats(&view).ok_or_else(|| {
                let text = format!("{} is {:?}, expected F32, F64, F16 or BF16", spec.name, view.dtype());
                failed(format!("{text}; in PyTorch tensor.float() makes it F32"))
            })?;
            if let Some(bad) = values.iter().find(|x| !x.is_finite()) {
                return Err(failed(format!("{} holds {bad}, expected finite numbers", spec.name)));
            }
            Ok(Tensor::from_data(TensorData::new(values, [spec.len()]), (device, dtype)))
        });
        parts.collect::<Result<Vec<_>, _>>().map(Vector::new)
    };
    Ok((read(&layout.parameters)?, read(&layout.buffers)?))
}

/// A sentence about a weights file with tensors in half precision, for the person who names it: what is measured is measured at rounded weights.
///
/// # Errors
/// [`ModelError::File`] where the file cannot be read.
pub fn half_precision(path: &Path) -> Result<Option<String>, ModelError> {
    let failed = |reason: String| ModelError::File { path: path.into(), reason };
    let bytes = read_regular(path).map_err(|e| failed(e.to_string()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| failed(refusal(path, &bytes, &e.to_string())))?;
    let half = |view: &TensorView<'_>| matches!(view.dtype(), Dtype::F16 | Dtype::BF16);
    let mut all: Vec<_> = file.iter().filter(|(_, view)| half(view)).collect();
    all.sort_unstable_by_key(|(name, _)| *name);
    Ok(all.first().map(|(name, view)| {
        format!(
            "{}: {} tensors are in half precision (such as {name}, {:?}); they are read as f32, which keeps their numbers, but these were \
             rounded when they were stored",
            path.display(),
            all.len(),
            view.dtype()
        )
    }))
}

fn floats(view: &TensorView<'_>) -> Option<Vec<f64>> {
    fn of<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        bytes.as_chunks::<N>().0.iter().map(|bytes| number(*bytes)).collect()
    }
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => Some(of(bytes, |b| f32::from_le_bytes(b).into())),
        Dtype::F64 => Some(of(bytes, f64::from_le_bytes)),
        Dtype::F16 => Some(of(bytes, |b| f16::from_le_bytes(b).into())),
        Dtype::BF16 => Some(of(bytes, |b| bf16::from_le_bytes(b).into())),
        _ => None,
    }
}
