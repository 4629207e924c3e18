//! The trait of all architectures, and an architecture of any kind.

use std::fmt;

use saltflat_config::{Kind, Listed, Section, handle};
use serde::Serialize;

use crate::{
    error::ModelError,
    limits::{Size, check_sizes},
    list::Item,
    network::Network,
};

/// A family of networks: from its own choices, the shape of an input and the number of outputs it makes the layers. With `Serialize`
/// beside it, it becomes an [`AnyArchitecture`], which a run takes; `examples/own_network.rs` is one outside this crate. One that
/// configurations can name also implements [`ArchitectureKeys`].
pub trait Architecture: fmt::Debug + Send + Sync + 'static {
    /// Its name in configurations, such as `resnet`.
    fn name(&self) -> &'static str;

    /// The sizes that its configuration chooses, each with the largest that is accepted. They are checked before
    /// [`layers`](Self::layers), which can then add and multiply them.
    fn sizes(&self) -> Vec<Size>;

    /// The layers from images `[channels, height, width]` to `outputs` numbers.
    ///
    /// # Errors
    /// [`ModelError::Config`] if the choices make no network for such images.
    fn layers(&self, input: [usize; 3], outputs: usize) -> Result<Vec<Item>, ModelError>;

    /// The network from images `[channels, height, width]` to `outputs` numbers.
    ///
    /// # Errors
    /// [`ModelError::Config`] if the choices make no network for such images, or one that is too large.
    fn build(&self, input: [usize; 3], outputs: usize) -> Result<Network, ModelError> {
        if outputs == 0 {
            return Err(ModelError::config("model.outputs", "at least 1", outputs));
        }
        check_sizes(self.sizes(), outputs)?;
        Network::from_layers(&self.layers(input, outputs)?, input, outputs)
    }
}

/// An architecture that configurations can name.
pub trait ArchitectureKeys: Architecture + Serialize + Listed + Sized {
    /// Its name, as [`Architecture::name`].
    const NAME: &'static str;
    /// The keys of a small valid configuration in TOML, without `kind`.
    const EXAMPLE: &'static str;

    /// Reads its keys.
    fn read(section: &mut Section) -> Self;
}

/// An entry in the list of all architectures.
pub type ArchitectureKind = Kind<fn(&mut Section) -> AnyArchitecture>;

/// The entry of an architecture.
pub(crate) const fn entry<A: ArchitectureKeys>() -> ArchitectureKind {
    Kind { name: A::NAME, example: A::EXAMPLE, read: |section| A::read(section).into() }
}

handle! {
    /// An architecture of any kind. Two are equal if their kinds and all their keys are; written, it is the table of its keys with
    /// `kind`.
    pub struct AnyArchitecture(dyn Architecture);
}
