//! The command line.

mod common;
mod runs;
mod tools;

use clap::{Parser, Subcommand};
pub use common::Common;
pub use runs::{Emit, MeasureArgs, Precision, SliceStatistics, StudyArgs, TrainArgs};
pub use tools::{
    CompletionsArgs, DataArgs, DataCommand, DoctorArgs, GetArgs, LabArgs, ManArgs, OutputsArgs, ReportArgs,
    ReportFormat, WatchArgs,
};

/// Train networks under chosen gradient noise, and measure at every epoch how flat the minimum is.
#[derive(Debug, Parser)]
#[command(
    version,
    long_version = crate::version::long_version(),
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
    /// Write what a network gives for inputs from a file
    Outputs(OutputsArgs),
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
    /// Print the completions of this command line for a shell
    Completions(CompletionsArgs),
    /// Print the man page, or write those of all commands
    Man(ManArgs),
}
