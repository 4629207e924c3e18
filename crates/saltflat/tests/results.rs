//! The pages that are kept under `results/` are of the studies and labs as they are now.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use saltflat_lab::{Scale, lab};
use saltflat_study::{Study, StudyFile};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// Every file below a folder whose name ends so.
fn files(path: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = folders(path).iter().flat_map(|folder| files(folder, extension)).collect();
    let here = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    found.extend(here.filter(|path| path.extension().is_some_and(|found| found == extension)));
    found
}

/// The studies under `configs/` by their names.
fn studies() -> BTreeMap<String, PathBuf> {
    let files = files(&root().join("configs"), "toml");
    files.into_iter().filter_map(|file| Some((StudyFile::read(&file).ok()?.study.name, file))).collect()
}

/// Whether git would keep the folder: what a study writes here by default is ignored.
fn is_kept(folder: &Path) -> bool {
    let ignored =
        std::process::Command::new("git").args(["check-ignore", "-q"]).arg(folder.join("report.html")).status();
    !ignored.is_ok_and(|status| status.success())
}

#[test]
fn pages_of_studies_are_of_the_studies_as_they_are() {
    let studies = studies();
    assert!(studies.len() > 8, "{studies:?}");
    for folder in folders(&root().join("results")).into_iter().filter(|path| !path.ends_with("lab") && is_kept(path)) {
        let name = folder.display();
        let summary: Value = serde_json::from_slice(&fs::read(folder.join("summary.json")).unwrap()).unwrap();
        let made_from = &summary["made_from"];
        let file = made_from["study"].as_str().and_then(|study| studies.get(study));
        let file =
            file.unwrap_or_else(|| panic!("{name}: summary.json is made from no study under configs/: {made_from}"));
        let study = Study::new(StudyFile::read(file).unwrap(), file, made_from["scale"].as_str()).unwrap();
        assert_eq!(
            made_from["sha256"].as_str(),
            Some(study.source.page_sha256(&study.settings_sha256()).as_str()),
            "{name} shows another version of {}: run the study again at this scale and keep its report.html and summary.json, or \
             remove the page and what is said of it",
            file.display()
        );
        assert_eq!(study.name(), folder.file_name().unwrap().to_string_lossy());
        // The runs, each in its group.
        let runs = summary["runs"].as_array().unwrap();
        let found: Vec<(&str, u64)> =
            runs.iter().map(|run| (run["run"].as_str().unwrap(), run["seed"].as_u64().unwrap())).collect();
        let expected: Vec<(&str, u64)> = study.entries.iter().map(|entry| (entry.name.as_str(), entry.seed)).collect();
        assert_eq!(found, expected, "{name}");
        let html = fs::read_to_string(folder.join("report.html")).unwrap();
        for caption in study.source.figures.iter().filter_map(|figure| figure.get("caption")?.as_str()) {
            assert!(html.contains(&escaped(caption)), "{name}: report.html lacks the caption {caption:?}");
        }
    }
}

/// The caption that a study gives a figure stands on the page at every scale. What was averaged over how many rows, epochs or
/// seeds the page says itself.
#[test]
fn captions_hold_at_every_scale() {
    for (name, file) in studies() {
        for figure in StudyFile::read(&file).unwrap().figures {
            let Some(caption) = figure.get("caption").and_then(|caption| caption.as_str()) else { continue };
            let counts = ["average", "window", "epoch", "step", "seed", "run ", "runs", "image", "sample", "row"];
            let of_paper = caption.starts_with("In the paper");
            assert!(of_paper || !counts.iter().any(|word| caption.contains(word)), "{name}: {caption}");
        }
    }
}

/// As a page writes text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What a page says that a lab was made by: its scale and its changes.
fn command(html: &str) -> (Scale, Vec<(String, String)>) {
    let line = html.split_once("Made by: saltflat lab ").unwrap().1.split_once('<').unwrap().0;
    let line = line.replace("&quot;", "\"");
    // Words, those in single quotes whole.
    let words: Vec<String> = line
        .split('\'')
        .enumerate()
        .flat_map(|(i, part)| match i % 2 {
            0 => part.split_whitespace().map(String::from).collect(),
            _ => vec![part.to_string()],
        })
        .collect();
    let scale = words.iter().position(|word| word == "--scale").unwrap() + 1;
    let (_, scale) = Scale::ALL.into_iter().find(|(name, _)| *name == words[scale]).unwrap();
    let mut changes = Vec::new();
    for pair in words.windows(2) {
        match pair[0].as_str() {
            "--set" => {
                let (key, value) = pair[1].split_once('=').unwrap();
                changes.push((key.to_string(), value.to_string()));
            }
            "--seeds" => changes.push(("seeds".into(), pair[1].clone())),
            _ => {}
        }
    }
    (scale, changes)
}

/// The page of a lab prints all of its settings.
#[test]
fn pages_of_labs_are_of_the_labs_as_they_are() {
    let kept: Vec<PathBuf> = folders(&root().join("results/lab")).into_iter().filter(|path| is_kept(path)).collect();
    assert!(kept.len() > 6, "{kept:?}");
    for folder in kept {
        let name = folder.display();
        let html = fs::read_to_string(folder.join("report.html")).unwrap();
        let settings = html.split_once("<pre>").unwrap().1.split_once("</pre>").unwrap().0;
        let (mut found, mut of) = (BTreeMap::new(), "");
        for line in settings.lines() {
            match line.split_once(" = ").unwrap() {
                ("run.name", lab) => of = lab,
                (key, value) => drop(found.insert(key.to_string(), value.to_string())),
            }
        }
        let (scale, changes) = command(&html);
        let lab = lab(of, scale, &changes).unwrap();
        let text = |value: &toml::Value| match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Float(number) => number.to_string(),
            other => other.to_string(),
        };
        let now: BTreeMap<String, String> =
            lab.settings().iter().map(|(key, value)| (format!("lab.{key}"), escaped(&text(value)))).collect();
        assert_eq!(found, now, "{name} has other settings than the lab: run the command on the page again");
        let about = lab.about();
        let paragraphs = about.text.split("\n\n").map(|text| text.trim().replace('\n', " "));
        #[derive(serde::Deserialize)]
        struct Figures {
            figure: Vec<toml::Table>,
        }
        let figures: Figures = toml::from_str(about.figures).unwrap();
        let captions =
            figures.figure.iter().flat_map(|figure| ["title", "caption"].map(|key| figure.get(key)?.as_str()));
        let captions = captions.flatten().map(String::from);
        for said in [about.title.to_string()].into_iter().chain(paragraphs).chain(captions) {
            assert!(html.contains(&escaped(&said)), "{name} lacks {said:?}: run the command on the page again");
        }
        let summary: Value = serde_json::from_slice(&fs::read(folder.join("summary.json")).unwrap()).unwrap();
        let found: Vec<(Value, u64)> = summary["runs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| (run["labels"].clone(), run["seed"].as_u64().unwrap()))
            .collect();
        let trials: Vec<(Value, u64)> =
            lab.trials().iter().map(|trial| (serde_json::json!(trial.labels), trial.seed)).collect();
        assert_eq!(found, trials, "{name}");
    }
}
