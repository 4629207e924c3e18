//! `saltflat outputs`: what a network gives for inputs from a file.

use std::{path::Path, process::ExitCode};

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use saltflat_kernels::init_thread_pool;
use saltflat_models::{Loaded, Renames};
use saltflat_record::{FolderError, read_regular, read_text};
use saltflat_train::{TrainError, config::Config, load_weights};

use crate::args::{OutputsArgs, Precision};

/// Samples of one pass.
const MICROBATCH: usize = 256;

pub fn run(args: &OutputsArgs) -> anyhow::Result<ExitCode> {
    let text = read_text(&args.config).map_err(|e| wrong(&args.config, e))?;
    let model = Config::read_model(&text, &args.config, &args.set).map_err(TrainError::from)?;
    let Some(outputs) = model.outputs else {
        let reason = "model.outputs is missing; expected the number of outputs, which no data tells here";
        return Err(wrong(&args.config, reason).into());
    };
    init_thread_pool().iter().for_each(|note| errln!("note: {note}"));
    let inputs = read_inputs(&args.inputs)?;
    let network = model.architecture.build(inputs.shape, outputs).map_err(TrainError::from)?;
    let device = Device::flex();
    let dtype = match args.precision {
        Precision::F32 => DType::F32,
        Precision::F64 => DType::F64,
    };
    if let Some(path) =
        [&args.weights, &args.inputs, &args.config].into_iter().find(|path| is_same_file(path, &args.out))
    {
        let reason = format!("expected another file than {}, which is read, got the same", path.display());
        return Err(TrainError::Option { option: "--out", reason }.into());
    }
    let renames = args.rename.iter().try_fold(Renames::default(), |mut renames, (old, new)| {
        renames.insert(old, new).map_err(|reason| TrainError::Option { option: "--rename", reason })?;
        Ok::<_, TrainError>(renames)
    })?;
    let Loaded { theta, buffers, notes } = load_weights(&args.weights, &network, &renames, &device, dtype)?;
    notes.iter().for_each(|note| errln!("note: {note}"));
    let [c, h, w] = inputs.shape;
    let mut bytes = Vec::new();
    for batch in inputs.values.chunks(MICROBATCH * c * h * w) {
        let data = TensorData::new(batch.to_vec(), [batch.len() / (c * h * w), c, h, w]);
        let found = network.value(&theta, &buffers, Tensor::from_data(data, (&device, dtype)));
        bytes.extend_from_slice(found.try_into_data()?.as_bytes());
    }
    let dtype = if dtype == DType::F64 { Dtype::F64 } else { Dtype::F32 };
    let view = TensorView::new(dtype, vec![inputs.samples, outputs], &bytes)?;
    let file = safetensors::serialize([("outputs", view)], None)?;
    saltflat_record::write_named(&args.out, &file)?;
    Ok(ExitCode::SUCCESS)
}

/// True if both paths lead to one file that is there.
fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Inputs of a network, one sample after the other.
struct Inputs {
    samples: usize,
    /// Channels, height and width of one.
    shape: [usize; 3],
    values: Vec<f64>,
}

/// A file that cannot be used.
fn wrong(path: &Path, reason: impl ToString) -> TrainError {
    TrainError::NotFound(FolderError::new(path, reason))
}

fn read_inputs(path: &Path) -> Result<Inputs, TrainError> {
    let failed = |reason: String| wrong(path, reason);
    let bytes = read_regular(path).map_err(|e| wrong(path, e))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| failed(format!("is not a safetensors file ({e})")))?;
    let Ok(view) = file.tensor("inputs") else {
        return Err(failed(format!("expected a tensor inputs, found {}", file.names().join(", "))));
    };
    let (samples, shape) = match *view.shape() {
        [n, d] => (n, [d, 1, 1]),
        [n, c, h, w] => (n, [c, h, w]),
        ref shape => {
            return Err(failed(format!("inputs: expected [n, d] or [n, channels, height, width], found {shape:?}")));
        }
    };
    if view.shape().contains(&0) {
        return Err(failed(format!("inputs: expected no axis of length 0, found {:?}", view.shape())));
    }
    let values: Vec<f64> = match view.dtype() {
        Dtype::F32 => view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes).into()).collect(),
        Dtype::F64 => view.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect(),
        found => return Err(failed(format!("inputs: expected F32 or F64, found {found:?}"))),
    };
    if let Some(bad) = values.iter().find(|x| !x.is_finite()) {
        return Err(failed(format!("inputs: expected finite numbers, found {bad}")));
    }
    Ok(Inputs { samples, shape, values })
}
