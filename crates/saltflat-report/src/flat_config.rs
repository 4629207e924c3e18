//! A configuration as dotted keys with their values as text.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::Run;

impl Run {
    /// The configuration as dotted keys with their values as text. A list of tables that each have a `kind`, such as that of several
    /// noises, is `noise.kind`, "label-flip + logit-gaussian", and `noise.label-flip.probability` for the keys of each.
    pub fn flat_config(&self) -> BTreeMap<String, String> {
        let mut flat = BTreeMap::new();
        flatten("", &self.config, &|_| true, &mut flat);
        flat
    }

    /// The value of one of these keys.
    pub fn config_value(&self, key: &str) -> Option<String> {
        let mut flat = BTreeMap::new();
        let leads_to_key =
            |prefix: &str| key.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        flatten("", &self.config, &leads_to_key, &mut flat);
        flat.remove(key)
    }
}

fn flatten(prefix: &str, table: &Table, wanted: &dyn Fn(&str) -> bool, flat: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if !wanted(&key) {
            continue;
        }
        match value {
            Value::Table(inner) => flatten(&key, inner, wanted, flat),
            Value::Array(list) if let Some(kinds) = kinds(list) => {
                flat.insert(format!("{key}.kind"), kinds.join(" + "));
                for (kind, one) in kinds.iter().zip(list) {
                    let mut keys = one.as_table().cloned().unwrap_or_default();
                    keys.remove("kind");
                    flatten(&format!("{key}.{kind}"), &keys, wanted, flat);
                }
            }
            Value::String(text) => drop(flat.insert(key, text.clone())),
            Value::Float(number) => drop(flat.insert(key, number.to_string())),
            Value::Integer(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) => {
                drop(flat.insert(key, value.to_string()));
            }
        }
    }
}

/// The kinds of a list of tables that each have one.
fn kinds(list: &[Value]) -> Option<Vec<&str>> {
    let kinds = list.iter().map(|one| one.get("kind")?.as_str()).collect::<Option<Vec<_>>>()?;
    (!kinds.is_empty()).then_some(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_is_that_of_all() {
        let text = "a = 1\nab = 2.0\n\"x.y\" = 'z'\n[noise]\nkind = 'none'\n[[list]]\nkind = 'p'\nq = 1\n[[list]]\nkind = 'p'\nq = 2";
        let run = Run { config: text.parse().unwrap(), ..Run::default() };
        let flat = run.flat_config();
        assert_eq!(flat.len(), 6);
        assert_eq!(flat["list.kind"], "p + p");
        for key in flat.keys().map(String::as_str).chain(["", "none", "noise", "list.p", "a.b"]) {
            assert_eq!(run.config_value(key).as_ref(), flat.get(key), "{key}");
        }
    }
}
