//! Keys in a study's file that are none, all of them at once.

use saltflat_config::nearest;
use toml::{Table, Value};

/// The keys of a table and its name in messages.
struct Known {
    of: &'static str,
    keys: &'static [&'static str],
}

const FILE: Known = Known { of: "a study", keys: &["study", "base", "stage", "measure", "scale", "figure"] };
const HEADER: Known = Known { of: "[study]", keys: &["name", "base", "title", "text", "baseline"] };
const MEASURE: Known = Known { of: "[measure]", keys: &["loss"] };
const STAGE: Known = Known { of: "[[stage]]", keys: &["name", "from", "require", "seeds", "set", "combine", "axis"] };
const AXIS: Known = Known { of: "[[stage.axis]]", keys: &["name", "key", "values"] };
const SCALE: Known = Known { of: "a scale", keys: &["base", "stage"] };
const STAGE_SCALE: Known = Known { of: "a stage of a scale", keys: &["seeds", "require", "set", "axis"] };

/// Takes the keys out of a study's file that a study does not have, and gives a line about each. What runs and figures say of themselves is
/// read elsewhere.
pub(crate) fn take_unknown(file: &mut Table) -> Vec<String> {
    let mut problems = take(file, &FILE, "");
    for (key, known) in [("study", &HEADER), ("measure", &MEASURE)] {
        problems.extend(
            file.get_mut(key).and_then(Value::as_table_mut).map(|table| take(table, known, key)).into_iter().flatten(),
        );
    }
    for (i, stage) in tables(file.get_mut("stage")).enumerate() {
        let at = format!("stage.{}", name(stage, i));
        problems.extend(take(stage, &STAGE, &at));
        for (i, axis) in tables(stage.get_mut("axis")).enumerate() {
            problems.extend(take(axis, &AXIS, &format!("{at}.axis.{}", name(axis, i))));
        }
    }
    for (scale, table) in named(file.get_mut("scale")) {
        let at = format!("scale.{scale}");
        problems.extend(take(table, &SCALE, &at));
        for (stage, table) in named(table.get_mut("stage")) {
            problems.extend(take(table, &STAGE_SCALE, &format!("{at}.stage.{stage}")));
        }
    }
    problems
}

fn take(table: &mut Table, known: &Known, at: &str) -> Vec<String> {
    let wrong: Vec<String> = table.keys().filter(|key| !known.keys.contains(&key.as_str())).cloned().collect();
    let problem = |key: String| {
        table.remove(&key);
        let hint = match nearest(&key, known.keys) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("{} has {}", known.of, known.keys.join(", ")),
        };
        format!("{at}{}{key}: is not a key; {hint}", if at.is_empty() { "" } else { "." })
    };
    wrong.into_iter().map(problem).collect()
}

/// By its name, or by its number from 1 where it has none.
fn name(table: &Table, i: usize) -> String {
    table.get("name").and_then(Value::as_str).map_or_else(|| (i + 1).to_string(), str::to_string)
}

fn tables(value: Option<&mut Value>) -> impl Iterator<Item = &mut Table> {
    value.and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_table_mut)
}

fn named(value: Option<&mut Value>) -> impl Iterator<Item = (&String, &mut Table)> {
    let all = value.and_then(Value::as_table_mut).into_iter().flat_map(|table| table.iter_mut());
    all.filter_map(|(key, value)| Some((key, value.as_table_mut()?)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::StudyFile;

    /// A study with every key that is listed here is one, and nothing is taken out of it; a key more is, wherever it is.
    #[test]
    fn what_is_listed_is_known() {
        let text = r#"
            base = {}
            study = { name = "s", base = "x", title = "t", text = "t", baseline = "b" }
            measure = { loss = "own" }
            figure = [{ kind = "curves" }]
            [[stage]]
            name = "a"
            from = "b"
            require = {}
            seeds = 1
            set = {}
            combine = "zip"
            axis = [{ name = "x", key = "k", values = [1] }]
            [scale.small]
            base = {}
            stage.a = { seeds = 1, require = {}, set = {}, axis = {} }
        "#;
        StudyFile::parse_alone(text, Path::new("s.toml")).expect("a study");
        let whole: Table = text.parse().expect("TOML");
        let mut table = whole.clone();
        assert!(take_unknown(&mut table).is_empty());
        assert_eq!(table, whole);
        let listed = [&FILE, &HEADER, &MEASURE, &STAGE, &AXIS, &SCALE, &STAGE_SCALE];
        let keys: usize = listed.iter().map(|known| known.keys.len()).sum();
        assert_eq!(keys, 6 + 5 + 1 + 7 + 3 + 2 + 4, "a key more belongs into the study above");

        let wrong = text
            .replace("base = {}\n            study", "bse = {}\n            study")
            .replace("title =", "titel =")
            .replace("loss =", "los =")
            .replace("seeds = 1\n", "sede = 1\n")
            .replace("values =", "vals =")
            .replace("require = {}, set", "requires = {}, set");
        let mut table: Table = wrong.parse().expect("TOML");
        assert_eq!(
            take_unknown(&mut table),
            [
                "bse: is not a key; did you mean base?",
                "study.titel: is not a key; did you mean title?",
                "measure.los: is not a key; did you mean loss?",
                "stage.a.sede: is not a key; did you mean seeds?",
                "stage.a.axis.x.vals: is not a key; did you mean values?",
                "scale.small.stage.a.requires: is not a key; did you mean require?",
            ]
        );
        assert!(take_unknown(&mut table).is_empty());
    }
}
