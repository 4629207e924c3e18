//! From a list to the stages of a network.

use saltflat_config::{did_you_mean, nearest};

use super::item::{Item, ItemKind};
use crate::{
    error::ModelError,
    join::Join,
    layout::Layout,
    limits::{MOST_LAYERS, check_shape, check_total},
    network::{Network, Stage},
    place::{Built, Place},
};

/// Makes the stages of a list for images `[channels, height, width]`, whose tensors are added to the layout. `key` is the key of the list in
/// a configuration, such as `model.layers`.
///
/// # Errors
/// [`ModelError::Config`] if a layer cannot follow the one before it, with both and the shape between them.
pub fn build_list(layout: &mut Layout, key: &str, items: &[Item], input: [usize; 3]) -> Result<Built, ModelError> {
    let layers: usize = items.iter().map(Item::layers).sum();
    if layers > MOST_LAYERS {
        return Err(ModelError::config(key, format!("at most {MOST_LAYERS} layers"), layers));
    }
    build(layout, items, ListStart { key, name: "", input, before: "the data".into() })
}

impl Network {
    /// The network of a list of layers, from images `[channels, height, width]` to `outputs` numbers.
    ///
    /// # Errors
    /// [`ModelError::Config`] if a layer cannot follow the one before it, the last has not so many outputs, or the network is too large.
    pub fn from_layers(items: &[Item], input: [usize; 3], outputs: usize) -> Result<Self, ModelError> {
        let (key, mut layout) = ("model.layers", Layout::default());
        let built = build_list(&mut layout, key, items, input)?;
        check_total(&layout)?;
        if let Some(twice) = layout.repeated_name() {
            return Err(ModelError::config(key, "a name of its own for every tensor", format!("two tensors {twice}")));
        }
        if let Some(name) = layout.unusable_name() {
            let expected = "names of tensors that a file of weights can have: not empty, without control characters, not __metadata__";
            return Err(ModelError::config(key, expected, format!("{name:?}")));
        }
        if layout.is_empty() {
            return Err(ModelError::config(key, "at least one layer with trained parameters", "none"));
        }
        if built.output.iter().product::<usize>() != outputs {
            let from = match items {
                [.., last] => format!("{key}[{}] ({})", items.len() - 1, last.kind.name()),
                [] => "the data".into(),
            };
            let got = format!("{:?} from {from}", built.output);
            return Err(ModelError::config(key, format!("{outputs} outputs"), got));
        }
        Ok(Self::new(layout, built.stages, input, outputs))
    }
}

/// Where a list starts.
struct ListStart<'a> {
    /// Its key.
    key: &'a str,
    /// The name before the indices of its items.
    name: &'a str,
    /// The shape that reaches it.
    input: [usize; 3],
    /// What gives that.
    before: String,
}

fn build(layout: &mut Layout, items: &[Item], start: ListStart<'_>) -> Result<Built, ModelError> {
    let mut built = Built { stages: Vec::new(), output: start.input };
    let mut before = start.before;
    for (i, item) in items.iter().enumerate() {
        let key = format!("{}[{i}]", start.key);
        let name = item.name.clone().unwrap_or_else(|| match start.name {
            "" => i.to_string(),
            list => format!("{list}.{i}"),
        });
        let branch = |layout: &mut Layout, items: &[Item], key_part: &str, name_part: &str| {
            let (key, name) = (format!("{key}.{key_part}"), format!("{name}.{name_part}"));
            build(layout, items, ListStart { key: &key, name: &name, input: built.output, before: before.clone() })
        };
        let next = match &item.kind {
            ItemKind::Layer(layer) => {
                let mut place = Place {
                    layout,
                    input: built.output,
                    key: key.clone(),
                    kind: item.kind.name(),
                    before,
                    name,
                    tensors: item.tensors.clone(),
                    roles: Vec::new(),
                };
                let next = layer.build(&mut place)?;
                if let Some((role, _)) = place.tensors.pop_first() {
                    let roles: Vec<&str> = place.roles.iter().map(String::as_str).collect();
                    let hint = nearest(&role, &roles).map_or(String::new(), did_you_mean);
                    let expected = format!("in tensors the names of {}", roles.join(", "));
                    return Err(place.error_of(expected, format!("{role}{hint}")));
                }
                next
            }
            ItemKind::Residual { main, shortcut } => {
                // In the order in which the tensors of residual networks stand in PyTorch.
                let main = branch(layout, main, "main", "main")?;
                let shortcut = branch(layout, shortcut, "shortcut", "shortcut")?;
                join(&key, &item.kind, Join::Sum, vec![shortcut, main])?
            }
            ItemKind::Parallel { branches, join: how } => {
                let mut built = Vec::with_capacity(branches.len());
                for (j, items) in branches.iter().enumerate() {
                    built.push(branch(layout, items, &format!("branches[{j}]"), &format!("branches.{j}"))?);
                }
                join(&key, &item.kind, *how, built)?
            }
        };
        check_shape(&format!("{key} ({})", item.kind.name()), next.output)?;
        built.stages.extend(next.stages);
        built.output = next.output;
        before = format!("{key} ({})", item.kind.name());
    }
    Ok(built)
}

/// Joins branches whose outputs fit each other.
fn join(key: &str, kind: &ItemKind, join: Join, branches: Vec<Built>) -> Result<Built, ModelError> {
    let shapes: Vec<[usize; 3]> = branches.iter().map(|branch| branch.output).collect();
    let output = join.output(&shapes).ok_or_else(|| {
        let name = |i: usize| match kind {
            ItemKind::Residual { .. } => ["shortcut", "main"][i.min(1)].to_string(),
            ItemKind::Layer(_) | ItemKind::Parallel { .. } => format!("branches[{i}]"),
        };
        let got = shapes.iter().enumerate().map(|(i, shape)| format!("{shape:?} from {}", name(i)));
        let got = got.collect::<Vec<_>>().join(" and ");
        let key = format!("{key} ({})", kind.name());
        ModelError::config(&key, format!("branches whose outputs {}", join.requirement()), got)
    })?;
    let branches = branches.into_iter().map(|branch| branch.stages).collect();
    Ok(Built { stages: vec![Stage::Branches { branches, join }], output })
}
