//! Event files that TensorBoard reads.
//!
//! A file is a sequence of TFRecords (length, masked CRC-32C of it, bytes, masked CRC-32C of them), each an `Event` of
//! tensorflow/core/util/event.proto in protobuf's wire format. Only scalars are written, so the few fields that they need are
//! encoded here; the crates that know TensorFlow's protobufs bring a code generator and a runtime for that.

mod cut_back;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::Path,
};

pub use cut_back::cut_back_events;

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

/// A TFRecord.
fn record(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), bytes, &masked(bytes).to_le_bytes()].concat()
}

/// TFRecord's masked checksum.
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

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
}
