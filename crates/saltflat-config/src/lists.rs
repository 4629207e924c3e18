//! Lists, and tables whose keys are free.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::{
    names::{did_you_mean, nearest},
    section::Section,
    value::FromToml,
};

impl Section {
    /// Replaces `target`, a default, by the value of a key if it is there, as [`optional`](Self::optional) reads it.
    pub fn update<T: FromToml>(
        &mut self,
        key: &'static str,
        target: &mut T,
        expected: &str,
        holds: impl Fn(&T) -> bool,
    ) {
        if let Some(value) = self.optional(key, expected, holds) {
            *target = value;
        }
    }

    /// A list of some names, see [`choice`](Self::choice).
    pub fn choices<E: Copy>(&mut self, key: &'static str, all: &[(&'static str, E)]) -> Option<Vec<E>> {
        let value = self.value(key)?;
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let mut unknown = None;
        let mut choice = |name: &Value| {
            let name = name.as_str()?;
            let found = all.iter().find(|(known, _)| *known == name).map(|(_, choice)| *choice);
            unknown = unknown.or(if found.is_none() { nearest(name, &names) } else { None });
            found
        };
        let found = value.as_array().and_then(|list| list.iter().map(&mut choice).collect());
        if found.is_none() {
            let hint = unknown.map_or(String::new(), did_you_mean);
            self.problem(key, format!("expected a list of {}, got {value}{hint}", names.join(", ")));
        }
        found
    }

    /// A key that holds a value or a list of values: each of them with its key within this table, which is `from`, or `from[1]` in a list.
    /// Empty if it is absent.
    pub fn one_or_more(&mut self, key: &'static str) -> Vec<(String, Value)> {
        match self.value(key) {
            None => Vec::new(),
            Some(Value::Array(values)) => {
                values.into_iter().enumerate().map(|(i, value)| (format!("{key}[{i}]"), value)).collect()
            }
            Some(one) => vec![(key.into(), one)],
        }
    }

    /// A key that holds a list of tables, each with the name `KEY.NAME` after its own key `name`, or after its number from 1 if it has none.
    /// Empty if it is absent or wrong.
    pub fn named_tables(&mut self, key: &'static str) -> Vec<Self> {
        let tables: Vec<Table> = self.optional(key, "a list of tables", |_| true).unwrap_or_default();
        let child = |(i, table): (usize, Table)| {
            let name = table.get("name").and_then(Value::as_str).map_or_else(|| (i + 1).to_string(), str::to_string);
            self.child(&format!("{key}.{name}"), table)
        };
        tables.into_iter().enumerate().map(child).collect()
    }

    /// A key that holds a table whose own keys are free, with values of one type. Empty if it is absent or wrong; a value of another type is
    /// left out.
    pub fn map<T: FromToml>(&mut self, key: &'static str) -> BTreeMap<String, T> {
        let table: Table = self.get(key).unwrap_or_default();
        let entry = |(name, value): (String, Value)| {
            let found = T::from_toml(&value);
            if found.is_none() {
                self.problem(&format!("{key}.{name}"), format!("expected {}, got {value}", T::NAME));
            }
            Some((name, found?))
        };
        table.into_iter().filter_map(entry).collect()
    }

    /// The tables of a [`map`](Self::map), each read by `read`.
    pub fn map_of_sections<T>(&mut self, key: &'static str, read: impl Fn(Self) -> T) -> BTreeMap<String, T> {
        let tables = self.map::<Table>(key).into_iter();
        tables.map(|(name, table)| (name.clone(), read(self.child(&format!("{key}.{name}"), table)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Problems, parse};

    #[test]
    fn every_item_has_its_key() {
        let text = r#"
            colours = ["red", "geen"]
            from = ["a", 3]
            one = "b"
            bound = { loss = 1, accuracy = "high" }
            step = [{ name = "first", size = 2 }, { size = "x" }]
            scale = { small = { size = 3 }, large = 4 }
        "#;
        let problems = Problems::default();
        let mut root = Section::root(parse(text).expect("TOML"), Path::new(""), &problems);
        assert_eq!(root.choices("colours", &[("red", 1), ("green", 2)]), None);
        let keys = |items: Vec<(String, Value)>| items.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
        assert_eq!(keys(root.one_or_more("from")), ["from[0]", "from[1]"]);
        assert_eq!((keys(root.one_or_more("one")), keys(root.one_or_more("none"))), (vec!["one".to_string()], vec![]));
        assert_eq!(root.map::<f64>("bound"), BTreeMap::from([("loss".to_string(), 1.0)]));
        let size = |mut section: Section| {
            let mut size = 7_u64;
            section.update("size", &mut size, "a number below 3", |size| *size < 3);
            size
        };
        assert_eq!(root.named_tables("step").into_iter().map(size).collect::<Vec<_>>(), [2, 7]);
        assert_eq!(root.map_of_sections("scale", size), BTreeMap::from([("small".to_string(), 7)]));
        root.finish("the file");
        let lines: Vec<String> = problems.take().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "colours: expected a list of red, green, got [\"red\", \"geen\"]; did you mean green?",
                "bound.accuracy: expected a number, got \"high\"",
                "step.2.size: expected a number below 3, got \"x\"",
                "scale.large: expected a table, got 4",
                "scale.small.size: expected a number below 3, got 3",
            ]
        );
    }
}
