//! Samples in host memory.

use serde::Serialize;

use crate::error::DataError;

/// One split on the host: n inputs of one shape and their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples {
    pub(crate) shape: [usize; 3],
    pub(crate) inputs: Inputs,
    pub(crate) labels: Labels,
}

/// Inputs, one sample after the other; within a sample the axes are channels, rows, columns.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// Images of 8 bits; 255 stands for 1.
    Bytes(Vec<u8>),
    /// Numbers that are used as they are.
    Floats(Vec<f32>),
}

/// Labels of n samples.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// One of `classes` classes each.
    Classes {
        /// `[n]`, each less than `classes`.
        labels: Vec<u32>,
        /// Number of classes.
        classes: usize,
    },
    /// Real targets.
    Real {
        /// `[n, outputs]`, row-major.
        values: Vec<f32>,
        /// Numbers a sample.
        outputs: usize,
    },
}

/// A dataset on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Splits {
    /// The training split.
    pub train: Examples,
    /// The test split, if there is one.
    pub test: Option<Examples>,
    /// How images are standardised; none if the configuration does not ask for it, and for tensors.
    pub standardise: Option<Standardise>,
    /// The files that were read, each with the SHA-256 (hexadecimal) of its content; of MNIST decompressed.
    pub source: Vec<(String, String)>,
    /// What was done to the samples that their files do not say, a sentence each.
    pub notes: Vec<String>,
}

/// Mean and standard deviation of each channel, of inputs scaled to [0, 1].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standardise {
    /// `[channels]`
    pub mean: Vec<f32>,
    /// `[channels]`
    pub std: Vec<f32>,
}

impl Examples {
    /// Samples of the shape `[channels, height, width]`.
    ///
    /// # Errors
    /// [`DataError::Examples`] if the lengths do not belong together, an axis is 0, or a label is not a class.
    pub fn new(shape: [usize; 3], inputs: Inputs, labels: Labels) -> Result<Self, DataError> {
        let examples = Self { shape, inputs, labels };
        let wrong = |reason: String| Err(DataError::Examples { reason });
        let (entries, n) = (examples.inputs.len(), examples.labels.len());
        if shape.contains(&0) {
            return wrong(format!("expected a shape with no axis of length 0, found {shape:?}"));
        }
        if matches!(&examples.labels, Labels::Real { values, outputs } if *outputs == 0 || values.len() % outputs != 0)
        {
            return wrong("expected the same number of targets, at least one, for each sample".into());
        }
        if shape.iter().try_fold(n, |product, &axis| product.checked_mul(axis)) != Some(entries) {
            return wrong(format!(
                "expected {n} samples like their labels, of shape {shape:?}; found {entries} entries"
            ));
        }
        if let Labels::Classes { labels, classes } = &examples.labels
            && let Some(label) = labels.iter().find(|&&label| label as usize >= *classes)
        {
            return wrong(format!("expected labels less than {classes}, found {label}"));
        }
        Ok(examples)
    }

    /// Number of samples n.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True if there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of one input: `[channels, height, width]`. Vectors of d numbers have the shape `[d, 1, 1]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The inputs, `[n, channels, height, width]` row-major.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The labels.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Entries of one input.
    pub(crate) fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// The samples at these indices, in their order.
    pub(crate) fn select(&self, indices: &[usize]) -> Self {
        let width = self.width();
        let inputs = match &self.inputs {
            Inputs::Bytes(bytes) => Inputs::Bytes(rows(bytes, width, indices)),
            Inputs::Floats(floats) => Inputs::Floats(rows(floats, width, indices)),
        };
        let labels = match &self.labels {
            Labels::Classes { labels, classes } => {
                Labels::Classes { labels: rows(labels, 1, indices), classes: *classes }
            }
            Labels::Real { values, outputs } => {
                Labels::Real { values: rows(values, *outputs, indices), outputs: *outputs }
            }
        };
        Self { shape: self.shape, inputs, labels }
    }

    /// Keeps the first `n` samples.
    pub(crate) fn truncate(&mut self, n: usize) {
        let width = self.width();
        match &mut self.inputs {
            Inputs::Bytes(bytes) => bytes.truncate(n * width),
            Inputs::Floats(floats) => floats.truncate(n * width),
        }
        match &mut self.labels {
            Labels::Classes { labels, .. } => labels.truncate(n),
            Labels::Real { values, outputs } => values.truncate(n * *outputs),
        }
    }
}

impl Inputs {
    /// Number of entries of all samples together.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Floats(floats) => floats.len(),
        }
    }

    /// True if there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Labels {
    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes { labels, .. } => labels.len(),
            Self::Real { values, outputs } => values.len() / (*outputs).max(1),
        }
    }

    /// True if there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if two samples have the same label.
    pub(crate) fn are_equal(&self, a: usize, b: usize) -> bool {
        match self {
            Self::Classes { labels, .. } => labels[a] == labels[b],
            Self::Real { values, outputs } => {
                let target = |i: usize| &values[i * outputs..(i + 1) * outputs];
                target(a) == target(b)
            }
        }
    }

    /// Outputs that a network needs for these labels: the number of classes, or of targets a sample.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Classes { classes, .. } => *classes,
            Self::Real { outputs, .. } => *outputs,
        }
    }
}

fn rows<T: Copy>(data: &[T], width: usize, indices: &[usize]) -> Vec<T> {
    indices.iter().flat_map(|&i| &data[i * width..(i + 1) * width]).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_by_three() -> Examples {
        let labels = Labels::Real { values: vec![1.0, 2.0, 3.0, 4.0], outputs: 2 };
        Examples::new([3, 1, 1], Inputs::Bytes(vec![0, 51, 255, 1, 2, 3]), labels).unwrap()
    }

    #[test]
    fn selecting_keeps_the_order_of_the_indices() {
        let chosen = two_by_three().select(&[1, 0, 1]);
        assert_eq!(chosen.inputs, Inputs::Bytes(vec![1, 2, 3, 0, 51, 255, 1, 2, 3]));
        assert_eq!(chosen.labels, Labels::Real { values: vec![3.0, 4.0, 1.0, 2.0, 3.0, 4.0], outputs: 2 });
    }

    #[test]
    fn parts_that_do_not_belong_together_are_refused() {
        let classes = |labels: Vec<u32>| Labels::Classes { labels, classes: 2 };
        let error = |shape, inputs, labels| Examples::new(shape, inputs, labels).unwrap_err().to_string();
        assert_eq!(
            error([2, 1, 1], Inputs::Floats(vec![0.0; 3]), classes(vec![0, 1])),
            "examples: expected 2 samples like their labels, of shape [2, 1, 1]; found 3 entries"
        );
        assert_eq!(
            error([1, 1, 1], Inputs::Floats(vec![0.0; 2]), classes(vec![0, 2])),
            "examples: expected labels less than 2, found 2"
        );
        assert!(error([0, 1, 1], Inputs::Floats(vec![]), classes(vec![0])).contains("no axis of length 0"));
        let ragged = Labels::Real { values: vec![0.0; 3], outputs: 2 };
        assert!(error([1, 1, 1], Inputs::Floats(vec![0.0]), ragged).contains("same number of targets"));
    }
}
