//! TOML as text: a file, or a value on the command line.

use toml::{Table, Value};

use crate::problem::Problem;

/// Parts that a key with dots may have: more than any key has, and so few that no walk through the tables runs out of stack.
const MOST_PARTS: usize = 16;

/// The table that a text says.
///
/// # Errors
/// The parser's message, with line and column. Of a whole number that is too large, which the parser calls by its Rust type, the
/// largest is named.
pub fn parse(text: &str) -> Result<Table, Problem> {
    text.parse::<Table>().map_err(|e| Problem::new("", syntax_problem(text, &e)))
}

/// What is wrong with a text that is not TOML, see [`parse`].
pub fn syntax_problem(text: &str, error: &toml::de::Error) -> String {
    let message = error.to_string();
    let word = error.span().and_then(|span| text.get(span)).map(str::trim);
    match word.filter(|word| is_whole_number(word) && word.replace('_', "").parse::<i64>().is_err()) {
        Some(word) => format!("{}\n{}", message.trim_end(), too_large(word)),
        None => message,
    }
}

fn too_large(word: &str) -> String {
    format!("expected a whole number of at most {} (2^63 - 1, the largest of TOML), got {word}", i64::MAX)
}

/// True for what TOML writes as a whole number, however large.
fn is_whole_number(word: &str) -> bool {
    let digits = |text: &str, radix| text.chars().all(|c| c.is_digit(radix) || c == '_') && text.contains(|c| c != '_');
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let radixes = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter();
    digits(unsigned, 10)
        || radixes.into_iter().any(|(prefix, radix)| word.strip_prefix(prefix).is_some_and(|rest| digits(rest, radix)))
}

/// The value that a text on the command line says; what is not TOML is taken as text.
///
/// # Errors
/// A whole number that is too large.
pub fn parse_value(text: &str) -> Result<Value, String> {
    let parsed = format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    match parsed {
        Some(value) => Ok(value),
        None if is_whole_number(text) => Err(too_large(text)),
        None => Ok(Value::String(text.into())),
    }
}

/// Sets `section.key` in a table to the value that a text says, as `--set` does.
///
/// # Errors
/// What is wrong with the key or the value.
pub fn set(table: &mut Table, key: &str, text: &str) -> Result<(), Problem> {
    let value = parse_value(text).map_err(|message| Problem::new(key, message))?;
    if key.split('.').any(str::is_empty) {
        return Err(Problem::new(format!("--set {key}={text}"), "expected section.key=value"));
    }
    let (place, last) = entry(table, key, "--set ")?;
    place.insert(last.into(), value);
    Ok(())
}

/// The table that holds a key with dots, and the last part of the key. Tables that are missing on the way are added, and a switch (`true` or
/// `false`) becomes a table. `option` goes before the key in messages.
///
/// # Errors
/// If the key has an empty part or more than 16, or a part before the last is not a table.
pub fn entry<'t, 'k>(table: &'t mut Table, key: &'k str, option: &str) -> Result<(&'t mut Table, &'k str), Problem> {
    let mut parts: Vec<&str> = key.split('.').collect();
    if parts.len() > MOST_PARTS {
        let start = format!("{option}{}…", parts[..3].join("."));
        return Err(Problem::new(start, format!("expected a key of at most {MOST_PARTS} parts")));
    }
    let last = parts.pop().unwrap_or_default();
    if last.is_empty() || parts.iter().any(|part| part.is_empty()) {
        return Err(Problem::new(key, "expected section.key"));
    }
    let mut place = table;
    for part in parts {
        let entry = place.entry(part).or_insert_with(|| Value::Table(Table::new()));
        if entry.is_bool() {
            *entry = Value::Table(Table::new());
        }
        place = match entry {
            Value::Table(inner) => inner,
            Value::Array(_) => {
                let text = format!("{part} is a list; give the whole of it, {option}'{part}=[…]'");
                return Err(Problem::new(format!("{option}{key}"), text));
            }
            _ => return Err(Problem::new(format!("{option}{key}"), format!("{part} is not a table"))),
        };
    }
    Ok((place, last))
}
