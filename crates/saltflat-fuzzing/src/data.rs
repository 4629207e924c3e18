//! Datasets.

use saltflat_data::{DataConfig, Examples, TENSORS, fuzzing, load};

use crate::scratch;

/// What stands at the beginning of an IDX file of labels.
const LABELS: [u8; 4] = [0, 0, 8, 1];

/// A file of images with one of labels behind it: the last magic number of labels is where that begins.
pub fn idx(bytes: &[u8]) {
    let middle = bytes.windows(4).rposition(|word| word == LABELS).unwrap_or(bytes.len());
    let (images, labels) = bytes.split_at(middle);
    if let Ok(examples) = fuzzing::idx(images, labels) {
        assert_eq!(examples.inputs().len(), images.len() - 16, "every pixel is read");
        assert_eq!(examples.len(), labels.len() - 8, "every label is read");
        check(&examples);
    }
}

/// Records of CIFAR-10, and the same bytes as records of CIFAR-100.
pub fn cifar(bytes: &[u8]) {
    for (hundred, record) in [(false, 3073), (true, 3074)] {
        if let Ok(examples) = fuzzing::cifar(hundred, bytes) {
            assert_eq!(examples.len() * record, bytes.len(), "every record is read");
            check(&examples);
        }
    }
}

/// Two bytes with the size that is expected, and a gzip file.
pub fn gzip(bytes: &[u8]) {
    let Some((size, file)) = bytes.split_first_chunk::<2>() else { return };
    let expected = u16::from_le_bytes(*size).into();
    if let Ok(content) = fuzzing::gunzip(file, expected) {
        assert_eq!(content.len() as u64, expected, "the content has the size that was asked for");
    }
}

/// A safetensors file with `inputs` and `labels`.
pub fn tensors(bytes: &[u8]) {
    let path = scratch::file("data.safetensors", bytes);
    let config = DataConfig { path: Some(path), ..DataConfig::new(&TENSORS) };
    if let Ok(splits) = load(&config) {
        for examples in [Some(&splits.train), splits.test.as_ref()].into_iter().flatten() {
            check(examples);
            assert!(examples.inputs().len() <= bytes.len(), "nothing is read that is not there");
        }
    }
}

/// Shape and labels belong together.
fn check(examples: &Examples) {
    let width: usize = examples.shape().iter().product();
    assert_eq!(examples.len() * width, examples.inputs().len(), "as many entries as the shape says");
    let again = Examples::new(examples.shape(), examples.inputs().clone(), examples.labels().clone());
    assert_eq!(again.as_ref().ok(), Some(examples));
}
