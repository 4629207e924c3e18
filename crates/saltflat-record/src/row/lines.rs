//! Reads `metrics.jsonl`: one JSON object a line.
//!
//! A process that was killed may have written a part of a line, at the end of the file and, if the run was resumed by an early version,
//! before it. Each reader says what it does with such a line. Names that this version does not know are kept in the rows.

use std::{
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use serde_json::{Map, Value};

use super::compact::{Row, RowBuilder};
use crate::{
    error::FolderError,
    names::METRICS,
    read::{open_regular, read_regular},
};

/// Bytes of the longest row that is read. One with a density of a thousand points and a slice of as many has fewer than a tenth of a
/// mebibyte.
const LONGEST_LINE: u64 = 64 << 20;

/// Gives each row of a run folder, in order. A last line that is not a JSON object is left out.
///
/// # Errors
/// [`FolderError`] if the file cannot be read, or if a line before the last one is not a JSON object.
pub fn read_rows(run: &Path, each: &mut dyn FnMut(Row)) -> Result<(), FolderError> {
    let path = run.join(METRICS);
    let file = open_regular(&path).map_err(FolderError::at(&path))?;
    rows_of(BufReader::new(file), each).map_err(|reason| FolderError::new(path, reason))
}

fn rows_of(mut text: impl BufRead, each: &mut dyn FnMut(Row)) -> Result<(), String> {
    let (mut rows, mut line, mut damaged) = (RowBuilder::default(), Vec::new(), None);
    for number in 1_u64.. {
        line.clear();
        if Read::take(&mut text, LONGEST_LINE + 1).read_until(b'\n', &mut line).map_err(|e| e.to_string())? == 0 {
            break;
        }
        if line.len() as u64 > LONGEST_LINE {
            return Err(format!("line {number} is longer than {} MiB", LONGEST_LINE >> 20));
        }
        if let Some(damaged) = damaged {
            return Err(damaged);
        }
        // A letter of a text that was damaged on disk costs no more than that letter.
        let line = String::from_utf8_lossy(&line);
        if !line.trim().is_empty() {
            match parse(line.as_bytes(), &mut rows) {
                Ok(row) => each(row),
                Err(e) => damaged = Some(format!("line {number}: expected a JSON object: {e}")),
            }
        }
    }
    Ok(())
}

/// The complete lines of a text, which end with a line feed, each with its row; without one if it is not a JSON object.
pub fn complete_lines(text: &[u8]) -> impl Iterator<Item = (&[u8], Option<Row>)> {
    let mut rows = RowBuilder::default();
    let lines = text.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
    lines.map(move |line| (line, parse(line, &mut rows).ok()))
}

/// The last row of a kind in a run folder, if there is one. Lines that are not JSON objects are passed over.
///
/// # Errors
/// The system's error if the file cannot be read.
pub fn last_row(run: &Path, kind: &str) -> io::Result<Option<Row>> {
    let (text, mut rows) = (read_regular(&run.join(METRICS))?, RowBuilder::default());
    let lines = text.split(|&byte| byte == b'\n').rev();
    Ok(lines.filter_map(|line| parse(line, &mut rows).ok()).find(|row| row.kind() == kind))
}

fn parse(line: &[u8], rows: &mut RowBuilder) -> serde_json::Result<Row> {
    Ok(rows.row(&Value::Object(serde_json::from_slice::<Map<String, Value>>(line)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_line_may_be_torn() {
        let rows = |text: &str| {
            let mut found = Vec::new();
            rows_of(text.as_bytes(), &mut |row| found.push(row)).map(|()| found)
        };
        let whole = "{\"kind\":\"epoch\",\"step\":1}\n";
        assert_eq!(rows(&format!("{whole}{{\"ki")).unwrap().len(), 1);
        assert_eq!(rows(&format!("{whole}\n{whole}{whole}")).unwrap().len(), 3);
        assert!(rows(&format!("{{\"ki\n{whole}")).unwrap_err().starts_with("line 1"));
        assert!(rows(&format!("{whole}{{\"ki\n\n")).unwrap_err().starts_with("line 2"));
    }

    /// A line without an end is no complete one, even if it is JSON; a damaged one has no row.
    #[test]
    fn complete_lines_have_an_end() {
        let text = b"{\"step\":1}\n{\"st\n\xff\n[1]\n{\"step\":2}\n{\"step\":3}";
        let steps: Vec<Option<u64>> = complete_lines(text).map(|(_, row)| Some(row?.count("step"))).collect();
        assert_eq!(steps, [Some(1), None, None, None, Some(2)]);
        assert_eq!(complete_lines(text).map(|(line, _)| line.len()).sum::<usize>(), text.len() - 10);
    }

    #[test]
    fn the_last_row_of_a_kind() {
        let folder = tempfile::tempdir().unwrap();
        let text =
            "{\"kind\":\"epoch\",\"step\":1}\n{\"kind\":\"measurement\"}\n{\"kind\":\"epoch\",\"step\":2}\n{\"ki";
        std::fs::write(folder.path().join(METRICS), text).unwrap();
        assert_eq!(last_row(folder.path(), "epoch").unwrap().unwrap().count("step"), 2);
        assert!(last_row(folder.path(), "trial").unwrap().is_none());
        assert!(last_row(&folder.path().join("none"), "epoch").is_err());
    }
}
