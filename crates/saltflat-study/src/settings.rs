//! How settings change a configuration.

use toml::{Table, Value};

/// Parts that a key with dots may have: more than any key has, and so few that no walk through the tables runs out of stack.
const MOST_PARTS: usize = 16;

/// Applies settings to a configuration. A key with dots (`"optimizer.lr"`) sets one value. A table that has a `kind` replaces
/// its whole section, since the keys of a section depend on its kind; any other table is merged key by key.
///
/// # Errors
/// A sentence where a part of a dotted key is not a table, or the key has too many parts.
pub(crate) fn apply(config: &mut Table, settings: &Table) -> Result<(), String> {
    for (key, value) in settings {
        let mut parts: Vec<&str> = key.split('.').collect();
        if parts.len() > MOST_PARTS {
            return Err(format!("{}…: expected a key of at most {MOST_PARTS} parts", parts[..3].join(".")));
        }
        let last = parts.pop().unwrap_or_default();
        if last.is_empty() || parts.iter().any(|part| part.is_empty()) {
            return Err(format!("{key}: expected section.key"));
        }
        let mut place = &mut *config;
        for part in parts {
            match place.entry(part).or_insert_with(|| Value::Table(Table::new())) {
                Value::Table(inner) => place = inner,
                _ => return Err(format!("{key}: {part} is not a table")),
            }
        }
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
        assert_eq!(apply(&mut config, &wrong).unwrap_err(), "optimizer.lr.factor: lr is not a table");
        // A table a part, 100,000 deep, was a stack overflow where it was written or dropped.
        let deep = Table::from_iter([(format!("{}a", "a.".repeat(100_000)), Value::Integer(1))]);
        assert_eq!(apply(&mut config, &deep).unwrap_err(), "a.a.a…: expected a key of at most 16 parts");
    }
}
