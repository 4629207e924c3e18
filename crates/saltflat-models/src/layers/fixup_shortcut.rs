//! The shortcut of Fixup networks (Zhang, Dauphin, Ma 2019, arXiv 1901.09321) where the shape changes.

use burn::tensor::{Slice, Tensor};
use saltflat_config::Section;
use serde::Serialize;

use crate::{
    Jet, Layer, ModelError, Pass,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
};

/// Every second position, then as many zero channels again: `AvgPool2d(1, stride=2)` and a concatenation with zeros in the
/// authors' code.
#[derive(Debug)]
pub struct FixupShortcut;

impl Layer for FixupShortcut {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        x.linear(|t| {
            let every_second = Slice::new(0, None, 2);
            let kept = t.slice([Slice::full(), Slice::full(), every_second, every_second]);
            let zeros = kept.clone().without_autodiff().zeros_like();
            Tensor::cat(vec![kept, zeros], 1)
        })
    }
}

/// The keys of the shortcut in a list of layers: none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FixupShortcutConfig {}

impl LayerConfig for FixupShortcutConfig {
    fn name(&self) -> &'static str {
        "fixup-shortcut"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let [c, h, w] = place.input();
        Ok(Built::new(FixupShortcut, [2 * c, h.div_ceil(2), w.div_ceil(2)]))
    }
}

impl LayerKeys for FixupShortcutConfig {
    const NAMES: &'static [&'static str] = &["fixup-shortcut"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, _: &mut Section) -> Self {
        Self {}
    }

    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("fixup shortcut", r#"["fixup-shortcut"]"#)]
    }
}
