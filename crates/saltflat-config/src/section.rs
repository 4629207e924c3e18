//! One table of a configuration, read key by key.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
};

use toml::{Table, Value};

use crate::{
    family::Kind,
    names::{did_you_mean, nearest},
    problem::{Problem, Problems},
    value::FromToml,
};

/// One table of a configuration.
#[derive(Debug)]
pub struct Section {
    name: String,
    table: Table,
    known: Vec<&'static str>,
    base: Rc<Path>,
    problems: Problems,
}

impl Section {
    /// The whole of a file whose relative paths start at the folder `base`.
    pub fn root(table: Table, base: &Path, problems: &Problems) -> Self {
        Self { name: String::new(), table, known: Vec::new(), base: base.into(), problems: problems.clone() }
    }

    /// A table of a file that was read before, under its full name; relative paths in it start at the current folder.
    pub fn named(name: &str, table: Table, problems: &Problems) -> Self {
        Self { name: name.into(), ..Self::root(table, Path::new(""), problems) }
    }

    /// The keys that `read` asks an empty table for, in its order.
    pub fn keys_of<T>(read: impl FnOnce(&mut Self) -> T) -> Vec<&'static str> {
        let mut empty = Self::root(Table::new(), Path::new(""), &Problems::default());
        read(&mut empty);
        empty.known
    }

    /// Its full name, such as `metrics.trace`; empty for the root.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The full name of a key.
    fn path_of(&self, key: &str) -> String {
        if self.name.is_empty() { key.into() } else { format!("{}.{key}", self.name) }
    }

    /// True if a problem with this table itself was noted, so that an empty one stands in its place.
    pub fn is_refused(&self) -> bool {
        self.problems.is_about(&self.name)
    }

    /// True if a problem with a key of this table was noted, or of a table within it.
    pub fn has_problems(&self) -> bool {
        self.problems.are_within(&self.name)
    }

    /// Notes a problem with a key.
    pub fn problem(&self, key: &str, text: impl Into<String>) {
        self.problems.push(Problem::new(self.path_of(key), text));
    }

    /// True if a problem with one of these keys was noted, so that a default stands in its place.
    pub fn refused(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.problems.is_about(&self.path_of(key)))
    }

    /// The value of a key, whatever its type.
    pub fn value(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// True if the table has this key, and nobody asked for it yet.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A key that may be absent; its value must have the type and fulfil `holds`, which `expected` says in words (empty: the type's
    /// name). Of any other value a problem is noted.
    pub fn optional<T: FromToml>(
        &mut self,
        key: &'static str,
        expected: &str,
        holds: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let value = self.value(key)?;
        let found = T::from_toml(&value).filter(&holds);
        if found.is_none() {
            let expected = if expected.is_empty() { T::NAME } else { expected };
            self.problem(key, format!("expected {expected}, got {value}"));
        }
        found
    }

    /// A key that may be absent, with any value of the type.
    pub fn get<T: FromToml>(&mut self, key: &'static str) -> Option<T> {
        self.optional(key, "", |_| true)
    }

    /// A key that may be absent: a whole number above 0.
    pub fn count<T: FromToml + PartialOrd + Default>(&mut self, key: &'static str) -> Option<T> {
        self.optional(key, "a whole number above 0", |n| *n > T::default())
    }

    /// A key that must be there. If it is absent or wrong, a problem is noted and the type's default is returned.
    pub fn required<T: FromToml + Default>(
        &mut self,
        key: &'static str,
        expected: &str,
        holds: impl Fn(&T) -> bool,
    ) -> T {
        if !self.has(key) {
            let expected = if expected.is_empty() { T::NAME } else { expected };
            self.problem(key, format!("is missing; expected {expected}"));
        }
        self.optional(key, expected, holds).unwrap_or_default()
    }

    /// One of some names.
    pub fn choice<E: Copy>(&mut self, key: &'static str, all: &[(&'static str, E)]) -> Option<E> {
        let value = self.value(key)?;
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let found = value.as_str().and_then(|text| all.iter().find(|(name, _)| *name == text));
        if found.is_none() {
            let hint = value.as_str().and_then(|text| nearest(text, &names)).map_or(String::new(), did_you_mean);
            self.problem(key, format!("expected one of {}, got {value}{hint}", names.join(", ")));
        }
        found.map(|(_, choice)| *choice)
    }

    /// The path of a file; a relative one starts at the folder of the configuration.
    pub fn path(&mut self, key: &'static str, expected: &str) -> Option<PathBuf> {
        self.optional(key, expected, |_: &String| true).map(|path| self.base.join(path))
    }

    /// The entry of a family that the key `kind` names. If it names none, or is missing, a problem is noted.
    pub fn kind<'a, R>(&mut self, kinds: &'a [Kind<R>]) -> Option<&'a Kind<R>> {
        if !self.has("kind") {
            let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
            self.known.push("kind");
            self.problem("kind", format!("is missing; expected one of {}", names.join(", ")));
            return None;
        }
        let all: Vec<(&str, &Kind<R>)> = kinds.iter().map(|kind| (kind.name, kind)).collect();
        self.choice("kind", &all)
    }

    /// A key that holds a table; an empty one if it is absent or wrong.
    pub fn section(&mut self, key: &'static str) -> Self {
        let name = self.path_of(key);
        let table = match self.value(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                self.problem(key, format!("expected a table, got {other}"));
                Table::new()
            }
        };
        self.inner(name, table)
    }

    /// A table that was the value of `key`, or of an item such as `key[1]`, as a section under that name.
    pub fn child(&self, key: &str, table: Table) -> Self {
        self.inner(self.path_of(key), table)
    }

    fn inner(&self, name: String, table: Table) -> Self {
        Self { name, table, known: Vec::new(), base: Rc::clone(&self.base), problems: self.problems.clone() }
    }

    /// A key that holds a table, or a list of tables; one empty table if it is absent or wrong. A list of one is the table.
    pub fn tables(&mut self, key: &'static str) -> Vec<Self> {
        let expected = "expected a table, or a list of tables";
        let values = match self.value(key) {
            None => vec![Value::Table(Table::new())],
            Some(Value::Array(values)) if values.is_empty() => {
                self.problem(key, format!("{expected} with at least one, got []"));
                vec![Value::Table(Table::new())]
            }
            Some(Value::Array(values)) => values,
            Some(one) => vec![one],
        };
        let several = values.len() > 1;
        let one = |(i, value)| {
            let name = if several { format!("{key}[{i}]") } else { key.to_string() };
            match value {
                Value::Table(table) => self.inner(self.path_of(&name), table),
                other if several => {
                    self.problem(&name, format!("expected a table, got {other}"));
                    self.inner(self.path_of(&name), Table::new())
                }
                other => {
                    self.problem(&name, format!("{expected}, got {other}"));
                    self.inner(self.path_of(&name), Table::new())
                }
            }
        };
        values.into_iter().enumerate().map(one).collect()
    }

    /// A key that is a table, `true` for the defaults or `false` for off; absent is `default`.
    pub fn switch(&mut self, key: &'static str, default: bool) -> Option<Self> {
        match self.table.get(key) {
            Some(Value::Boolean(on)) => {
                let on = *on;
                self.value(key);
                on.then(|| self.section(key))
            }
            None if !default => {
                self.known.push(key);
                None
            }
            None | Some(Value::Table(_)) => Some(self.section(key)),
            Some(_) => {
                if let Some(other) = self.value(key) {
                    self.problem(key, format!("expected true, false or a table, got {other}"));
                }
                None
            }
        }
    }

    /// Reports the keys that nobody asked for. `of` names the section in words, such as `[model] of kind mlp`.
    pub fn finish(self, of: &str) {
        self.finish_with(of, |_| None);
    }

    /// [`finish`](Self::finish), with `elsewhere` naming the kinds that do have the key.
    pub fn finish_with(self, of: &str, elsewhere: impl Fn(&str) -> Option<String>) {
        for key in self.table.keys() {
            let all = format!("; {of} has {}", self.known.join(", "));
            let hint = match (elsewhere(key), nearest(key, &self.known)) {
                (Some(place), _) => format!(" here but of {place}{all}"),
                (None, Some(name)) => did_you_mean(name),
                (None, None) => all,
            };
            self.problem(key, format!("is not a key{hint}"));
        }
    }
}
