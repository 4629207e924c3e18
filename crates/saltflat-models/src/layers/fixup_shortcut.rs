//! The shortcut of a Fixup block that changes the shape.

use burn::tensor::{Tensor, module, ops::AvgPoolOptions};

use super::Layer;
use crate::{Jet, Pass};

/// Every second position, then as many zero channels again: `AvgPool2d(1, stride=2)` and a concatenation with zeros in the
/// authors' code. Zhang, Dauphin, Ma 2019, arXiv 1901.09321.
#[derive(Debug)]
pub struct FixupShortcut;

impl Layer for FixupShortcut {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        x.linear(|t| {
            let kept = module::avg_pool2d(t, AvgPoolOptions::new([1, 1]).with_stride([2, 2]));
            let zeros = kept.clone().without_autodiff().zeros_like();
            Tensor::cat(vec![kept, zeros], 1)
        })
    }
}
