//! A row, and what makes rows that share their names.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    field::Field,
    shape::{Leaf, Shape},
};

/// A row of `metrics.jsonl`: names to values. A copy shares what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    shape: Arc<Shape>,
    leaves: Arc<[Leaf]>,
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

    /// What the row is: `epoch`, `measurement` or `trial`; empty if it does not say.
    pub fn kind(&self) -> &str {
        self.get("kind").and_then(Field::as_str).unwrap_or_default()
    }

    /// Its `epoch`, `step` or another count; 0 if it has none.
    pub fn count(&self, name: &str) -> u64 {
        self.get(name).and_then(Field::as_u64).unwrap_or(0)
    }

    /// The row as a type that it has the keys of, such as [`MeasurementRow`](crate::MeasurementRow).
    pub fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(self.all().to_value()).ok()
    }

    /// The row as one value, an object.
    pub fn all(&self) -> Field<'_> {
        Field { shape: &self.shape, leaves: &self.leaves }
    }

    /// Whether both rows have the same names because they share them; false says nothing.
    pub fn shares_names(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shape, &other.shape)
    }
}

impl From<Map<String, Value>> for Row {
    fn from(map: Map<String, Value>) -> Self {
        RowBuilder::default().row(&Value::Object(map))
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

/// Makes rows that share their names with earlier ones.
#[derive(Debug, Default)]
pub(crate) struct RowBuilder {
    /// The shapes that were seen last, each with the leaves of its first row.
    known: Vec<(Arc<Shape>, Arc<[Leaf]>)>,
}

/// A run has a few shapes: epochs, measurements, and those with some metric absent.
const MOST_KNOWN: usize = 64;

impl RowBuilder {
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
        let mut rows = RowBuilder::default();
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
        let mut rows = RowBuilder::default();
        for i in 0..3 * MOST_KNOWN {
            let value = json!({"a": [1, 2], "b": vec![i; i]});
            assert_eq!(rows.row(&value).all().to_value(), value);
        }
        assert_eq!(rows.known.len(), MOST_KNOWN);
        assert_eq!(size_of::<Leaf>(), 16);
    }
}
