//! The readers of published formats as functions of bytes, for fuzzing: no public function takes such a file without its
//! checksum.

use crate::error::DataError;
use crate::examples::Examples;
use crate::files;
use crate::idx::{self, Idx, TEN};
use crate::records::Record;

/// An IDX file of images and one of labels.
pub fn idx(images: &[u8], labels: &[u8]) -> Result<Examples, DataError> {
    idx::examples(&Idx { file: "images", bytes: images }, &Idx { file: "labels", bytes: labels }, TEN)
}

/// Records of CIFAR-10 or of CIFAR-100.
pub fn cifar(hundred: bool, bytes: &[u8]) -> Result<Examples, DataError> {
    let record = if hundred { Record::CIFAR100 } else { Record::CIFAR10 };
    record.examples(&[("records".into(), bytes.to_vec())])
}

/// A gzip file that should hold `expected` bytes.
pub fn gunzip(bytes: &[u8], expected: u64) -> Result<Vec<u8>, DataError> {
    files::gunzip("file.gz", bytes, Some(expected))
}
