//! The values of a stage's axes.

use std::collections::BTreeMap;

use saltflat_config::{Problem, Problems, Section};
use saltflat_record::is_control;
use toml::{Table, Value};

use crate::stage::{Axis, Start};

/// Axis of the starts, if there are several.
pub(crate) const START: &str = "start";

/// What of a label is in the name of a folder.
const FOLDER_NAMES: &str = "of a label, the name of a folder has ASCII letters, digits, dots, - and + alone, without a difference between \
                            capital and small letters; change one of the two";

/// One value of an axis.
#[derive(Clone)]
pub(crate) struct AxisValue {
    pub axis: String,
    pub label: String,
    /// The settings that it stands for.
    pub set: Table,
}

impl AxisValue {
    /// The label as part of a folder's name; a number with the axis before it.
    pub fn slug(&self) -> String {
        let plain = |text: &str| {
            let is_kept = |c: char| c.is_ascii_alphanumeric() || ".-+".contains(c);
            let text: String = text.chars().map(|c| if is_kept(c) { c } else { '-' }).collect();
            text.trim_matches(['-', '.']).to_ascii_lowercase()
        };
        match self.label.parse::<f64>() {
            Ok(_) => format!("{}-{}", plain(&self.axis), plain(&self.label)),
            Err(_) => plain(&self.label),
        }
    }

    /// The value of an axis over a key.
    fn of_key(axis: &Axis, key: &str, value: Value) -> Self {
        let label = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self { axis: axis.name.clone(), label, set: Table::from_iter([(key.to_string(), value)]) }
    }

    /// The value of an axis of labelled settings, whose full name in messages is `name`.
    fn labelled(axis: &Axis, name: &str, value: Table, problems: &Problems) -> Self {
        let mut section = Section::named(name, value, problems);
        let label = section.required("label", "a text, not empty", |label: &String| !label.is_empty());
        let set = section.get("set").unwrap_or_default();
        section.finish("a value of an axis without key");
        Self { axis: axis.name.clone(), label, set }
    }
}

/// The axis of several starts; none if there is at most one.
pub(crate) fn of_starts(from: &[Start]) -> Result<Option<Vec<AxisValue>>, String> {
    if from.len() < 2 {
        return Ok(None);
    }
    let value = |start: &Start| AxisValue { axis: START.into(), label: start.label.clone(), set: Table::new() };
    let values: Vec<AxisValue> = from.iter().map(value).collect();
    check(false, &values)?;
    Ok(Some(values))
}

/// The values of an axis, or those that a scale puts in their place; `name` is the full name of the axis in messages. If one is wrong, a
/// problem is noted.
pub(crate) fn of_axis(
    axis: &Axis,
    instead: Option<&Vec<Value>>,
    name: &str,
    problems: &Problems,
) -> Option<Vec<AxisValue>> {
    let before = problems.count();
    let refuse = |text: String| problems.push(Problem::new(name, text));
    if axis.name.contains(is_control) {
        refuse(format!("expected a name without control characters, got {:?}", axis.name));
        return None;
    }
    let mut values = Vec::new();
    for (i, value) in instead.unwrap_or(&axis.values).iter().enumerate() {
        // A scale may name a labelled value of the stage by its label.
        let known = axis.values.iter().find(|known| instead.is_some() && known.get("label") == Some(value));
        match (&axis.key, known.unwrap_or(value)) {
            (Some(key), _) => values.push(AxisValue::of_key(axis, key, value.clone())),
            (None, Value::Table(table)) => {
                let name = format!("{name}.values[{i}]");
                values.push(AxisValue::labelled(axis, &name, table.clone(), problems));
            }
            (None, label) if instead.is_some() => refuse(format!("no value has the label {label}")),
            (None, other) => {
                refuse(format!("expected values {{ label = \"…\", set = {{ … }} }}, or a key, got {other}"));
            }
        }
    }
    if values.is_empty() && problems.count() == before {
        refuse("expected at least one value".into());
    } else if let (true, Err(problem)) = (problems.count() == before, check(axis.key.is_some(), &values)) {
        refuse(problem);
    }
    (problems.count() == before).then_some(values)
}

/// Refuses two values of an axis that would be the same run.
fn check(of_key: bool, values: &[AxisValue]) -> Result<(), String> {
    let (mut labels, mut numbers, mut slugs) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
    for (i, value) in values.iter().enumerate() {
        let label = &value.label;
        if label.contains(is_control) {
            return Err(format!("value {}: expected a label without control characters, got {label:?}", i + 1));
        }
        if let Some(j) = labels.insert(label, i) {
            let same = if of_key { "the same" } else { "of the same label" };
            return Err(format!("values {} and {} are {same}, {label}; leave one of them out", j + 1, i + 1));
        }
        if let (true, Ok(number)) = (of_key, label.parse::<f64>()) {
            numbers.push((number, i));
        }
        if let Some(j) = slugs.insert(value.slug().to_ascii_lowercase(), i) {
            let one = &values[j].label;
            let (j, i) = (j + 1, i + 1);
            return Err(format!(
                "values {j} and {i}, {one:?} and {label:?}, would have the same folders: {FOLDER_NAMES}"
            ));
        }
    }
    numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
    match numbers.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some([(_, i), (_, j)]) => {
            let (i, j) = (*i.min(j), *i.max(j));
            let (one, other) = (&values[i].label, &values[j].label);
            Err(format!("values {} and {} are the same, {one} and {other}; leave one of them out", i + 1, j + 1))
        }
        _ => Ok(()),
    }
}

/// Every value of an axis with every value of the others; the last axis runs fastest.
pub(crate) fn product(axes: Vec<Vec<AxisValue>>) -> Vec<Vec<AxisValue>> {
    axes.into_iter().fold(vec![Vec::new()], |all, axis| {
        all.iter()
            .flat_map(|before| axis.iter().map(|value| [before.as_slice(), std::slice::from_ref(value)].concat()))
            .collect()
    })
}
