//! What can go wrong in a run.

use std::path::PathBuf;

use saltflat_data::DataError;
use saltflat_metrics::MetricError;
use saltflat_models::ModelError;
use saltflat_record::FolderError;

use crate::config::ConfigError;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The configuration cannot run.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network cannot be built, or weights do not fit it.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A measurement failed.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// No such device.
    #[error("--device {asked}: no such adapter; {}", listing(found))]
    Device {
        /// What was asked for.
        asked: String,
        /// The adapters that there are.
        found: Vec<String>,
    },
    /// The run folder exists.
    #[error("{path} exists; a run never overwrites another: choose another folder with --out, go on with it by --resume, or remove it", path = .0.display())]
    Exists(PathBuf),
    /// The weights of a start are not those that the configuration was made with.
    #[error(
        "{path} has the SHA-256 {found}, expected is {expected} (train.init_sha256): these are not the weights that the run was set up \
         with; put those back, or set up the run anew",
        path = path.display()
    )]
    OtherStart {
        /// As `train.init` names it.
        path: PathBuf,
        /// `train.init_sha256`.
        expected: String,
        /// Of what is there.
        found: String,
    },
    /// A run that cannot be resumed.
    #[error("{path} cannot be resumed: {reason}", path = path.display())]
    Resume {
        /// The run folder.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// Another process runs in the folder.
    #[error("{path} is in use: another process holds {lock}", path = .0.display(), lock = .0.join("lock").display())]
    Locked(PathBuf),
    /// A file that the user named cannot be read.
    #[error(transparent)]
    NotFound(FolderError),
    /// A folder that was named as the place of weights has none.
    #[error("{path} is no run with weights: {reason}", path = path.display())]
    NoCheckpoint {
        /// The run folder.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// An option of the command line does not fit the data, the network or the device.
    #[error("{option}: {reason}")]
    Option {
        /// The option, such as `--samples`.
        option: &'static str,
        /// What was expected and what was found.
        reason: String,
    },
    /// A file of the run folder cannot be written or read.
    #[error(transparent)]
    File(#[from] FolderError),
    /// The device failed: it is lost, or has no memory left.
    #[error("the device failed: {0}")]
    Training(String),
}

impl TrainError {
    /// True if the device, or this machine, has no memory left. Backends say so in words alone.
    pub fn is_out_of_memory(&self) -> bool {
        const WORDS: [&str; 4] = ["out of memory", "out of device memory", "out-of-memory", "can't allocate buffer"];
        let text = self.to_string().to_lowercase();
        !self.is_bad_input() && WORDS.iter().any(|words| text.contains(words))
    }

    /// True if the input is wrong, not the machine.
    pub fn is_bad_input(&self) -> bool {
        !matches!(self, Self::Metric(_) | Self::Training(_) | Self::File(_))
    }
}

fn listing(adapters: &[String]) -> String {
    match adapters {
        [] => "none was found: is a Vulkan driver installed? --device cpu always works".into(),
        _ => format!(
            "found {}; a software adapter must be asked for by name, --device cpu always works",
            adapters.join(", ")
        ),
    }
}
