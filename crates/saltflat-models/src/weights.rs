//! Weights as safetensors files with PyTorch's names.

use std::{collections::HashMap, path::Path};

use burn::tensor::{DType, Device, Tensor, TensorData, bf16, f16};
use safetensors::{Dtype, tensor::TensorView};

use crate::{
    comparison::Found,
    error::ModelError,
    fit::{Fit, fit},
    layout::Layout,
    names::Renames,
    shards::Files,
    vector::Vector,
};

/// Serialises a point: parameters and buffers under their names, f32 or f64 as they are. Equal points give equal bytes.
///
/// # Errors
/// [`ModelError::File`] if the numbers cannot be read from the device; the caller writes the bytes.
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

/// Weights that were read.
#[derive(Debug)]
pub struct Loaded {
    /// The parameters, in the order of the layout.
    pub theta: Vector,
    /// The buffers, in the order of the layout.
    pub buffers: Vector,
    /// What a person should know of them, a sentence each: names that were changed, axes of length 1, half precision.
    pub notes: Vec<String>,
}

/// [`load_renamed`] with no map of names and without its notes.
///
/// # Errors
/// As [`load_renamed`].
pub fn load(path: &Path, layout: &Layout, device: &Device, dtype: DType) -> Result<(Vector, Vector), ModelError> {
    let Loaded { theta, buffers, .. } = load_renamed(path, layout, &Renames::default(), device, dtype)?;
    Ok((theta, buffers))
}

/// Reads parameters and buffers of a network from a safetensors file, or from several that an index names (`model.safetensors.index.json`, as
/// Hugging Face's libraries write it). The names are PyTorch's after the map `renames`. If they do not fit, these are tried, and the notes say which
/// fits:
///
/// * without one beginning that all names have, such as `module.` (`DataParallel`), `_orig_mod.` (`torch.compile`), `model.`, `net.`, also several
///   (`_orig_mod.module.`);
/// * `shortcut` for `downsample` and `linear` for `fc` in a ResNet, and `classifier` for `classifier.0` in a VGG, as kuangliu/pytorch-cifar names them.
///
/// Numbers are F32 or F64, or F16 and BF16, whose numbers are all f32 numbers (a note says so). Shapes may differ by axes of length 1.
/// `num_batches_tracked` and `n_averaged` are passed over.
///
/// # Errors
/// [`ModelError::File`] if a file cannot be read (a pickle of PyTorch's is refused) or a number in it is not finite, [`ModelError::Rename`] if the
/// map does not suit the names, [`ModelError::Weights`] if the tensors are not the network's; the message shows those that differ side by side.
pub fn load_renamed(
    path: &Path,
    layout: &Layout,
    renames: &Renames,
    device: &Device,
    dtype: DType,
) -> Result<Loaded, ModelError> {
    let files = Files::read(path)?;
    let stored = files.tensors()?;
    let Fit { tensors, notes } = fit(path, &stored, layout, renames)?;
    let failed = |reason: String| ModelError::File { path: path.into(), reason };
    let read = |found: &Found<'_>| {
        let (name, view) = (found.name, found.view);
        let values = floats(view).ok_or_else(|| {
            let text = format!("{name} is {:?}, expected F32, F64, F16 or BF16", view.dtype());
            failed(format!("{text}; in PyTorch tensor.float() makes it F32"))
        })?;
        if let Some(bad) = values.iter().find(|x| !x.is_finite()) {
            return Err(failed(format!("{name} holds {bad}, expected finite numbers")));
        }
        let length = values.len();
        Ok(Tensor::from_data(TensorData::new(values, [length]), (device, dtype)))
    };
    let (parameters, buffers) = tensors.split_at(layout.parameters.len());
    let vector = |part: &[Found<'_>]| part.iter().map(read).collect::<Result<Vec<_>, _>>().map(Vector::new);
    Ok(Loaded { theta: vector(parameters)?, buffers: vector(buffers)?, notes })
}

/// The notes that [`load_renamed`] would give.
///
/// # Errors
/// As [`load_renamed`], except that numbers are not looked at.
pub fn load_notes(path: &Path, layout: &Layout, renames: &Renames) -> Result<Vec<String>, ModelError> {
    Ok(fit(path, &Files::read(path)?.tensors()?, layout, renames)?.notes)
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
