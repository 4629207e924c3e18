//! Reads a list of layers.

use std::collections::BTreeMap;

use saltflat_config::{Kind, Section};
use toml::{Table, Value};

use super::item::{Item, ItemKind};
use crate::{
    join::Join,
    layer_config::{AnyLayer, LayerKind},
    layers::LAYERS,
};

/// The kinds that hold lists of their own.
pub const LIST_KINDS: [&str; 2] = ["residual", "parallel"];

/// Reads one item's own keys.
type ReadItem = fn(&str, &mut Section) -> ItemKind;

/// What an item of some kind is read by.
enum Reader {
    Layer(fn(&str, &mut Section) -> AnyLayer),
    Branches(ReadItem),
}

/// Reads a key that holds a list of layers: tables, and names for tables without other keys. Absent if the key is; what cannot be read
/// is left out, and a problem is noted.
pub fn read_list(section: &mut Section, key: &'static str) -> Option<Vec<Item>> {
    match section.value(key)? {
        Value::Array(values) => Some(items(section, key, values)),
        other => {
            section.problem(key, format!("expected a list of layers, got {other}"));
            None
        }
    }
}

fn items(section: &Section, key: &str, values: Vec<Value>) -> Vec<Item> {
    let read = |(i, value)| {
        let key = format!("{key}[{i}]");
        match value {
            Value::String(kind) => item(section.child(&key, Table::from_iter([("kind".to_string(), kind.into())]))),
            Value::Table(table) => item(section.child(&key, table)),
            other => {
                section
                    .problem(&key, format!("expected a layer, such as \"relu\" or {{ kind = \"relu\" }}, got {other}"));
                None
            }
        }
    };
    values.into_iter().enumerate().filter_map(read).collect()
}

fn item(mut section: Section) -> Option<Item> {
    let layer = |layer: &LayerKind| {
        let (example, read) = (layer.example, layer.read);
        layer.names.iter().map(move |name| Kind { name, example, read: Reader::Layer(read) })
    };
    let mut kinds: Vec<Kind<Reader>> = LAYERS.iter().flat_map(layer).collect();
    let of_lists: [ReadItem; 2] = [residual, parallel];
    kinds.extend(LIST_KINDS.iter().zip(of_lists).map(|(name, read)| Kind {
        name,
        example: "",
        read: Reader::Branches(read),
    }));
    let kind = section.kind(&kinds)?;
    let name = section.get("name");
    let tensors: BTreeMap<String, String> =
        if section.has("tensors") { section.map("tensors") } else { BTreeMap::new() };
    let read = match kind.read {
        Reader::Layer(read) => ItemKind::Layer(read(kind.name, &mut section)),
        Reader::Branches(read) => read(kind.name, &mut section),
    };
    let elsewhere = |key: &str| {
        let has = |layer: &&LayerKind| Section::keys_of(|section| (layer.read)(layer.names[0], section)).contains(&key);
        let names: Vec<&str> = LAYERS.iter().filter(has).flat_map(|layer| layer.names).copied().collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    section.finish_with(&format!("a layer of kind {}", kind.name), elsewhere);
    Some(Item { kind: read, name, tensors })
}

fn residual(_: &str, section: &mut Section) -> ItemKind {
    if !section.has("main") {
        section.problem("main", "is missing; expected a list of layers");
    }
    let main = read_list(section, "main").unwrap_or_default();
    ItemKind::Residual { main, shortcut: read_list(section, "shortcut").unwrap_or_default() }
}

fn parallel(_: &str, section: &mut Section) -> ItemKind {
    let expected = "a list of lists of layers";
    let branches = match section.value("branches") {
        Some(Value::Array(branches)) if !branches.is_empty() => branches,
        Some(other) => {
            section.problem("branches", format!("expected {expected}, got {other}"));
            Vec::new()
        }
        None => {
            section.problem("branches", format!("is missing; expected {expected}"));
            Vec::new()
        }
    };
    let branch = |(i, value)| {
        let key = format!("branches[{i}]");
        match value {
            Value::Array(values) => items(section, &key, values),
            other => {
                section.problem(&key, format!("expected a list of layers, got {other}"));
                Vec::new()
            }
        }
    };
    let branches = branches.into_iter().enumerate().map(branch).collect();
    ItemKind::Parallel { branches, join: section.choice("join", &Join::ALL).unwrap_or_default() }
}
