//! Arguments of `train`, `measure` and `study`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};

use super::common::{Common, at_least_one, count, device, duration, mebibytes, old_new};

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

#[derive(Debug, Args)]
pub struct MeasureArgs {
    /// Holds the sections data, model, loss and optimizer (TOML); metrics may choose and tune what is measured
    pub config: PathBuf,

    /// The point: a safetensors file with PyTorch's names, the index of several or its folder, a checkpoint, or a run folder (its last checkpoint)
    #[arg(long, value_name = "FILE|RUN")]
    pub weights: PathBuf,

    /// What a tensor of --weights is in the network: a name, a beginning with a dot at its end (encoder.=), or parts within names between dots
    /// (.shortcut.=.downsample.); may be given several times, beside [train.rename]
    #[arg(long, value_name = "OLD=NEW", value_parser = old_new)]
    pub rename: Vec<(String, String)>,

    /// Metrics or groups of them, separated by commas; `all` for everything, `help` lists them
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub metrics: Vec<String>,

    /// Random probes of traces and spectral densities
    #[arg(long, value_name = "N")]
    pub probes: Option<usize>,

    /// Stop a trace sooner, at this relative standard error
    #[arg(long, value_name = "X")]
    pub tolerance: Option<f64>,

    /// The samples that are measured in place of the training samples: how flat the test loss is. What is of the training steps (bounds,
    /// stability, the regularizer) has no value on test samples [default: metrics.split, which is train if absent]
    #[arg(long, value_name = "train|test")]
    pub split: Option<String>,

    /// Samples on which curvature is measured [default: all]
    #[arg(long, value_name = "N|all", value_parser = count)]
    pub samples: Option<usize>,

    /// Samples on which noise, alignment and stability are measured exactly [default: 50]
    #[arg(long, value_name = "N|all", value_parser = count)]
    pub alignment_samples: Option<usize>,

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

    /// Write the diagonal of the Hessian with its standard errors (from the probes of the trace by hutchinson) and the eigenvectors of its
    /// largest eigenvalues into this folder, as safetensors files with the names and shapes of the network's tensors
    #[arg(long, value_name = "FOLDER")]
    pub vectors: Option<PathBuf>,

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

    /// Check the products themselves on this network: against differences in f64, symmetry, two passes, the whole trace; measures nothing
    #[arg(long, conflicts_with_all = ["metrics", "json", "plots", "vectors", "slice"])]
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

    /// Where mnist, cifar10 and other official datasets lie [default: SALTFLAT_DATA, or the user's folder that `saltflat data path` prints]
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
