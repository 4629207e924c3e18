//! Rows of `metrics.jsonl`, of which a long run has a hundred thousand with a hundred numbers each.
//!
//! The rows of a run have the same names, so these are kept once, as the [`Shape`] that the rows share; a row is then little more
//! than its numbers. As trees of JSON the same rows take ten times the memory.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

/// A row of `metrics.jsonl`: names to values. A copy shares what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    shape: Arc<Shape>,
    leaves: Arc<[Leaf]>,
}

/// What a JSON value is without its leaves: the names of its objects and the lengths of its lists. Before each part stands how many
/// leaves of the whole come before it.
#[derive(Debug, Clone, PartialEq)]
enum Shape {
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
enum Leaf {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(Arc<Box<str>>),
}

/// A value in a row.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    shape: &'a Shape,
    leaves: &'a [Leaf],
}

impl Row {
    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<Field<'_>> {
        self.all().get(name)
    }

    /// The names with their values, in the order of the names.
    pub fn entries(&self) -> impl Iterator<Item = (&str, Field<'_>)> {
        self.all().entries()
    }

    /// The row as one value, an object.
    pub(crate) fn all(&self) -> Field<'_> {
        Field { shape: &self.shape, leaves: &self.leaves }
    }

    /// Whether both rows have the same names because they share them; false says nothing.
    pub(crate) fn shares_names(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shape, &other.shape)
    }
}

impl From<Map<String, Value>> for Row {
    fn from(map: Map<String, Value>) -> Self {
        Rows::default().row(&Value::Object(map))
    }
}

impl From<&Row> for Map<String, Value> {
    fn from(row: &Row) -> Self {
        row.entries().map(|(name, field)| (name.into(), field.to_value())).collect()
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Self::from)
    }
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

impl Shape {
    fn leaves(&self) -> usize {
        match self {
            Self::Leaf => 1,
            Self::List { leaves, .. } | Self::Map { leaves, .. } => *leaves,
        }
    }

    fn of(value: &Value) -> Self {
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
    fn add(&self, value: &Value, earlier: &[Leaf], leaves: &mut Vec<Leaf>) -> bool {
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

/// Makes rows that share their names.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// The shapes that were seen last, each with the leaves of its first row.
    known: Vec<(Arc<Shape>, Arc<[Leaf]>)>,
}

/// A run has a few shapes: epochs, measurements, and those with some metric absent.
const MOST_KNOWN: usize = 64;

impl Rows {
    /// A row of an object.
    pub(crate) fn row(&mut self, value: &Value) -> Row {
        for (shape, earlier) in self.known.iter().rev() {
            let mut leaves = Vec::with_capacity(shape.leaves());
            if shape.add(value, earlier, &mut leaves) {
                return Row { shape: Arc::clone(shape), leaves: leaves.into() };
            }
        }
        let (shape, mut leaves) = (Shape::of(value), Vec::new());
        shape.add(value, &[], &mut leaves);
        let row = Row { shape: Arc::new(shape), leaves: leaves.into() };
        if self.known.len() == MOST_KNOWN {
            self.known.remove(0);
        }
        self.known.push((Arc::clone(&row.shape), Arc::clone(&row.leaves)));
        row
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Every JSON object is the same again, number for number, and its parts are found.
    #[test]
    fn rows_hold_what_they_were_made_of() {
        let values = [
            json!({}),
            json!({"a": null, "b": true, "c": 18_446_744_073_709_551_615_u64, "d": -3, "e": 0.1, "f": 3.0, "g": "text"}),
            json!({"m": {"x": [1, [2, {"y": 3}], []], "z": {}}, "k": [], "n": [null, "a", 1e300]}),
            json!({"m": {"x": [1, [2, {"y": "other"}], []], "z": {}}, "k": [], "n": [null, "a", 5e-324]}),
        ];
        let mut rows = Rows::default();
        for value in &values {
            let row = rows.row(value);
            assert_eq!(row.all().to_value(), *value);
            assert_eq!(Row::from(value.as_object().unwrap().clone()), row);
        }
        let row = rows.row(&values[3]);
        let x = row.get("m").unwrap().get("x").unwrap();
        let inner = x.items().nth(1).unwrap().items().nth(1).unwrap();
        assert_eq!(inner.get("y").unwrap().as_str(), Some("other"));
        assert_eq!(row.get("n").unwrap().items().nth(2).unwrap().as_f64(), Some(5e-324));
        assert!(row.get("nothing").is_none() && x.get("a").is_none());
        assert!(rows.row(&values[2]).shares_names(&row) && !rows.row(&values[1]).shares_names(&row));
        assert_eq!(row.entries().map(|(name, _)| name).collect::<Vec<_>>(), ["k", "m", "n"]);
    }

    /// More shapes than are remembered, and a row that differs from an earlier one in its last part alone.
    #[test]
    fn many_shapes() {
        let mut rows = Rows::default();
        for i in 0..3 * MOST_KNOWN {
            let value = json!({"a": [1, 2], "b": vec![i; i]});
            assert_eq!(rows.row(&value).all().to_value(), value);
        }
        assert_eq!(rows.known.len(), MOST_KNOWN);
        assert_eq!(size_of::<Leaf>(), 16);
    }
}
