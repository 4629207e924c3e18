//! Patches of an image as tokens.

use saltflat_config::Section;
use serde::Serialize;

use super::{
    conv2d::{Conv2d, Window},
    keys::outputs,
    tokens::Tokens,
};
use crate::{
    Initialisation, ModelError,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    layers::Activation,
    place::{Built, Place},
};

/// The keys of a patch embedding in a list of layers: a linear map of each patch of the image, which is a convolution whose stride is its
/// kernel, `[C, H, W]` to `[outputs, H/patch · W/patch, 1]`. Dosovitskiy et al. 2020, arXiv 2010.11929.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PatchEmbeddingConfig {
    /// Features of a token.
    pub outputs: usize,
    /// Side of a patch, in pixels.
    pub patch: usize,
    /// True if there is a bias.
    pub bias: bool,
}

impl LayerConfig for PatchEmbeddingConfig {
    fn name(&self) -> &'static str {
        "patch-embedding"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let ([channels, h, w], outputs, patch) = (place.input(), self.outputs, self.patch);
        if patch == 0 || !h.is_multiple_of(patch) || !w.is_multiple_of(patch) {
            return Err(place.error(format!("height and width divisible by patches of {patch} × {patch}")));
        }
        let window = Window { kernel: patch, stride: patch, padding: 0 };
        let area = patch.saturating_mul(patch);
        let fans = [channels.saturating_mul(area), outputs.saturating_mul(area)];
        let (weight, bias) = Initialisation::Pytorch.of(fans, Activation::Identity);
        let patches = Conv2d::new(place, [channels, outputs], window, weight, self.bias.then_some(bias));
        Ok(Built { stages: vec![patches.into(), Tokens.into()], output: [outputs, (h / patch) * (w / patch), 1] })
    }
}

impl LayerKeys for PatchEmbeddingConfig {
    const NAMES: &'static [&'static str] = &["patch-embedding"];
    const EXAMPLE: &'static str = "outputs = 3\npatch = 1";

    fn read(_: &str, section: &mut Section) -> Self {
        Self {
            outputs: outputs(section),
            patch: section.required("patch", "a whole number above 0", |n: &usize| *n > 0),
            bias: section.get("bias").unwrap_or(true),
        }
    }

    fn cases() -> Vec<LayerCase> {
        vec![
            LayerCase::new("patch embedding", r#"["avg-pool", { kind = "patch-embedding", outputs = 3, patch = 3 }]"#),
            LayerCase::new(
                "patch embedding without bias",
                r#"[{ kind = "patch-embedding", outputs = 2, patch = 1, bias = false }]"#,
            ),
        ]
    }
}
