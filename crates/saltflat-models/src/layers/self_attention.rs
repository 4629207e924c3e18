//! Self-attention with its projections.

use saltflat_config::Section;
use serde::Serialize;

use super::{attention::Attention, keys::heads, linear::Linear};
use crate::{
    Init, Initialisation, ModelError,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    layers::Activation,
    place::{Built, Place},
};

/// The keys of self-attention in a list of layers: a linear map of D to 3 D channels, [`Attention`] and a linear map of D to D channels,
/// PyTorch's `nn.MultiheadAttention` of one sequence, with its names of the tensors and its initial distributions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SelfAttentionConfig {
    /// Heads.
    pub heads: usize,
    /// True if the linear maps have a bias.
    pub bias: bool,
}

impl LayerConfig for SelfAttentionConfig {
    fn name(&self) -> &'static str {
        "self-attention"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let ([width, ..], heads) = (place.input(), self.heads);
        if heads == 0 || !width.is_multiple_of(heads) {
            return Err(place.error(format!("channels divisible by {heads} heads")));
        }
        let bias = self.bias.then_some(Init::ZERO);
        let fans = [width, width.saturating_mul(3)];
        let (weight, _) = Initialisation::Xavier.of(fans, Activation::Identity);
        let before = Linear::with_roles(place, ["in_proj_weight", "in_proj_bias"], fans, weight, bias);
        let fans = [width, width];
        let (weight, _) = Initialisation::Pytorch.of(fans, Activation::Identity);
        let after = Linear::with_roles(place, ["out_proj.weight", "out_proj.bias"], fans, weight, bias);
        let stages = vec![before.into(), Attention::new(width, heads, None).into(), after.into()];
        Ok(Built { stages, output: place.input() })
    }
}

impl LayerKeys for SelfAttentionConfig {
    const NAMES: &'static [&'static str] = &["self-attention"];
    const EXAMPLE: &'static str = "heads = 1";

    fn read(_: &str, section: &mut Section) -> Self {
        Self { heads: heads(section), bias: section.get("bias").unwrap_or(true) }
    }

    fn cases() -> Vec<LayerCase> {
        vec![
            LayerCase::new("self-attention", r#"[{ kind = "self-attention", heads = 2 }]"#),
            LayerCase::new("self-attention without bias", r#"[{ kind = "self-attention", heads = 4, bias = false }]"#),
        ]
    }
}
