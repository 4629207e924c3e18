//! VGG networks.

use saltflat_config::Section;
use serde::Serialize;

use super::style::{Norm, Style, activation, channels_per_group, init, norm, optional_hidden, width};
use crate::layers::{Activation, AdaptiveAvgPoolConfig, FlattenConfig, LinearConfig, MaxPoolConfig, Window};
use crate::{Architecture, ArchitectureKeys, Init, Initialisation, Item, ModelError, Size, limits::require_positive};

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
    /// Normalisation after each convolution.
    pub norm: Norm,
    /// Channels that share their statistics under group normalisation.
    pub channels_per_group: usize,
    /// Widths of hidden layers in the classifier; none: one linear layer.
    pub hidden: Vec<usize>,
    /// Height and width of the average pool before the classifier, whose first layer then has as many columns for each channel: 7 in torchvision.
    /// Absent: the mean over the positions, and one column for each channel. On images of 32 × 32 pixels the pool repeats one value 49 times, so that the
    /// sum of 49 columns gives the same function in fewer parameters; but that is another parameter space, in which the trace of the Hessian over this
    /// tensor is a 49th, so weights with 25,088 columns are measured with `pool = 7`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<usize>,
    /// Activation after each convolution and hidden layer.
    pub activation: Activation,
    /// Initialisation of the parameters.
    pub init: Initialisation,
}

/// What `pool` may be.
const POOL: &str = "a whole number from 1 to 32";

fn is_pool(side: &usize) -> bool {
    (1..=32).contains(side)
}

impl ArchitectureKeys for Vgg {
    const NAME: &'static str = "vgg";
    const EXAMPLE: &'static str = "depth = 11\nwidth = 2";

    fn read(section: &mut Section) -> Self {
        Self {
            depth: section.optional("depth", "11, 13, 16 or 19", |n| [11, 13, 16, 19].contains(n)).unwrap_or(11),
            width: width(section, 64),
            norm: norm(section).unwrap_or(Norm::None),
            channels_per_group: channels_per_group(section),
            hidden: optional_hidden(section).unwrap_or_default(),
            pool: section.optional("pool", POOL, is_pool),
            activation: activation(section),
            init: init(section),
        }
    }
}

impl Architecture for Vgg {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn sizes(&self) -> Vec<Size> {
        [vec![Size::width(self.width)], Size::hidden(&self.hidden)].concat()
    }

    fn layers(&self, input: [usize; 3], outputs: usize) -> Result<Vec<Item>, ModelError> {
        let [mut channels, h, w] = input;
        if h.min(w) < 32 {
            return Err(ModelError::config(
                "model.kind",
                "images of at least 32 × 32 pixels for vgg",
                format!("{h} × {w}"),
            ));
        }
        let convs = match self.depth {
            11 => [1, 1, 2, 2, 2],
            13 => [2, 2, 2, 2, 2],
            16 => [2, 2, 3, 3, 3],
            19 => [2, 2, 4, 4, 4],
            other => return Err(ModelError::config("model.depth", "11, 13, 16 or 19", other)),
        };
        let width = require_positive("model.width", self.width)?;
        let style = Style {
            init: self.init.or(Initialisation::KaimingFanOut),
            activation: self.activation,
            norm: self.norm,
            channels_per_group: self.channels_per_group,
        };
        let mut layers: Vec<Item> = Vec::new();
        let mut index = 0;
        for (block, factor) in [1, 2, 4, 8, 8].into_iter().enumerate() {
            for _ in 0..convs[block] {
                let next = width * factor;
                layers.push(style.conv(&format!("features.{index}"), [channels, next], Window::three(1), true));
                index += 1;
                if let Some(norm) = style.norm(&format!("features.{index}"), next)? {
                    layers.push(norm);
                    index += 1;
                }
                layers.push(self.activation.into());
                index += 1;
                channels = next;
            }
            layers.push(MaxPoolConfig::default().into());
            index += 1;
        }
        let side = self.pool.unwrap_or(1);
        if !is_pool(&side) {
            return Err(ModelError::config("model.pool", POOL, side));
        }
        layers.push(AdaptiveAvgPoolConfig { output: [side; 2] }.into());
        if self.pool.is_some() {
            layers.push(FlattenConfig {}.into());
            channels *= side * side;
        }
        for (i, &hidden) in self.hidden.iter().enumerate() {
            let next = require_positive("model.hidden", hidden)?;
            layers.push(self.classifier(3 * i, [channels, next]));
            layers.push(self.activation.into());
            channels = next;
        }
        layers.push(self.classifier(3 * self.hidden.len(), [channels, outputs]));
        Ok(layers)
    }
}

impl Vgg {
    fn classifier(&self, index: usize, shape: [usize; 2]) -> Item {
        let (weight, bias) = match self.init {
            Initialisation::Default => (Init::Normal { std: 0.01 }, Init::ZERO),
            chosen => chosen.of(shape, self.activation),
        };
        Item::from(LinearConfig::new(shape[1], weight, Some(bias))).named(format!("classifier.{index}"))
    }
}
