//! What a row is made of: the names of its values, and the values.

use std::sync::Arc;

use serde_json::Value;

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
