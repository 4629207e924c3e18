//! How settings change a configuration.

use saltflat_config::{Problem, entry};
use toml::{Table, Value};

/// Applies settings to a configuration. A key with dots (`"optimizer.lr"`) sets one value. A table that has a `kind` replaces
/// its whole section, since the keys of a section depend on its kind; any other table is merged key by key.
///
/// # Errors
/// As [`entry`].
pub(crate) fn apply(config: &mut Table, settings: &Table) -> Result<(), Problem> {
    for (key, value) in settings {
        let (place, last) = entry(config, key, "")?;
        match (place.get_mut(last), value) {
            (Some(Value::Table(old)), Value::Table(new)) if !new.contains_key("kind") => apply(old, new)?,
            _ => {
                place.insert(last.into(), value.clone());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_replace_kinds_and_merge_the_rest() {
        let mut config: Table =
            "[noise]\nkind = \"label-flip\"\nprobability = 0.2\n[optimizer]\nlr = 0.1\nbatch_size = 5".parse().unwrap();
        let settings: Table =
            "optimizer = { lr = 0.2 }\nnoise = { kind = \"none\" }\n\"train.steps\" = 3".parse().unwrap();
        apply(&mut config, &settings).unwrap();
        let expected: Table =
            "[noise]\nkind = \"none\"\n[optimizer]\nlr = 0.2\nbatch_size = 5\n[train]\nsteps = 3".parse().unwrap();
        assert_eq!(config, expected);
        let wrong: Table = "\"optimizer.lr.factor\" = 1".parse().unwrap();
        assert_eq!(apply(&mut config, &wrong).unwrap_err().to_string(), "optimizer.lr.factor: lr is not a table");
        // A table a part, 100,000 deep, was a stack overflow when it was written or dropped.
        let deep = Table::from_iter([(format!("{}a", "a.".repeat(100_000)), Value::Integer(1))]);
        assert_eq!(apply(&mut config, &deep).unwrap_err().to_string(), "a.a.a…: expected a key of at most 16 parts");
    }
}
