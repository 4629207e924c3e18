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
    /// The measurement was given up before its end, as its [`Interrupt`](crate::Interrupt) asked for.
    #[error("the measurement was interrupted")]
    Interrupted,
    /// What is measured has no value at this point: a number on the way overflowed.
    #[error("{0}")]
    NotFinite(String),
    /// What was asked for does not fit the memory that the measurement may take.
    #[error("{what} need {needed} MiB, the limit is {limit} MiB (metrics.memory_limit)")]
    Memory {
        /// What is to be held.
        what: String,
        /// MiB that it takes.
        needed: usize,
        /// MiB that there are.
        limit: usize,
    },
}

impl MetricError {
    /// Why the metric has no value, if the measurement as a whole can go on without it.
    ///
    /// # Errors
    /// Gives the error back if the measurement cannot go on.
    pub fn absence(self) -> Result<String, Self> {
        match self {
            Self::NotFinite(_) | Self::Memory { .. } => Ok(self.to_string()),
            Self::Device { .. } | Self::Interrupted => Err(self),
        }
    }
}

/// Reads a tensor back as f64.
pub(crate) fn read<const D: usize>(
    metric: &'static str,
    tensor: burn::tensor::Tensor<D>,
) -> Result<Vec<f64>, MetricError> {
    tensor.try_into_vec_as::<f64>().map_err(|e| MetricError::Device { metric, reason: e.to_string() })
}
