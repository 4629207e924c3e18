//! `saltflat`: train networks under chosen gradient noise and measure how flat the place is where they stand.
//!
//! stdout is data, stderr is talk. Exit codes: 0 done, 1 failed, 2 bad input, 3 diverged, 130 interrupted.

mod args;
mod dry_run;
mod measure;
mod measurement_table;
mod report;
mod reporter;
mod slices;
mod table;
mod train;

use std::process::ExitCode;

use clap::Parser;
use saltflat_train::TrainError;

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Train(args) => train::run(&args),
        Command::Measure(args) => measure::run(&args),
        Command::Report(args) => report::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("saltflat: {error:#}");
            let bad_input = error.downcast_ref::<TrainError>().is_some_and(TrainError::is_bad_input);
            ExitCode::from(if bad_input { 2 } else { 1 })
        }
    }
}
