//! The tensors of a network beside those of a file, whose names may be other ones.

use std::collections::BTreeMap;

use safetensors::tensor::TensorView;

use crate::{
    layout::{Layout, TensorSpec},
    names::Renames,
    shards::Stored,
};

/// Names of well-known networks that differ from those here by a rule.
struct Convention {
    /// Whose names these are.
    of: &'static str,
    /// Pairs of [`Renames`].
    pairs: &'static [(&'static str, &'static str)],
}

/// They are tried in this order if the names do not fit as they are.
const CONVENTIONS: [Convention; 2] = [
    Convention {
        of: "the ResNet of kuangliu/pytorch-cifar",
        pairs: &[(".shortcut.", ".downsample."), ("linear.", "fc.")],
    },
    Convention { of: "the VGG of kuangliu/pytorch-cifar", pairs: &[("classifier.", "classifier.0.")] },
];

/// Parts of a common beginning that are tried.
pub(crate) const MOST_PARTS: usize = 8;

/// A way from the names of a file to those of the network.
#[derive(Clone)]
pub(crate) struct Way {
    /// What is taken off before all names, with a dot at its end; mostly empty.
    pub prefix: String,
    convention: Option<(&'static str, Renames)>,
}

impl Way {
    /// The name in the network; absent if this one has another beginning.
    pub fn name(&self, found: &str) -> Option<String> {
        let rest = found.strip_prefix(&self.prefix)?;
        Some(self.convention.as_ref().map_or_else(|| rest.into(), |(_, renames)| renames.apply(rest)))
    }

    /// What is done to the names, for messages.
    pub fn said(&self) -> Option<String> {
        let prefix = (!self.prefix.is_empty()).then(|| {
            let writer = match &self.prefix {
                prefix if prefix.contains("_orig_mod.") => ", which torch.compile writes,",
                prefix if prefix.starts_with("module.") => ", which torch.nn.DataParallel writes,",
                _ => "",
            };
            format!("the beginning \"{}\" of its names{writer} is taken off", self.prefix)
        });
        let convention = self.convention.as_ref().map(|(of, _)| format!("its names are read as those of {of}"));
        let all: Vec<String> = prefix.into_iter().chain(convention).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Every way that is tried for these names: as they are, without a beginning that all have, and by the rules of well-known networks.
    pub fn all<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<Self> {
        let convention = |convention: &Convention| {
            let mut renames = Renames::default();
            // The pairs above are valid: a test inserts them.
            convention.pairs.iter().for_each(|(old, new)| drop(renames.insert(old, new)));
            (convention.of, renames)
        };
        let conventions: Vec<_> =
            std::iter::once(None).chain(CONVENTIONS.iter().map(|one| Some(convention(one)))).collect();
        let prefixes = std::iter::once(String::new()).chain(common_beginnings(names));
        let with = |prefix: String| {
            conventions.iter().map(move |convention| Self { prefix: prefix.clone(), convention: convention.clone() })
        };
        prefixes.flat_map(with).collect()
    }

    /// As the names are without this beginning.
    pub fn without(prefix: String) -> Self {
        Self { prefix, convention: None }
    }
}

/// The beginnings of whole parts that all names have, shortest first.
fn common_beginnings<'a>(mut names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let Some(first) = names.next() else { return Vec::new() };
    let mut ends: Vec<usize> = first.match_indices('.').map(|(at, _)| at + 1).take(MOST_PARTS).collect();
    for name in names {
        ends.retain(|&end| name.as_bytes().starts_with(&first.as_bytes()[..end]));
    }
    ends.into_iter().map(|end| first[..end].to_string()).collect()
}

/// True for what PyTorch stores beside weights and this program has no use for: the number of batches that batch normalisation has
/// seen, and of the models that `torch.optim.swa_utils.AveragedModel` averages.
pub(crate) fn is_count(name: &str) -> bool {
    matches!(name.rsplit('.').next(), Some("num_batches_tracked" | "n_averaged"))
}

/// A tensor of the file that has no place in the network, or the one at a tensor's place.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    /// Its name in the file.
    pub name: &'a str,
    pub view: &'a TensorView<'a>,
}

/// The tensors of the network beside those of a file, by one way.
pub(crate) struct Comparison<'a> {
    pub way: Way,
    /// Every tensor of the network with what the file has in its place; parameters first.
    pub places: Vec<(&'a TensorSpec, Option<Found<'a>>)>,
    /// What the file has besides, in the order of names, each with the name that the way gives it.
    pub unknown: Vec<(String, Found<'a>)>,
}

impl<'a> Comparison<'a> {
    pub fn of(way: Way, names: &BTreeMap<String, &'a str>, stored: &'a Stored<'a>, layout: &'a Layout) -> Self {
        let found = |(renamed, name): (&String, &&'a str)| {
            let name = *name;
            let new = way.name(renamed).unwrap_or_else(|| renamed.clone());
            Some((new, Found { name, view: stored.get(name)? }))
        };
        let mut by_name: BTreeMap<String, Vec<Found<'a>>> = BTreeMap::new();
        for (new, found) in names.iter().filter_map(found) {
            by_name.entry(new).or_default().push(found);
        }
        let specs = layout.parameters.iter().chain(&layout.buffers);
        let places = specs.map(|spec| (spec, by_name.get_mut(&spec.name).and_then(Vec::pop))).collect();
        let rest = by_name.into_iter().flat_map(|(new, all)| all.into_iter().map(move |found| (new.clone(), found)));
        let unknown = rest.filter(|(_, found)| !is_count(found.name)).collect();
        Self { way, places, unknown }
    }

    /// How many tensors of the network have a tensor in their place.
    pub fn matches(&self) -> usize {
        self.places.iter().filter(|(_, found)| found.is_some()).count()
    }

    /// True if all names are there and no others.
    pub fn fits(&self) -> bool {
        self.matches() == self.places.len() && self.unknown.is_empty()
    }
}

/// True if two shapes differ by axes of length 1 only, so that their numbers stand in the same order.
pub(crate) fn are_alike(a: &[usize], b: &[usize]) -> bool {
    a.iter().filter(|n| **n != 1).eq(b.iter().filter(|n| **n != 1))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_conventions_are_valid() {
        for convention in CONVENTIONS {
            let mut renames = Renames::default();
            for (old, new) in convention.pairs {
                renames.insert(old, new).unwrap();
            }
        }
    }

    #[test]
    fn beginnings_are_of_whole_parts() {
        let of = |names: &[&'static str]| common_beginnings(names.iter().copied());
        assert_eq!(of(&["_orig_mod.module.a.x", "_orig_mod.module.ab.y"]), ["_orig_mod.", "_orig_mod.module."]);
        assert_eq!(of(&["ab.x", "a.x"]), Vec::<String>::new());
        assert_eq!(of(&[]), Vec::<String>::new());
    }

    #[test]
    fn shapes_without_axes_of_one() {
        for (a, b, alike) in [
            (&[3, 1, 1][..], &[3][..], true),
            (&[2, 3], &[2, 3, 1, 1], true),
            (&[1], &[], true),
            (&[2, 3], &[3, 2], false),
            (&[6], &[2, 3], false),
        ] {
            assert_eq!(are_alike(a, b), alike, "{a:?} {b:?}");
        }
    }
}
