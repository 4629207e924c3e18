//! The IDX format of MNIST: a magic number, the lengths of the axes (big-endian u32), then unsigned bytes.

use crate::error::DataError;
use crate::examples::{Examples, Inputs, Labels};

/// Unsigned bytes, one axis.
const LABELS: u32 = 0x0801;
/// Unsigned bytes, three axes.
const IMAGES: u32 = 0x0803;

/// The content of an IDX file and its name.
pub(crate) struct Idx<'a> {
    pub file: &'a str,
    pub bytes: &'a [u8],
}

impl<'a> Idx<'a> {
    /// Lengths of the `D` axes and the data.
    fn parse<const D: usize>(&self, expected: u32) -> Result<([usize; D], &'a [u8]), DataError> {
        let size = |expected| Err(DataError::Size { file: self.file.into(), expected, found: self.bytes.len() as u64 });
        let Some((head, data)) = self.bytes.split_at_checked(4 * (1 + D)) else {
            return size(4 * (1 + D as u64));
        };
        let mut words = head.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        let found = words.next().unwrap_or(0);
        if found != expected {
            return Err(DataError::Magic { file: self.file.into(), expected, found });
        }
        let mut axes = [0; D];
        axes.iter_mut().zip(words).for_each(|(axis, word)| *axis = word as usize);
        // Three u32 lengths can exceed u64.
        let entries = axes.iter().fold(1u128, |product, &axis| product * axis as u128);
        if entries != data.len() as u128 {
            return size(u64::try_from(entries).unwrap_or(u64::MAX).saturating_add(head.len() as u64));
        }
        Ok((axes, data))
    }
}

/// Which labels a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Classes {
    /// The label of class 0.
    pub first: u8,
    /// Number of classes.
    pub count: usize,
}

/// Digits.
pub(crate) const TEN: Classes = Classes { first: 0, count: 10 };

/// Grey images and their labels, of which the first becomes class 0.
pub(crate) fn examples(images: &Idx, labels: &Idx, Classes { first, count }: Classes) -> Result<Examples, DataError> {
    let ([n, height, width], pixels) = images.parse::<3>(IMAGES)?;
    let ([found], classes) = labels.parse::<1>(LABELS)?;
    if found != n {
        let (file, other) = (labels.file.into(), images.file.into());
        return Err(DataError::Count { file, other, expected: n, found });
    }
    let end = usize::from(first) + count;
    if let Some(record) = classes.iter().position(|&label| usize::from(label) >= end) {
        let label = classes[record].into();
        return Err(DataError::Label { file: labels.file.into(), record, label, classes: end });
    }
    if let Some(record) = classes.iter().position(|&label| label < first) {
        let (file, label, first) = (labels.file.into(), classes[record].into(), first.into());
        return Err(DataError::LowLabel { file, record, label, first });
    }
    let labels = classes.iter().map(|&label| u32::from(label - first)).collect();
    let labels = Labels::Classes { labels, classes: count };
    Examples::new([1, height, width], Inputs::Bytes(pixels.to_vec()), labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::idx_file;

    fn load(images: &[u8], labels: &[u8]) -> Result<Examples, DataError> {
        examples(&Idx { file: "images", bytes: images }, &Idx { file: "labels", bytes: labels }, TEN)
    }

    #[test]
    fn two_images_of_two_by_three() {
        let pixels: Vec<u8> = (0..12).collect();
        let loaded = load(&idx_file(0x803, &[2, 2, 3], &pixels), &idx_file(0x801, &[2], &[9, 0])).unwrap();
        assert_eq!(loaded.shape(), [1, 2, 3]);
        assert_eq!(loaded.inputs(), &Inputs::Bytes(pixels));
        assert_eq!(loaded.labels(), &Labels::Classes { labels: vec![9, 0], classes: 10 });
    }

    #[test]
    fn every_defect_is_named() {
        let (images, labels) = (idx_file(0x803, &[2, 1, 1], &[1, 2]), idx_file(0x801, &[2], &[3, 4]));
        let error = |images: &[u8], labels: &[u8]| load(images, labels).unwrap_err().to_string();
        assert_eq!(
            error(&labels, &labels),
            "images: expected 16 bytes, found 10",
            "a labels file is shorter than the header of an images file"
        );
        assert_eq!(
            error(&images, &idx_file(0x803, &[2], &[3, 4])),
            "labels: expected an IDX file with magic number 0x00000801, found 0x00000803"
        );
        assert_eq!(error(&images[..17], &labels), "images: expected 18 bytes, found 17");
        let long = [&images[..], &[0]].concat();
        assert_eq!(error(&long, &labels), "images: expected 18 bytes, found 19");
        assert_eq!(error(&images, &labels[..3]), "labels: expected 8 bytes, found 3");
        let one = idx_file(0x801, &[1], &[3]);
        assert_eq!(error(&images, &one), "labels: expected 2 samples like images, found 1");
        let ten = idx_file(0x801, &[2], &[3, 10]);
        assert_eq!(error(&images, &ten), "labels: record 1 has label 10, expected less than 10");
    }

    #[test]
    fn labels_that_start_at_one_become_classes_from_zero() {
        let (images, classes) = (idx_file(0x803, &[2, 1, 1], &[1, 2]), Classes { first: 1, count: 26 });
        let load = |labels: &[u8]| {
            let labels = idx_file(0x801, &[2], labels);
            examples(&Idx { file: "i", bytes: &images }, &Idx { file: "l", bytes: &labels }, classes)
        };
        assert_eq!(load(&[1, 26]).unwrap().labels(), &Labels::Classes { labels: vec![0, 25], classes: 26 });
        let error = |labels: &[u8]| load(labels).unwrap_err().to_string();
        assert_eq!(error(&[1, 27]), "l: record 1 has label 27, expected less than 27");
        assert_eq!(error(&[1, 0]), "l: record 1 has label 0, expected at least 1: labels start at 1 here");
    }

    #[test]
    fn absurd_lengths_are_an_error_not_an_overflow() {
        let images = idx_file(0x803, &[u32::MAX, u32::MAX, u32::MAX], &[]);
        let error = load(&images, &[]).unwrap_err().to_string();
        assert_eq!(error, format!("images: expected {} bytes, found 16", u64::MAX));
    }
}
