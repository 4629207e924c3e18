//! The metrics of a row by their names.

use super::{compact::Row, field::Field};

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
    use super::*;

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
