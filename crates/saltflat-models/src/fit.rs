//! Which tensor of a file is which of the network.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use safetensors::Dtype;

use crate::{
    comparison::{Comparison, Found, MOST_PARTS, Way, are_alike, is_count},
    differences::differences,
    error::ModelError,
    layout::{Layout, TensorSpec},
    names::Renames,
    shards::Stored,
};

/// A tensor of the network, and the tensor of the file that it is.
pub(crate) struct Fit<'a> {
    /// Parameters first, in the order of the layout.
    pub tensors: Vec<Found<'a>>,
    /// What a person should know of it, a sentence each.
    pub notes: Vec<String>,
}

/// Finds the tensors of a network among those of a file.
///
/// # Errors
/// [`ModelError::Rename`] if the map of names does not suit the file, [`ModelError::Weights`] if its tensors are not the network's.
pub(crate) fn fit<'a>(
    path: &Path,
    stored: &'a Stored<'a>,
    layout: &'a Layout,
    renames: &Renames,
) -> Result<Fit<'a>, ModelError> {
    let names = renames
        .apply_all(stored.keys().map(String::as_str))
        .map_err(|reason| ModelError::Rename { path: path.into(), reason })?;
    let counted = names.keys().map(String::as_str).filter(|name| !is_count(name));
    let mut best: Option<Comparison<'_>> = None;
    for way in Way::all(counted) {
        let comparison = Comparison::of(way, &names, stored, layout);
        if comparison.fits() {
            return shaped(path, comparison);
        }
        if best.as_ref().is_none_or(|best| comparison.matches() > best.matches()) {
            best = Some(comparison);
        }
    }
    let with = |way| Comparison::of(way, &names, stored, layout);
    let best = best.unwrap_or_else(|| with(Way::without(String::new())));
    // A beginning that most names have, but not all.
    let best = match beginning_of_most(&best) {
        Some(prefix) => {
            Some(with(Way::without(prefix))).filter(|other| other.matches() > best.matches()).unwrap_or(best)
        }
        None => best,
    };
    Err(ModelError::Weights { path: path.into(), differences: differences(path, &best) })
}

/// The beginning without which more names than any other fit.
fn beginning_of_most(best: &Comparison<'_>) -> Option<String> {
    let missing: BTreeSet<&str> =
        best.places.iter().filter(|(_, found)| found.is_none()).map(|(spec, _)| spec.name.as_str()).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, _) in &best.unknown {
        for (dot, _) in name.match_indices('.').take(MOST_PARTS) {
            if missing.contains(&name[dot + 1..]) {
                *counts.entry(&name[..=dot]).or_default() += 1;
            }
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(prefix, _)| prefix.to_string())
}

/// The tensors, all of whose names fit, if their shapes fit too.
fn shaped<'a>(path: &Path, comparison: Comparison<'a>) -> Result<Fit<'a>, ModelError> {
    let alike = |(spec, found): &(&TensorSpec, Option<Found<'_>>)| {
        found.is_some_and(|found| are_alike(found.view.shape(), &spec.shape))
    };
    if !comparison.places.iter().all(alike) {
        return Err(ModelError::Weights { path: path.into(), differences: differences(path, &comparison) });
    }
    let places = comparison.places.iter().filter_map(|(spec, found)| Some((*spec, (*found)?)));
    let notes = [comparison.way.said(), other_axes(places.clone()), half_precision(places.clone())];
    let notes = notes.into_iter().flatten().map(|note| format!("{}: {note}", path.display())).collect();
    Ok(Fit { tensors: places.map(|(_, found)| found).collect(), notes })
}

/// A sentence about tensors whose shapes are not the network's to the letter.
fn other_axes<'a>(places: impl Iterator<Item = (&'a TensorSpec, Found<'a>)>) -> Option<String> {
    let mut other = places.filter(|(spec, found)| spec.shape != found.view.shape());
    let (spec, found) = other.next()?;
    Some(format!(
        "tensors that differ by axes of length 1 only are taken ({}: {:?} for {:?}{})",
        found.name,
        found.view.shape(),
        spec.shape,
        match other.count() {
            0 => String::new(),
            more => format!(", and {more} more"),
        }
    ))
}

/// A sentence about tensors in half precision: what is measured is measured at rounded weights.
fn half_precision<'a>(places: impl Iterator<Item = (&'a TensorSpec, Found<'a>)>) -> Option<String> {
    let half = |(_, found): &(&TensorSpec, Found<'_>)| matches!(found.view.dtype(), Dtype::F16 | Dtype::BF16);
    let all: Vec<Found<'_>> = places.filter(half).map(|(_, found)| found).collect();
    all.first().map(|first| {
        format!(
            "{} tensors are in half precision (such as {}, {:?}); they are read as f32, which keeps their numbers, but these were rounded \
             when they were stored",
            all.len(),
            first.name,
            first.view.dtype()
        )
    })
}
