//! The paths of a run's files in the folder of its study.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Component, Path, PathBuf},
};

use saltflat_record::FolderError;

use crate::{Entry, StudyError};

/// Bytes behind a run's name in the longest name of a file of it: `.toml` and what a temporary file has behind that.
const BEHIND_NAME: usize = 32;

/// Bytes behind the path of a run's folder in the longest path in it: a temporary file in `checkpoints`.
const BEHIND_FOLDER: usize = 96;

/// Characters of a name that are quoted in a message.
const MOST_QUOTED: usize = 60;

/// The study as it was given.
pub(crate) const STUDY: &str = "study.toml";

/// `configs/STAGE/RUN.toml`.
pub(crate) fn config(root: &Path, name: &str) -> PathBuf {
    root.join("configs").join(format!("{name}.toml"))
}

/// `logs/STAGE/RUN.log`.
pub(crate) fn log(root: &Path, name: &str) -> PathBuf {
    root.join("logs").join(format!("{name}.log"))
}

/// The files that earlier versions wrote: `configs/STAGE-RUN.toml` and `logs/STAGE-RUN.log`. Run `b-c` of stage `a` and run `c` of stage
/// `a-b` had the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Earlier {
    /// The runs by the name of their files, in lower case, since some file systems make no difference.
    runs: BTreeMap<String, Vec<String>>,
}

impl Earlier {
    /// The files of these runs.
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut runs: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for entry in entries {
            runs.entry(flat(&entry.name).to_ascii_lowercase()).or_default().push(entry.name.clone());
        }
        Self { runs }
    }

    /// The configuration of a run, if the name of its file is that of no other run.
    pub(crate) fn config(&self, root: &Path, name: &str) -> Option<PathBuf> {
        self.is_alone(name).then(|| config(root, &flat(name)))
    }

    /// The log of a run, likewise.
    pub(crate) fn log(&self, root: &Path, name: &str) -> Option<PathBuf> {
        self.is_alone(name).then(|| log(root, &flat(name)))
    }

    fn is_alone(&self, name: &str) -> bool {
        self.runs.get(&flat(name).to_ascii_lowercase()).is_some_and(|runs| runs.len() == 1 && runs[0] == name)
    }

    /// Refuses a folder whose configurations are not known, since an earlier version wrote those of several runs into one file.
    pub(crate) fn check(&self, root: &Path) -> Result<(), StudyError> {
        let shared = self.runs.values().filter(|runs| runs.len() > 1);
        let lost = |run: &&String| !config(root, run).exists() && config(root, &flat(run)).exists();
        let Some(run) = shared.flatten().find(lost) else { return Ok(()) };
        let others = self.runs[&flat(run).to_ascii_lowercase()].join(" and ");
        let reason = format!(
            "holds no study (an earlier version wrote the configurations of {others} into one file, configs/{}.toml; which of them it \
             holds is not known)",
            flat(run)
        );
        Err(StudyError::Unusable(FolderError::new(root, reason)))
    }
}

fn flat(name: &str) -> String {
    name.replace('/', "-")
}

/// What is too long for the file system that `root` is, or will be, on, a sentence each: names of runs, and paths in their folders.
pub fn path_problems(root: &Path, entries: &[Entry]) -> Vec<String> {
    let absolute = std::path::absolute(root).unwrap_or_else(|_| root.into());
    let existing = absolute.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let (most_name, most_path) = limits(existing);
    let names = absolute.components().map(Component::as_os_str);
    if let Some(name) = names.filter(|name| name.len() > most_name).max_by_key(|name| name.len()) {
        let (got, shown) = (name.len(), quoted(&name.to_string_lossy()));
        return vec![format!(
            "the folder of the study: its name {shown} has {got} bytes, expected at most {most_name}; shorten study.name or the name of the \
             scale, or choose another folder with --out"
        )];
    }
    let before = OsStr::len(absolute.as_os_str());
    let mut names: Vec<(&Entry, usize)> = Vec::new();
    let mut paths: Vec<(&Entry, usize)> = Vec::new();
    for entry in entries {
        let part = entry.name.split('/').map(str::len).max().unwrap_or(0);
        let path = before + 1 + "configs/".len() + entry.name.len() + BEHIND_FOLDER;
        if part + BEHIND_NAME > most_name {
            names.push((entry, part));
        } else if path > most_path {
            paths.push((entry, path));
        }
    }
    let mut problems = Vec::new();
    let most_name = most_name.saturating_sub(BEHIND_NAME);
    if let Some((entry, got)) = names.iter().max_by_key(|(_, length)| *length) {
        problems.push(format!(
            "{}: the name of its folder has {got} bytes, expected at most {most_name}; {}{}",
            quoted(&entry.name),
            remedy(entry),
            and_others(names.len() - 1)
        ));
    }
    if let Some((entry, got)) = paths.iter().max_by_key(|(_, length)| *length) {
        problems.push(format!(
            "{}: the paths of its files have up to {got} bytes, of which {before} are the folder of the study, expected at most {most_path}; \
             choose a shorter folder with --out, or {}{}",
            quoted(&entry.name),
            remedy(entry),
            and_others(paths.len() - 1)
        ));
    }
    problems
}

/// What makes a run's name shorter.
fn remedy(entry: &Entry) -> String {
    match entry.labels.iter().max_by_key(|(_, label)| label.len()).filter(|(_, label)| label.len() > entry.stage.len())
    {
        Some((axis, label)) => format!(
            "shorten its label of axis {}, which has {} bytes (values = [{{ label = \"…\", set = {{ … }} }}] in the place of key gives a \
             value a short label)",
            quoted(axis),
            label.len()
        ),
        None => "shorten stage.name".into(),
    }
}

fn and_others(others: usize) -> String {
    match others {
        0 => String::new(),
        1 => " (another run has this problem as well)".into(),
        _ => format!(" ({others} other runs have this problem as well)"),
    }
}

fn quoted(name: &str) -> String {
    match name.char_indices().nth(MOST_QUOTED) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.into(),
    }
}

/// Bytes that a name and a path may have, the zero at the end of a path left out.
#[cfg(unix)]
fn limits(existing: &Path) -> (usize, usize) {
    use nix::unistd::{PathconfVar, pathconf};
    let limit = |variable, usual: usize| {
        let told = pathconf(existing, variable).ok().flatten();
        told.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usual)
    };
    (limit(PathconfVar::NAME_MAX, 255), limit(PathconfVar::PATH_MAX, 4096) - 1)
}

#[cfg(not(unix))]
fn limits(_existing: &Path) -> (usize, usize) {
    (255, 4095)
}

/// Folders of the study's own.
pub(crate) const RESERVED: [&str; 4] = ["configs", "figures", "logs", "slurm"];

/// True for the name of a folder of the study's own.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn entry(index: usize, stage: &str, run: &str) -> Entry {
        Entry {
            index,
            name: format!("{stage}/{run}"),
            stage: stage.into(),
            labels: BTreeMap::from([("noise".to_string(), run.to_string())]),
            seed: 0,
            parent: None,
            start: None,
            require: BTreeMap::new(),
        }
    }

    #[test]
    fn files_of_earlier_versions_are_those_of_one_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let earlier = Earlier::of(&[entry(0, "a", "b-c"), entry(1, "a-b", "c"), entry(2, "a", "d")]);
        assert_eq!(earlier.config(root, "a/d"), Some(root.join("configs/a-d.toml")));
        assert_eq!(earlier.log(root, "a/d"), Some(root.join("logs/a-d.log")));
        assert_eq!((earlier.config(root, "a/b-c"), earlier.config(root, "a-b/c")), (None, None));
        earlier.check(root).expect("no ambiguity");
        fs::create_dir_all(root.join("configs/a")).expect("folders");
        fs::write(root.join("configs/a-b-c.toml"), "").expect("a file");
        let said = earlier.check(root).expect_err("an ambiguity").to_string();
        assert!(said.contains("a/b-c and a-b/c into one file, configs/a-b-c.toml"), "{said}");
        fs::create_dir(root.join("configs/a-b")).expect("folders");
        fs::write(root.join("configs/a/b-c.toml"), "").expect("a file");
        fs::write(root.join("configs/a-b/c.toml"), "").expect("a file");
        earlier.check(root).expect("no ambiguity");
    }

    /// The file system takes what is not refused, with all that is put behind it.
    #[test]
    fn what_is_too_long() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let of = |length: usize| path_problems(root, &[entry(0, "a", &"x".repeat(length)), entry(1, "a", "short")]);
        assert!(of(200).is_empty());
        fs::create_dir(root.join("x".repeat(200 + BEHIND_NAME))).expect("a folder of a long name");
        let said = of(300);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("the name of its folder has 300 bytes, expected at most "), "{said:?}");
        assert!(
            said[0].contains("shorten its label of axis noise, which has 300 bytes (values = [{ label"),
            "{said:?}"
        );
        assert!(said[0].len() < 500, "{said:?}");
        let deep = root.join("y/".repeat(2040));
        let said = path_problems(&deep, &[entry(0, "a", "s0"), entry(1, "a", "s1")]);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("choose a shorter folder with --out") && said[0].contains("another run"), "{said:?}");
        let said = path_problems(&root.join("z".repeat(300)), &[entry(0, "a", "s0")]);
        assert!(said[0].contains("the folder of the study: its name zzz") && said[0].contains("300 bytes"), "{said:?}");
    }
}
