//! Files that are read: regular files alone, of a size that is sensible, and absent only where the system says so.

use std::{
    fs::{self, File, Metadata},
    io::{Error, ErrorKind, Read, Result},
    path::Path,
};

/// Opens a file to read it, if it is a regular one (after following links): a device may have no end, and a pipe nobody who
/// writes to it.
///
/// # Errors
/// What the system says; of what is no regular file, what it is.
pub fn open_regular(path: &Path) -> Result<File> {
    check_regular(path)?;
    File::open(path)
}

/// Whether there is a regular file.
///
/// # Errors
/// As [`open_regular`].
pub(crate) fn check_regular(path: &Path) -> Result<()> {
    let found = fs::metadata(path)?;
    if found.is_file() {
        return Ok(());
    }
    let kind = if found.is_dir() { ErrorKind::IsADirectory } else { ErrorKind::InvalidInput };
    Err(Error::new(kind, format!("is {}, expected a file", what(&found))))
}

/// What something is that is no regular file.
fn what(found: &Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = found.file_type();
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
    }
    if found.is_dir() { "a folder" } else { "no regular file" }
}

/// The content of a [regular file](open_regular).
///
/// # Errors
/// As [`open_regular`], and what the system says.
pub fn read_regular(path: &Path) -> Result<Vec<u8>> {
    let mut file = open_regular(path)?;
    let mut bytes = Vec::new();
    // Room for all of it at once, or an error where there is none.
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(size).map_err(|_| {
        Error::new(ErrorKind::OutOfMemory, format!("has {size} bytes, for which this machine has no memory"))
    })?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The content of a [regular file](open_regular) of at most so many bytes.
///
/// # Errors
/// As [`read_regular`], and of a larger file how large it may be.
pub fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A file of the system may say that it has no bytes, and one may grow.
    open_regular(path)?.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 <= most {
        true => Ok(bytes),
        false => Err(Error::new(ErrorKind::FileTooLarge, format!("is larger than {} MiB, the most here", most >> 20))),
    }
}

/// As [`read_regular`]; absent only where there is definitely no such file. That it cannot be read is an error: what is there and
/// cannot be read must not be taken for absent and made again.
///
/// # Errors
/// As [`read_regular`].
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match read_regular(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_files_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert!(read_if_there(&path).unwrap().is_none());
        fs::write(&path, [7; 100]).unwrap();
        assert_eq!(read_regular(&path).unwrap(), [7; 100]);
        assert_eq!(read_if_there(&path).unwrap().unwrap(), [7; 100]);
        assert_eq!(read_at_most(&path, 100).unwrap(), [7; 100]);
        assert_eq!(read_at_most(&path, 99).unwrap_err().kind(), ErrorKind::FileTooLarge);
        // A path through a file is an error, and so is a folder in the place of a file.
        assert!(read_if_there(&path.join("b")).is_err());
        assert_eq!(read_if_there(folder.path()).unwrap_err().to_string(), "is a folder, expected a file");
    }

    #[test]
    #[cfg(unix)]
    fn devices_and_pipes_are_not_read() {
        let said = |path: &Path| read_regular(path).unwrap_err().to_string();
        assert_eq!(said(Path::new("/dev/zero")), "is a device, expected a file");
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert_eq!(said(&pipe), "is a pipe, expected a file");
        assert_eq!(crate::open_to_append(&pipe).unwrap_err().to_string(), "is a pipe, expected a file");
        assert_eq!(crate::is_taken(&pipe).unwrap_err().to_string(), "is a pipe, expected a file");
    }
}
