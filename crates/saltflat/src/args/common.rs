//! What every command that reads a configuration takes.

use std::path::{Path, PathBuf};

use clap::Args;
use saltflat_record::{FolderError, read_text};
use saltflat_train::{
    DeviceChoice, TrainError,
    config::{Config, Purpose},
};

use super::values::key_value;

/// What every command that reads a configuration takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Replace a key of the configuration, such as metrics.trace.method=xtrace; may be given several times
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,

    /// auto, gpu, gpu:N, cuda, cuda:N, cpu, or a part of an adapter's name
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,

    /// Where mnist, cifar10 and cifar100 lie [default: SALTFLAT_DATA, or the user's folder that `saltflat data path` prints]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

impl Common {
    /// The configuration in this file, read for one purpose.
    pub fn read(&self, path: &Path, purpose: Purpose) -> Result<Config, TrainError> {
        self.read_with(path, purpose, &[])
    }

    /// [`read`](Self::read) with more keys replaced.
    pub fn read_with(&self, path: &Path, purpose: Purpose, more: &[(String, String)]) -> Result<Config, TrainError> {
        if let Some(reason) = folder_instead_of_file(path) {
            return Err(TrainError::NotFound(FolderError::new(path, reason)));
        }
        let text = read_text(path).map_err(|e| TrainError::NotFound(FolderError::new(path, e)))?;
        let mut config = Config::read_as(&text, path, &[&self.set, more].concat(), purpose)?;
        config.data.data_dir.clone_from(&self.data_dir);
        Ok(config)
    }
}

/// What a folder is that stands where a configuration is expected, and what its user may have meant.
fn folder_instead_of_file(path: &Path) -> Option<String> {
    let shown = path.display();
    match path.is_dir() {
        false => None,
        true if path.join("manifest.json").is_file() => {
            Some(format!("is the folder of a study, expected a configuration; saltflat study {shown} goes on with it"))
        }
        true if path.join("config.toml").is_file() => Some(format!(
            "is the folder of a run, expected a configuration: that of the run is {}; saltflat train --resume {shown} goes on with it",
            path.join("config.toml").display()
        )),
        true => Some("is a folder, expected a configuration (TOML)".into()),
    }
}
