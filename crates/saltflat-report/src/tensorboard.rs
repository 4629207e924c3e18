//! Event files that TensorBoard reads.
//!
//! A file is a sequence of TFRecords (length, masked CRC-32C of it, bytes, masked CRC-32C of them), each an `Event` of
//! tensorflow/core/util/event.proto in protobuf's wire format. Only scalars are written, so the few fields that they need are
//! encoded here; the crates that know TensorFlow's protobufs bring a code generator and a runtime for that.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use saltflat_record::write;

/// Writes scalars to a new event file.
#[derive(Debug)]
pub struct EventWriter {
    file: File,
}

impl EventWriter {
    /// Creates `FOLDER/events.out.tfevents.SECONDS.PROCESS.saltflat`; `now` is seconds since 1970. Each process that goes on with
    /// a run writes a file of its own: TensorBoard shows them as one run.
    ///
    /// # Errors
    /// If the folder or the file cannot be made.
    pub fn create(folder: &Path, now: f64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut writer = Self { file: new_file(folder, now as u64)? };
        let mut event = Vec::new();
        put_double(&mut event, 1, now);
        put_bytes(&mut event, 3, b"brain.Event:2");
        writer.file.write_all(&record(&event))?;
        Ok(writer)
    }

    /// [`create`](Self::create) for a run that is resumed after `step`, with the `SessionLog` event by which TensorFlow says so: a
    /// TensorBoard that runs forgets the later steps. [`cut_back_events`] takes them out of the files for every other reader.
    ///
    /// # Errors
    /// If the folder or the file cannot be made.
    pub fn resume(folder: &Path, now: f64, step: u64) -> io::Result<Self> {
        let mut writer = Self::create(folder, now)?;
        let mut event = Vec::new();
        put_double(&mut event, 1, now);
        put_key(&mut event, 2, 0);
        // What is at this step or later is forgotten.
        put_varint(&mut event, step.saturating_add(1));
        // SessionLog { status = 1: START }
        put_bytes(&mut event, 7, &[1 << 3, 1]);
        writer.file.write_all(&record(&event))?;
        Ok(writer)
    }

    /// Adds values at a step, each under its tag; `now` is seconds since 1970. They are with the system when this returns.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn scalars<'a>(
        &mut self,
        now: f64,
        step: u64,
        values: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> io::Result<()> {
        let mut summary = Vec::new();
        for (tag, value) in values {
            let mut entry = Vec::new();
            put_bytes(&mut entry, 1, tag.as_bytes());
            put_key(&mut entry, 2, 5);
            entry.extend((value as f32).to_le_bytes());
            put_bytes(&mut summary, 1, &entry);
        }
        let mut event = Vec::new();
        put_double(&mut event, 1, now);
        put_key(&mut event, 2, 0);
        put_varint(&mut event, step);
        put_bytes(&mut event, 5, &summary);
        self.file.write_all(&record(&event))
    }
}

/// Creates a file that did not exist: a process that starts itself again keeps its number, also within a second.
fn new_file(folder: &Path, mut seconds: u64) -> io::Result<File> {
    loop {
        let name = format!("events.out.tfevents.{seconds:010}.{}.saltflat", std::process::id());
        match OpenOptions::new().write(true).create_new(true).open(folder.join(name)) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => seconds += 1,
            result => return result,
        }
    }
}

fn record(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), bytes, &masked(bytes).to_le_bytes()].concat()
}

fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), reflected polynomial 0x82f63b78.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}

/// Protobuf's key of a field: its number and its wire type (0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes).
fn put_key(out: &mut Vec<u8>, field: u64, wire: u64) {
    put_varint(out, field << 3 | wire);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_double(out: &mut Vec<u8>, field: u64, value: f64) {
    put_key(out, field, 1);
    out.extend(value.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_key(out, field, 2);
    put_varint(out, bytes.len() as u64);
    out.extend(bytes);
}

/// Cuts the event files of a folder back to the scalars that `keep` wants, which is asked with the first tag and the step of each
/// event, newest event first. What follows a damaged record in its file goes, too. Without a folder there is nothing to do.
///
/// # Errors
/// If a file cannot be read or written.
pub fn cut_back_events(folder: &Path, keep: &mut dyn FnMut(&str, u64) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    let files: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let is_ours = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "saltflat");
    let mut files: Vec<PathBuf> = files?.into_iter().filter(is_ours).collect();
    files.sort();
    for path in files.iter().rev() {
        let old = fs::read(path)?;
        let mut kept: Vec<&[u8]> = records(&old).collect();
        kept.reverse();
        kept.retain(|record| scalars_of(event_of(record)).is_none_or(|(tag, step)| keep(&tag, step)));
        kept.reverse();
        let new = kept.concat();
        if new != old {
            write(path, &new).map_err(|e| io::Error::other(e.to_string()))?;
        }
    }
    Ok(())
}

/// Bytes of a record before and after its event.
const BEFORE: usize = 12;
const AFTER: usize = 4;

/// The whole records of a file, up to the first that is torn or damaged.
fn records(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = rest.first_chunk::<8>().map(|length| u64::from_le_bytes(*length))?;
        let whole = usize::try_from(length).ok()?.checked_add(BEFORE + AFTER)?;
        let found = rest.get(..whole)?;
        rest = &rest[whole..];
        (record(event_of(found)) == found).then_some(found)
    })
    .fuse()
}

/// The event in a record.
fn event_of(record: &[u8]) -> &[u8] {
    &record[BEFORE..record.len() - AFTER]
}

/// The first tag and the step of an event that holds scalars.
fn scalars_of(event: &[u8]) -> Option<(String, u64)> {
    let summary = fields(event).find_map(|field| field.bytes(5))?;
    let value = fields(summary).find_map(|field| field.bytes(1))?;
    let tag = fields(value).find_map(|field| field.bytes(1))?;
    let step = fields(event).find_map(|field| if let Field::Varint(2, step) = field { Some(step) } else { None });
    // Protobuf leaves a 0 out.
    Some((String::from_utf8_lossy(tag).into_owned(), step.unwrap_or(0)))
}

/// A field of a protobuf message, with its number.
enum Field<'a> {
    Varint(u64, u64),
    Bytes(u64, &'a [u8]),
    Fixed,
}

impl<'a> Field<'a> {
    fn bytes(self, number: u64) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(found, bytes) if found == number => Some(bytes),
            Self::Varint(..) | Self::Bytes(..) | Self::Fixed => None,
        }
    }
}

/// The fields of a message, up to the first that cannot be read.
fn fields(message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        let key = take_varint(&mut rest)?;
        let (number, wire) = (key >> 3, key & 7);
        Some(match wire {
            0 => Field::Varint(number, take_varint(&mut rest)?),
            1 => rest.split_off(..8).map(|_| Field::Fixed)?,
            2 => {
                let length = usize::try_from(take_varint(&mut rest)?).ok()?;
                Field::Bytes(number, rest.split_off(..length)?)
            }
            5 => rest.split_off(..4).map(|_| Field::Fixed)?,
            _ => return None,
        })
    })
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *rest.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, appendix B.4.
    #[test]
    fn checksums() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    /// The bytes that TensorBoard's own record writer and protobufs give for the same events
    /// (`scripts/reference/tensorboard_events.py`).
    #[test]
    fn bytes_are_those_of_tensorboard() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut writer = EventWriter::create(folder.path(), 1.7e9).expect("it can be written");
        writer.scalars(1.7e9 + 0.5, 300, [("train/loss", 0.25), ("metrics/trace_hessian", -1e-3)]).expect("it can");
        writer.scalars(1.7e9 + 1.0, 1 << 40, [("metrics/loss", f64::NAN)]).expect("it can");
        let file = fs::read_dir(folder.path()).expect("it is there").next().expect("one file").expect("it can be read");
        let found = fs::read(file.path()).expect("it can be read");
        let expected = include_bytes!("../tests/fixtures/events.tfevents");
        assert_eq!(found, expected);
    }

    /// Those of a run that goes on after step 300.
    #[test]
    fn a_resumed_run_begins_as_tensorflow_says() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut writer = EventWriter::resume(folder.path(), 1.7e9, 300).expect("it can be written");
        writer.scalars(1.7e9 + 0.5, 310, [("train/loss", 0.125)]).expect("it can");
        let found = fs::read(&files(folder.path())[0]).expect("it can be read");
        assert_eq!(found, include_bytes!("../tests/fixtures/resumed.tfevents"));
    }

    /// The files of a folder, by their names.
    pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<_> =
            fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("a file").path()).collect();
        files.sort();
        files
    }

    fn steps(folder: &Path) -> Vec<Vec<(String, u64)>> {
        let of_file = |path: &PathBuf| {
            let bytes = fs::read(path).expect("it can be read");
            records(&bytes).filter_map(|record| scalars_of(event_of(record))).collect()
        };
        files(folder).iter().map(of_file).collect()
    }

    /// Kept is what is asked for, the newest of two, and nothing after a torn record; what is kept has the same bytes.
    #[test]
    fn event_files_are_cut_back() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = place.path();
        cut_back_events(&folder.join("none"), &mut |_, _| true).expect("there is nothing to do");
        for (second, steps) in [(0, [0, 2, 4]), (1, [2, 4, 6])] {
            let mut writer = EventWriter::resume(folder, 1.7e9 + f64::from(second), 1).expect("it can be written");
            for step in steps {
                writer.scalars(1.7e9, step, [("train/a", 1.0), ("train/b", 2.0)]).expect("it can");
            }
        }
        // A process that starts itself again within a second keeps its number, and neither file is lost.
        EventWriter::create(folder, 1.7e9).expect("it can be written");
        let whole: Vec<Vec<u8>> = files(folder).iter().map(|path| fs::read(path).expect("it can be read")).collect();
        assert_eq!(whole.len(), 3);
        fs::write(&files(folder)[1], [&whole[1][..], &whole[0][..30]].concat()).expect("it can be written");
        fs::write(folder.join("notes.txt"), "not ours").expect("it can be written");
        let mut left = std::collections::BTreeSet::from([0, 2, 4]);
        cut_back_events(folder, &mut |tag, step| tag == "train/a" && left.remove(&step)).expect("they can be cut");
        fs::remove_file(folder.join("notes.txt")).expect("it is still there");
        let at = |step| ("train/a".to_string(), step);
        assert_eq!(steps(folder), [vec![at(0)], vec![at(2), at(4)], vec![]]);
        let cut = fs::read(&files(folder)[1]).expect("it can be read");
        assert!(whole[1].starts_with(&cut));
    }

    /// Any bytes are cut to whole records, without a panic.
    #[test]
    fn damaged_event_files() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let path = place.path().join("events.out.tfevents.1.saltflat");
        let whole = include_bytes!("../tests/fixtures/events.tfevents");
        for i in 0..whole.len() {
            let mut damaged = whole.to_vec();
            damaged[i] ^= 0x81;
            for bytes in [&whole[..i], &damaged] {
                fs::write(&path, bytes).expect("it can be written");
                cut_back_events(place.path(), &mut |_, _| true).expect("they can be cut");
                let kept = fs::read(&path).expect("it can be read");
                assert!(whole.starts_with(&kept) && kept.len() <= bytes.len() && kept.len() < whole.len());
            }
        }
        // Fields of every wire type, those that end too soon and those that are none.
        for message in [&[0x29, 1][..], &[0x2d, 1], &[0x2a, 200], &[0x2a], &[0x2b], &[0x80; 12], &[0x2a, 2, 0x0a, 9]] {
            fs::write(&path, record(message)).expect("it can be written");
            cut_back_events(place.path(), &mut |_, _| false).expect("they can be cut");
            assert_eq!(fs::read(&path).expect("it can be read"), record(message));
        }
    }
}
