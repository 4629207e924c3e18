//! From a scale and changes to the settings of a lab.

use serde::{Serialize, de::DeserializeOwned};
use toml::{Table, Value};

use crate::LabError;

/// How large a lab is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Seconds: to see that it runs.
    Smoke,
    /// A minute or so on two cores.
    Small,
    /// As in the paper.
    #[default]
    Paper,
}

impl Scale {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 3] = [("smoke", Self::Smoke), ("small", Self::Small), ("paper", Self::Paper)];
}

/// The settings of a lab: a flat table of keys.
pub trait Settings: Serialize + DeserializeOwned {
    /// The lab's name.
    const LAB: &'static str;

    /// Those of a scale.
    fn at(scale: Scale) -> Self;

    /// Everything that cannot run, a line each: `lr: expected a number above 0, found -1`.
    fn problems(&self) -> Vec<String>;
}

/// The settings of a scale with some keys replaced by values in TOML's notation (a word without quotes is a text).
///
/// # Errors
/// [`LabError::Settings`] with everything that is wrong: keys that there are not, with the nearest name, values of another
/// type, and what [`Settings::problems`] says.
pub fn read<S: Settings>(scale: Scale, changes: &[(String, String)]) -> Result<S, LabError> {
    let wrong = |problems: Vec<String>| LabError::Settings { lab: S::LAB, problems };
    let mut table = Table::try_from(S::at(scale)).map_err(|e| wrong(vec![e.to_string()]))?;
    let mut problems = Vec::new();
    for (key, text) in changes {
        let Some(old) = table.get(key) else {
            let known: Vec<&str> = table.keys().map(String::as_str).collect();
            problems.push(unknown(key, &known));
            continue;
        };
        match fitting(old, parsed(text)) {
            Ok(value) => drop(table.insert(key.clone(), value)),
            Err(expected) => problems.push(format!("{key}: expected {expected}, found {text}")),
        }
    }
    if !problems.is_empty() {
        return Err(wrong(problems));
    }
    let settings: S = table.try_into().map_err(|e: toml::de::Error| wrong(vec![e.message().to_string()]))?;
    let problems = settings.problems();
    if problems.is_empty() { Ok(settings) } else { Err(wrong(problems)) }
}

fn unknown(key: &str, known: &[&str]) -> String {
    let nearest = known.iter().min_by_key(|name| strsim::damerau_levenshtein(key, name));
    match nearest.filter(|name| strsim::damerau_levenshtein(key, name) <= 2) {
        Some(name) => format!("{key}: there is no such key; did you mean {name}?"),
        None => format!("{key}: there is no such key; expected one of {}", known.join(", ")),
    }
}

fn parsed(text: &str) -> Value {
    let line = format!("value = {text}");
    let value = line.parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.into()))
}

/// The value as the type that stands there; or what was expected.
fn fitting(old: &Value, new: Value) -> Result<Value, &'static str> {
    match (old, new) {
        (Value::Float(_), Value::Integer(whole)) => Ok(Value::Float(whole as f64)),
        (Value::Array(old), Value::Array(new)) => match old.first() {
            Some(first) => new.into_iter().map(|item| fitting(first, item)).collect::<Result<_, _>>().map(Value::Array),
            None => Ok(Value::Array(new)),
        },
        (old, new) if old.same_type(&new) => Ok(new),
        (Value::Float(_), _) => Err("a number"),
        (Value::Integer(_), _) => Err("a whole number"),
        (Value::Boolean(_), _) => Err("true or false"),
        (Value::String(_), _) => Err("a text"),
        (Value::Array(_), _) => Err("a list"),
        _ => Err("another type"),
    }
}
