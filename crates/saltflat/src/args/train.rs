//! Arguments of `train`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;

use super::{common::Common, values::duration};

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
