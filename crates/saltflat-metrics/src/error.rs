//! What can go wrong in a measurement.

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum MetricError {
    /// A number could not be read back from the device.
    #[error("the device failed during {metric}: {reason}")]
    Device {
        /// What was measured.
        metric: &'static str,
        /// What the backend said.
        reason: String,
    },
}

/// Reads a tensor back as f64.
pub(crate) fn read<const D: usize>(
    metric: &'static str,
    tensor: burn::tensor::Tensor<D>,
) -> Result<Vec<f64>, MetricError> {
    tensor.try_into_vec_as::<f64>().map_err(|e| MetricError::Device { metric, reason: e.to_string() })
}
