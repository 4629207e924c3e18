//! Files of what a measurement found in parameter space.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use burn::tensor::DType;
use saltflat_metrics::{Eigenvalue, Samples};
use saltflat_models::{Layout, Vector};
use saltflat_record::FolderError;
use serde_json::{Map, Value, json};

use super::context::MeasuredVectors;
use crate::{Plan, TrainError};

impl MeasuredVectors {
    /// What the metadata of the files say beside the numbers: the measured loss and the samples of the curvature.
    pub fn about(plan: &Plan) -> BTreeMap<String, String> {
        let samples = plan.config.metrics.samples.unwrap_or_else(|| plan.measured_samples().len());
        BTreeMap::from([
            ("measured_loss".into(), plan.recorded_loss().to_string()),
            ("samples".into(), samples.to_string()),
        ])
    }

    /// Writes safetensors files into a folder, and returns their paths: the tensors have the names and shapes of the network's parameters,
    /// and the number type of the measurement.
    ///
    /// * `diagonal.safetensors`: the diagonal of H; `diagonal_std_error.safetensors`: the standard error of each entry, if there are two
    ///   probes.
    /// * `eigenvectors.safetensors`: eigenvector k (0 belongs to the largest eigenvalue) under the names with the prefix `k.`, such as
    ///   `0.fc.weight`. The metadata hold the JSON lists `eigenvalues`, `residuals` (‖Hv − λv‖) and `converged`.
    ///
    /// `about` is added to the metadata of each.
    ///
    /// # Errors
    /// If numbers cannot be read from the device, or a file cannot be written.
    pub fn write(
        &self,
        folder: &Path,
        layout: &Layout,
        about: &BTreeMap<String, String>,
    ) -> Result<Vec<PathBuf>, TrainError> {
        let failed = |e: std::io::Error| FolderError::new(folder, e);
        fs::create_dir_all(folder).map_err(failed)?;
        let mut files = Vec::new();
        let mut write = |name: &str, vectors: &[(String, &Vector)], more: &[(&str, String)]| {
            let path = folder.join(name).with_extension("safetensors");
            let mut metadata = about.clone();
            metadata.insert("format".into(), "pt".into());
            metadata.extend(more.iter().map(|(key, value)| ((*key).into(), value.clone())));
            saltflat_record::write(&path, &to_bytes(layout, vectors, &metadata)?)?;
            files.push(path);
            Ok::<(), TrainError>(())
        };
        if let Some(diagonal) = &self.diagonal {
            let probes = [("probes", diagonal.probes.to_string())];
            write("diagonal", &[(String::new(), &diagonal.values)], &probes)?;
            if let Some(errors) = &diagonal.std_errors {
                write("diagonal_std_error", &[(String::new(), errors)], &probes)?;
            }
        }
        if !self.eigenpairs.is_empty() {
            let vectors: Vec<_> =
                self.eigenpairs.iter().enumerate().map(|(k, (_, vector))| (format!("{k}."), vector)).collect();
            let list = |of: fn(&Eigenvalue) -> Value| {
                json!(self.eigenpairs.iter().map(|(eigenvalue, _)| of(eigenvalue)).collect::<Vec<_>>()).to_string()
            };
            let metadata = [
                ("eigenvalues", list(|eigenvalue| json!(eigenvalue.value))),
                ("residuals", list(|eigenvalue| json!(eigenvalue.residual))),
                ("converged", list(|eigenvalue| json!(eigenvalue.converged))),
            ];
            write("eigenvectors", &vectors, &metadata)?;
        }
        Ok(files)
    }
}

/// A safetensors file of vectors in parameter space, each with a prefix of its names. The library writes metadata of several entries in an
/// order that changes from process to process; here equal vectors give equal bytes.
fn to_bytes(
    layout: &Layout,
    vectors: &[(String, &Vector)],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, TrainError> {
    let mut header = Map::from_iter([("__metadata__".to_string(), json!(metadata))]);
    let mut numbers: Vec<u8> = Vec::new();
    for (prefix, vector) in vectors {
        for (spec, part) in layout.parameters.iter().zip(vector.parts()) {
            let name = format!("{prefix}{}", spec.name);
            let data = part.clone().without_autodiff().try_into_data();
            let data = data.map_err(|e| TrainError::Training(format!("{name}: {e}")))?;
            let dtype = if data.dtype() == DType::F64 { "F64" } else { "F32" };
            let start = numbers.len();
            numbers.extend_from_slice(data.as_bytes());
            let entry = json!({ "dtype": dtype, "shape": spec.shape, "data_offsets": [start, numbers.len()] });
            header.insert(name, entry);
        }
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    // The numbers start at a multiple of eight bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend(numbers);
    Ok(bytes)
}
