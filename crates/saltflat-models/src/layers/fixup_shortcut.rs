//! The shortcut of Fixup networks (Zhang, Dauphin, Ma 2019, arXiv 1901.09321) where the shape changes.

use burn::tensor::{Slice, Tensor};

use super::case::{LayerCase, LayerCases};
use crate::{Jet, Layer, Pass};

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

impl LayerCases for FixupShortcut {
    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("fixup shortcut", |_| Self)]
    }
}
