//! Architectures, one a file, with PyTorch's names for their tensors.

mod lenet;
mod limits;
mod linear_net;
mod mlp;
mod random_features;
mod resnet;
mod resnet_fixup;
mod vgg;

use serde::Serialize;

pub use lenet::Lenet;
pub use linear_net::LinearNet;
pub use mlp::Mlp;
pub use random_features::RandomFeatures;
pub use resnet::Resnet;
pub use resnet_fixup::ResnetFixup;
pub use vgg::Vgg;

use crate::{
    Init, Initialisation, Layout, ModelError, Network, Stage,
    layers::{Activation, BatchNorm, Conv2d, GroupNorm, Linear, Window},
};

/// What a configuration says about its network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelConfig {
    /// Which one.
    #[serde(flatten)]
    pub architecture: Architecture,
    /// Number of outputs C; absent: as many as the data has classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outputs: Option<usize>,
}

/// An architecture and its choices.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[allow(missing_docs)] // The variants are documented where their structs are.
pub enum Architecture {
    Mlp(Mlp),
    Lenet(Lenet),
    Vgg(Vgg),
    Resnet(Resnet),
    ResnetFixup(ResnetFixup),
    LinearNet(LinearNet),
    RandomFeatures(RandomFeatures),
}

impl Architecture {
    /// Names in configurations.
    pub const NAMES: [&str; 7] = ["mlp", "lenet", "vgg", "resnet", "resnet-fixup", "linear-net", "random-features"];

    /// The network from images `[channels, height, width]` to `outputs` numbers.
    ///
    /// # Errors
    /// [`ModelError::Config`] where the choices make no network for such images.
    pub fn build(&self, input: [usize; 3], outputs: usize) -> Result<Network, ModelError> {
        if outputs == 0 {
            return Err(wrong("model.outputs", "at least 1", outputs));
        }
        self.check_sizes(outputs)?;
        let mut layout = Layout::default();
        let stages = match self {
            Self::Mlp(model) => model.stages(&mut layout, input, outputs),
            Self::Lenet(model) => model.stages(&mut layout, input, outputs),
            Self::Vgg(model) => model.stages(&mut layout, input, outputs),
            Self::Resnet(model) => model.stages(&mut layout, input, outputs),
            Self::ResnetFixup(model) => model.stages(&mut layout, input, outputs),
            Self::LinearNet(model) => model.stages(&mut layout, input, outputs),
            Self::RandomFeatures(model) => model.stages(&mut layout, input, outputs),
        }?;
        limits::check_total(&layout)?;
        Ok(Network::new(layout, stages, input, outputs))
    }
}

/// Which normalisation follows a convolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// None; the convolution has a bias.
    #[default]
    None,
    /// Group normalisation.
    Group,
    /// Batch normalisation: the samples of a batch depend on each other, so metrics that need per-sample gradients refuse.
    Batch,
}

impl Norm {
    /// All of them, with their names in configurations.
    pub const ALL: [(&str, Self); 3] = [("none", Self::None), ("group", Self::Group), ("batch", Self::Batch)];
}

pub(crate) fn wrong(key: &str, expected: impl Into<String>, got: impl ToString) -> ModelError {
    ModelError::Config { key: key.into(), expected: expected.into(), got: got.to_string() }
}

/// `value`, if it is at least 1.
fn positive(key: &str, value: usize) -> Result<usize, ModelError> {
    if value == 0 { Err(wrong(key, "at least 1", value)) } else { Ok(value) }
}

/// What the layers of one architecture share: how they start, and the normalisation.
struct Style {
    init: Initialisation,
    activation: Activation,
    norm: Norm,
    channels_per_group: usize,
}

impl Style {
    fn plain(init: Initialisation, activation: Activation) -> Self {
        Self { init, activation, norm: Norm::None, channels_per_group: 1 }
    }

    fn linear(&self, layout: &mut Layout, name: &str, [inputs, outputs]: [usize; 2]) -> Linear {
        let (weight, bias) = self.init.of([inputs, outputs], self.activation);
        Linear::new(layout, name, [inputs, outputs], weight, Some(bias))
    }

    /// A convolution, with a bias where no normalisation follows.
    fn conv(
        &self,
        layout: &mut Layout,
        name: &str,
        [inputs, outputs]: [usize; 2],
        window: Window,
        bias: bool,
    ) -> Conv2d {
        let area = window.kernel.pow(2);
        let (weight, bias_init) = self.init.of([inputs * area, outputs * area], self.activation);
        Conv2d::new(layout, name, [inputs, outputs], window, weight, bias.then_some(bias_init))
    }

    /// The normalisation, if any, of `channels` channels under this name.
    fn norm(&self, layout: &mut Layout, name: &str, channels: usize) -> Result<Option<Stage>, ModelError> {
        Ok(match self.norm {
            Norm::None => None,
            Norm::Batch => Some(BatchNorm::new(layout, name, channels).into()),
            Norm::Group => {
                let size = positive("model.channels_per_group", self.channels_per_group)?;
                if !channels.is_multiple_of(size) {
                    let expected = format!("a divisor of every width of the network, among them {channels}");
                    return Err(wrong("model.channels_per_group", expected, size));
                }
                Some(GroupNorm::new(layout, name, channels, channels / size).into())
            }
        })
    }
}

/// Zero, as an initial value.
const ZERO: Init = Init::Constant(0.0);
