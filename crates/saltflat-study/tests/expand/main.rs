//! From a study's file to its runs.
#![allow(clippy::unwrap_used)]

mod folders;
mod jobs;
mod problems;
mod runs;

use std::path::Path;

use saltflat_study::{FolderLock, Study, StudyError, StudyFile, StudyFolder};

const BASE: &str = r#"
[study]
name = "escapes"
[base.data]
kind = "mnist-1k"
[base.model]
kind = "mlp"
hidden = [8]
[base.loss]
kind = "cross_entropy"
[base.noise]
kind = "label-flip"
probability = 0.2
[base.optimizer]
lr = 0.1
batch_size = 100
[base.train]
epochs = 50
"#;

fn study(rest: &str, scale: Option<&str>) -> Result<Study, StudyError> {
    let file = Path::new("studies/escapes.toml");
    Study::new(StudyFile::parse(&format!("{BASE}{rest}"), file)?, file, scale)
}

fn names(study: &Study) -> Vec<&str> {
    study.entries.iter().map(|entry| entry.name.as_str()).collect()
}

fn problems(rest: &str, scale: Option<&str>) -> Vec<String> {
    match study(rest, scale).unwrap_err() {
        StudyError::Problems { problems, .. } => problems,
        other => panic!("{other}"),
    }
}

fn value(study: &Study, run: usize, key: &str) -> toml::Value {
    let table: toml::Table = study.configs[run].parse().unwrap();
    let (section, key) = key.split_once('.').unwrap();
    table[section][key].clone()
}

fn create(root: &Path, study: &Study) -> Result<StudyFolder, StudyError> {
    let lock = FolderLock::take(root, &mut || true)?.unwrap();
    StudyFolder::create(root, study, &lock)
}

const TWO_STAGES: &str = r#"
[[stage]]
name = "start"
seeds = [0, 1]
set = { "optimizer.batch_size" = "full", noise = { kind = "label-smoothing", probability = 0.2 } }
[[stage]]
name = "escape"
from = "start"
seeds = [0, 1]
[[stage.axis]]
name = "noise"
values = [{ label = "none", set = { noise = { kind = "none" } } }, { label = "Label flip" }]
[[stage.axis]]
name = "lr"
key = "optimizer.lr"
values = [0.1, 0.5]
[scale.small]
base = { train.epochs = 3 }
stage.escape = { seeds = [1], set = { train.epochs = 2 }, axis = { noise = ["Label flip"], lr = [1.0] } }
"#;
