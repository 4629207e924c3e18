//! The targets of a batch.

/// The targets of one batch on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets {
    /// `[batch, outputs]`, row-major; the expected targets q before the noise, the drawn ones q̂ after it.
    pub values: Vec<f32>,
    /// Number of outputs C.
    pub outputs: usize,
    /// The clean classes, `[batch]`; absent for real targets.
    pub labels: Option<Vec<u32>>,
}
