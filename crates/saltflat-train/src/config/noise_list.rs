//! `noise`: one noise, or a list of several that act in one run.

use saltflat_config::Section;
use saltflat_noise::{ActsOn, AnyNoise, NOISES, conflict, sort_by_kind};
use serde::{Serialize, Serializer};

use super::noise::ConfiguredNoise;

/// The noises of a run, at least one, in the order of [`NOISES`]: [`conflict`] says which can act together, and how. In TOML a table, or a
/// list of tables if there are several.
#[derive(Clone, Debug, PartialEq)]
pub struct NoiseList(Vec<ConfiguredNoise>);

impl Serialize for NoiseList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

/// A single noise, such as one of a kind that is not in [`NOISES`].
impl From<AnyNoise> for NoiseList {
    fn from(noise: AnyNoise) -> Self {
        Self(vec![noise.into()])
    }
}

impl NoiseList {
    /// Reads the key, with a line for every two noises that cannot act together. In the order in which they were written, until
    /// [`sort`](Self::sort): a line names a noise by its place in the file.
    pub(super) fn read(root: &mut Section) -> Self {
        let sections = root.tables("noise");
        let several = sections.len() > 1;
        let most = NOISES.len() - 1;
        if sections.len() > most {
            let text = format!("expected at most {most} noises, one of a kind, got {}", sections.len());
            root.problem("noise", text);
            return Self(vec![ConfiguredNoise::none()]);
        }
        let read: Vec<Option<ConfiguredNoise>> =
            sections.into_iter().map(|section| ConfiguredNoise::read(section, several)).collect();
        for (j, later) in read.iter().enumerate() {
            for (i, earlier) in read[..j].iter().enumerate() {
                let (Some(earlier), Some(later)) = (earlier, later) else { continue };
                if let Some(reason) = conflict(&earlier.noise, &later.noise) {
                    let (one, other) = (earlier.noise.name(), later.noise.name());
                    let text =
                        format!("expected a noise that can act beside {one} (noise[{i}]), got {other}: {reason}");
                    root.problem(&format!("noise[{j}]"), text);
                }
            }
        }
        Self(read.into_iter().map(|found| found.unwrap_or_else(ConfiguredNoise::none)).collect())
    }

    /// Puts them into the order of their kinds: two lists of the same noises are the same configuration.
    pub(super) fn sort(&mut self) {
        sort_by_kind(&mut self.0, |one| &one.noise);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &ConfiguredNoise> {
        self.0.iter()
    }

    /// The only noise, or which there are.
    pub(crate) fn only_noise(&self) -> Result<&ConfiguredNoise, String> {
        match self.0.as_slice() {
            [one] => Ok(one),
            several => {
                let names: Vec<_> = several.iter().map(|one| one.noise.name()).collect();
                Err(format!("the noise is not that of labels alone but of {}", names.join(" and ")))
            }
        }
    }

    /// Number of noises.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The full name of each noise's table, before they are [sorted](Self::sort), with the noise.
    pub(super) fn with_keys(&self) -> impl Iterator<Item = (String, &ConfiguredNoise)> {
        let several = self.count() > 1;
        let key = move |i: usize| if several { format!("noise[{i}]") } else { "noise".into() };
        self.0.iter().enumerate().map(move |(i, one)| (key(i), one))
    }

    /// The full name of a key of one of them, with its kind if there are several.
    pub(crate) fn key_of(&self, noise: &AnyNoise, key: &str) -> String {
        match self.0.as_slice() {
            [_] => format!("noise.{key}"),
            _ => format!("noise.{key} of {}", noise.name()),
        }
    }

    /// The noise that says what the expected targets of the loss are: at most one.
    pub fn of_targets(&self) -> Option<&ConfiguredNoise> {
        self.iter().find(|one| one.noise.reference_or_self().properties().acts_on == ActsOn::Targets)
    }

    /// Label smoothing under which the smoothed loss is the expectation of the noisy one, for so many classes, before any
    /// schedule; 0 for none.
    pub fn smoothing(&self, outputs: usize) -> f64 {
        self.of_targets().map_or(0.0, |one| one.noise.smoothing(outputs, 1.0))
    }
}
