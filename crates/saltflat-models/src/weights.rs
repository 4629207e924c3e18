//! Weights as safetensors files with PyTorch's names.

use std::{collections::HashMap, fs, path::Path};

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{Layout, ModelError, TensorSpec, Vector, foreign::refusal};

/// How many differing tensors a message names.
const NAMED: usize = 5;

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

/// Reads parameters and buffers of a network from a safetensors file with PyTorch's names, F32 or F64.
///
/// # Errors
/// [`ModelError::File`] where the file cannot be read (a pickle of PyTorch's is refused) or a number in it is not finite, [`ModelError::Weights`] where its
/// tensors are not the network's; the message names the first that differ.
pub fn load(path: &Path, layout: &Layout, device: &Device, dtype: DType) -> Result<(Vector, Vector), ModelError> {
    let failed = |reason: String| ModelError::File { path: path.into(), reason };
    let bytes = fs::read(path).map_err(|e| failed(e.to_string()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| failed(refusal(path, &bytes, &e.to_string())))?;
    let differences = differences(&file, layout);
    if !differences.is_empty() {
        let more = differences.len().saturating_sub(NAMED);
        let mut text = differences[..differences.len().min(NAMED)].join("; ");
        if more > 0 {
            text.push_str(&format!("; and {more} more"));
        }
        return Err(ModelError::Weights { path: path.into(), differences: text });
    }
    let read = |specs: &[TensorSpec]| {
        let parts = specs.iter().map(|spec| {
            let view = file.tensor(&spec.name).map_err(|e| failed(e.to_string()))?;
            let values = floats(&view).ok_or_else(|| failed(format!("{} is not F32 or F64", spec.name)))?;
            if let Some(bad) = values.iter().find(|x| !x.is_finite()) {
                return Err(failed(format!("{} holds {bad}, expected finite numbers", spec.name)));
            }
            Ok(Tensor::from_data(TensorData::new(values, [spec.len()]), (device, dtype)))
        });
        parts.collect::<Result<Vec<_>, _>>().map(Vector::new)
    };
    Ok((read(&layout.parameters)?, read(&layout.buffers)?))
}

/// What is missing, has another shape or is not known, in the layout's order.
fn differences(file: &SafeTensors<'_>, layout: &Layout) -> Vec<String> {
    let specs = || layout.parameters.iter().chain(&layout.buffers);
    let mut found = Vec::new();
    for spec in specs() {
        match file.tensor(&spec.name) {
            Err(_) => found.push(format!("{} {:?} is missing", spec.name, spec.shape)),
            Ok(view) if view.shape() != spec.shape => {
                found.push(format!("{} is {:?}, expected {:?}", spec.name, view.shape(), spec.shape));
            }
            Ok(_) => {}
        }
    }
    let mut unknown: Vec<_> = file
        .names()
        .into_iter()
        .filter(|name| !name.ends_with("num_batches_tracked") && specs().all(|spec| spec.name != **name))
        .collect();
    unknown.sort_unstable();
    found.extend(unknown.into_iter().map(|name| format!("{name} is not a tensor of the network")));
    found
}

fn floats(view: &TensorView<'_>) -> Option<Vec<f64>> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => {
            Some(bytes.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect())
        }
        Dtype::F64 => {
            Some(bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap_or_default())).collect())
        }
        _ => None,
    }
}
