//! SHA-256 checksums in hexadecimal.

use std::{
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

use crate::open_regular;

/// SHA-256 of some bytes: 64 hexadecimal digits in small letters.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hex(Sha256::new().chain_update(bytes))
}

/// SHA-256 of a file, which is read in pieces.
///
/// # Errors
/// If the file cannot be read, or is no regular file.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    let mut file = open_regular(path)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(hasher)),
            n => hasher.update(&buffer[..n]),
        }
    }
}

fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1.
    #[test]
    fn sha256_of_abc() {
        assert_eq!(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").expect("a file");
        assert_eq!(sha256_of_file(&path).expect("a file"), sha256_hex("abc"));
    }
}
