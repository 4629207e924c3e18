//! `noise`: one noise, or a list of several that act in one run.

use saltflat_config::Section;
use saltflat_noise::{ActsOn, AnyNoise, NOISES, NoNoise, Strength, conflict, sort_by_kind};
use serde::{Serialize, Serializer, ser::Error};
use toml::{Table, Value};

use super::schedule::{self, Schedule};

/// A given strength of the noise, instead of the one that its σ has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GivenStrength {
    /// s = E‖ξ‖², ξ the noise in the gradient of a step.
    pub target: f64,
    /// The unscaled noise is measured every so many steps.
    pub every: u64,
}

/// A noise of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfiguredNoise {
    /// Its kind and the keys of that.
    pub noise: AnyNoise,
    /// `schedule`: a factor on its probability or σ.
    pub schedule: Schedule,
    /// `strength` and `strength_every`.
    pub strength: Option<GivenStrength>,
}

/// With a constant schedule, and as strong as its keys say.
impl From<AnyNoise> for ConfiguredNoise {
    fn from(noise: AnyNoise) -> Self {
        Self { noise, schedule: Schedule::Constant, strength: None }
    }
}

impl ConfiguredNoise {
    /// No noise beyond the minibatch.
    fn none() -> Self {
        AnyNoise::from(NoNoise {}).into()
    }

    /// Reads the table of one noise, of several in a list or by itself. Absent if its kind is not known: then its keys cannot be
    /// judged, and the problem is noted.
    fn read(mut section: Section, of_several: bool) -> Option<Self> {
        if !section.has("kind") && !of_several {
            section.value("kind");
            section.finish("[noise] of kind none");
            return Some(Self::none());
        }
        // A table of a list that was refused has been replaced by an empty one.
        if section.is_refused() {
            return None;
        }
        let kind = section.kind(NOISES)?;
        let strength = match kind.read.strength {
            Strength::Refused => None,
            Strength::Accepted | Strength::Replaces(_) => read_strength(&mut section),
        };
        let noise = kind.read.read(&mut section, strength.is_some(), NOISES);
        let schedule = match has_schedule(&noise) {
            true => schedule::read(section.section("schedule")),
            false => Schedule::Constant,
        };
        section.finish(&format!("[noise] of kind {}", kind.name));
        Some(Self { noise, schedule, strength })
    }

    /// The table of a noise: its kind with what is not part of it, and without what `strength` stands for.
    fn to_table(&self) -> Result<Table, toml::ser::Error> {
        let mut table = self.noise.to_table()?;
        if has_schedule(&self.noise) {
            table.insert("schedule".into(), Value::try_from(&self.schedule)?);
        }
        let Some(strength) = &self.strength else { return Ok(table) };
        table.insert("strength".into(), strength.target.into());
        table.insert("strength_every".into(), Value::try_from(strength.every)?);
        let kind = NOISES.iter().find(|kind| kind.name == self.noise.name());
        if let Some(Strength::Replaces(key)) = kind.map(|kind| kind.read.strength) {
            table.remove(key);
        }
        Ok(table)
    }
}

impl Serialize for ConfiguredNoise {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_table().map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// True if there is something for a schedule to multiply.
fn has_schedule(noise: &AnyNoise) -> bool {
    noise.properties().acts_on != ActsOn::Nothing
}

/// `strength` with `strength_every`.
fn read_strength(section: &mut Section) -> Option<GivenStrength> {
    let given = section.has("strength");
    let target = section.optional("strength", "a number, not negative", |x: &f64| x.is_finite() && *x >= 0.0);
    if !given && section.has("strength_every") {
        section.problem("strength_every", "expected noise.strength beside it");
    }
    let every = section.count("strength_every").unwrap_or(1);
    given.then(|| GivenStrength { target: target.unwrap_or_default(), every })
}

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
