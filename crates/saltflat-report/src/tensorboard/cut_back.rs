//! Takes scalars out of event files that a resumed run makes again.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use saltflat_record::write;

use super::record;

/// Cuts the event files of a folder back to the scalars that `keep` wants, which is asked with the first tag and the step of each
/// event, newest event first. What follows a damaged record in its file goes, too. Without a folder there is nothing to do.
///
/// # Errors
/// Where a file cannot be read or written.
pub fn cut_back_events(folder: &Path, keep: &mut dyn FnMut(&str, u64) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
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
    use super::{
        super::{EventWriter, tests::files},
        *,
    };

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
        let whole = include_bytes!("../../tests/fixtures/events.tfevents");
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
