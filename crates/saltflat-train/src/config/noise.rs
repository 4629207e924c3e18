//! The table of one noise.

use saltflat_config::Section;
use saltflat_noise::{ActsOn, AnyNoise, NOISES, NoNoise, Strength};
use serde::{Serialize, Serializer, ser::Error};
use toml::{Table, Value};

use super::schedule::{self, Schedule};

/// A given strength of the noise, instead of the one that its σ has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EqualStrength {
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
    pub strength: Option<EqualStrength>,
}

/// With a constant schedule, and as strong as its keys say.
impl From<AnyNoise> for ConfiguredNoise {
    fn from(noise: AnyNoise) -> Self {
        Self { noise, schedule: Schedule::Constant, strength: None }
    }
}

impl ConfiguredNoise {
    /// No noise beyond the minibatch.
    pub(super) fn none() -> Self {
        AnyNoise::from(NoNoise {}).into()
    }

    /// Reads the table of one noise, of several in a list or by itself. Absent if its kind is not known: then its keys cannot be
    /// judged, and the problem is noted.
    pub(super) fn read(mut section: Section, of_several: bool) -> Option<Self> {
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
fn read_strength(section: &mut Section) -> Option<EqualStrength> {
    let given = section.has("strength");
    let target = section.optional("strength", "a number, not negative", |x: &f64| x.is_finite() && *x >= 0.0);
    if !given && section.has("strength_every") {
        section.problem("strength_every", "expected noise.strength beside it");
    }
    let every = section.count("strength_every").unwrap_or(1);
    given.then(|| EqualStrength { target: target.unwrap_or_default(), every })
}
