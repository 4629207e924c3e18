//! Arguments of `measure`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{
    common::Common,
    values::{Count, mebibytes},
};

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
