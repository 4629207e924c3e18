//! Fully connected network.

use saltflat_config::Section;
use serde::Serialize;

use super::style::{Style, activation, hidden, init};
use crate::layers::{Activation, FlattenConfig};
use crate::{Architecture, ArchitectureKeys, Initialisation, Item, ModelError, Size, limits::require_positive};

/// inputs → hidden… → outputs with an activation between; tensors `layers.I.weight`, `layers.I.bias`. Default
/// initialisation: PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mlp {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Activation between the layers.
    pub activation: Activation,
    /// Initialisation of the parameters.
    pub init: Initialisation,
}

impl ArchitectureKeys for Mlp {
    const NAME: &'static str = "mlp";
    const EXAMPLE: &'static str = "hidden = [8]";

    fn read(section: &mut Section) -> Self {
        Self { hidden: hidden(section), activation: activation(section), init: init(section) }
    }
}

impl Architecture for Mlp {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn sizes(&self) -> Vec<Size> {
        Size::hidden(&self.hidden)
    }

    fn layers(&self, input: [usize; 3], outputs: usize) -> Result<Vec<Item>, ModelError> {
        let style = Style::plain(self.init.or(Initialisation::Pytorch), self.activation);
        let mut layers = vec![FlattenConfig {}.into()];
        let mut width = input.iter().product();
        for (i, &hidden) in self.hidden.iter().enumerate() {
            let next = require_positive("model.hidden", hidden)?;
            layers.push(style.linear(&format!("layers.{i}"), [width, next]));
            layers.push(self.activation.into());
            width = next;
        }
        layers.push(style.linear(&format!("layers.{}", self.hidden.len()), [width, outputs]));
        Ok(layers)
    }
}
