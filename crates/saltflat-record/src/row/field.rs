//! A value in a row.

use serde_json::{Number, Value};

use super::shape::{Leaf, Shape};

/// A value in a row.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    pub(super) shape: &'a Shape,
    pub(super) leaves: &'a [Leaf],
}

impl<'a> Field<'a> {
    /// The value of this name, if this is an object that has it.
    pub fn get(self, name: &str) -> Option<Field<'a>> {
        let Shape::Map { parts, .. } = self.shape else { return None };
        let i = parts.binary_search_by(|(known, ..)| (**known).cmp(name)).ok()?;
        let (_, from, shape) = &parts[i];
        Some(self.part(*from, shape))
    }

    /// The names of an object with their values; nothing of what is none.
    pub fn entries(self) -> impl Iterator<Item = (&'a str, Field<'a>)> {
        let parts = if let Shape::Map { parts, .. } = self.shape { parts.as_slice() } else { &[] };
        parts.iter().map(move |(name, from, shape)| (&**name, self.part(*from, shape)))
    }

    /// The values of a list; nothing of what is none.
    pub fn items(self) -> impl Iterator<Item = Field<'a>> {
        let parts = if let Shape::List { parts, .. } = self.shape { parts.as_slice() } else { &[] };
        parts.iter().map(move |(from, shape)| self.part(*from, shape))
    }

    /// A number.
    pub fn as_f64(self) -> Option<f64> {
        match self.leaf()? {
            Leaf::Unsigned(number) => Some(*number as f64),
            Leaf::Signed(number) => Some(*number as f64),
            Leaf::Float(number) => Some(*number),
            Leaf::Null | Leaf::Bool(_) | Leaf::Text(_) => None,
        }
    }

    /// A whole number that is not negative.
    pub fn as_u64(self) -> Option<u64> {
        match self.leaf()? {
            Leaf::Unsigned(number) => Some(*number),
            Leaf::Null | Leaf::Bool(_) | Leaf::Signed(_) | Leaf::Float(_) | Leaf::Text(_) => None,
        }
    }

    /// A text.
    pub fn as_str(self) -> Option<&'a str> {
        match self.leaf()? {
            Leaf::Text(text) => Some(text),
            Leaf::Null | Leaf::Bool(_) | Leaf::Unsigned(_) | Leaf::Signed(_) | Leaf::Float(_) => None,
        }
    }

    /// True for null.
    pub fn is_null(self) -> bool {
        matches!(self.leaf(), Some(Leaf::Null))
    }

    /// True for an object.
    pub fn is_object(self) -> bool {
        matches!(self.shape, Shape::Map { .. })
    }

    /// True for a list.
    pub fn is_list(self) -> bool {
        matches!(self.shape, Shape::List { .. })
    }

    /// The same as JSON.
    pub fn to_value(self) -> Value {
        match self.shape {
            Shape::List { .. } => self.items().map(Self::to_value).collect(),
            Shape::Map { .. } => {
                Value::Object(self.entries().map(|(name, field)| (name.into(), field.to_value())).collect())
            }
            Shape::Leaf => match self.leaf() {
                None | Some(Leaf::Null) => Value::Null,
                Some(Leaf::Bool(value)) => (*value).into(),
                Some(Leaf::Unsigned(number)) => (*number).into(),
                Some(Leaf::Signed(number)) => (*number).into(),
                Some(Leaf::Float(number)) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
                Some(Leaf::Text(text)) => (***text).into(),
            },
        }
    }

    fn leaf(self) -> Option<&'a Leaf> {
        if let Shape::Leaf = self.shape { self.leaves.first() } else { None }
    }

    fn part(self, from: usize, shape: &'a Shape) -> Self {
        Self { shape, leaves: &self.leaves[from..from + shape.leaves()] }
    }
}
