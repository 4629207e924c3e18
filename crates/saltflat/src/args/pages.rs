//! Arguments of `report`, `watch` and `lab`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use saltflat_lab::Scale;

use super::values::{duration, key_value, scale};

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
