//! The small convolutional network of Wu, Wang, Su 2022.

use saltflat_config::Section;
use serde::Serialize;

use super::style::{Style, activation, init, width};
use crate::layers::{Activation, AvgPoolConfig, FlattenConfig, Window};
use crate::{Architecture, ArchitectureKeys, Initialisation, Item, ModelError, Size, limits::require_positive};

/// Conv m, conv 2m, average pool, conv 2m, conv m, average pool, linear (their table 1); 3 × 3 convolutions with bias and
/// padding 1, an activation after each; tensors `convs.0` … `convs.3`, `fc`. Default initialisation: PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lenet {
    /// m, the number of channels of the first convolution.
    pub width: usize,
    /// Activation after each convolution.
    pub activation: Activation,
    /// Initialisation of the parameters.
    pub init: Initialisation,
}

impl ArchitectureKeys for Lenet {
    const NAME: &'static str = "lenet";
    const EXAMPLE: &'static str = "width = 2";

    fn read(section: &mut Section) -> Self {
        Self { width: width(section, 20), activation: activation(section), init: init(section) }
    }
}

impl Architecture for Lenet {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn sizes(&self) -> Vec<Size> {
        vec![Size::width(self.width)]
    }

    fn layers(&self, input: [usize; 3], outputs: usize) -> Result<Vec<Item>, ModelError> {
        let [mut channels, h, w] = input;
        if h < 4 || w < 4 {
            return Err(ModelError::config(
                "model.kind",
                "images of at least 4 × 4 pixels for lenet",
                format!("{h} × {w}"),
            ));
        }
        let m = require_positive("model.width", self.width)?;
        let style = Style::plain(self.init.or(Initialisation::Pytorch), self.activation);
        let mut layers: Vec<Item> = Vec::new();
        for (i, next) in [m, 2 * m, 2 * m, m].into_iter().enumerate() {
            layers.push(style.conv(&format!("convs.{i}"), [channels, next], Window::three(1), true));
            layers.push(self.activation.into());
            if i % 2 == 1 {
                layers.push(AvgPoolConfig::default().into());
            }
            channels = next;
        }
        layers.push(FlattenConfig {}.into());
        layers.push(style.linear("fc", [channels * (h / 2 / 2) * (w / 2 / 2), outputs]));
        Ok(layers)
    }
}
