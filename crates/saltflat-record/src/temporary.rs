//! Temporary files, and folders that are moved out of the way.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use crate::error::FolderError;

/// What the name of a temporary file ends with, after the name of the file that it becomes, a dot and [`RANDOM`] letters and digits.
pub(crate) const SUFFIX: &str = ".saltflat.tmp";

/// How many letters and digits make the name of a temporary file unique, also among hosts that share a file system.
pub(crate) const RANDOM: usize = 6;

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
///
/// # Errors
/// [`FolderError`].
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
