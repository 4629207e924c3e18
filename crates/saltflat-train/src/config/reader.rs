//! Reads a TOML table key by key and collects every problem on the way.

use std::{cell::RefCell, rc::Rc};

use toml::{Table, Value};

/// All that is wrong with a configuration, a line each.
pub(super) type Problems = Rc<RefCell<Vec<String>>>;

/// A type that a TOML value may have.
pub(super) trait FromToml: Sized {
    /// In words, for messages.
    const NAME: &'static str;
    fn from_toml(value: &Value) -> Option<Self>;
}

impl FromToml for f64 {
    const NAME: &'static str = "a number";
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_float().or_else(|| value.as_integer().map(|i| i as f64))
    }
}

impl FromToml for u64 {
    const NAME: &'static str = "a whole number, not negative";
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_integer()?.try_into().ok()
    }
}

impl FromToml for usize {
    const NAME: &'static str = <u64 as FromToml>::NAME;
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_integer()?.try_into().ok()
    }
}

impl FromToml for u32 {
    const NAME: &'static str = <u64 as FromToml>::NAME;
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_integer()?.try_into().ok()
    }
}

impl FromToml for bool {
    const NAME: &'static str = "true or false";
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl FromToml for String {
    const NAME: &'static str = "a text in quotes";
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_string)
    }
}

impl<T: FromToml> FromToml for Vec<T> {
    const NAME: &'static str = "a list";
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(T::from_toml).collect()
    }
}

/// One table of a configuration.
pub(super) struct Section {
    name: String,
    table: Table,
    known: Vec<&'static str>,
    problems: Problems,
}

impl Section {
    pub(super) fn root(table: Table, problems: &Problems) -> Self {
        Self { name: String::new(), table, known: Vec::new(), problems: Rc::clone(problems) }
    }

    /// The full name of a key.
    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.into() } else { format!("{}.{key}", self.name) }
    }

    /// True if a problem with this table itself was noted, so that an empty one stands in its place.
    pub(super) fn is_refused(&self) -> bool {
        let about = |problem: &String| problem.split_once(':').is_some_and(|(name, _)| name == self.name);
        self.problems.borrow().iter().any(about)
    }

    /// Adds a line about a key.
    pub(super) fn problem(&self, key: &str, text: impl AsRef<str>) {
        self.problems.borrow_mut().push(format!("{}: {}", self.path(key), text.as_ref()));
    }

    /// True where a problem with one of these keys was noted, so that a default stands in its place.
    pub(super) fn refused(&self, keys: &[&str]) -> bool {
        let about = |problem: &String, key| problem.split_once(':').is_some_and(|(name, _)| name == self.path(key));
        self.problems.borrow().iter().any(|problem| keys.iter().any(|key| about(problem, key)))
    }

    /// The value of a key, whatever its type.
    pub(super) fn value(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A key that may be absent; its value must have the type and fulfil `holds`, which `expected` says in words.
    pub(super) fn optional<T: FromToml>(
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

    /// A key that must be there. Where it is not, or is wrong, a default stands in: the problem stops the run.
    pub(super) fn required<T: FromToml + Default>(
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
    pub(super) fn choice<E: Copy>(&mut self, key: &'static str, all: &[(&'static str, E)]) -> Option<E> {
        let value = self.value(key)?;
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let found = value.as_str().and_then(|text| all.iter().find(|(name, _)| *name == text));
        if found.is_none() {
            let hint = value.as_str().and_then(|text| nearest(text, &names)).map_or(String::new(), did_you_mean);
            self.problem(key, format!("expected one of {}, got {value}{hint}", names.join(", ")));
        }
        found.map(|(_, choice)| *choice)
    }

    /// A key that holds a table; an empty one where it is absent.
    pub(super) fn section(&mut self, key: &'static str) -> Self {
        let name = self.path(key);
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

    fn inner(&self, name: String, table: Table) -> Self {
        Self { name, table, known: Vec::new(), problems: Rc::clone(&self.problems) }
    }

    /// A key that holds a table, or a list of tables; one empty table where it is absent or wrong. A list of one is the table.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Self> {
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
                Value::Table(table) => self.inner(self.path(&name), table),
                other if several => {
                    self.problem(&name, format!("expected a table, got {other}"));
                    self.inner(self.path(&name), Table::new())
                }
                other => {
                    self.problem(&name, format!("{expected}, got {other}"));
                    self.inner(self.path(&name), Table::new())
                }
            }
        };
        values.into_iter().enumerate().map(one).collect()
    }

    /// A key that is a table, `true` for the defaults or `false` for off; absent is `default`.
    pub(super) fn switch(&mut self, key: &'static str, default: bool) -> Option<Self> {
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

    /// True where this key was asked for.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.known.contains(&key)
    }

    /// Reports the keys that nobody asked for. `of` names the section in words, such as `[model] of kind mlp`.
    pub(super) fn finish(self, of: &str) {
        self.finish_with(of, |_| None);
    }

    /// [`finish`](Self::finish), where `elsewhere` names the kinds that do have the key.
    pub(super) fn finish_with(self, of: &str, elsewhere: impl Fn(&str) -> Option<String>) {
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

fn did_you_mean(name: &str) -> String {
    format!("; did you mean {name}?")
}

/// The name most like `text`, if it is like enough.
pub fn nearest<'a>(text: &str, names: &[&'a str]) -> Option<&'a str> {
    let likeness = |name: &&str| strsim::jaro_winkler(text, name);
    let best = names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > 0.8).then_some(*best)
}
