//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use saltflat_train::DeviceChoice;

/// Train networks under chosen gradient noise, and measure at every epoch how flat the place is where they stand.
#[derive(Debug, Parser)]
#[command(version, after_help = "Exit codes: 0 done, 1 failed, 2 bad input, 3 diverged, 130 interrupted.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network as a configuration says, measuring on the way; leaves a run folder
    Train(TrainArgs),
}

#[derive(Debug, Args)]
pub struct TrainArgs {
    /// What to run (TOML)
    pub config: PathBuf,

    /// The run folder; it must not exist [default: results/NAME]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,

    /// Replace a key of the configuration, such as optimizer.lr=0.1; may be given several times
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,

    /// auto, gpu, gpu:N, cpu, or a part of an adapter's name (the only way to a software adapter)
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,

    /// Where mnist, cifar10 and cifar100 lie [default: the environment variable SALTFLAT_DATA]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// Say what would run, its size, and how long an epoch takes; run nothing
    #[arg(long)]
    pub dry_run: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("expected SECTION.KEY=VALUE, got {text}"))?;
    Ok((key.trim().into(), value.trim().into()))
}
