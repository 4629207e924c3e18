//! What is made from the definition of the command line: shell completions, man pages and the long version.

use std::{fs, process::ExitCode, sync::LazyLock};

use anyhow::Context;
use clap::CommandFactory;
use saltflat_record::GIT_REVISION;

use crate::{
    args::{Cli, CompletionsArgs, ManArgs},
    output,
    train::features,
};

/// The version of burn that the workspace asks for.
const BURN: &str = "0.22.1";

/// Version, revision, features and burn's version, a line each.
pub fn long_version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let features = features().join(", ");
        let features = if features.is_empty() { "none" } else { &features };
        format!("{}\nrevision: {GIT_REVISION}\nfeatures: {features}\nburn: {BURN}", env!("CARGO_PKG_VERSION"))
    });
    &TEXT
}

/// Prints the completions for a shell.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "saltflat", &mut script);
    output::data(format_args!("{}", String::from_utf8_lossy(&script)))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the man page, or writes one for every command into a folder.
pub fn man(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        output::data(format_args!("{}", String::from_utf8_lossy(&page)))?;
        return Ok(ExitCode::SUCCESS);
    };
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .with_context(|| folder.display().to_string())?;
    errln!("{}", folder.display());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_burn_is_the_pinned_one() {
        let workspace: toml::Table = include_str!("../../../Cargo.toml").parse().unwrap();
        let burn = &workspace["workspace"]["dependencies"]["burn"]["version"];
        assert_eq!(burn.as_str(), Some(format!("={BURN}").as_str()));
    }
}
