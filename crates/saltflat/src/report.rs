//! `saltflat report`.

use std::{fs, path::Path, process::ExitCode};

use anyhow::Context;
use saltflat_report::{Page, Run, csv, distinct, html, json, label_by_differences};

use crate::{
    args::{ReportArgs, ReportFormat},
    output,
    plain::plain,
};

/// What a page of ours begins with, so that only such a file is replaced.
const OURS: &str = "<meta name=\"generator\" content=\"Saltflat";

/// Bad input, by convention.
const BAD_INPUT: u8 = 2;

/// Runs the command.
pub fn run(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let mut runs = Vec::new();
    for folder in &args.runs {
        match Run::read_all(folder) {
            Ok(found) => runs.extend(found),
            Err(error) => return Ok(refused(&error)),
        }
    }
    let (mut runs, notes) = distinct(runs);
    for note in &notes {
        errln!("{}", plain(note));
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
        return Ok(ExitCode::SUCCESS);
    }
    if out.exists() && !is_ours(out, args.format) {
        return Ok(refused(&format!(
            "{}: exists and is not a report of Saltflat; choose another --out, or remove it",
            out.display()
        )));
    }
    fs::write(out, text).with_context(|| out.display().to_string())?;
    errln!("{}", out.display());
    Ok(ExitCode::SUCCESS)
}

fn refused(why: &impl std::fmt::Display) -> ExitCode {
    errln!("saltflat: {}", plain(&why.to_string()));
    ExitCode::from(BAD_INPUT)
}

/// The name of the configuration where all runs share one.
fn heading(runs: &[Run]) -> String {
    let name = |run: &Run| run.config.get("run")?.get("name")?.as_str().map(String::from);
    match runs {
        [first, rest @ ..] if rest.iter().all(|run| name(run) == name(first)) => name(first),
        _ => None,
    }
    .unwrap_or_else(|| "Comparison of runs".into())
}

/// Whether a file is an earlier report of this kind: what else stands there is not replaced.
fn is_ours(path: &Path, format: ReportFormat) -> bool {
    let Ok(text) = fs::read_to_string(path) else { return false };
    match format {
        ReportFormat::Html => text.contains(OURS),
        ReportFormat::Csv => text.starts_with("run,stage,"),
        ReportFormat::Json => serde_json::from_str::<serde_json::Value>(&text)
            .is_ok_and(|v| v.get("groups").is_some() && v["schema"] == 1),
    }
}
