//! Names of tensors in files: a map to those of the network.

use std::collections::{BTreeMap, BTreeSet};

use saltflat_config::{did_you_mean, nearest};
use serde::Serialize;

/// What names of tensors in a file are in the network: pairs OLD and NEW. The dots say what OLD is:
///
/// | OLD | what it replaces | NEW |
/// | --- | --- | --- |
/// | `head.weight` | this whole name | a whole name |
/// | `encoder.` | the beginning of names; an empty OLD stands before every name | a beginning with a dot at its end, or nothing |
/// | `.shortcut.` | these parts within names, wherever they stand, also at the beginning | parts between dots, or `.` for none |
///
/// A whole name comes before everything else. Otherwise the longest beginning is replaced, and then parts in what follows it; of several that
/// stand at one place the longest. The order of the pairs is of no importance, and what was replaced is not replaced again.
///
/// ```
/// use saltflat_models::Renames;
///
/// let mut names = Renames::default();
/// names.insert("linear.", "fc.").unwrap();
/// names.insert(".shortcut.", ".downsample.").unwrap();
/// assert_eq!(names.apply("linear.bias"), "fc.bias");
/// assert_eq!(names.apply("layer2.0.shortcut.1.weight"), "layer2.0.downsample.1.weight");
/// assert!(names.insert("linear.", "fc").unwrap_err().contains("a dot at its end"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Renames(BTreeMap<String, String>);

/// What an OLD replaces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whole,
    Beginning,
    Parts,
}

impl Kind {
    fn of(old: &str) -> Self {
        match (old.starts_with('.'), old.is_empty() || old.ends_with('.')) {
            (true, true) => Self::Parts,
            (false, true) => Self::Beginning,
            (_, false) => Self::Whole,
        }
    }
}

/// How many names a message suggests.
const SUGGESTED: usize = 3;

impl Renames {
    /// The empty map.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// True if every name stays as it is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a pair; it takes the place of an earlier one with the same OLD.
    ///
    /// # Errors
    /// A sentence if NEW cannot stand in the place of OLD.
    pub fn insert(&mut self, old: &str, new: &str) -> Result<(), String> {
        let wrong = |expected: &str| Err(format!("{old:?} = {new:?}: expected {expected}"));
        if old.contains("..") || new.contains("..") || old == "." {
            return wrong("names with a part between any two dots");
        }
        match Kind::of(old) {
            Kind::Whole if old.starts_with('.') || new.is_empty() || new.starts_with('.') || new.ends_with('.') => {
                return wrong(
                    "two whole names, two beginnings with a dot at their end (\"encoder.\" = \"\"), or parts between dots \
                     (\".shortcut.\" = \".downsample.\")",
                );
            }
            Kind::Beginning if old == new => return wrong("another beginning than the old one"),
            Kind::Beginning if !(new.is_empty() || new.ends_with('.')) || new.starts_with('.') => {
                return wrong("a beginning with a dot at its end, or nothing, in the place of a beginning");
            }
            Kind::Parts if !(new.starts_with('.') && new.ends_with('.')) => {
                return wrong("parts between dots, or \".\" for none, in the place of parts between dots");
            }
            Kind::Whole | Kind::Beginning | Kind::Parts => {}
        }
        self.0.insert(old.into(), new.into());
        Ok(())
    }

    /// The name in the network of a tensor that has this name in the file.
    pub fn apply(&self, name: &str) -> String {
        self.apply_with(name, &mut |_| {})
    }

    /// [`apply`](Self::apply), which shows every OLD that it replaces.
    fn apply_with<'a>(&'a self, name: &str, used: &mut dyn FnMut(&'a str)) -> String {
        if let Some((old, new)) = self.0.get_key_value(name).filter(|(old, _)| Kind::of(old) == Kind::Whole) {
            used(old);
            return new.clone();
        }
        let beginnings = self.0.iter().filter(|(old, _)| Kind::of(old) == Kind::Beginning);
        let longest = beginnings.filter(|(old, _)| name.starts_with(old.as_str())).max_by_key(|(old, _)| old.len());
        let (beginning, rest) = match longest {
            Some((old, new)) => {
                used(old);
                (new.as_str(), name.get(old.len()..).unwrap_or_default())
            }
            None => ("", name),
        };
        let inner: Vec<(&'a str, Vec<&str>, Vec<&str>)> = self
            .0
            .iter()
            .filter(|(old, _)| Kind::of(old) == Kind::Parts)
            .map(|(old, new)| (old.as_str(), parts(old), parts(new)))
            .collect();
        let all: Vec<&str> = rest.split('.').collect();
        let mut kept: Vec<&str> = Vec::new();
        let mut at = 0;
        while at < all.len() {
            // After the parts stands another one: a dot.
            let stands = |old: &[&str]| all[at..].starts_with(old) && at + old.len() < all.len();
            match inner.iter().filter(|(_, old, _)| stands(old)).max_by_key(|(_, old, _)| old.len()) {
                Some((name, old, new)) => {
                    used(name);
                    kept.extend(new);
                    at += old.len();
                }
                None => {
                    kept.push(all[at]);
                    at += 1;
                }
            }
        }
        format!("{beginning}{}", kept.join("."))
    }

    /// The names of a file as they are in the network, each with the one that it has in the file.
    ///
    /// # Errors
    /// A sentence if an OLD replaces nothing, or if two tensors get the same name.
    pub(crate) fn apply_all<'a>(
        &self,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<BTreeMap<String, &'a str>, String> {
        let mut unused: BTreeSet<&str> = self.0.keys().map(String::as_str).collect();
        let mut renamed: BTreeMap<String, &str> = BTreeMap::new();
        for name in names.clone() {
            let new = self.apply_with(name, &mut |old| {
                unused.remove(old);
            });
            if let Some(other) = renamed.insert(new.clone(), name) {
                return Err(format!("{other} and {name} would both be {new}; expected a name of its own for each"));
            }
        }
        match unused.first() {
            Some(old) => Err(format!("no name in the file has {old:?}{}", suggestion(old, names))),
            None => Ok(renamed),
        }
    }
}

/// The parts of a text between dots.
fn parts(text: &str) -> Vec<&str> {
    text.split('.').filter(|part| !part.is_empty()).collect()
}

/// The hint after an OLD that no name has.
fn suggestion<'a>(old: &str, names: impl Iterator<Item = &'a str>) -> String {
    // As `old` they are whole names, beginnings or parts.
    let all: BTreeSet<String> = match Kind::of(old) {
        Kind::Whole => names.map(str::to_string).collect(),
        Kind::Beginning => names.filter_map(|name| Some(format!("{}.", name.split_once('.')?.0))).collect(),
        Kind::Parts => {
            let inner = names.filter_map(|name| name.rsplit_once('.').map(|(start, _)| start));
            inner.flat_map(|start| start.split('.')).map(|part| format!(".{part}.")).collect()
        }
    };
    let known: Vec<&str> = all.iter().map(String::as_str).collect();
    match (nearest(old, &known), known.as_slice()) {
        (Some(name), _) => did_you_mean(name),
        (None, []) => "; it has no such names".into(),
        (None, known) => {
            let more = if known.len() > SUGGESTED { ", …" } else { "" };
            format!("; it has {}{more}", known[..known.len().min(SUGGESTED)].join(", "))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn renames(pairs: &[(&str, &str)]) -> Renames {
        let mut renames = Renames::default();
        for (old, new) in pairs {
            renames.insert(old, new).unwrap();
        }
        renames
    }

    #[test]
    fn whole_names_beginnings_and_parts() {
        let all = renames(&[("a.weight", "b.bias"), ("a.", "c."), ("a.b.", ""), (".x.", ".y."), (".x.z.", ".")]);
        for (name, expected) in [
            ("a.weight", "b.bias"),
            ("a.bias", "c.bias"),
            ("a.b.bias", "bias"),
            ("a.x.x.z.x", "c.y.x"),
            ("x.0", "y.0"),
            ("0.x", "0.x"),
            ("xx.x.weight", "xx.y.weight"),
            ("ab.weight", "ab.weight"),
        ] {
            assert_eq!(all.apply(name), expected, "{name}");
        }
        assert_eq!(renames(&[("", "net.")]).apply("fc.bias"), "net.fc.bias");
    }

    #[test]
    fn what_cannot_stand_in_the_place_is_refused() {
        let said = |old, new| Renames::default().insert(old, new).unwrap_err();
        for (old, new) in [(".a", "b"), ("a", ""), ("a", "b."), ("a", ".b")] {
            assert!(said(old, new).contains("two whole names"), "{old} {new}");
        }
        assert!(said("a.", "b").contains("a beginning with a dot at its end, or nothing"));
        assert!(said(".a.", "b.").contains("or \".\" for none"));
        assert!(said("", "").contains("another beginning"));
        for (old, new) in [(".", "a"), ("a..b", "c"), ("a", "b..c")] {
            assert!(said(old, new).contains("a part between any two dots"), "{old} {new}");
        }
    }

    #[test]
    fn what_no_name_has_and_what_two_names_become() {
        let names = ["linear.weight", "linear.bias", "layer1.0.shortcut.0.weight"];
        let said = |pairs| renames(pairs).apply_all(names.into_iter()).unwrap_err();
        assert_eq!(said(&[("liner.", "fc.")]), "no name in the file has \"liner.\"; did you mean linear.?");
        assert_eq!(
            said(&[("linear.weights", "a")]),
            "no name in the file has \"linear.weights\"; did you mean linear.weight?"
        );
        assert_eq!(said(&[(".short.", ".a.")]), "no name in the file has \".short.\"; did you mean .shortcut.?");
        assert_eq!(said(&[("q.", "")]), "no name in the file has \"q.\"; it has layer1., linear.");
        let both = "linear.weight and linear.bias would both be x; expected a name of its own for each";
        assert_eq!(said(&[("linear.weight", "x"), ("linear.bias", "x")]), both);
    }
}
