//! How large a network may be: a configuration of a line can ask for any number of weights.

use super::{Architecture, Lenet, LinearNet, Mlp, RandomFeatures, Resnet, ResnetFixup, Vgg, wrong};
use crate::{Layout, ModelError};

/// Units of a layer, or outputs.
const MOST_UNITS: usize = 1 << 24;
/// Channels that a width counts; of the last stage up to 128 times as many.
const MOST_CHANNELS: usize = 1 << 16;
/// Stages of a residual network, each twice as wide as the one before.
const MOST_STAGES: usize = 8;
/// Layers or blocks.
const MOST_LAYERS: usize = 1000;
/// Numbers of all tensors together.
const MOST_NUMBERS: usize = 1 << 32;

impl Architecture {
    /// Refuses what could not be counted or listed.
    pub(super) fn check_sizes(&self, outputs: usize) -> Result<(), ModelError> {
        let hidden = |hidden: &[usize]| {
            let widest = hidden.iter().copied().max().unwrap_or(0);
            vec![("model.hidden", widest, MOST_UNITS), ("model.hidden (number of layers)", hidden.len(), MOST_LAYERS)]
        };
        let width = |width: usize| ("model.width", width, MOST_CHANNELS);
        let mut sizes = match self {
            Self::Mlp(Mlp { hidden: all, .. }) | Self::LinearNet(LinearNet { hidden: all, .. }) => hidden(all),
            Self::Vgg(model @ Vgg { hidden: all, .. }) => [vec![width(model.width)], hidden(all)].concat(),
            Self::Lenet(Lenet { width: m, .. }) => vec![width(*m)],
            Self::ResnetFixup(ResnetFixup { width: m, depth, .. }) => {
                vec![width(*m), ("model.depth", *depth, 2 * MOST_LAYERS + 2)]
            }
            Self::Resnet(Resnet { width: m, blocks, .. }) => vec![
                width(*m),
                ("model.blocks (number of stages)", blocks.len(), MOST_STAGES),
                ("model.blocks (all together)", blocks.iter().fold(0, |all, n| all.saturating_add(*n)), MOST_LAYERS),
            ],
            Self::RandomFeatures(RandomFeatures { features, .. }) => vec![("model.features", *features, MOST_UNITS)],
        };
        sizes.push(("model.outputs", outputs, MOST_UNITS));
        match sizes.into_iter().find(|(_, size, most)| size > most) {
            Some((key, size, most)) => Err(wrong(key, format!("at most {most}"), size)),
            None => Ok(()),
        }
    }
}

/// Refuses what could not be held.
pub(super) fn check_total(layout: &Layout) -> Result<(), ModelError> {
    let numbers =
        layout.parameters.iter().chain(&layout.buffers).fold(0, |all: usize, spec| all.saturating_add(spec.len()));
    match numbers > MOST_NUMBERS {
        true => Err(wrong("model", format!("a network of at most {MOST_NUMBERS} numbers"), numbers)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Initialisation, layers::Activation, models::Norm};

    /// Each was an overflow, a list without end or an allocation that ended the program.
    #[test]
    fn networks_that_no_machine_holds_are_refused() {
        let (activation, init) = (Activation::Relu, Initialisation::Default);
        let mlp = |hidden: Vec<usize>| Architecture::Mlp(Mlp { hidden, activation, init });
        let resnet = |width, blocks| {
            Architecture::Resnet(Resnet { width, blocks, norm: Norm::None, channels_per_group: 1, activation, init })
        };
        for (model, expected) in [
            (mlp(vec![usize::MAX]), "model.hidden: expected at most 16777216"),
            (mlp(vec![1 << 24; 2]), "model: expected a network of at most 4294967296 numbers"),
            (mlp(vec![1; 1001]), "model.hidden (number of layers): expected at most 1000"),
            (resnet(1 << 60, vec![2]), "model.width: expected at most 65536"),
            (resnet(4, vec![1; 70]), "model.blocks (number of stages): expected at most 8"),
            (resnet(4, vec![usize::MAX, 2]), "model.blocks (all together): expected at most 1000"),
            (resnet(1 << 16, vec![2; 8]), "model: expected a network"),
            (
                Architecture::ResnetFixup(ResnetFixup { depth: 600_002, width: 4, activation }),
                "model.depth: expected at most 2002",
            ),
        ] {
            let error = model.build([3, 32, 32], 10).expect_err("too large").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let error = mlp(vec![4]).build([3, 32, 32], usize::MAX).expect_err("too large").to_string();
        assert!(error.starts_with("model.outputs: expected at most"), "{error}");
    }
}
