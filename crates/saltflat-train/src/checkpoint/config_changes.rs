//! Which keys of a configuration may differ between a checkpoint and the run that is resumed from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;
use toml::{Table, Value};

use crate::config::{Config, Schedule};

/// Keys and sections that may change when a run is resumed, each with the reason. Every other key decides what the steps
/// compute, and a run whose steps were made under two values of it would be neither of the two: such a change is refused.
pub const CHANGEABLE: [(&str, &str); 14] = [
    ("run.name", "a name"),
    ("run.tensorboard", "whether event files are written"),
    ("data.path", "where the data lie; their content is compared by its SHA-256"),
    ("train.epochs", "where the run ends"),
    ("train.steps", "where the run ends"),
    ("train.stop_loss", "where the run ends"),
    ("train.stop_accuracy", "where the run ends"),
    ("train.diverged_above", "where the run ends"),
    ("train.microbatch", "memory: the same mathematics in other passes, except for batch normalisation"),
    ("train.checkpoint.every_epochs", "when the run is saved"),
    ("train.checkpoint.every_steps", "when the run is saved"),
    ("train.checkpoint.every_minutes", "when the run is saved"),
    ("train.checkpoint.keep", "how many checkpoints stay"),
    ("metrics", "what is measured and when, which changes no step; but not metrics.loss and metrics.split"),
];

/// Parts of a section of [`CHANGEABLE`] that may not change: rows of one run are of one loss, so that they can be compared.
const MEASURED_LOSS: [&str; 2] = ["metrics.loss", "metrics.split"];

/// The keys of [`CHANGEABLE`] that can make a finished run go on.
const ENDS: [&str; 4] = ["train.epochs", "train.steps", "train.stop_loss", "train.stop_accuracy"];

/// The keys that set the number of steps.
pub(super) const LENGTHS: [&str; 2] = ["train.epochs", "train.steps"];

/// A key whose value is not that of the checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfigChange {
    /// `section.key`.
    pub key: String,
    /// The value with which the checkpoint was made, if the key had one.
    pub then: Option<Value>,
    /// The value now, if the key has one.
    pub now: Option<Value>,
}

impl fmt::Display for ConfigChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<Value>| value.as_ref().map_or("absent".into(), Value::to_string);
        write!(f, "{}: {} then, {} now", self.key, text(&self.then), text(&self.now))
    }
}

impl ConfigChange {
    fn is_allowed(&self) -> bool {
        let within = |section: &str| {
            let rest = self.key.strip_prefix(section);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        CHANGEABLE.iter().any(|(allowed, _)| within(allowed)) && !MEASURED_LOSS.into_iter().any(within)
    }
}

/// What differs between the configuration that made a checkpoint and the one of now.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigChanges {
    /// The keys, in alphabetical order; all of them may change.
    pub keys: Vec<ConfigChange>,
    /// False if the checkpoint was saved by a version that did not keep the configuration, or if there is no checkpoint: then
    /// only what `--set` changes is known.
    pub is_complete: bool,
    /// The configuration of then.
    pub(super) then: Config,
}

impl ConfigChanges {
    /// Compares two configurations.
    pub(super) fn between(then: Config, now: &Config, is_complete: bool) -> Result<Self, String> {
        let keys = differences(&then, now)?;
        let refused: Vec<String> =
            keys.iter().filter(|change| !change.is_allowed()).map(|change| format!("\n  {change}")).collect();
        if !refused.is_empty() {
            let (count, these) = match refused.len() {
                1 => ("a key".to_string(), "this key"),
                count => (format!("{count} keys"), "these keys"),
            };
            return Err(format!(
                "{count} of its configuration changed, and {these} may not change within a run{}\nundo the change, or start \
                 a new run with the new value (train.init starts it from the weights of this one)",
                refused.concat()
            ));
        }
        let changes = Self { keys, is_complete, then };
        match changes.cosine() {
            Some((section, length)) => Err(format!(
                "{length}; {section} is warmup-cosine, whose factor at every step depends on the number of steps, so the steps \
                 already made are not those of the longer or shorter run; start a new run (train.init starts it from the \
                 weights of this one)"
            )),
            None => Ok(changes),
        }
    }

    /// The schedule that makes the steps already made depend on the length, and the key that changes the length.
    fn cosine(&self) -> Option<(String, &ConfigChange)> {
        let noises = &self.then.noise;
        let of_noise = noises.iter().map(|one| (noises.key_of(&one.noise, "schedule"), &one.schedule));
        let mut schedules = [("[schedule]".to_string(), &self.then.schedule)].into_iter().chain(of_noise);
        let (section, _) = schedules.find(|(_, schedule)| schedule.depends_on_length())?;
        Some((section, self.of_keys(&LENGTHS)?))
    }

    /// True if a key changed that can make a finished run go on.
    pub fn moves_the_end(&self) -> bool {
        self.of_keys(&ENDS).is_some()
    }

    /// The first change of one of these keys, if there is one.
    pub(super) fn of_keys(&self, keys: &[&str]) -> Option<&ConfigChange> {
        self.keys.iter().find(|change| keys.contains(&change.key.as_str()))
    }
}

impl Schedule {
    /// True if the factor at a step depends on the number of steps of the whole run.
    fn depends_on_length(&self) -> bool {
        match self {
            Self::WarmupCosine { .. } => true,
            Self::Constant | Self::WarmupConstant { .. } | Self::StepDecay { .. } => false,
        }
    }
}

/// The keys whose values differ, in alphabetical order.
fn differences(then: &Config, now: &Config) -> Result<Vec<ConfigChange>, String> {
    let (then, now) = (flat(then)?, flat(now)?);
    let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let differing = keys.into_iter().filter(|key| then.get(*key) != now.get(*key));
    let change =
        |key: &String| ConfigChange { key: key.clone(), then: then.get(key).cloned(), now: now.get(key).cloned() };
    Ok(differing.map(change).collect())
}

/// A configuration as dotted keys and their values; a list is one value.
fn flat(config: &Config) -> Result<BTreeMap<String, Value>, String> {
    fn flatten(prefix: &str, table: Table, flat: &mut BTreeMap<String, Value>) {
        for (key, value) in table {
            let key = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
            match value {
                Value::Table(inner) => flatten(&key, inner, flat),
                value => drop(flat.insert(key, value)),
            }
        }
    }
    let text = config.to_toml().map_err(|e| e.to_string())?;
    let mut found = BTreeMap::new();
    flatten("", text.parse().map_err(|e: toml::de::Error| e.to_string())?, &mut found);
    Ok(found)
}
