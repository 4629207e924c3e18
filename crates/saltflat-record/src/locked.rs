//! A folder that this process alone writes in.

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    FolderError, Status, append,
    file::{indented, write_checked},
    lock,
};

/// A folder whose lock this process holds while this lives. A folder can be removed or renamed all the same, and another process
/// can make a new one in its place: each method here looks first whether the lock in the folder is still the file that is held,
/// and fails if not, so that nothing of the other process's is written over.
#[derive(Debug)]
pub struct LockedFolder {
    root: PathBuf,
    lock: File,
}

impl LockedFolder {
    /// Takes the lock; absent where another process holds it. On a file system that has no locks everybody gets it.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn take(root: &Path) -> Result<Option<Self>, FolderError> {
        Ok(lock(root)?.map(|lock| Self { root: root.into(), lock }))
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Looks whether the folder at this place is still the one whose lock is held.
    ///
    /// # Errors
    /// [`FolderError`] if it was removed or replaced, or cannot be looked at.
    pub fn check(&self) -> Result<(), FolderError> {
        let path = self.root.join("lock");
        let happened = match is_same(&self.lock, &path) {
            Ok(true) => return Ok(()),
            Ok(false) => "the folder was removed and made again by another process",
            Err(e) if e.kind() == ErrorKind::NotFound => "the folder was removed or renamed, or its disk is gone",
            Err(e) => return Err(FolderError::at(path)(e)),
        };
        let reason = format!("{happened}, while this process was writing in it; nothing more is written");
        Err(FolderError { path: self.root.clone(), reason })
    }

    /// [Writes](crate::write()) a file in the folder, which is checked before, and again before the file takes its name.
    ///
    /// # Errors
    /// As [`check`](Self::check), and [`FolderError`].
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
        write_checked(path, bytes, &|| self.check())
    }

    /// Writes JSON, indented.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_json(&self, path: &Path, value: &Value) -> Result<(), FolderError> {
        self.write(path, indented(path, value)?.as_bytes())
    }

    /// Writes `status.json`, as [`Status::write`] does.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn status(&self, status: &Status) -> Result<(), FolderError> {
        status.write_by(&self.root, &|| self.check())
    }

    /// Opens a file in the folder to append to it.
    ///
    /// # Errors
    /// As [`check`](Self::check), and [`FolderError`].
    pub fn append(&self, name: &str) -> Result<File, FolderError> {
        self.check()?;
        append(&self.root, name)
    }
}

/// Whether an open file is the one at this path. The number of an open file is not given to another one.
#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let [held, found] = [file.metadata()?, std::fs::metadata(path)?].map(|found| (found.dev(), found.ino()));
    Ok(held == found)
}

/// Elsewhere a folder with an open file in it cannot be removed or renamed.
#[cfg(not(unix))]
fn is_same(_: &File, path: &Path) -> io::Result<bool> {
    std::fs::metadata(path).map(|_| true)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A folder that was renamed, and one that another process made in its place: not a byte is written there.
    #[test]
    #[cfg(unix)]
    fn a_replaced_folder_is_not_written_in() {
        let place = tempfile::tempdir().unwrap();
        let [root, moved] = ["run", "moved"].map(|name| place.path().join(name));
        fs::create_dir(&root).unwrap();
        let ours = LockedFolder::take(&root).unwrap().unwrap();
        assert!(LockedFolder::take(&root).unwrap().is_none());
        let all = |folder: &LockedFolder| {
            [
                folder.write(&root.join("a"), b"a").err(),
                folder.write_json(&root.join("b"), &Value::Null).err(),
                folder.status(&Status::new("running", None, 1)).err(),
                folder.append("c").err(),
            ]
            .map(|error| error.map(|error| error.to_string()))
        };
        assert_eq!(all(&ours), [const { None }; 4]);
        fs::rename(&root, &moved).unwrap();
        for said in all(&ours) {
            assert!(said.unwrap().contains("run: the folder was removed or renamed"));
        }
        fs::create_dir(&root).unwrap();
        let theirs = LockedFolder::take(&root).unwrap().unwrap();
        for said in all(&ours) {
            assert!(said.unwrap().contains("run: the folder was removed and made again"));
        }
        assert_eq!(fs::read_dir(&root).unwrap().count(), 1, "the lock alone");
        theirs.check().unwrap();
        // One that is put back is the old one again.
        fs::remove_dir_all(&root).unwrap();
        fs::rename(&moved, &root).unwrap();
        ours.check().unwrap();
    }
}
