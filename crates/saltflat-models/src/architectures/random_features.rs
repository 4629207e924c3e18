//! Random-feature model.

use saltflat_config::Section;
use serde::Serialize;

use super::style::{activation, init};
use crate::layers::{Activation, FlattenConfig, LinearConfig};
use crate::{Architecture, ArchitectureKeys, Init, Initialisation, Item, ModelError, Size, limits::require_positive};

/// f(x; θ) = Σ_j θ_j act(wⱼ·x) with wⱼ ~ N(0, I) fixed: the buffer `features.weight` and the parameter `output.weight`;
/// no bias. Wu, Wang, Su 2022, appendix A.1 (2,000 features, relu). Default initialisation of the output: PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RandomFeatures {
    /// Number of features m.
    pub features: usize,
    /// Activation of the features.
    pub activation: Activation,
    /// Initialisation of the output layer.
    pub init: Initialisation,
}

impl ArchitectureKeys for RandomFeatures {
    const NAME: &'static str = "random-features";
    const EXAMPLE: &'static str = "features = 8";

    fn read(section: &mut Section) -> Self {
        Self {
            features: section.required("features", "a whole number above 0", |n: &usize| *n > 0),
            activation: activation(section),
            init: init(section),
        }
    }
}

impl Architecture for RandomFeatures {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn sizes(&self) -> Vec<Size> {
        vec![Size::units("model.features", self.features)]
    }

    fn layers(&self, _: [usize; 3], outputs: usize) -> Result<Vec<Item>, ModelError> {
        let features = require_positive("model.features", self.features)?;
        let first = Item::from(LinearConfig::frozen(features, Init::Normal { std: 1.0 })).named("features");
        let (weight, _) = self.init.or(Initialisation::Pytorch).of([features, outputs], self.activation);
        let last = Item::from(LinearConfig::new(outputs, weight, None)).named("output");
        Ok(vec![FlattenConfig {}.into(), first, self.activation.into(), last])
    }
}
