//! The rows of a layer in the contract test.

use saltflat_config::Listed;

use crate::{
    layer::Layer,
    layout::{Init, Layout},
    network::Stage,
};

/// Shape of a sample that reaches the layer of a [`LayerCase`], `[channels, height, width]`.
pub const CASE_INPUT: [usize; 3] = [4, 7, 6];

/// How the tensors of a [`LayerCase`] start, if the layer does not say it.
pub(crate) const CASE_INIT: Init = Init::Normal { std: 0.4 };

/// Adds tensors to a layout and makes the stages that have them.
pub type MakeStages = Box<dyn Fn(&mut Layout) -> Vec<Stage>>;

/// A row of the contract test: a way to make a layer, with inputs of the shape [`CASE_INPUT`].
pub struct LayerCase {
    /// What it is, for messages.
    pub name: &'static str,
    /// Makes the layer, with what it needs before it.
    pub stages: MakeStages,
}

impl LayerCase {
    /// A case of one layer.
    pub fn new<L: Layer + 'static>(name: &'static str, layer: impl Fn(&mut Layout) -> L + 'static) -> Self {
        Self { name, stages: Box::new(move |layout| vec![layer(layout).into()]) }
    }
}

/// A layer of this crate.
pub trait LayerCases: Layer + Listed {
    /// The rows of the contract test in which it is: at least one for each way through its code.
    fn cases() -> Vec<LayerCase>;
}

/// An entry in the list of all layers.
#[derive(Clone, Copy, Debug)]
pub struct LayerKind {
    /// The name of the type.
    pub name: &'static str,
    /// Its rows of the contract test.
    pub cases: fn() -> Vec<LayerCase>,
}
