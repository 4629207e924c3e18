//! `saltflat report`.

use std::{fs, io::ErrorKind, path::Path, process::ExitCode};

use saltflat_record::{FolderError, read_regular, write_named};
use saltflat_report::{Page, Run, csv, distinct, html, json, label_by_differences};

use crate::{
    args::{ReportArgs, ReportFormat},
    output,
    page::read_runs,
};

/// What a page of ours begins with, so that only such a file is replaced.
const OURS: &str = "<meta name=\"generator\" content=\"Saltflat";

/// Bad input, by convention.
const BAD_INPUT: u8 = 2;

/// Runs the command.
pub fn run(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let (runs, damaged) = match read_runs(&args.runs) {
        Ok(found) => found,
        Err(error) => return Ok(refused(&error)),
    };
    // The page is written without the runs that are damaged, but it is not the one that was asked for.
    let code = if damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let (mut runs, same) = distinct(runs);
    let notes = [damaged, same].concat();
    for note in &notes {
        errln!("{note}");
    }
    label_by_differences(&mut runs);
    let title = args.title.clone().unwrap_or_else(|| heading(&runs));
    let mut page = Page { title, runs, baseline: args.baseline.clone(), notes, ..Page::default() };
    if let Some(baseline) = &args.baseline {
        let groups = page.groups();
        if !groups.iter().any(|group| group.is(baseline)) {
            let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
            return Ok(refused(&format!("--baseline: no group is called {baseline}; there are: {}", names.join("; "))));
        }
    }
    page.figures = page.default_figures();
    let text = match args.format {
        ReportFormat::Html => html(&page),
        ReportFormat::Csv => csv(&page),
        ReportFormat::Json => serde_json::to_string_pretty(&json(&page))? + "\n",
    };
    let default = Path::new(match args.format {
        ReportFormat::Html => "report.html",
        ReportFormat::Csv => "report.csv",
        ReportFormat::Json => "report.json",
    });
    let out = args.out.as_deref().unwrap_or(default);
    if out == Path::new("-") {
        output::data(format_args!("{text}"))?;
        return Ok(code);
    }
    if !may_be_written(out, args.format)? {
        return Ok(refused(&format!(
            "{}: exists and is not a report of Saltflat; choose another --out, or remove it",
            out.display()
        )));
    }
    write_named(out, text.as_bytes())?;
    errln!("{}", out.display());
    Ok(code)
}

fn refused(why: &impl std::fmt::Display) -> ExitCode {
    errln!("saltflat: {why}");
    ExitCode::from(BAD_INPUT)
}

/// The name of the configuration, if all runs share one.
fn heading(runs: &[Run]) -> String {
    let name = |run: &Run| run.config.get("run")?.get("name")?.as_str().map(String::from);
    match runs {
        [first, rest @ ..] if rest.iter().all(|run| name(run) == name(first)) => name(first),
        _ => None,
    }
    .unwrap_or_else(|| "Comparison of runs".into())
}

/// Whether there is nothing at this path that a report would replace: an earlier report of this kind may be, and an empty file;
/// a device or a pipe takes what is written to it.
fn may_be_written(path: &Path, format: ReportFormat) -> Result<bool, FolderError> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(found.len() == 0 || is_ours(path, format)),
        Ok(found) => Ok(!found.is_dir()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(true),
        Err(e) => Err(FolderError::at(path)(e)),
    }
}

/// Whether a file is an earlier report of this kind.
fn is_ours(path: &Path, format: ReportFormat) -> bool {
    let Some(text) = read_regular(path).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else { return false };
    match format {
        ReportFormat::Html => text.contains(OURS),
        ReportFormat::Csv => text.starts_with("run,stage,"),
        ReportFormat::Json => serde_json::from_str::<serde_json::Value>(&text)
            .is_ok_and(|v| v.get("groups").is_some() && v["schema"] == 1),
    }
}
