//! Deep linear network.

use saltflat_config::Section;
use serde::Serialize;

use super::style::{hidden, init};
use crate::layers::{Activation, FlattenConfig, LinearConfig};
use crate::{Architecture, ArchitectureKeys, Initialisation, Item, ModelError, Size, limits::require_positive};

/// W_k … W₁ x: no activation, no bias; tensors `layers.I.weight`. Wu, Wang, Su 2022, appendix A.1 (hidden 50, 50, 50).
/// Default initialisation: Xavier, as there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinearNet {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Initialisation of the parameters.
    pub init: Initialisation,
}

impl ArchitectureKeys for LinearNet {
    const NAME: &'static str = "linear-net";
    const EXAMPLE: &'static str = "hidden = [8]";

    fn read(section: &mut Section) -> Self {
        Self { hidden: hidden(section), init: init(section) }
    }
}

impl Architecture for LinearNet {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn sizes(&self) -> Vec<Size> {
        Size::hidden(&self.hidden)
    }

    fn layers(&self, input: [usize; 3], outputs: usize) -> Result<Vec<Item>, ModelError> {
        let init = self.init.or(Initialisation::Xavier);
        let mut layers = vec![FlattenConfig {}.into()];
        let mut width = input.iter().product();
        for (i, &next) in self.hidden.iter().chain([&outputs]).enumerate() {
            let next = require_positive("model.hidden", next)?;
            let (weight, _) = init.of([width, next], Activation::Identity);
            layers.push(Item::from(LinearConfig::new(next, weight, None)).named(format!("layers.{i}")));
            width = next;
        }
        Ok(layers)
    }
}
