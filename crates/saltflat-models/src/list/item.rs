//! An item of a list.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::Error};
use toml::{Table, Value};

use crate::{
    join::Join,
    layer_config::{AnyLayer, LayerConfig},
};

/// A layer or branches, and what its tensors are called.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// Name of its tensors without `.weight`; absent: its index in the list, after the name of the list, as in `nn.Sequential`.
    pub name: Option<String>,
    /// Full names of single tensors by their role, such as `weight`.
    pub tensors: BTreeMap<String, String>,
}

/// What an item of a list is.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// A layer.
    Layer(AnyLayer),
    /// A branch with a shortcut around it, summed; an empty shortcut is the identity.
    Residual {
        /// The branch.
        main: Vec<Item>,
        /// The way around it.
        shortcut: Vec<Item>,
    },
    /// Branches of one input.
    Parallel {
        /// The branches; an empty one is the identity.
        branches: Vec<Vec<Item>>,
        /// How their outputs become one.
        join: Join,
    },
}

impl ItemKind {
    /// Its kind in configurations.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Layer(layer) => layer.name(),
            Self::Residual { .. } => "residual",
            Self::Parallel { .. } => "parallel",
        }
    }
}

impl Item {
    /// A residual branch with a shortcut around it; an empty shortcut is the identity.
    pub fn residual(main: Vec<Self>, shortcut: Vec<Self>) -> Self {
        Self::of(ItemKind::Residual { main, shortcut })
    }

    /// Branches of one input.
    pub fn parallel(branches: Vec<Vec<Self>>, join: Join) -> Self {
        Self::of(ItemKind::Parallel { branches, join })
    }

    /// An item without names of its own.
    pub(crate) fn of(kind: ItemKind) -> Self {
        Self { kind, name: None, tensors: BTreeMap::new() }
    }

    /// The item whose tensors have this name.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Number of layers, those of the branches counted.
    pub fn layers(&self) -> usize {
        let of = |items: &[Self]| items.iter().map(Self::layers).sum::<usize>();
        match &self.kind {
            ItemKind::Layer(_) => 1,
            ItemKind::Residual { main, shortcut } => 1 + of(main) + of(shortcut),
            ItemKind::Parallel { branches, .. } => 1 + branches.iter().map(|branch| of(branch)).sum::<usize>(),
        }
    }

    /// The table from which a configuration reads it.
    fn to_table(&self) -> Result<Table, toml::ser::Error> {
        let list =
            |items: &[Self]| items.iter().map(|item| item.to_table().map(Value::Table)).collect::<Result<_, _>>();
        let mut table = Table::new();
        match &self.kind {
            ItemKind::Layer(layer) => table = layer.to_table()?,
            ItemKind::Residual { main, shortcut } => {
                table.insert("main".into(), Value::Array(list(main)?));
                table.insert("shortcut".into(), Value::Array(list(shortcut)?));
            }
            ItemKind::Parallel { branches, join } => {
                let branches =
                    branches.iter().map(|branch| list(branch).map(Value::Array)).collect::<Result<_, _>>()?;
                table.insert("branches".into(), Value::Array(branches));
                table.insert("join".into(), join.name().into());
            }
        }
        table.insert("kind".into(), self.kind.name().into());
        if let Some(name) = &self.name {
            table.insert("name".into(), name.as_str().into());
        }
        if !self.tensors.is_empty() {
            table.insert("tensors".into(), Value::try_from(&self.tensors)?);
        }
        Ok(table)
    }
}

impl<L: LayerConfig + Serialize> From<L> for Item {
    fn from(layer: L) -> Self {
        Self::of(ItemKind::Layer(layer.into()))
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_table().map_err(S::Error::custom)?.serialize(serializer)
    }
}
