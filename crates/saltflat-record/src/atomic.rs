//! Files that are written completely or not at all, and folders that are moved out of the way.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{error::FolderError, read::check_regular};

/// Opens a file to append to it, which is created if there is none.
///
/// # Errors
/// What the system says; of what is no regular file, what it is: a pipe would wait for who reads it.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    match check_regular(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => OpenOptions::new().create(true).append(true).open(path),
    }
}

/// Writes a file under a temporary name beside it, flushes it to disk, renames it and flushes the folder.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    write_checked(path, bytes, &|| Ok(()))
}

/// As [`write()`], unless the file has this content already.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    if fs::read(path).is_ok_and(|old| old == bytes) { Ok(()) } else { write(path, bytes) }
}

/// As [`write()`]; `check` is asked before the temporary file is created and again before it is renamed.
pub(crate) fn write_checked(
    path: &Path,
    bytes: &[u8],
    check: &dyn Fn() -> Result<(), FolderError>,
) -> Result<(), FolderError> {
    let failed = |e: io::Error| FolderError::new(path, format!("cannot be written: {e}"));
    check()?;
    let mut prefix = path.file_name().unwrap_or_default().to_os_string();
    prefix.push(".");
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Opened as any other file, so that its permissions are those that the user's mask gives.
    let create = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(SUFFIX)
        .rand_bytes(RANDOM)
        .make_in(folder, create)
        .map_err(failed)?;
    file.as_file_mut().write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    check()?;
    // Closed first: not every system renames an open file. If that fails, the temporary file goes with its path.
    let (file, temporary) = file.into_parts();
    drop(file);
    fs::rename(&temporary, path).map_err(failed)?;
    // There is nothing more to remove.
    let _ = temporary.keep();
    flush_folder(folder).map_err(failed)
}

/// Writes a file that a person named, such as a page: [whole or not at all](write()), and through a link into the file that it
/// leads to. What is no regular file, such as a device or a pipe, is written to as it is.
pub fn write_named(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let failed = || FolderError::at(path);
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => write(&fs::canonicalize(path).map_err(failed())?, bytes),
        Ok(_) => OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(bytes)).map_err(failed()),
        Err(e) if e.kind() == ErrorKind::NotFound => write(path, bytes),
        Err(e) => Err(failed()(e)),
    }
}

/// So that a rename outlasts a power failure. Windows has no such call.
fn flush_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// A value as indented JSON, whose keys are in alphabetical order; `path` is that of the file that it is for.
pub(crate) fn indented(path: &Path, value: &impl Serialize) -> Result<String, FolderError> {
    let text = serde_json::to_value(value).and_then(|value| serde_json::to_string_pretty(&value));
    text.map(|text| text + "\n").map_err(|e| FolderError::new(path, e))
}

/// What the name of a temporary file ends with, after the name of the file that it becomes, a dot and [`RANDOM`] letters and digits.
const SUFFIX: &str = ".saltflat.tmp";

/// How many letters and digits make the name of a temporary file unique, also among hosts that share a file system.
const RANDOM: usize = 6;

/// Removes what processes that were killed while they [wrote](crate::write()) left in a folder, also those of earlier versions, whose
/// temporary names held the number of the process. Only for a folder that nobody else writes in.
pub fn remove_temporary(folder: &Path) {
    // What cannot be listed or removed does no harm.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in entries.filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_temporary)) {
        let _ = fs::remove_file(path);
    }
}

/// True for the name of a temporary file of this version or an earlier one.
pub fn is_temporary(name: &str) -> bool {
    let part = |stem: &str| stem.rsplit_once('.').map(|(_, part)| part.to_string());
    let of_now = name.strip_suffix(SUFFIX).and_then(part);
    let earlier = name.strip_suffix(".tmp").and_then(part);
    of_now.is_some_and(|part| part.len() == RANDOM && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        || earlier.is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Moves a folder to a free name beside it, `NAME.set-aside-1` or the next that is free, and gives that.
pub fn set_aside(folder: &Path) -> Result<PathBuf, FolderError> {
    for number in 1_u64.. {
        let mut name = folder.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".set-aside-{number}"));
        let place = folder.with_file_name(name);
        match fs::symlink_metadata(&place) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                fs::rename(folder, &place).map_err(FolderError::at(folder))?;
                return Ok(place);
            }
            Err(e) => return Err(FolderError::at(place)(e)),
            Ok(_) => {}
        }
    }
    Err(FolderError::new(folder, "no name is free to set it aside"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// What killed processes leave goes, of this version and of earlier ones; a person's files stay.
    #[test]
    fn temporary_files_are_known_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        // What `write` makes, caught before it is renamed.
        let seen = std::cell::RefCell::new(Vec::new());
        let count = std::cell::Cell::new(0);
        let interrupted = write_checked(&folder.path().join("rows"), b"1", &|| {
            count.set(count.get() + 1);
            seen.borrow_mut().extend(names(folder.path()));
            match count.get() {
                1 => Ok(()),
                _ => Err(FolderError::new("rows", "no")),
            }
        });
        assert_eq!(interrupted.unwrap_err().to_string(), "rows: no");
        assert_eq!((seen.borrow().len(), names(folder.path()).len()), (1, 0), "{seen:?}");
        let killed = seen.borrow()[0].clone();
        let theirs = ["notes.backup.tmp", "a.b.saltflat.tmp", "plain.tmp", "rows", "x.saltflat.tmp"];
        for name in theirs.into_iter().chain([killed.as_str(), "status.json.4711.tmp"]) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        remove_temporary(folder.path());
        let mut expected = theirs.map(String::from).to_vec();
        expected.sort();
        assert_eq!(names(folder.path()), expected);
    }

    /// A file has the permissions that any new file of this process has.
    #[test]
    #[cfg(unix)]
    fn permissions_are_those_of_other_files() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let [ours, other] = ["ours", "other"].map(|name| folder.path().join(name));
        write(&ours, b"a").unwrap();
        fs::write(&other, b"a").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&other));
    }

    /// A link stays a link, and a device is not replaced by a file.
    #[test]
    #[cfg(unix)]
    fn named_files() {
        use std::os::unix::fs::{FileTypeExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let [page, link] = ["page", "link"].map(|name| folder.path().join(name));
        write_named(&page, b"first").unwrap();
        symlink(&page, &link).unwrap();
        write_named(&link, b"second").unwrap();
        assert_eq!(fs::read(&page).unwrap(), b"second");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let null = folder.path().join("null");
        symlink("/dev/null", &null).unwrap();
        write_named(&null, b"gone").unwrap();
        assert!(fs::metadata(&null).unwrap().file_type().is_char_device());
        assert_eq!(names(folder.path()), ["link", "null", "page"]);
    }

    #[test]
    fn a_folder_is_set_aside_under_a_free_name() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("s0");
        fs::create_dir(folder.path().join("s0.set-aside-1")).unwrap();
        fs::create_dir(&run).unwrap();
        fs::write(run.join("rows"), "1").unwrap();
        let place = set_aside(&run).unwrap();
        assert_eq!(place, folder.path().join("s0.set-aside-2"));
        assert_eq!(fs::read(place.join("rows")).unwrap(), b"1");
        assert!(!run.exists());
    }
}
