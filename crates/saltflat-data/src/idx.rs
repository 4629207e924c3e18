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

/// Grey images and their labels, ten classes.
pub(crate) fn examples(images: &Idx, labels: &Idx) -> Result<Examples, DataError> {
    let ([n, height, width], pixels) = images.parse::<3>(IMAGES)?;
    let ([found], classes) = labels.parse::<1>(LABELS)?;
    if found != n {
        let (file, other) = (labels.file.into(), images.file.into());
        return Err(DataError::Count { file, other, expected: n, found });
    }
    if let Some(record) = classes.iter().position(|&label| label >= 10) {
        let label = classes[record].into();
        return Err(DataError::Label { file: labels.file.into(), record, label, classes: 10 });
    }
    let labels = Labels::Classes { labels: classes.iter().map(|&label| label.into()).collect(), classes: 10 };
    Examples::new([1, height, width], Inputs::Bytes(pixels.to_vec()), labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::idx_file;

    fn load(images: &[u8], labels: &[u8]) -> Result<Examples, DataError> {
        examples(&Idx { file: "images", bytes: images }, &Idx { file: "labels", bytes: labels })
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
    fn absurd_lengths_are_an_error_not_an_overflow() {
        let images = idx_file(0x803, &[u32::MAX, u32::MAX, u32::MAX], &[]);
        let error = load(&images, &[]).unwrap_err().to_string();
        assert_eq!(error, format!("images: expected {} bytes, found 16", u64::MAX));
    }
}
