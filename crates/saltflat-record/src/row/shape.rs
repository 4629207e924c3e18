//! What a row is made of: the names of its values, and the values.

use std::sync::Arc;

use serde_json::{Number, Value};

/// What a JSON value is without its leaves: the names of its objects and the lengths of its lists. With each part is the number of leaves of
/// the whole that come before it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Leaf,
    List {
        parts: Vec<(usize, Shape)>,
        leaves: usize,
    },
    /// In the order of the names.
    Map {
        parts: Vec<(Box<str>, usize, Shape)>,
        leaves: usize,
    },
}

/// A value that is neither list nor object. Of 16 bytes, hence the box in the `Arc`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Leaf {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(Arc<Box<str>>),
}

impl Shape {
    pub(super) fn leaves(&self) -> usize {
        match self {
            Self::Leaf => 1,
            Self::List { leaves, .. } | Self::Map { leaves, .. } => *leaves,
        }
    }

    pub(super) fn of(value: &Value) -> Self {
        let mut leaves = 0;
        let mut part = |value: &Value| {
            let (from, shape) = (leaves, Self::of(value));
            leaves += shape.leaves();
            (from, shape)
        };
        match value {
            Value::Array(list) => {
                let parts = list.iter().map(part).collect();
                Self::List { parts, leaves }
            }
            Value::Object(map) => {
                let mut entries: Vec<(&String, &Value)> = map.iter().collect();
                entries.sort_unstable_by_key(|(name, _)| *name);
                let mut parts = Vec::with_capacity(entries.len());
                for (name, value) in entries {
                    let (from, shape) = part(value);
                    parts.push((name.as_str().into(), from, shape));
                }
                Self::Map { parts, leaves }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Self::Leaf,
        }
    }

    /// Adds the leaves of a value of this shape; false for one of another shape. A text that an earlier row has in the same place
    /// is shared with it.
    pub(super) fn add(&self, value: &Value, earlier: &[Leaf], leaves: &mut Vec<Leaf>) -> bool {
        match (self, value) {
            (Self::List { parts, .. }, Value::Array(list)) => {
                parts.len() == list.len() && parts.iter().zip(list).all(|((_, shape), v)| shape.add(v, earlier, leaves))
            }
            (Self::Map { parts, .. }, Value::Object(map)) => {
                let mut part = |(name, _, shape): &(Box<str>, usize, Self)| {
                    map.get(&**name).is_some_and(|value| shape.add(value, earlier, leaves))
                };
                parts.len() == map.len() && parts.iter().all(&mut part)
            }
            (Self::Leaf, Value::Array(_) | Value::Object(_)) => false,
            (Self::Leaf, value) => {
                leaves.push(leaf(value, earlier.get(leaves.len())));
                true
            }
            (Self::List { .. } | Self::Map { .. }, _) => false,
        }
    }
}

fn leaf(value: &Value, earlier: Option<&Leaf>) -> Leaf {
    match value {
        Value::Bool(value) => Leaf::Bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => Leaf::Unsigned(number),
            (None, Some(number), _) => Leaf::Signed(number),
            (None, None, Some(number)) => Leaf::Float(number),
            (None, None, None) => Leaf::Null,
        },
        Value::String(text) => match earlier {
            Some(Leaf::Text(known)) if ***known == **text => Leaf::Text(Arc::clone(known)),
            _ => Leaf::Text(Arc::new(text.as_str().into())),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => Leaf::Null,
    }
}

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
