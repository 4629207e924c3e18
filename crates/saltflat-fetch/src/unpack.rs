//! Files out of compressed archives, without trust.
//!
//! An archive is read from front to back and never written out: what is taken are the contents of regular files whose
//! whole path is one that was asked for. Links, devices, `..` and absolute paths are no such paths, so they lead
//! nowhere.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType};

use crate::error::FetchError;

/// An archive that holds more than this, decompressed, is none of ours: the largest is CIFAR-10 with 184 million bytes.
pub(crate) const MOST: u64 = 256 << 20;

/// What is asked for: a path inside the archive, and how many bytes it may have.
pub(crate) struct Entry {
    pub path: String,
    pub most: u64,
}

/// Reads a compressed tar file of at most `most` bytes and gives the content of the entries in it, each with its
/// position in `entries`, as they come. Entries that are not in it are not given.
pub(crate) fn tar_gz(
    file: &str,
    compressed: impl Read,
    entries: &[Entry],
    most: u64,
    mut take: impl FnMut(usize, Vec<u8>) -> Result<(), FetchError>,
) -> Result<(), FetchError> {
    let damaged = |error: io::Error| FetchError::unpack(file, error);
    let mut archive = Archive::new(Limited { inner: MultiGzDecoder::new(compressed), left: most });
    let mut taken = vec![false; entries.len()];
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path_bytes().into_owned();
        let path = path.strip_prefix(b"./").unwrap_or(&path);
        let regular = matches!(entry.header().entry_type(), EntryType::Regular);
        let Some(i) = entries.iter().position(|asked| asked.path.as_bytes() == path).filter(|i| regular && !taken[*i])
        else {
            continue;
        };
        let Entry { path, most } = &entries[i];
        if entry.size() > *most {
            let reason = format!("expected at most {most} bytes, found {}", entry.size());
            return Err(FetchError::unpack(format!("{file}: {path}"), reason));
        }
        let mut content = Vec::with_capacity(entry.size() as usize);
        entry.read_to_end(&mut content).map_err(damaged)?;
        if content.len() as u64 != entry.size() {
            return Err(FetchError::unpack(format!("{file}: {path}"), "it ends early"));
        }
        taken[i] = true;
        take(i, content)?;
    }
    Ok(())
}

/// Decompresses a file of at most `most` bytes.
pub(crate) fn gunzip(file: &str, compressed: impl Read, most: u64) -> Result<Vec<u8>, FetchError> {
    let mut content = Vec::new();
    let mut limited = Limited { inner: MultiGzDecoder::new(compressed), left: most };
    limited.read_to_end(&mut content).map_err(|error| FetchError::unpack(file, error))?;
    Ok(content)
}

/// Fails if it should give more than it may.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        match self.left.checked_sub(n as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other("it holds more than it may")),
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use tar::{Builder, Header};

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn header(path: &[u8], kind: EntryType, size: u64) -> Header {
        let mut header = Header::new_ustar();
        // The crate's own setter refuses what an attacker writes.
        header.as_old_mut().name[..path.len()].copy_from_slice(path);
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        header
    }

    /// An archive of entries: path, kind, content.
    fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = header(path.as_bytes(), *kind, content.len() as u64);
            if matches!(kind, EntryType::Symlink | EntryType::Link) {
                header.set_link_name("/etc/passwd").unwrap();
                header.set_cksum();
            }
            builder.append(&header, *content).unwrap();
        }
        gzip(&builder.into_inner().unwrap())
    }

    fn asked() -> Vec<Entry> {
        ["set/a.bin", "set/b.bin"].map(|path| Entry { path: path.into(), most: 5 }).into()
    }

    fn taken(archive: &[u8], most: u64) -> Result<Vec<(usize, Vec<u8>)>, String> {
        let mut taken = Vec::new();
        let result = tar_gz("x.tar.gz", archive, &asked(), most, |i, content| {
            taken.push((i, content));
            Ok(())
        });
        result.map(|()| taken).map_err(|e| e.to_string())
    }

    #[test]
    fn only_what_was_asked_for_is_taken() {
        let archive = archive(&[
            ("set/", EntryType::Directory, b""),
            ("set/readme.html", EntryType::Regular, b"0123456789"),
            ("./set/b.bin", EntryType::Regular, b"bbb"),
            ("set/a.bin", EntryType::Regular, b"aaaaa"),
            ("set/a.bin", EntryType::Regular, b"again"),
        ]);
        assert_eq!(taken(&archive, MOST).unwrap(), [(1, b"bbb".to_vec()), (0, b"aaaaa".to_vec())]);
    }

    /// A link, a device, or a path that leads out of the folder is not what was asked for, whatever it is called.
    #[test]
    fn links_and_paths_that_lead_elsewhere_are_passed_over() {
        let archive = archive(&[
            ("set/a.bin", EntryType::Symlink, b""),
            ("set/b.bin", EntryType::Link, b""),
            ("set/a.bin", EntryType::Char, b""),
            ("set/b.bin", EntryType::Fifo, b""),
            ("set", EntryType::Symlink, b""),
            ("/set/a.bin", EntryType::Regular, b"out"),
            ("../set/a.bin", EntryType::Regular, b"out"),
            ("set/../set/a.bin", EntryType::Regular, b"out"),
            ("a.bin", EntryType::Regular, b"out"),
            ("set\\a.bin", EntryType::Regular, b"out"),
        ]);
        assert_eq!(taken(&archive, MOST).unwrap(), []);
    }

    #[test]
    fn an_entry_that_is_too_large_is_refused_before_it_is_read() {
        let error = taken(&archive(&[("set/a.bin", EntryType::Regular, b"aaaaaa")]), MOST).unwrap_err();
        assert_eq!(error, "x.tar.gz: set/a.bin: cannot be unpacked: expected at most 5 bytes, found 6");
        // It says that it holds 2⁶⁰ bytes, and the archive ends after its head.
        let mut header = header(b"set/a.bin", EntryType::Regular, 0);
        header.set_size(1 << 60);
        header.set_cksum();
        let error = taken(&gzip(header.as_bytes()), MOST).unwrap_err();
        assert!(error.contains("expected at most 5 bytes, found 1152921504606846976"), "{error}");
    }

    /// 64 MiB of zeros in 64 KiB: as a file nobody asked for, as the name of one, and as a compressed file.
    #[test]
    fn a_bomb_ends_at_the_limit() {
        let zeros = vec![0; 64 << 20];
        for kind in [EntryType::Regular, EntryType::GNULongName, EntryType::XHeader] {
            let bomb = archive(&[("set/c.bin", kind, &zeros), ("set/a.bin", EntryType::Regular, b"a")]);
            let error = taken(&bomb, 1 << 20).unwrap_err();
            assert!(error.starts_with("x.tar.gz: cannot be unpacked: "), "{kind:?}: {error}");
        }
        let error = gunzip("x.gz", &gzip(&zeros)[..], 1 << 20).unwrap_err().to_string();
        assert_eq!(error, "x.gz: cannot be unpacked: it holds more than it may");
        assert_eq!(gunzip("x.gz", &gzip(b"abc")[..], 3).unwrap(), b"abc");
    }

    #[test]
    fn what_is_cut_or_no_archive_is_an_error() {
        let whole = archive(&[("set/a.bin", EntryType::Regular, b"aaaaa")]);
        for cut in [&whole[..whole.len() / 2], b"PK\x03\x04", b""] {
            let error = taken(cut, MOST).unwrap_err();
            assert!(error.starts_with("x.tar.gz: cannot be unpacked: "), "{error}");
        }
    }
}
