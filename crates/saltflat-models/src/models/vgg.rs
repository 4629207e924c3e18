//! VGG networks.

use serde::Serialize;

use super::{Norm, Style, ZERO, positive, wrong};
use crate::{
    Init, Initialisation, Layout, ModelError, Stage,
    layers::{Activation, GlobalAvgPool, Linear, MaxPool, Window},
};

/// VGG-11, 13, 16 or 19 (Simonyan and Zisserman 2014, arXiv 1409.1556) for small images: 3 × 3 convolutions with an
/// activation after each, five max-pools, the mean over the positions that are left, and a linear classifier; no dropout.
/// Tensors as in torchvision: `features.I` (indices as in `vggN`, or as in `vggN_bn` with a normalisation) and
/// `classifier.0`, `classifier.3`, `classifier.6`. Default initialisation: torchvision's (convolutions Kaiming fan out,
/// linear layers N(0, 0.01²), biases 0).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Vgg {
    /// 11, 13, 16 or 19.
    pub depth: usize,
    /// Channels of the first block, 64 in the paper; the others have 2, 4, 8 and 8 times as many.
    pub width: usize,
    /// After each convolution.
    pub norm: Norm,
    /// Channels that share their statistics under group normalisation.
    pub channels_per_group: usize,
    /// Widths of hidden layers in the classifier; none: one linear layer.
    pub hidden: Vec<usize>,
    /// After each convolution and hidden layer.
    pub activation: Activation,
    /// How it starts.
    pub init: Initialisation,
}

impl Vgg {
    pub(super) fn stages(
        &self,
        layout: &mut Layout,
        input: [usize; 3],
        outputs: usize,
    ) -> Result<Vec<Stage>, ModelError> {
        let [mut channels, h, w] = input;
        if h.min(w) < 32 {
            return Err(wrong("model.kind", "images of at least 32 × 32 pixels for vgg", format!("{h} × {w}")));
        }
        let convs = match self.depth {
            11 => [1, 1, 2, 2, 2],
            13 => [2, 2, 2, 2, 2],
            16 => [2, 2, 3, 3, 3],
            19 => [2, 2, 4, 4, 4],
            other => return Err(wrong("model.depth", "11, 13, 16 or 19", other)),
        };
        let width = positive("model.width", self.width)?;
        let style = Style {
            init: self.init.or(Initialisation::KaimingFanOut),
            activation: self.activation,
            norm: self.norm,
            channels_per_group: self.channels_per_group,
        };
        let mut stages: Vec<Stage> = Vec::new();
        let mut index = 0;
        for (block, factor) in [1, 2, 4, 8, 8].into_iter().enumerate() {
            for _ in 0..convs[block] {
                let next = width * factor;
                stages.push(
                    style.conv(layout, &format!("features.{index}"), [channels, next], Window::three(1), true).into(),
                );
                index += 1;
                if let Some(norm) = style.norm(layout, &format!("features.{index}"), next)? {
                    stages.push(norm);
                    index += 1;
                }
                stages.push(self.activation.into());
                index += 1;
                channels = next;
            }
            stages.push(MaxPool.into());
            index += 1;
        }
        stages.push(GlobalAvgPool.into());
        for (i, &hidden) in self.hidden.iter().enumerate() {
            let next = positive("model.hidden", hidden)?;
            stages.push(self.classifier(layout, 3 * i, [channels, next]).into());
            stages.push(self.activation.into());
            channels = next;
        }
        stages.push(self.classifier(layout, 3 * self.hidden.len(), [channels, outputs]).into());
        Ok(stages)
    }

    fn classifier(&self, layout: &mut Layout, index: usize, shape: [usize; 2]) -> Linear {
        let (weight, bias) = match self.init {
            Initialisation::Default => (Init::Normal { std: 0.01 }, ZERO),
            chosen => chosen.of(shape, self.activation),
        };
        Linear::new(layout, &format!("classifier.{index}"), shape, weight, Some(bias))
    }
}
