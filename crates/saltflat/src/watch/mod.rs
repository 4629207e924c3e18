//! `saltflat watch`: the curves of running jobs in the terminal, or once as a table.

#[cfg(unix)]
mod terminal;
mod watched;

#[cfg(unix)]
use std::io::IsTerminal;
use std::process::ExitCode;

use watched::Watched;

use crate::{args::WatchArgs, output, page::refused};

pub fn run(args: &WatchArgs) -> anyhow::Result<ExitCode> {
    let watched = match Watched::read(args) {
        Ok(watched) => watched,
        Err(error) => return Ok(refused(&error)),
    };
    #[cfg(unix)]
    if !args.once && output::can_move_cursor(&std::io::stdout()) && std::io::stdin().is_terminal() {
        terminal::run(args, watched)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::data(format_args!("{}", watched::table(&watched)))?;
    Ok(ExitCode::SUCCESS)
}
