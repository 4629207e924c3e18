//! `env.json`: what the numbers depend on beside the configuration.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    error::FolderError,
    lock::LockedFolder,
    names::{ENVIRONMENT, SCHEMA},
    read::read_text,
    status::now,
};

/// The git revision that the program was built from, with `-dirty` if files had been changed since; `unknown` outside a repository.
pub const GIT_REVISION: &str = env!("SALTFLAT_GIT_REVISION");

/// What every `env.json` begins with: `schema`, `version`, `git_revision`, `threads`, `started`.
pub fn provenance() -> Map<String, Value> {
    [
        ("schema", json!(SCHEMA)),
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("git_revision", json!(GIT_REVISION)),
        ("threads", json!(std::thread::available_parallelism().map_or(1, usize::from))),
        ("started", json!(now())),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_string(), value))
    .collect()
}

/// A file of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Its path, or its name if it is part of the program.
    pub file: Option<String>,
    /// SHA-256 of its content, decompressed, in hexadecimal.
    pub sha256: Option<String>,
}

/// Keys on which the last bits of the numbers depend.
const OF_THE_LAST_BITS: [&str; 8] =
    ["version", "git_revision", "backend", "device", "driver", "features", "fusion", "kernels"];

/// The content of an `env.json`. Keys that this version does not know are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Environment(Map<String, Value>);

impl Environment {
    /// [`provenance`] and these keys, which replace those of the same name.
    pub fn new(own: &impl Serialize) -> Self {
        let mut keys = provenance();
        if let Ok(Value::Object(own)) = serde_json::to_value(own) {
            keys.extend(own);
        }
        Self(keys)
    }

    /// Reads `env.json` of a run folder.
    ///
    /// # Errors
    /// [`FolderError`] if there is none, or if it is not a JSON object.
    pub fn read(folder: &Path) -> Result<Self, FolderError> {
        let path = folder.join(ENVIRONMENT);
        let text = read_text(&path).map_err(FolderError::at(&path))?;
        let keys = serde_json::from_str(&text);
        keys.map(Self).map_err(|e| FolderError::new(path, format!("expected a JSON object: {e}")))
    }

    /// Writes `env.json`.
    pub fn write(&self, folder: &LockedFolder) -> Result<(), FolderError> {
        folder.write_json(ENVIRONMENT, self)
    }

    /// All keys with their values, in alphabetical order.
    pub fn keys(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The files of the data, in the order in which they were read.
    pub fn datasets(&self) -> Vec<DataFile> {
        let files = self.0.get("datasets").and_then(Value::as_array).into_iter().flatten();
        let text = |file: &Value, key: &str| file.get(key)?.as_str().map(String::from);
        files.map(|file| DataFile { file: text(file, "file"), sha256: text(file, "sha256") }).collect()
    }

    /// Which files of the data differ from those of `now`, if any does. What counts is their content in the order of the files: their
    /// paths, and whether they are compressed, may change.
    pub fn different_data(&self, now: &Self) -> Option<String> {
        let (then, now) = (self.datasets(), now.datasets());
        if then.len() != now.len() {
            return Some(format!("its data were {} files when it began and are {} now", then.len(), now.len()));
        }
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
        let differing = then.iter().zip(&now).filter(|(then, now)| then.sha256 != now.sha256);
        let lines: String = differing
            .map(|(then, now)| {
                let [file, before, place, after] = [&then.file, &then.sha256, &now.file, &now.sha256].map(text);
                format!("\n  {file} had SHA-256 {before} when the run began, {place} has {after} now")
            })
            .collect();
        (!lines.is_empty()).then(|| format!("its data have changed{lines}"))
    }

    /// Adds the environment of a process that resumed the run, with further keys about that, and returns the keys whose values are not as
    /// they were when the run began: the numbers may differ in their last bits.
    pub fn resume(&mut self, now: Self, keys: impl IntoIterator<Item = (&'static str, Value)>) -> Vec<&'static str> {
        let changed = OF_THE_LAST_BITS.into_iter().filter(|key| {
            let [then, now] = [self, &now].map(|environment| environment.0.get(*key).unwrap_or(&Value::Null));
            then != now
        });
        let changed = changed.collect();
        let mut now = now.0;
        now.extend(keys.into_iter().map(|(key, value)| (key.to_string(), value)));
        match self.0.get_mut("resumed").and_then(Value::as_array_mut) {
            Some(resumed) => resumed.push(now.into()),
            None => drop(self.0.insert("resumed".into(), json!([now]))),
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(device: &str, sums: &[&str]) -> Environment {
        let datasets: Vec<Value> = sums.iter().map(|sum| json!({"file": "a", "sha256": sum})).collect();
        Environment::new(&json!({"device": device, "datasets": datasets}))
    }

    #[test]
    fn a_resumed_run_is_compared_with_its_start() {
        let mut first = environment("one", &["x", "y"]);
        assert_eq!(first.different_data(&environment("two", &["x", "y"])), None);
        let fewer = first.different_data(&environment("one", &["x"]));
        assert_eq!(fewer.unwrap(), "its data were 2 files when it began and are 1 now");
        let other = first.different_data(&environment("one", &["x", "z"])).unwrap();
        assert_eq!(other, "its data have changed\n  a had SHA-256 y when the run began, a has z now");
        assert_eq!(first.resume(environment("two", &[]), [("step", json!(3))]), ["device"]);
        assert!(first.resume(environment("one", &[]), [("step", json!(4))]).is_empty());
        let resumed = first.keys()["resumed"].as_array().unwrap();
        assert_eq!(resumed.iter().map(|one| one["step"].clone()).collect::<Vec<_>>(), [3, 4]);
    }
}
