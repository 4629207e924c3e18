//! The purposes of draws.

/// What a draw is for. Each purpose has a sequence of its own.
///
/// The numbers are part of what a seed means: never reuse or renumber one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Stream {
    /// Initial parameters; step = index of the tensor.
    Init = 1,
    /// Order of the samples; step = epoch.
    BatchOrder = 2,
    /// Crops and flips; step = training step.
    Augmentation = 3,
    /// Label flips and label noise; step = training step.
    LabelNoise = 4,
    /// Noise added to the parameters; step = training step.
    ParameterNoise = 5,
    /// Hutchinson probes; step = training step of the measurement.
    Probe = 6,
    /// The samples on which a metric is measured; step = index of the subset.
    Subset = 7,
    /// Random labels and zeroed pixels of the adversarial set; step = index of the image.
    Adversarial = 8,
    /// Start vectors of eigenvalue searches; step = training step of the measurement.
    Eigenvalue = 9,
    /// Probes of spectral densities; step = training step of the measurement.
    Spectrum = 10,
    /// Batches on which sharpness is measured; step = training step of the measurement.
    BatchSample = 11,
    /// Random sums of outputs; step = training step of the measurement.
    OutputSigns = 12,
    /// Random directions of loss slices; step = index of the direction.
    Slice = 13,
    /// Noise at the network's outputs; step = training step.
    OutputNoise = 14,
    /// Gaussian noise on the gradient; step = training step.
    GradientNoise = 15,
    /// Data and start of a lab; step = 0.
    Lab = 16,
    /// Every draw along a trajectory of a lab, in one sequence; step = 0, part = the trial's.
    LabNoise = 17,
    /// Inputs of a synthetic dataset; step = index of the split.
    Synthetic = 18,
    /// The samples of a dataset that are kept; step = 0.
    DataSample = 19,
    /// Samples of a batch that is drawn by itself; step = training step.
    BatchSubset = 20,
    /// Which activations dropout keeps; step = training step, part = the dropout layer's place in the forward pass.
    Dropout = 21,
}
