//! What a list says of a layer.

use std::fmt::Debug;

use saltflat_config::{Listed, Section, handle};
use serde::Serialize;

use crate::{
    error::ModelError,
    place::{Built, Place},
};

/// What a list says of a layer, its keys: it makes the layer for inputs of any shape that the layer can have. With `Serialize` beside
/// it, it becomes an [`AnyLayer`]. One that configurations can name also implements [`LayerKeys`].
pub trait LayerConfig: Debug + Send + Sync + 'static {
    /// Its kind in configurations, such as `conv2d`.
    fn name(&self) -> &'static str;

    /// Makes the layer at this place: adds its tensors, and says which shape its output has.
    ///
    /// # Errors
    /// [`ModelError::Config`] if there is no such layer for the input.
    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError>;
}

/// A layer that configurations can name.
pub trait LayerKeys: LayerConfig + Serialize + Listed + Sized {
    /// Its kinds in configurations: one, or several that share their keys.
    const NAMES: &'static [&'static str];
    /// The keys of a small valid configuration in TOML, without `kind`.
    const EXAMPLE: &'static str;

    /// Reads the keys of one of its kinds.
    fn read(kind: &str, section: &mut Section) -> Self;

    /// The rows of the contract test in which it is: at least one for each way through its code.
    fn cases() -> Vec<LayerCase>;
}

/// A row of the contract test: a list of layers in TOML, which gets inputs of the shape [`CASE_INPUT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerCase {
    /// What it is, for messages.
    pub name: String,
    /// The list, such as `["flatten", { kind = "linear", outputs = 5 }]`.
    pub layers: String,
}

impl LayerCase {
    /// A row with this list.
    pub fn new(name: impl Into<String>, layers: impl Into<String>) -> Self {
        Self { name: name.into(), layers: layers.into() }
    }
}

/// Shape of a sample that reaches the layer of a [`LayerCase`], `[channels, height, width]`.
pub const CASE_INPUT: [usize; 3] = [4, 7, 6];

/// Reads the keys of a layer, given its kind.
pub type ReadLayer = fn(&str, &mut Section) -> AnyLayer;

/// An entry in the list of all layers.
#[derive(Clone, Copy, Debug)]
pub struct LayerKind {
    /// Its kinds in configurations.
    pub names: &'static [&'static str],
    /// The keys of a small valid configuration in TOML, without `kind`.
    pub example: &'static str,
    /// Reads its keys.
    pub read: ReadLayer,
    /// Its rows of the contract test.
    pub cases: fn() -> Vec<LayerCase>,
}

/// The entry of a layer.
pub(crate) const fn entry<L: LayerKeys>() -> LayerKind {
    LayerKind {
        names: L::NAMES,
        example: L::EXAMPLE,
        read: |kind, section| L::read(kind, section).into(),
        cases: L::cases,
    }
}

handle! {
    /// The configuration of a layer of any kind. Two are equal if their kinds and all their keys are; written, it is the table of its keys
    /// with `kind`.
    pub struct AnyLayer(dyn LayerConfig);
}
