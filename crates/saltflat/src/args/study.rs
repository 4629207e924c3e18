//! Arguments of `study`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::{at_least_one, device};

#[derive(Debug, Args)]
pub struct StudyArgs {
    /// What to run (TOML), or the folder of a study that was started before
    #[arg(value_name = "STUDY")]
    pub study: PathBuf,

    /// Runs at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub jobs: usize,

    /// Devices that the runs get in turn, separated by commas: auto, cpu, gpu:0,gpu:1
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "auto", value_parser = device)]
    pub devices: Vec<String>,

    /// A set of overrides that the study names, such as smoke or small [default: paper, the study as it is]
    #[arg(long, value_name = "NAME")]
    pub scale: Option<String>,

    /// The study's folder [default: results/NAME, or results/NAME-SCALE]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,

    /// Where mnist, cifar10 and cifar100 lie [default: SALTFLAT_DATA, or the user's folder that `saltflat data path` prints]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// Say what would run, and how long it will take on this machine, from steps and measurements that are timed; run nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Time nothing
    #[arg(long, requires = "dry_run")]
    pub untimed: bool,

    /// Say where every run stands
    #[arg(long, conflicts_with_all = ["dry_run", "emit", "task"])]
    pub status: bool,

    /// Write the page of what there is by now; run nothing
    #[arg(long, conflicts_with_all = ["dry_run", "emit", "task", "status"])]
    pub page: bool,

    /// Start those runs again that failed
    #[arg(long)]
    pub retry_failed: bool,

    /// Write job scripts for a batch system instead of running
    #[arg(long, value_enum, value_name = "SYSTEM")]
    pub emit: Option<Emit>,

    /// Run this one run of the study, as job scripts do
    #[arg(long, value_name = "N", conflicts_with = "emit")]
    pub task: Option<usize>,

    /// With --task: save and stop before so much time has passed
    #[arg(long, value_name = "TIME", requires = "task")]
    pub time_limit: Option<String>,
}

/// Batch systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Emit {
    Slurm,
}
