//! Reading files: where they lie, gzip, checksums.

use std::io::{self, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use saltflat_record::{open_regular, read_regular};

use crate::error::DataError;

/// The content of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    read_regular(path).map_err(|source| DataError::Read { file: path.display().to_string(), source })
}

/// The content of a file that must have `expected` bytes; decompressed if its name ends in `.gz`.
///
/// A file of another size is not read into memory.
pub(crate) fn read_sized(path: &Path, expected: u64) -> Result<Vec<u8>, DataError> {
    let name = path.display().to_string();
    let failed = |source| DataError::Read { file: name.clone(), source };
    let file = open_regular(path).map_err(failed)?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        return gunzip(&name, io::BufReader::new(file), Some(expected));
    }
    let found = file.metadata().map_err(failed)?.len();
    if found != expected {
        return Err(DataError::Size { file: name, expected, found });
    }
    read(path)
}

/// The content of a file whose size is not known; decompressed if its name ends in `.gz`. It may have at most `most` bytes.
pub(crate) fn read_bounded(path: &Path, most: u64) -> Result<Vec<u8>, DataError> {
    let file = path.display().to_string();
    let failed = |source| DataError::Read { file: file.clone(), source };
    let opened = open_regular(path).map_err(failed)?;
    let mut content = Vec::new();
    match path.extension().is_some_and(|extension| extension == "gz") {
        true => {
            let damaged = |error: io::Error| DataError::Gzip { file: file.clone(), reason: error.to_string() };
            let mut decoder = GzDecoder::new(io::BufReader::new(opened));
            decoder.by_ref().take(most + 1).read_to_end(&mut content).map_err(damaged)?;
        }
        false => {
            opened.take(most + 1).read_to_end(&mut content).map_err(failed)?;
        }
    }
    match content.len() as u64 > most {
        true => Err(DataError::Long { file, most }),
        false => Ok(content),
    }
}

/// Bytes beyond the expected ones that are counted.
const MOST_BEYOND: u64 = 1 << 20;

/// Decompresses a gzip file to its end, where its own checksum stands.
pub(crate) fn gunzip(name: &str, compressed: impl Read, expected: Option<u64>) -> Result<Vec<u8>, DataError> {
    let damaged = |error: io::Error| DataError::Gzip { file: name.into(), reason: error.to_string() };
    let mut decoder = GzDecoder::new(compressed);
    // As much as there is, not as much as is expected: a short file shall not take the memory of a long one.
    let mut content = Vec::new();
    let Some(expected) = expected else {
        decoder.read_to_end(&mut content).map_err(damaged)?;
        return Ok(content);
    };
    decoder.by_ref().take(expected).read_to_end(&mut content).map_err(damaged)?;
    // What is too long is counted, but not without end: a thousandth of its content can stand in a gzip file.
    let rest = io::copy(&mut decoder.by_ref().take(MOST_BEYOND), &mut io::sink()).map_err(damaged)?;
    let found = content.len() as u64 + rest;
    if found != expected {
        return Err(DataError::Size { file: name.into(), expected, found });
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::gzip;

    #[test]
    fn gzip_of_the_right_size_only() {
        let compressed = gzip(&[7; 100]);
        assert_eq!(gunzip("a.gz", &compressed[..], Some(100)).unwrap(), [7; 100]);
        assert_eq!(gunzip("a.gz", &compressed[..], None).unwrap(), [7; 100]);
        let error = |expected| gunzip("a.gz", &compressed[..], Some(expected)).unwrap_err().to_string();
        assert_eq!(error(99), "a.gz: expected 99 bytes, found 100");
        assert_eq!(error(101), "a.gz: expected 101 bytes, found 100");
        // A bomb is not unpacked to its end, and a short file does not take the memory of the one that was expected.
        let bomb = gzip(&vec![0; 3 << 20]);
        let error = gunzip("b.gz", &bomb[..], Some(10)).unwrap_err().to_string();
        assert_eq!(error, "b.gz: expected 10 bytes, found 1048586");
        let short = gunzip("a.gz", &compressed[..], Some(u64::MAX)).unwrap_err().to_string();
        assert_eq!(short, format!("a.gz: expected {} bytes, found 100", u64::MAX));
    }

    #[test]
    fn files_of_unknown_size_have_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [("a", vec![7; 100]), ("a.gz", gzip(&[7; 100]))] {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            assert_eq!(read_bounded(&path, 100).unwrap(), [7; 100]);
            let error = read_bounded(&path, 99).unwrap_err().to_string();
            assert_eq!(error, format!("{}: expected at most 99 bytes, found more", path.display()));
        }
    }

    #[test]
    fn a_truncated_or_corrupt_gzip_is_an_error() {
        let content: Vec<u8> = (0..1000u32).map(|i| (i * i % 251) as u8).collect();
        let whole = gzip(&content);
        for cut in [0, 5, whole.len() / 2, whole.len() - 1] {
            let error = gunzip("a.gz", &whole[..cut], Some(1000)).unwrap_err();
            assert!(matches!(error, DataError::Gzip { .. }), "{cut}: {error}");
        }
        // One bit of the CRC, of the data and of the magic number.
        for place in [whole.len() - 8, whole.len() / 2, 0] {
            let mut corrupt = whole.clone();
            corrupt[place] ^= 1;
            let error = gunzip("a.gz", &corrupt[..], Some(1000)).unwrap_err();
            assert!(matches!(error, DataError::Gzip { .. } | DataError::Size { .. }), "{place}: {error}");
        }
    }

    #[test]
    fn a_file_of_the_wrong_size_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        std::fs::write(&path, [1, 2, 3]).unwrap();
        assert_eq!(read_sized(&path, 3).unwrap(), [1, 2, 3]);
        let error = read_sized(&path, 4).unwrap_err().to_string();
        assert_eq!(error, format!("{}: expected 4 bytes, found 3", path.display()));
    }
}
