//! Files that the tests write.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

/// A gzip file with this content.
pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// An IDX file.
pub(crate) fn idx_file(magic: u32, axes: &[u32], data: &[u8]) -> Vec<u8> {
    let head = [&[magic], axes].concat();
    head.iter().flat_map(|word| word.to_be_bytes()).chain(data.iter().copied()).collect()
}
