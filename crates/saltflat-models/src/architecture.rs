//! The trait of all architectures, and an architecture of any kind.

use std::{fmt, ops::Deref, sync::Arc};

use saltflat_config::{Kind, Section};
use serde::{Serialize, Serializer, ser::Error};
use toml::Table;

use crate::{
    error::ModelError,
    layout::Layout,
    limits::{Size, check_sizes, check_total},
    network::{Network, Stage},
};

/// A family of networks: from its own choices, the shape of an input and the number of outputs it makes the layers. With `Serialize`
/// beside it, it becomes an [`AnyArchitecture`], which a run takes; `examples/own_network.rs` is one outside this crate. One that
/// configurations can name also implements [`ArchitectureKeys`].
pub trait Architecture: fmt::Debug + Send + Sync + 'static {
    /// Its name in configurations, such as `resnet`.
    fn name(&self) -> &'static str;

    /// The sizes that its configuration chooses, each with the largest that is accepted. They are checked before
    /// [`stages`](Self::stages), which can then add and multiply them.
    fn sizes(&self) -> Vec<Size>;

    /// The layers from images `[channels, height, width]` to `outputs` numbers, whose tensors are added to the layout.
    ///
    /// # Errors
    /// [`ModelError::Config`] if the choices make no network for such images.
    fn stages(&self, layout: &mut Layout, input: [usize; 3], outputs: usize) -> Result<Vec<Stage>, ModelError>;

    /// The network from images `[channels, height, width]` to `outputs` numbers.
    ///
    /// # Errors
    /// [`ModelError::Config`] if the choices make no network for such images, or one that is too large.
    fn build(&self, input: [usize; 3], outputs: usize) -> Result<Network, ModelError> {
        if outputs == 0 {
            return Err(ModelError::config("model.outputs", "at least 1", outputs));
        }
        check_sizes(self.sizes(), outputs)?;
        let mut layout = Layout::default();
        let stages = self.stages(&mut layout, input, outputs)?;
        check_total(&layout)?;
        Ok(Network::new(layout, stages, input, outputs))
    }
}

/// An architecture that stands in the list of all, [`ARCHITECTURES`](crate::ARCHITECTURES), which implements this.
pub trait ListedArchitecture {}

/// An architecture that configurations can name.
pub trait ArchitectureKeys: Architecture + Serialize + ListedArchitecture + Sized {
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

/// An architecture that can be written as a table.
trait Serializable: Architecture {
    fn keys(&self) -> Result<Table, toml::ser::Error>;
}

impl<A: Architecture + Serialize> Serializable for A {
    fn keys(&self) -> Result<Table, toml::ser::Error> {
        Table::try_from(self)
    }
}

/// An architecture of any kind. Two are equal if their kinds and all their keys are; written, it is the table of its keys with
/// `kind`.
#[derive(Clone)]
pub struct AnyArchitecture(Arc<dyn Serializable>);

impl AnyArchitecture {
    fn to_table(&self) -> Result<Table, toml::ser::Error> {
        let mut table = self.0.keys()?;
        table.insert("kind".into(), self.name().into());
        Ok(table)
    }
}

impl<A: Architecture + Serialize> From<A> for AnyArchitecture {
    fn from(architecture: A) -> Self {
        Self(Arc::new(architecture))
    }
}

impl Deref for AnyArchitecture {
    type Target = dyn Architecture;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for AnyArchitecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for AnyArchitecture {
    fn eq(&self, other: &Self) -> bool {
        self.to_table() == other.to_table()
    }
}

impl Serialize for AnyArchitecture {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_table().map_err(S::Error::custom)?.serialize(serializer)
    }
}
