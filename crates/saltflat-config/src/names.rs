//! The nearest name for a misspelt one.

/// The hint that ends a message about a misspelt name.
pub fn did_you_mean(name: &str) -> String {
    format!("; did you mean {name}?")
}

/// The name most like `text`, if it is like enough.
pub fn nearest<'a>(text: &str, names: &[&'a str]) -> Option<&'a str> {
    let likeness = |name: &&str| strsim::jaro_winkler(text, name);
    let best = names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > 0.8).then_some(*best)
}
