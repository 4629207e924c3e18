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

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Small => "small",
            Self::Paper => "paper",
        }
    }
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

/// Seeds that a lab may have: every one is a trial of each series, and all are listed before the first runs.
const MOST_SEEDS: i64 = 100_000;

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
            // What is too large for TOML was taken as text.
            Err(_) if old.is_integer() && !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) => {
                problems
                    .push(format!("{key}: expected a whole number of at most {} (2^63 - 1), found {text}", i64::MAX));
            }
            Err(expected) => problems.push(format!("{key}: expected {expected}, found {text}")),
        }
    }
    if !problems.is_empty() {
        return Err(wrong(problems));
    }
    let settings: S = match table.clone().try_into() {
        Ok(settings) => settings,
        Err(e) => return Err(wrong(unread::<S>(&table, changes, &e))),
    };
    let mut problems = settings.problems();
    if let Some(seeds) = table.get("seeds").and_then(Value::as_integer).filter(|&seeds| seeds > MOST_SEEDS) {
        problems.push(format!("seeds: expected at most {MOST_SEEDS}, found {seeds}"));
    }
    if problems.is_empty() { Ok(settings) } else { Err(wrong(problems)) }
}

/// Which of the changes cannot be read, each tried alone.
fn unread<S: Settings>(table: &Table, changes: &[(String, String)], error: &toml::de::Error) -> Vec<String> {
    let alone = |(key, _): &(String, String)| {
        let mut all = Table::try_from(S::at(Scale::Paper)).ok()?;
        all.insert(key.clone(), table.get(key)?.clone());
        let error = all.try_into::<S>().err()?;
        Some(format!("{key}: {}", error.message()))
    };
    let problems: Vec<String> = changes.iter().filter_map(alone).collect();
    if problems.is_empty() { vec![error.message().to_string()] } else { problems }
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
        (Value::Integer(_), Value::Integer(whole)) if whole < 0 => Err("a whole number of at least 0"),
        (old, new) if old.same_type(&new) => Ok(new),
        (Value::Float(_), _) => Err("a number"),
        (Value::Integer(_), _) => Err("a whole number"),
        (Value::Boolean(_), _) => Err("true or false"),
        (Value::String(_), _) => Err("a text"),
        (Value::Array(_), _) => Err("a list"),
        _ => Err("another type"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quadratic::Quadratic;

    fn with(changes: &[(&str, &str)]) -> Result<Quadratic, String> {
        let changes: Vec<(String, String)> =
            changes.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        read::<Quadratic>(Scale::Smoke, &changes).map_err(|e| e.to_string())
    }

    #[test]
    fn changes_take_the_type_that_stands_there() {
        let made =
            with(&[("lr", "1"), ("decay_at", "[5]"), ("gaussian_sigmas", "[1, 0.5]"), ("label_noise", "gaussian")])
                .unwrap();
        let expected = Quadratic {
            lr: 1.0,
            decay_at: vec![5],
            gaussian_sigmas: vec![1.0, 0.5],
            label_noise: "gaussian".into(),
            ..Quadratic::at(Scale::Smoke)
        };
        assert_eq!(made, expected);
    }

    #[test]
    fn everything_that_is_wrong_is_said_with_its_key() {
        let error = with(&[("lr", "fast"), ("sample", "3"), ("seeds", "1.5"), ("decay_at", "3")]).unwrap_err();
        for part in [
            "quadratic: 4 problems",
            "lr: expected a number, found fast",
            "sample: there is no such key; did you mean samples?",
            "seeds: expected a whole number, found 1.5",
            "decay_at: expected a list, found 3",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let error = with(&[("steps", "9223372036854775808")]).unwrap_err();
        assert!(error.contains("steps: expected a whole number of at most 9223372036854775807"), "{error}");
        for (key, value) in [
            ("samples", "100"),
            ("samples", "0"),
            ("lr", "-1"),
            ("lr", "nan"),
            ("delta", "-0.5"),
            ("gaussian_sigmas", "[0.1, -1.0]"),
            ("langevin_inverse_temperatures", "[0]"),
            ("seeds", "0"),
            ("seeds", "-3"),
            ("seeds", "1000000000000"),
            ("steps", "0"),
            ("rows", "0"),
            ("ones", "101"),
            ("start", "inf"),
            ("noises", "[\"salt\"]"),
            ("shapes", "[\"round\"]"),
            ("label_noise", "uniform"),
        ] {
            let error = with(&[(key, value)]).unwrap_err();
            assert!(error.starts_with(&format!("quadratic: {key}")), "{key} {value}: {error}");
        }
        let changes = [("loss".to_string(), "cubic".to_string())];
        let error = read::<crate::linear_stability::LinearStability>(Scale::Smoke, &changes).unwrap_err().to_string();
        assert!(error.starts_with("linear-stability: loss: unknown variant `cubic`"), "{error}");
        let nothing = with(&[("noises", "[]"), ("gaussian_sigmas", "[]"), ("langevin_inverse_temperatures", "[]")]);
        assert!(nothing.unwrap_err().contains("noises: expected at least one"));
    }
}
