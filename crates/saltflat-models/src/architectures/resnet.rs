//! Residual networks.

use saltflat_config::Section;
use serde::Serialize;

use super::style::{Norm, Style, WIDTHS, activation, are_positive, channels_per_group, init, norm, width};
use crate::layers::{Activation, AdaptiveAvgPoolConfig, Window};
use crate::{Architecture, ArchitectureKeys, Initialisation, Item, ModelError, Size, limits::require_positive};

/// torchvision's ResNet of basic blocks (He et al. 2015, arXiv 1512.03385) for small images: a 3 × 3 stem of stride 1 and
/// no max-pool. Stage i has width · 2^(i−1) channels and starts with stride 2, but for the first. Tensors as in
/// torchvision, also those of the normalisation (`bn1`, `layer1.0.bn1`, `layer2.0.downsample.1`); without normalisation
/// the convolutions have biases. ResNet-18 is width 64, blocks 2, 2, 2, 2. Default initialisation: torchvision's
/// (convolutions Kaiming fan out, the linear layer PyTorch's).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Resnet {
    /// Channels of the stem and the first stage.
    pub width: usize,
    /// Blocks in each stage.
    pub blocks: Vec<usize>,
    /// Normalisation after each convolution.
    pub norm: Norm,
    /// Channels that share their statistics under group normalisation.
    pub channels_per_group: usize,
    /// Activation after each normalisation and each sum.
    pub activation: Activation,
    /// Initialisation of the parameters.
    pub init: Initialisation,
}

impl ArchitectureKeys for Resnet {
    const NAME: &'static str = "resnet";
    const EXAMPLE: &'static str = "width = 4\nblocks = [1, 1]\nchannels_per_group = 2";

    fn read(section: &mut Section) -> Self {
        let width = width(section, 64);
        let blocks = section.optional("blocks", WIDTHS, |all: &Vec<usize>| !all.is_empty() && are_positive(all));
        Self {
            width,
            blocks: blocks.unwrap_or(vec![2, 2, 2, 2]),
            norm: norm(section).unwrap_or(Norm::Group),
            channels_per_group: channels_per_group(section),
            activation: activation(section),
            init: init(section),
        }
    }
}

impl Architecture for Resnet {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn sizes(&self) -> Vec<Size> {
        let blocks = self.blocks.iter().fold(0, |all: usize, n| all.saturating_add(*n));
        vec![
            Size::width(self.width),
            Size::stages("model.blocks (number of stages)", self.blocks.len()),
            Size::layers("model.blocks (all together)", blocks),
        ]
    }

    fn layers(&self, input: [usize; 3], outputs: usize) -> Result<Vec<Item>, ModelError> {
        let style = Style {
            init: self.init.or(Initialisation::KaimingFanOut),
            activation: self.activation,
            norm: self.norm,
            channels_per_group: self.channels_per_group,
        };
        require_positive("model.blocks (number of stages)", self.blocks.len())?;
        let mut channels = require_positive("model.width", self.width)?;
        let mut layers = self.conv_norm(&style, ["conv1", "bn1"], [input[0], channels], Window::three(1))?;
        layers.push(self.activation.into());
        for (i, &blocks) in self.blocks.iter().enumerate() {
            let next = self.width << i;
            for j in 0..require_positive("model.blocks", blocks)? {
                let stride = if i > 0 && j == 0 { 2 } else { 1 };
                let prefix = format!("layer{}.{j}", i + 1);
                layers.push(self.block(&style, &prefix, [channels, next], stride)?);
                layers.push(self.activation.into());
                channels = next;
            }
        }
        layers.push(AdaptiveAvgPoolConfig::default().into());
        let head = Style::plain(self.init.or(Initialisation::Pytorch), self.activation);
        layers.push(head.linear("fc", [channels, outputs]));
        Ok(layers)
    }
}

impl Resnet {
    fn block(
        &self,
        style: &Style,
        prefix: &str,
        [inputs, outputs]: [usize; 2],
        stride: usize,
    ) -> Result<Item, ModelError> {
        let names = |i: usize| [format!("{prefix}.conv{i}"), format!("{prefix}.bn{i}")];
        let mut main = self.conv_norm(style, names(1), [inputs, outputs], Window::three(stride))?;
        main.push(self.activation.into());
        main.extend(self.conv_norm(style, names(2), [outputs, outputs], Window::three(1))?);
        let shortcut = match stride != 1 || inputs != outputs {
            true => {
                let names = [format!("{prefix}.downsample.0"), format!("{prefix}.downsample.1")];
                self.conv_norm(style, names, [inputs, outputs], Window::one(stride))?
            }
            false => Vec::new(),
        };
        Ok(Item::residual(main, shortcut))
    }

    fn conv_norm(
        &self,
        style: &Style,
        [conv, norm]: [impl AsRef<str>; 2],
        shape: [usize; 2],
        window: Window,
    ) -> Result<Vec<Item>, ModelError> {
        let conv = style.conv(conv.as_ref(), shape, window, self.norm == Norm::None);
        let norm = style.norm(norm.as_ref(), shape[1])?;
        Ok([Some(conv), norm].into_iter().flatten().collect())
    }
}
