//! How large a network may be: a configuration of a line can ask for any number of weights.

use crate::{error::ModelError, layout::Layout};

/// Units of a layer, or outputs.
const MOST_UNITS: usize = 1 << 24;
/// Channels that a width counts; the last stage has up to 128 times as many.
const MOST_CHANNELS: usize = 1 << 16;
/// Stages of a residual network, each twice as wide as the one before.
const MOST_STAGES: usize = 8;
/// Layers or blocks.
pub(crate) const MOST_LAYERS: usize = 1000;
/// Numbers of a layer's output for one sample, a gibibyte of f32.
const MOST_ACTIVATIONS: usize = 1 << 28;
/// Numbers of all tensors together.
const MOST_NUMBERS: usize = 1 << 32;

/// A size that a configuration chooses, and the largest that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The full name of its key, such as `model.width`.
    pub key: &'static str,
    /// The size.
    pub value: usize,
    /// The largest that is accepted.
    pub most: usize,
}

impl Size {
    /// Units of a layer.
    pub fn units(key: &'static str, value: usize) -> Self {
        Self { key, value, most: MOST_UNITS }
    }

    /// `model.width`, in channels.
    pub fn width(value: usize) -> Self {
        Self { key: "model.width", value, most: MOST_CHANNELS }
    }

    /// Layers, or blocks of layers.
    pub fn layers(key: &'static str, value: usize) -> Self {
        Self { key, value, most: MOST_LAYERS }
    }

    /// Stages, each twice as wide as the one before.
    pub fn stages(key: &'static str, value: usize) -> Self {
        Self { key, value, most: MOST_STAGES }
    }

    /// `model.hidden`: the widest layer, and the number of layers.
    pub fn hidden(hidden: &[usize]) -> Vec<Self> {
        let widest = hidden.iter().copied().max().unwrap_or(0);
        vec![Self::units("model.hidden", widest), Self::layers("model.hidden (number of layers)", hidden.len())]
    }
}

/// Refuses what could not be counted or listed.
pub(crate) fn check_sizes(sizes: Vec<Size>, outputs: usize) -> Result<(), ModelError> {
    let outputs = Size::units("model.outputs", outputs);
    match sizes.into_iter().chain([outputs]).find(|size| size.value > size.most) {
        Some(Size { key, value, most }) => Err(ModelError::config(key, format!("at most {most}"), value)),
        None => Ok(()),
    }
}

/// Refuses an activation that could not be held.
pub(crate) fn check_shape(key: &str, shape: [usize; 3]) -> Result<(), ModelError> {
    let size = shape.iter().fold(1, |all: usize, n| all.saturating_mul(*n));
    match size > MOST_ACTIVATIONS {
        true => {
            let expected = format!("an output of at most {MOST_ACTIVATIONS} numbers a sample");
            Err(ModelError::config(key, expected, format!("{shape:?}")))
        }
        false => Ok(()),
    }
}

/// Refuses what could not be held.
pub(crate) fn check_total(layout: &Layout) -> Result<(), ModelError> {
    let numbers =
        layout.parameters.iter().chain(&layout.buffers).fold(0, |all: usize, spec| all.saturating_add(spec.len()));
    match numbers > MOST_NUMBERS {
        true => Err(ModelError::config("model", format!("a network of at most {MOST_NUMBERS} numbers"), numbers)),
        false => Ok(()),
    }
}

/// `value`, if it is at least 1.
pub(crate) fn require_positive(key: &str, value: usize) -> Result<usize, ModelError> {
    if value == 0 { Err(ModelError::config(key, "at least 1", value)) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use crate::{
        architecture::{AnyArchitecture, Architecture},
        architectures::{Mlp, Norm, Resnet, ResnetFixup},
        init::Initialisation,
        layers::Activation,
    };

    /// Each was an overflow, a list without end or an allocation that ended the program.
    #[test]
    fn networks_that_no_machine_holds_are_refused() {
        let (activation, init) = (Activation::Relu, Initialisation::Default);
        let mlp = |hidden: Vec<usize>| Mlp { hidden, activation, init };
        let resnet = |width, blocks| {
            let (norm, channels_per_group) = (Norm::None, 1);
            AnyArchitecture::from(Resnet { width, blocks, norm, channels_per_group, activation, init })
        };
        for (model, expected) in [
            (mlp(vec![usize::MAX]).into(), "model.hidden: expected at most 16777216"),
            (mlp(vec![1 << 24; 2]).into(), "model: expected a network of at most 4294967296 numbers"),
            (mlp(vec![1; 1001]).into(), "model.hidden (number of layers): expected at most 1000"),
            (resnet(1 << 60, vec![2]), "model.width: expected at most 65536"),
            (resnet(4, vec![1; 70]), "model.blocks (number of stages): expected at most 8"),
            (resnet(4, vec![usize::MAX, 2]), "model.blocks (all together): expected at most 1000"),
            (resnet(1 << 16, vec![2; 8]), "model: expected a network"),
            (ResnetFixup { depth: 600_002, width: 4, activation }.into(), "model.depth: expected at most 2002"),
        ] {
            let error = model.build([3, 32, 32], 10).expect_err("too large").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let error = mlp(vec![4]).build([3, 32, 32], usize::MAX).expect_err("too large").to_string();
        assert!(error.starts_with("model.outputs: expected at most"), "{error}");
    }
}
