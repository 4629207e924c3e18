//! What becomes of the folder of a run that is not done, before its process starts.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use saltflat_record::{
    CHECKPOINTS, CONFIG, ENVIRONMENT, FolderError, LOCK, LOG, METRICS, STATUS, is_temporary, set_aside,
};

/// How a run starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// In its folder, from a checkpoint.
    Resumed,
    /// From its configuration.
    Anew,
    /// From its configuration; what was in its folder is here now.
    SetAside(PathBuf),
}

/// Files of a run that say nothing about it that could not be written again, if it has neither rows nor checkpoints.
const OF_THE_START: [&str; 5] = [CONFIG, ENVIRONMENT, STATUS, LOG, LOCK];

/// Makes room for a run. A folder without a checkpoint is removed if it holds nothing but what a run writes before its first row, and moved
/// aside if it holds anything else.
pub(crate) fn prepare(folder: &Path) -> Result<Prepared, FolderError> {
    let checkpoints = folder.join(CHECKPOINTS);
    let is_sidecar = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let has_checkpoint = match list(&checkpoints) {
        Ok(paths) => paths.iter().any(is_sidecar),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => false,
        Err(e) => return Err(FolderError::at(checkpoints)(e)),
    };
    if has_checkpoint {
        return Ok(Prepared::Resumed);
    }
    match holds_nothing(folder) {
        Ok(true) => fs::remove_dir_all(folder).map(|()| Prepared::Anew).map_err(FolderError::at(folder)),
        Ok(false) => Ok(Prepared::SetAside(set_aside(folder)?)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Prepared::Anew),
        Err(e) => Err(FolderError::at(folder)(e)),
    }
}

/// True for a folder that holds nothing but what a run writes before its first row. False for what is no folder.
fn holds_nothing(folder: &Path) -> io::Result<bool> {
    if !fs::symlink_metadata(folder)?.is_dir() {
        return Ok(false);
    }
    for path in list(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let found = fs::symlink_metadata(&path)?;
        let is_worthless = match name.as_str() {
            CHECKPOINTS => found.is_dir() && list(&path)?.iter().all(|path| is_temporary_file(path)),
            METRICS => found.is_file() && found.len() == 0,
            name => found.is_file() && (OF_THE_START.contains(&name) || is_temporary(name)),
        };
        if !is_worthless {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_temporary_file(path: &Path) -> bool {
    path.is_file() && path.file_name().and_then(|name| name.to_str()).is_some_and(is_temporary)
}

fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files; a name that ends with a slash is a folder.
    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().expect("a folder");
        let run = place.path().join("run");
        fs::create_dir_all(run.join("checkpoints")).expect("folders");
        for (name, content) in files {
            match name.strip_suffix('/') {
                Some(name) => fs::create_dir_all(run.join(name)).expect("folders"),
                None => fs::write(run.join(name), content).expect("a file"),
            }
        }
        (place, run)
    }

    #[test]
    fn a_start_without_rows_is_removed() {
        let start = [
            ("config.toml", "a"),
            ("env.json", "{}"),
            ("status.json", "{}"),
            ("log.txt", "said"),
            ("lock", ""),
            ("metrics.jsonl", ""),
            ("status.json.aZ3d5f.saltflat.tmp", "{"),
            ("checkpoints/step-00000001.safetensors.77.tmp", "x"),
        ];
        let (_place, run) = folder(&start);
        assert_eq!(prepare(&run).expect("it can be prepared"), Prepared::Anew);
        assert!(!run.exists());
        assert_eq!(prepare(&run).expect("there is nothing to do"), Prepared::Anew);
    }

    #[test]
    fn anything_else_is_moved_aside() {
        for (name, content) in [
            ("metrics.jsonl", "{}\n"),
            ("thesis.tex", "precious"),
            ("sub/", ""),
            ("notes.tmp", "precious"),
            ("checkpoints/step-00000008.safetensors", "weights"),
            ("checkpoints/notes.txt", "precious"),
        ] {
            let (_place, run) = folder(&[("config.toml", "a"), (name, content)]);
            let aside = run.with_file_name("run.set-aside-1");
            assert_eq!(prepare(&run).expect("it can be prepared"), Prepared::SetAside(aside.clone()), "{name}");
            assert!(!run.exists() && aside.join(name).exists(), "{name}");
        }
        let (_place, run) = folder(&[("checkpoints/step-00000008.json", "{}")]);
        assert_eq!(prepare(&run).expect("it can be prepared"), Prepared::Resumed);
        assert!(run.exists());
        // A file in its place, and a link to a folder that is somebody's.
        let (place, run) = folder(&[]);
        fs::remove_dir_all(&run).expect("it can be removed");
        fs::write(&run, "precious").expect("a file");
        assert_eq!(
            prepare(&run).expect("it can be prepared"),
            Prepared::SetAside(place.path().join("run.set-aside-1"))
        );
        #[cfg(unix)]
        {
            let other = place.path().join("other");
            fs::create_dir(&other).expect("a folder");
            std::os::unix::fs::symlink(&other, &run).expect("a link");
            let aside = place.path().join("run.set-aside-2");
            assert_eq!(prepare(&run).expect("it can be prepared"), Prepared::SetAside(aside.clone()));
            assert!(other.exists() && fs::symlink_metadata(aside).is_ok_and(|found| found.is_symlink()));
        }
    }
}
