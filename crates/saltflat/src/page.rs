//! The page of a study or a lab.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use saltflat_report::{AnyFigure, Page, ReportError, Run, Source, distinct, html, json, read_figure};
use saltflat_study::{StudyError, StudyFile, StudyFolder};

/// Its file, and the same in numbers.
const FILE: &str = "report.html";
const SUMMARY: &str = "summary.json";
/// Follows a study's text if the runs are smaller than it says.
const SCALED: &str = "These runs are the study at the scale NAME: smaller data, networks and lengths than the text above speaks of; \
                      the configurations below say which.";
/// Folder of the figures, each by itself.
const FIGURES: &str = "figures";

/// The figures of a study, with their numbers from 1, and what is wrong with the others.
pub fn figures(study: &StudyFile) -> (Vec<(usize, AnyFigure)>, Vec<String>) {
    let (mut figures, mut problems) = (Vec::new(), Vec::new());
    for (table, number) in study.figures.iter().zip(1..) {
        match read_figure(table.clone()) {
            Ok(figure) => figures.push((number, figure)),
            Err(found) => problems.extend(found.iter().map(|problem| format!("figure {number}: {problem}"))),
        }
    }
    (figures, problems)
}

/// The runs in these folders, and a sentence about each that is damaged: the others are not to be lost with it.
///
/// # Errors
/// [`ReportError`] of the first folder that is no run's, or of the first that is damaged if none can be read.
pub fn read_runs(folders: &[PathBuf]) -> Result<(Vec<Run>, Vec<String>), ReportError> {
    let (mut runs, mut notes, mut first) = (Vec::new(), Vec::new(), None);
    for folder in folders {
        match Run::read_all(folder) {
            Ok(found) => runs.extend(found),
            Err(error) if may_be_run(folder) => {
                notes.push(damaged(&folder.display().to_string(), &error));
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    match first {
        Some(error) if runs.is_empty() => Err(error),
        _ => Ok((runs, notes)),
    }
}

/// False for a folder that definitely has none of a run's files.
fn may_be_run(folder: &Path) -> bool {
    ["config.toml", "status.json", "metrics.jsonl"]
        .iter()
        .any(|name| !matches!(folder.join(name).try_exists(), Ok(false)))
}

fn damaged(name: &str, error: &ReportError) -> String {
    format!("{name} cannot be read and is left out: {error}")
}

/// A page that was written.
pub struct Written {
    pub path: PathBuf,
    /// True if it lacks runs that are damaged, which it names.
    pub lacks_runs: bool,
}

/// Writes the page of the runs that there are, finished or not, as the study in `file` says.
pub fn of_study(folder: &StudyFolder, study: &StudyFile, file: &Path) -> anyhow::Result<Written> {
    let (mut runs, mut notes) = (Vec::new(), Vec::new());
    for entry in folder.entries() {
        let path = folder.run(entry);
        // A run that has not started has nothing to show.
        let is_absent = |name: &str| matches!(path.join(name).try_exists(), Ok(false));
        if !is_absent("status.json") || !is_absent("metrics.jsonl") {
            let mut run = match Run::read(&path) {
                Ok(run) => run,
                Err(error) => {
                    notes.push(damaged(&entry.name, &error));
                    continue;
                }
            };
            run.name = entry.name.clone();
            // The page says where within the study, wherever that lies.
            run.folder = PathBuf::from(&entry.name);
            let start = folder.parent(entry).map(|parent| &parent.name).or(entry.start.as_ref());
            if let (Some(start), Some(train)) = (start, run.config.get_mut("train").and_then(|t| t.as_table_mut())) {
                train.insert("init".into(), start.clone().into());
            }
            run.labels = entry.labels.clone();
            run.seed = entry.seed;
            run.stage = Some(entry.stage.clone());
            runs.push(run);
        }
    }
    let lacks_runs = !notes.is_empty();
    let (runs, same) = distinct(runs);
    notes.extend(same);
    for note in &notes {
        errln!("{note}");
    }
    let source = folder.settings_sha256().map(|settings| Source {
        study: study.study.name.clone(),
        scale: folder.scale().map(String::from),
        sha256: study.page_sha256(settings),
    });
    let mut page = Page {
        title: study.study.title.clone().unwrap_or_else(|| study.study.name.clone()),
        text: match folder.scale() {
            None => study.study.text.clone(),
            Some(scale) => format!("{}\n\n{}", study.study.text.trim_end(), SCALED.replace("NAME", scale)),
        },
        runs,
        baseline: study.study.baseline.clone(),
        notes,
        source,
        ..Page::default()
    };
    let (figures, problems) = figures(study);
    if !problems.is_empty() {
        return Err(StudyError::Problems { file: file.into(), problems }.into());
    }
    page.figures = figures.into_iter().map(|(_, figure)| figure).collect();
    if page.figures.is_empty() {
        page.figures = page.default_figures();
    }
    Ok(Written { path: write(folder.root(), &page)?, lacks_runs })
}

/// Writes a page, its numbers and its figures into a folder; gives the page's path.
pub fn write(root: &Path, page: &Page) -> anyhow::Result<PathBuf> {
    let write = |name: &str, text: String| {
        let path = root.join(name);
        saltflat_record::write(&path, text.as_bytes()).map(|()| path)
    };
    let place = root.join(FIGURES);
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    // What cannot be drawn is a sentence on the page.
    let drawings = page.figures.iter().flat_map(|figure| figure.draw(page).unwrap_or_default());
    for (drawing, number) in drawings.zip(1..) {
        write(&format!("{FIGURES}/{number}-{}.svg", slug(&drawing.title)), drawing.svg)?;
    }
    write(SUMMARY, serde_json::to_string_pretty(&json(page))? + "\n")?;
    Ok(write(FILE, html(page))?)
}

/// A title as part of a file's name.
fn slug(title: &str) -> String {
    let plain: String =
        title.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    plain.split('-').filter(|word| !word.is_empty()).take(8).collect::<Vec<_>>().join("-")
}
