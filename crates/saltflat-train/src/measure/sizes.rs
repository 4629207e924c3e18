//! What is measured, and what cost, time and memory of a measurement depend on.

use saltflat_config::named_enum;

named_enum! {
    /// The samples that are measured.
    pub enum MeasuredSplit {
        /// The training samples.
        Train = "train",
        /// The test samples: how flat the test loss is.
        Test = "test",
    }
}

impl MeasuredSplit {
    /// As it stands before the word `samples`.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Test => "test",
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref)] // As serde asks for it.
    pub(crate) fn is_train(&self) -> bool {
        *self == Self::Train
    }
}

/// Sizes of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeasurementSizes {
    /// Training samples on which loss and accuracy are measured.
    pub train: usize,
    /// Test samples on which loss and accuracy are measured.
    pub test: usize,
    /// All samples of the split that is measured.
    pub all: usize,
    /// Samples of that split on which curvature is measured.
    pub subset: usize,
    /// The inner products of the alignment and the stability.
    pub pairs: PairsOptions,
    /// Parameter tensors of the network.
    pub tensors: usize,
    /// Outputs of the network.
    pub outputs: usize,
    /// Samples of a training step.
    pub batch_size: usize,
}

/// What the inner products of pairs of samples are measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairsOptions {
    /// Samples of one subset, of the split that is measured.
    pub samples: usize,
    /// Disjoint subsets.
    pub subsets: usize,
    /// Random sums of a sample's outputs in place of all of them.
    pub signs: Option<usize>,
    /// True if the alignment is on, whose inner products serve the stability, too.
    pub are_of_alignment: bool,
}

/// Those of the stability if the alignment is off, and the defaults of the alignment.
impl Default for PairsOptions {
    fn default() -> Self {
        Self { samples: 50, subsets: 1, signs: None, are_of_alignment: false }
    }
}

impl MeasurementSizes {
    /// Those of a part that is timed in place of the whole: at most so many samples of each set, and subsets of the alignment.
    pub fn part(self, samples: usize, subsets: usize) -> Self {
        let least = |all: usize| all.min(samples);
        let pairs = match self.pairs.are_of_alignment {
            true => PairsOptions { samples, subsets: self.pairs.subsets.min(subsets), ..self.pairs },
            false => self.pairs,
        };
        let [train, test, all, subset] = [self.train, self.test, self.all, self.subset].map(least);
        Self { train, test, all, subset, pairs, ..self }
    }
}

/// How a memory limit is shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Samples of one pass.
    pub microbatch: usize,
    /// Directions of one pass of quadratic forms.
    pub directions_per_pass: usize,
    /// Bytes for vectors in parameter space: Lanczos bases and sketches.
    pub vectors: usize,
    /// Bytes for the cotangents of a Gram matrix.
    pub cotangents: usize,
}

/// Products of a search for eigenvalues by the Lanczos method for each eigenvalue, a guess.
pub(super) const LANCZOS_PRODUCTS: usize = 8;

/// Rows beyond which the eigenvalues of a Gram matrix would take minutes.
pub(super) const MAX_GRAM_ROWS: usize = 3000;
