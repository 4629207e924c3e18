//! What is not as it should be in a weights file of another network, or of the same one under other names.

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
};

use safetensors::SafeTensors;

use crate::{
    foreign::literal,
    layout::{Layout, TensorSpec},
};

/// How many tensors a message names.
const NAMED: usize = 5;

/// What is missing, has another shape or is not known, in the layout's order; absent if nothing is. Names that all have, or all lack, the same
/// beginning are told as that.
pub(crate) fn differences(path: &Path, file: &SafeTensors<'_>, layout: &Layout) -> Option<String> {
    let specs = || layout.parameters.iter().chain(&layout.buffers);
    let (mut missing, mut reshaped): (Vec<&TensorSpec>, Vec<String>) = (Vec::new(), Vec::new());
    for spec in specs() {
        match file.tensor(&spec.name) {
            Err(_) => missing.push(spec),
            Ok(view) if view.shape() != spec.shape => {
                reshaped.push(format!("{} is {:?}, expected {:?}", spec.name, view.shape(), spec.shape));
            }
            Ok(_) => {}
        }
    }
    let expected: HashSet<&str> = specs().map(|spec| spec.name.as_str()).collect();
    let is_unknown = |name: &&str| !name.ends_with("num_batches_tracked") && !expected.contains(name);
    // In the order of their names: that of the file is arbitrary.
    let unknown: BTreeSet<&str> = file.names().into_iter().filter(is_unknown).collect();
    if missing.is_empty() && reshaped.is_empty() && unknown.is_empty() {
        return None;
    }
    let is_state = path.to_string_lossy().ends_with(".state.safetensors");
    if is_state && unknown.iter().any(|name| name.starts_with("momentum.")) {
        return Some(
            "it is the state beside a checkpoint, its momentum; the weights are in the step-N.safetensors beside it"
                .into(),
        );
    }
    if let Some(text) = prefixed(path, &missing, &unknown) {
        return Some(text);
    }
    let mut parts = Vec::new();
    if !missing.is_empty() {
        let all = specs().count();
        parts.push(format!("{} of its {all} tensors are in the file", all - missing.len()));
    }
    parts.extend(reshaped.iter().take(NAMED).cloned());
    parts.extend(more(reshaped.len(), "of another shape"));
    parts.extend(missing.iter().take(NAMED).map(|spec| format!("{} {:?} is missing", spec.name, spec.shape)));
    parts.extend(more(missing.len(), "missing"));
    parts.extend(unknown.iter().take(NAMED).map(|name| format!("{name} is not a tensor of the network")));
    parts.extend(more(unknown.len(), "not of the network"));
    Some(parts.join("; "))
}

fn more(count: usize, what: &str) -> Option<String> {
    (count > NAMED).then(|| format!("and {} more {what}", count - NAMED))
}

/// The sentence about names of which most differ from those that are missing by the same beginning.
fn prefixed(path: &Path, missing: &[&TensorSpec], unknown: &BTreeSet<&str>) -> Option<String> {
    let names = || missing.iter().map(|spec| spec.name.as_str());
    let most = |count: &usize| 2 * count > missing.len();
    // The file's names are longer.
    let added = names().take(NAMED).flat_map(|name| unknown.iter().filter_map(move |found| found.strip_suffix(name)));
    let matches = |prefix: &str| names().filter(|name| unknown.contains(format!("{prefix}{name}").as_str())).count();
    let added = best(added, matches).filter(|(_, count)| most(count));
    // The file's names are shorter.
    let removed = names().take(NAMED).flat_map(|name| unknown.iter().filter_map(move |found| name.strip_suffix(found)));
    let matches = |prefix: &str| {
        names().filter(|name| name.strip_prefix(prefix).is_some_and(|rest| unknown.contains(rest))).count()
    };
    let removed = best(removed, matches).filter(|(_, count)| most(count));
    let all = missing.len();
    let (said, key, count) = match (added, removed) {
        (Some((prefix, count)), _) => {
            let writer = match prefix {
                _ if prefix.contains("_orig_mod.") => ", as torch.compile writes it",
                _ if prefix.contains("module.") => ", as torch.nn.DataParallel writes it",
                _ => "",
            };
            let said = format!("before names in the file stands \"{prefix}\"{writer}");
            (said, format!("k.removeprefix({})", literal(prefix)), count)
        }
        (None, Some((prefix, count))) => {
            let said = format!("before names in the file is no \"{prefix}\"");
            (said, format!("{} + k", literal(prefix)), count)
        }
        (None, None) => return None,
    };
    let first = names().next()?;
    let beside = unknown.iter().find(|found| found.ends_with(first) || first.ends_with(**found))?;
    let (from, to) =
        (literal(&path.to_string_lossy()), literal(&path.with_extension("renamed.safetensors").to_string_lossy()));
    Some(format!(
        "{said}: {count} of the {all} missing tensors are there under such names (expected {first}, found {beside}); rename them with\n  python -c \
         \"import safetensors.torch as s; s.save_file({{{key}: v for k, v in s.load_file({from}).items()}}, {to})\""
    ))
}

/// The candidate, not empty, with the most matches.
fn best<'a>(candidates: impl Iterator<Item = &'a str>, matches: impl Fn(&str) -> usize) -> Option<(&'a str, usize)> {
    let distinct: BTreeSet<&str> = candidates.filter(|prefix| !prefix.is_empty()).collect();
    distinct.into_iter().map(|prefix| (prefix, matches(prefix))).max_by_key(|(_, count)| *count)
}
