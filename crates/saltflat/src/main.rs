#![doc = include_str!("../README.md")]
// Text is written through `outln!` and `errln!` alone; see `output`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod output;

mod args;
mod data;
mod doctor;
mod dry_run;
mod faults;
mod lab;
mod manual;
mod measure;
mod outputs;
mod page;
mod reporter;
mod selected_metrics;
mod signals;
mod slices;
mod startup;
mod study;
mod table;
mod tensorboard;
mod train;
mod version;
mod watch;

use std::process::ExitCode;

use clap::Parser;
use saltflat_fetch::FetchError;
use saltflat_lab::LabError;
use saltflat_study::StudyError;
use saltflat_train::TrainError;

use crate::{
    args::{Cli, Command},
    output::OutputError,
};

fn main() -> ExitCode {
    startup::no_signal();
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return said_by_clap(&error),
    };
    startup::silence_wayland(&command);
    let result = match command {
        Command::Train(args) => train::run(&args),
        Command::Measure(args) => measure::run(&args),
        Command::Outputs(args) => outputs::run(&args),
        Command::Study(args) => study::run(&args),
        Command::Lab(args) => lab::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Report(args) => page::report(&args),
        Command::Data(args) => data::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args),
    };
    match result {
        Ok(code) => code,
        // Whoever read stdout has seen enough.
        Err(error) if matches!(error.downcast_ref(), Some(OutputError::Closed)) => ExitCode::SUCCESS,
        Err(error) => {
            errln!("saltflat: {}", in_words(&error));
            let bad_input = error.downcast_ref::<TrainError>().is_some_and(TrainError::is_bad_input)
                || error.downcast_ref::<FetchError>().is_some_and(FetchError::is_bad_input)
                || error.downcast_ref::<LabError>().is_some_and(LabError::is_bad_input)
                || error.downcast_ref::<StudyError>().is_some_and(StudyError::is_bad_input);
            ExitCode::from(if bad_input { 2 } else { 1 })
        }
    }
}

/// What clap says of the command line, which it quotes: help and version on stdout, mistakes on stderr.
fn said_by_clap(error: &clap::Error) -> ExitCode {
    let text = error.render();
    if error.use_stderr() {
        output::message(format_args!("{text}"));
        return ExitCode::from(2);
    }
    match output::data(format_args!("{text}")) {
        Ok(()) | Err(OutputError::Closed) => ExitCode::SUCCESS,
        Err(error) => {
            errln!("saltflat: {error}");
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, each said once.
fn in_words(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.contains(&cause) {
        true => said,
        false if said.is_empty() => cause,
        false => format!("{said}: {cause}"),
    })
}
