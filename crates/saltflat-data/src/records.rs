//! The binary records of CIFAR: label bytes, then the red, green and blue planes of a 32 × 32 image.

use crate::error::DataError;
use crate::examples::{Examples, Inputs, Labels};

/// `[channels, height, width]`
pub(crate) const SHAPE: [usize; 3] = [3, 32, 32];
const PIXELS: usize = 3 * 32 * 32;

/// Layout of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// Label bytes; the last one is the label, the one before it in CIFAR-100 the coarse label.
    pub label_bytes: usize,
    pub classes: usize,
}

impl Record {
    /// CIFAR-10.
    pub const CIFAR10: Self = Self { label_bytes: 1, classes: 10 };
    /// CIFAR-100: a coarse and a fine label.
    pub const CIFAR100: Self = Self { label_bytes: 2, classes: 100 };

    /// Bytes a record.
    pub const fn len(self) -> usize {
        self.label_bytes + PIXELS
    }

    /// The samples of these files (name, content), one file after the other.
    pub fn examples(self, files: &[(String, Vec<u8>)]) -> Result<Examples, DataError> {
        let n: usize = files.iter().map(|(_, bytes)| bytes.len() / self.len()).sum();
        let (mut pixels, mut labels) = (Vec::with_capacity(n * PIXELS), Vec::with_capacity(n));
        for (file, bytes) in files {
            if bytes.len() % self.len() != 0 {
                let expected = bytes.len().next_multiple_of(self.len()) as u64;
                return Err(DataError::Size { file: file.clone(), expected, found: bytes.len() as u64 });
            }
            for (record, bytes) in bytes.chunks_exact(self.len()).enumerate() {
                let label = u32::from(bytes[self.label_bytes - 1]);
                if label as usize >= self.classes {
                    return Err(DataError::Label { file: file.clone(), record, label, classes: self.classes });
                }
                labels.push(label);
                pixels.extend_from_slice(&bytes[self.label_bytes..]);
            }
        }
        Examples::new(SHAPE, Inputs::Bytes(pixels), Labels::Classes { labels, classes: self.classes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fine_labels_and_planes_of_cifar100() {
        let pixels: Vec<u8> = (0..PIXELS).map(|i| (i % 251) as u8).collect();
        let first = [&[19, 99][..], &pixels].concat();
        let second = [&[0, 7][..], &vec![255; PIXELS]].concat();
        let loaded = Record::CIFAR100.examples(&[("a".into(), first), ("b".into(), second)]).unwrap();
        assert_eq!(loaded.shape(), [3, 32, 32]);
        assert_eq!(loaded.labels(), &Labels::Classes { labels: vec![99, 7], classes: 100 });
        assert_eq!(loaded.inputs(), &Inputs::Bytes([pixels, vec![255; PIXELS]].concat()));
    }

    #[test]
    fn defects_name_file_and_record() {
        let mut bytes = vec![0; 2 * Record::CIFAR10.len()];
        bytes[Record::CIFAR10.len()] = 10;
        let error = Record::CIFAR10.examples(&[("b.bin".into(), bytes.clone())]).unwrap_err().to_string();
        assert_eq!(error, "b.bin: record 1 has label 10, expected less than 10");
        bytes.pop();
        let error = Record::CIFAR10.examples(&[("b.bin".into(), bytes)]).unwrap_err().to_string();
        assert_eq!(error, "b.bin: expected 6146 bytes, found 6145");
    }
}
