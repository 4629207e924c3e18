//! A row, what makes rows that share their names, and the metrics of a row.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::shape::{Field, Leaf, Shape};

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

/// Value of a metric in a row of either kind: a number, an estimate's `value`, or the first of a list of estimates, such as
/// the largest of `top_eigenvalues`; a list of numbers (`feature_norms`) has none. `trace_hessian_by_tensor.NAME` goes into a map.
pub fn value(row: &Row, name: &str) -> Option<f64> {
    let entry = entry(row, name)?;
    entry.as_f64().or_else(|| entry.get("value")?.as_f64())
}

/// The numbers of a metric that is a list of them, such as `feature_norms`; empty for any other.
pub fn numbers(row: &Row, name: &str) -> Vec<f64> {
    let list = row.get("metrics").and_then(|metrics| metrics.get(name));
    list.into_iter().flat_map(Field::items).filter_map(Field::as_f64).collect()
}

/// Standard error of a metric in a row, if it has one.
pub fn std_error(row: &Row, name: &str) -> Option<f64> {
    entry(row, name)?.get("std_error")?.as_f64()
}

/// The entry of a metric, or its first if it is a list of estimates.
pub fn entry<'a>(row: &'a Row, name: &str) -> Option<Field<'a>> {
    let inner = |metrics: Field<'a>| {
        let (outer, inner) = name.split_once('.')?;
        metrics.get(outer)?.get(inner)
    };
    let found = row.get("metrics").and_then(|m| m.get(name).or_else(|| inner(m))).or_else(|| row.get(name))?;
    if found.is_list() { found.items().next().filter(|first| first.is_object()) } else { Some(found) }
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

    #[test]
    fn values_of_rows() {
        let row: Row = serde_json::from_str(
            r#"{"kind":"measurement","epoch":2,"metrics":{"loss":{"value":0.5,"std_error":0.1},"mu":{"value":null,
            "reason":"zero loss"},"top_eigenvalues":[{"value":7.0},{"value":3.0}],"regularizer_momentum_0.9":{"value":2.0},
            "feature_norms":[0.5,1.5],"trace_hessian_by_tensor":{"layers.0.bias":{"value":4.0}}}}"#,
        )
        .unwrap();
        assert_eq!((value(&row, "loss"), std_error(&row, "loss")), (Some(0.5), Some(0.1)));
        assert_eq!((value(&row, "mu"), value(&row, "nothing")), (None, None));
        assert_eq!((value(&row, "top_eigenvalues"), value(&row, "epoch")), (Some(7.0), Some(2.0)));
        assert_eq!(value(&row, "feature_norms"), None);
        assert_eq!(numbers(&row, "feature_norms"), [0.5, 1.5]);
        assert_eq!(value(&row, "regularizer_momentum_0.9"), Some(2.0));
        assert_eq!(value(&row, "trace_hessian_by_tensor.layers.0.bias"), Some(4.0));
    }
}
