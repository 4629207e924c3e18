//! Random-feature model.

use serde::Serialize;

use super::positive;
use crate::{
    Init, Initialisation, Layout, ModelError, Stage,
    layers::{Activation, Linear},
};

/// f(x; θ) = Σ_j θ_j act(wⱼ·x) with wⱼ ~ N(0, I) fixed: the buffer `features.weight` and the parameter `output.weight`;
/// no bias. Wu, Wang, Su 2022, appendix A.1 (2,000 features, relu). Default initialisation of the output: PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RandomFeatures {
    /// Number of features m.
    pub features: usize,
    /// Of the features.
    pub activation: Activation,
    /// How the output layer starts.
    pub init: Initialisation,
}

impl RandomFeatures {
    pub(super) fn stages(
        &self,
        layout: &mut Layout,
        input: [usize; 3],
        outputs: usize,
    ) -> Result<Vec<Stage>, ModelError> {
        let features = positive("model.features", self.features)?;
        let first = Linear::frozen(layout, "features", [input.iter().product(), features], Init::Normal { std: 1.0 });
        let (weight, _) = self.init.or(Initialisation::Pytorch).of([features, outputs], self.activation);
        let last = Linear::new(layout, "output", [features, outputs], weight, None);
        Ok(vec![first.into(), self.activation.into(), last.into()])
    }
}
