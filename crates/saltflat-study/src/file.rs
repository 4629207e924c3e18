//! What a study's file says.

use std::{collections::BTreeMap, path::Path};

use saltflat_config::{Problem, Problems, Section, entry, parse};
use saltflat_record::{FolderError, read_text};
use toml::{Table, Value};

use crate::{
    StudyError,
    stage::{ScaleOverrides, Stage},
};

/// A study as written: a configuration that all runs share, stages with axes and seeds, scales, figures.
#[derive(Clone, Debug)]
pub struct StudyFile {
    /// `[study]`.
    pub study: Header,
    /// `[base]`: the configuration that every run starts from, or what differs from the file that `study.base` names.
    pub base: Table,
    /// `[[stage]]`, in their order.
    pub stages: Vec<Stage>,
    /// `[measure]`.
    pub measure: Measure,
    /// `[scale.NAME]`: overrides under a name.
    pub scale: BTreeMap<String, ScaleOverrides>,
    /// `[[figure]]`: what the page shows, as the report reads it.
    pub figures: Vec<Table>,
}

/// `[study]`.
#[derive(Clone, Debug)]
pub struct Header {
    /// The folder is `results/NAME`.
    pub name: String,
    /// Path of a configuration that every run starts from, relative to the study's file.
    pub base: Option<String>,
    /// The page's title; default: the name.
    pub title: Option<String>,
    /// What is asked, and what the page shows: paragraphs, with an empty line between them.
    pub text: String,
    /// The group of runs that others are compared with: its labels, joined by ", ".
    pub baseline: Option<String>,
}

impl Header {
    fn read(mut section: Section) -> Self {
        let header = Self {
            name: section.required("name", "a text, not empty", |name: &String| !name.is_empty()),
            base: section.get("base"),
            title: section.get("title"),
            text: section.get("text").unwrap_or_default(),
            baseline: section.get("baseline"),
        };
        section.finish("[study]");
        header
    }
}

/// `[measure]`: how all runs are measured, whatever they train on.
#[derive(Clone, Debug, Default)]
pub struct Measure {
    /// The loss that is measured in every run, with its curvature: `{ kind = "cross_entropy", smoothing = 0.2 }`, the `metrics.loss`
    /// of each; or `"own"`, the loss of each run, so that groups are not compared in it. Absent: the loss of each run, and those
    /// of a stage must be equal.
    pub loss: Option<Value>,
}

impl Measure {
    fn read(mut section: Section) -> Self {
        let expected = "a table of kind and smoothing, or \"own\" for the loss of each run";
        let loss = section.optional("loss", expected, |loss: &Value| loss.is_table() || loss.as_str() == Some("own"));
        section.finish("[measure]");
        Self { loss }
    }

    /// True if each run is measured on its own loss, by intent.
    pub fn is_own(&self) -> bool {
        self.loss.as_ref().and_then(Value::as_str) == Some("own")
    }
}

impl StudyFile {
    /// Reads a study; the base that it names is read too.
    ///
    /// # Errors
    /// [`StudyError::Unusable`] if a file cannot be read, [`StudyError::Problems`] if it is not a valid study.
    pub fn read(file: &Path) -> Result<Self, StudyError> {
        without_problems(Self::read_with_problems(file)?, file)
    }

    /// As [`read`](Self::read), with what is wrong with its keys as lines, to be reported with the problems of its runs. Defaults take the
    /// place of what was wrong.
    ///
    /// # Errors
    /// As [`read`](Self::read), if the file is not TOML or is the configuration of a run.
    pub fn read_with_problems(file: &Path) -> Result<(Self, Vec<String>), StudyError> {
        Self::parse_with_problems(&text_of(file)?, file)
    }

    /// As [`read`](Self::read), from the text of `file`.
    pub fn parse(text: &str, file: &Path) -> Result<Self, StudyError> {
        without_problems(Self::parse_with_problems(text, file)?, file)
    }

    fn parse_with_problems(text: &str, file: &Path) -> Result<(Self, Vec<String>), StudyError> {
        let (mut study, mut problems) = Self::parse_without_base(text, file)?;
        if let Some(path) = &study.study.base {
            let path = file.parent().unwrap_or(Path::new("")).join(path);
            let mut base = parse(&text_of(&path)?).map_err(|problem| syntax(&path, &problem))?;
            problems.extend(apply(&mut base, &study.base).err().map(|problem| format!("base: {problem}")));
            study.base = base;
        }
        Ok((study, problems))
    }

    /// As [`parse`](Self::parse), without the base that the file names: enough for its text and figures.
    ///
    /// # Errors
    /// [`StudyError::Problems`].
    pub fn parse_alone(text: &str, file: &Path) -> Result<Self, StudyError> {
        without_problems(Self::parse_without_base(text, file)?, file)
    }

    fn parse_without_base(text: &str, file: &Path) -> Result<(Self, Vec<String>), StudyError> {
        let table = parse(text).map_err(|problem| syntax(file, &problem))?;
        if is_of_a_run(&table) {
            let problem = format!(
                "is the configuration of a run, and expected is a study, with [study] and [[stage]]; the run is started by\n  saltflat train {}",
                file.display()
            );
            return Err(StudyError::Problems { file: file.into(), problems: vec![problem] });
        }
        let problems = Problems::default();
        let study = Self::from_section(Section::root(table, Path::new(""), &problems));
        Ok((study, problems.take().iter().map(ToString::to_string).collect()))
    }

    fn from_section(mut section: Section) -> Self {
        let study = Self {
            study: Header::read(section.section("study")),
            base: section.get("base").unwrap_or_default(),
            stages: section.named_tables("stage").into_iter().map(Stage::read).collect(),
            measure: Measure::read(section.section("measure")),
            scale: section.map_of_sections("scale", ScaleOverrides::read),
            figures: section.optional("figure", "a list of tables", |_| true).unwrap_or_default(),
        };
        if study.stages.is_empty() && !section.refused(&["stage"]) {
            section.problem("stage", "expected at least one [[stage]]");
        }
        section.finish("a study");
        study
    }
}

/// The study, if it has no problem.
fn without_problems((study, problems): (StudyFile, Vec<String>), file: &Path) -> Result<StudyFile, StudyError> {
    if problems.is_empty() { Ok(study) } else { Err(StudyError::Problems { file: file.into(), problems }) }
}

fn text_of(path: &Path) -> Result<String, StudyError> {
    read_text(path).map_err(|e| StudyError::Unusable(FolderError::new(path, format!("cannot be read: {e}"))))
}

/// True for a configuration of a run: none of a study's sections, and one that every run has.
fn is_of_a_run(table: &Table) -> bool {
    let has = |key: &&str| table.contains_key(*key);
    !["study", "base", "stage", "scale", "figure"].iter().any(has) && ["data", "model", "optimizer"].iter().any(has)
}

fn syntax(file: &Path, problem: &Problem) -> StudyError {
    StudyError::Problems { file: file.into(), problems: vec![problem.to_string().trim_end().into()] }
}

/// Applies settings to a configuration. A key with dots (`"optimizer.lr"`) sets one value. A table that has a `kind` replaces
/// its whole section, since the keys of a section depend on its kind; any other table is merged key by key.
pub(crate) fn apply(config: &mut Table, settings: &Table) -> Result<(), Problem> {
    for (key, value) in settings {
        let (place, last) = entry(config, key, "")?;
        match (place.get_mut(last), value) {
            (Some(Value::Table(old)), Value::Table(new)) if !new.contains_key("kind") => apply(old, new)?,
            _ => {
                place.insert(last.into(), value.clone());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A study with every key is one; a misspelt key is named, wherever it is.
    #[test]
    fn every_key_is_known_and_every_other_is_named() {
        let text = r#"
            base = {}
            study = { name = "s", base = "x", title = "t", text = "t", baseline = "b" }
            measure = { loss = "own" }
            figure = [{ kind = "curves" }]
            [[stage]]
            name = "a"
            from = "b"
            require = {}
            seeds = 1
            set = {}
            combine = "zip"
            axis = [{ name = "x", key = "k", values = [1] }]
            [scale.small]
            base = {}
            stage.a = { seeds = 1, require = {}, set = {}, axis = {} }
        "#;
        StudyFile::parse_alone(text, Path::new("s.toml")).expect("a study");
        let wrong = text
            .replace("base = {}\n            study", "bse = {}\n            study")
            .replace("title =", "titel =")
            .replace("loss =", "los =")
            .replace("seeds = 1\n", "sede = 1\n")
            .replace("values =", "vals =")
            .replace("require = {}, set", "requires = {}, set")
            .replace("combine = \"zip\"", "combine = \"zap\"");
        let Err(StudyError::Problems { problems, .. }) = StudyFile::parse_alone(&wrong, Path::new("s.toml")) else {
            panic!("{wrong}")
        };
        assert_eq!(
            problems,
            [
                "study.titel: is not a key; did you mean title?",
                "stage.a.combine: expected one of grid, zip, got \"zap\"",
                "stage.a.axis.x.values: is missing; expected a list",
                "stage.a.axis.x.vals: is not a key; did you mean values?",
                "stage.a.sede: is not a key; did you mean seeds?",
                "measure.los: is not a key; did you mean loss?",
                "scale.small.stage.a.requires: is not a key; did you mean require?",
                "bse: is not a key; did you mean base?",
            ]
        );
    }

    #[test]
    fn settings_replace_kinds_and_merge_the_rest() {
        let mut config: Table =
            "[noise]\nkind = \"label-flip\"\nprobability = 0.2\n[optimizer]\nlr = 0.1\nbatch_size = 5".parse().unwrap();
        let settings: Table =
            "optimizer = { lr = 0.2 }\nnoise = { kind = \"none\" }\n\"train.steps\" = 3".parse().unwrap();
        apply(&mut config, &settings).unwrap();
        let expected: Table =
            "[noise]\nkind = \"none\"\n[optimizer]\nlr = 0.2\nbatch_size = 5\n[train]\nsteps = 3".parse().unwrap();
        assert_eq!(config, expected);
        let wrong: Table = "\"optimizer.lr.factor\" = 1".parse().unwrap();
        assert_eq!(apply(&mut config, &wrong).unwrap_err().to_string(), "optimizer.lr.factor: lr is not a table");
        // A table a part, 100,000 deep, was a stack overflow when it was written or dropped.
        let deep = Table::from_iter([(format!("{}a", "a.".repeat(100_000)), Value::Integer(1))]);
        assert_eq!(apply(&mut config, &deep).unwrap_err().to_string(), "a.a.a…: expected a key of at most 16 parts");
    }
}
