//! Reads regular files only, up to a sensible size, and takes a file for absent only if the system says so.

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

/// Checks that there is a regular file.
pub(crate) fn check_regular(path: &Path) -> Result<()> {
    let found = fs::metadata(path)?;
    if found.is_file() {
        return Ok(());
    }
    let kind = if found.is_dir() { ErrorKind::IsADirectory } else { ErrorKind::InvalidInput };
    Err(Error::new(kind, format!("is {}, expected a file", describe(&found))))
}

/// What something is that is not a regular file.
fn describe(found: &Metadata) -> &'static str {
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
pub fn read_regular(path: &Path) -> Result<Vec<u8>> {
    let mut file = open_regular(path)?;
    let mut bytes = Vec::new();
    // Room for all of it at once, or an error if there is none.
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(size).map_err(|_| {
        Error::new(ErrorKind::OutOfMemory, format!("has {size} bytes, for which this machine has no memory"))
    })?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The content of a [regular file](open_regular) of at most so many bytes.
fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A file of the system may say that it has no bytes, and one may grow.
    open_regular(path)?.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 <= most {
        true => Ok(bytes),
        false => Err(Error::new(ErrorKind::FileTooLarge, format!("is larger than {} MiB, the most here", most >> 20))),
    }
}

/// As [`read_regular`]; absent only if there is definitely no such file. That it cannot be read is an error: what is there and
/// cannot be read must not be taken for absent and made again.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match read_regular(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// True for what a terminal obeys in place of showing it: control characters, and the marks that separate lines and paragraphs or change
/// the direction of writing.
pub fn is_control(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

/// How far into a file zeros are looked for that tell UTF-16 without a mark at its start.
const HEAD: usize = 128;

/// The largest text that is read: a person does not write more, and to parse it takes a multiple of it.
const MOST: u64 = 16 << 20;

/// Reads a text file in UTF-8 of at most 16 MiB; a byte order mark at its start is left out.
///
/// # Errors
/// What the system says; for what is no regular file, for a larger one and for a text in another encoding, what it is, and how it
/// is converted.
pub fn read_text(path: &Path) -> Result<String> {
    decode(read_at_most(path, MOST)?).map_err(|reason| Error::new(ErrorKind::InvalidData, reason))
}

fn decode(bytes: Vec<u8>) -> std::result::Result<String, String> {
    if let Some((name, order)) = wide(&bytes) {
        return Err(format!("expected a text in UTF-8, got {name} ({order} endian); {}", convert(name)));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_string).unwrap_or(text)),
        Err(error) => {
            let (bytes, at) = (error.as_bytes(), error.utf8_error().valid_up_to());
            if bytes.contains(&0) {
                return Err("expected a text in UTF-8, got a file that is no text".into());
            }
            let line = 1 + bytes[..at].iter().filter(|&&byte| byte == b'\n').count();
            Err(format!(
                "expected a text in UTF-8, got the byte 0x{:02X} in line {line}, as in Latin-1 or Windows-1252; {}",
                bytes[at],
                convert("WINDOWS-1252")
            ))
        }
    }
}

fn convert(from: &str) -> String {
    format!("save it as UTF-8 in the editor, or convert it with iconv -f {from} -t UTF-8")
}

/// Name and byte order of an encoding with two or four bytes a letter: by the mark at its start, or by a zero beside every other byte.
fn wide(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let head = &bytes[..bytes.len().min(HEAD) & !1];
    let zeros = |offset: usize| head.iter().skip(offset).step_by(2).filter(|&&byte| byte == 0).count();
    let most = |offset: usize| !head.is_empty() && 4 * zeros(offset) > 3 * (head.len() / 2) && zeros(1 - offset) == 0;
    match bytes {
        [0xff, 0xfe, 0, 0, ..] => Some(("UTF-32", "little")),
        [0, 0, 0xfe, 0xff, ..] => Some(("UTF-32", "big")),
        [0xff, 0xfe, ..] => Some(("UTF-16", "little")),
        [0xfe, 0xff, ..] => Some(("UTF-16", "big")),
        _ if most(1) => Some(("UTF-16", "little")),
        _ if most(0) => Some(("UTF-16", "big")),
        _ => None,
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
        assert_eq!(crate::is_locked(&pipe).unwrap_err().to_string(), "is a pipe, expected a file");
    }

    const TEXT: &str = "[run]\nname = \"Müller\"\n";

    fn utf16(mark: bool, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let mark = mark.then_some(0xfeff);
        mark.into_iter().chain(TEXT.encode_utf16()).flat_map(bytes).collect()
    }

    #[test]
    fn utf8_is_read_with_and_without_a_mark() {
        assert_eq!(decode(TEXT.into()).unwrap(), TEXT);
        assert_eq!(decode(format!("\u{feff}{TEXT}").into()).unwrap(), TEXT);
        assert_eq!(decode(Vec::new()).unwrap(), "");
    }

    #[test]
    fn other_encodings_are_named() {
        for mark in [true, false] {
            for (bytes, name) in
                [(utf16(mark, u16::to_le_bytes), "little endian"), (utf16(mark, u16::to_be_bytes), "big endian")]
            {
                let said = decode(bytes).unwrap_err();
                assert!(said.contains(&format!("got UTF-16 ({name})")) && said.contains("iconv -f UTF-16"), "{said}");
            }
        }
        for (order, bytes) in [("little", u32::to_le_bytes as fn(u32) -> [u8; 4]), ("big", u32::to_be_bytes)] {
            let letters = ['\u{feff}'].into_iter().chain(TEXT.chars()).map(u32::from);
            let said = decode(letters.flat_map(bytes).collect()).unwrap_err();
            assert!(
                said.contains(&format!("got UTF-32 ({order} endian)")) && said.contains("iconv -f UTF-32"),
                "{said}"
            );
        }
        let latin1: Vec<u8> = TEXT.chars().map(|c| c as u8).collect();
        let said = decode(latin1).unwrap_err();
        assert!(said.contains("the byte 0xFC in line 2, as in Latin-1") && said.contains("iconv -f"), "{said}");
        let said = decode(vec![1, 0, 0, 0, 0, 0, 0, 0, b'{', b'}', 0x80]).unwrap_err();
        assert!(said.ends_with("got a file that is no text"), "{said}");
    }

    #[test]
    fn a_text_has_a_largest_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.toml");
        File::create(&path).unwrap().set_len(MOST + 1).unwrap();
        assert_eq!(read_text(&path).unwrap_err().to_string(), "is larger than 16 MiB, the most here");
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_text(folder.path()).unwrap_err().to_string(), "is a folder, expected a file");
    }
}
