//! The adversarial training set of Damian et al. 2021 (arXiv 2106.06530, appendix D).

use rand::RngExt;
use rand::seq::SliceRandom;
use saltflat_random::{Key, Stream};

use crate::dataset::Adversarial;
use crate::error::DataError;
use crate::examples::{Examples, Inputs, Labels};

/// Pixels that all copies may have together.
const MOST_BYTES: usize = 1 << 36;

/// Repeats every image, with a uniformly random label over all classes for each copy and a fraction of its pixels,
/// chosen at random, set to 0 in all channels.
///
/// The copies of image i stand at `i·copies ..`. The draws of a copy follow from the seed and its index.
pub(crate) fn adversarial(examples: &Examples, config: Adversarial, seed: u64) -> Result<Examples, DataError> {
    let Adversarial { copies, zeroed } = config;
    let wrong = |key, reason: String| Err(DataError::Option { key, reason });
    let (Inputs::Bytes(images), Labels::Classes { classes, .. }) = (&examples.inputs, &examples.labels) else {
        return wrong("data.adversarial", "expected images of 8 bits with class labels, found other data".into());
    };
    if copies == 0 {
        return wrong("data.adversarial.copies", "expected at least 1, found 0".into());
    }
    if !(0.0..=1.0).contains(&zeroed) {
        return wrong("data.adversarial.zeroed", format!("expected a fraction from 0 to 1, found {zeroed}"));
    }
    // A line of a configuration can ask for any number of copies.
    let n = examples.len().saturating_mul(copies);
    if n > u32::MAX as usize {
        return wrong("data.adversarial.copies", format!("expected at most {} images in all, found {n}", u32::MAX));
    }
    if n.saturating_mul(examples.width()) > MOST_BYTES {
        let reason = format!("expected at most {MOST_BYTES} bytes of images in all, found {n} images");
        return wrong("data.adversarial.copies", reason);
    }
    let [channels, height, width] = examples.shape;
    let area = height * width;
    let count = (zeroed * area as f64).round() as usize;

    let mut inputs = Vec::with_capacity(n * channels * area);
    let mut labels = Vec::with_capacity(n);
    let mut pixels: Vec<usize> = Vec::with_capacity(area);
    for (i, image) in images.chunks_exact(channels * area).enumerate() {
        for copy in 0..copies {
            let mut rng = Key::new(seed, Stream::Adversarial, (i * copies + copy) as u64).rng();
            labels.push(rng.random_range(0..*classes as u32));
            let start = inputs.len();
            inputs.extend_from_slice(image);
            pixels.clear();
            pixels.extend(0..area);
            let (chosen, _) = pixels.partial_shuffle(&mut rng, count);
            for plane in inputs[start..].chunks_exact_mut(area) {
                chosen.iter().for_each(|&pixel| plane[pixel] = 0);
            }
        }
    }
    let labels = Labels::Classes { labels, classes: *classes };
    Ok(Examples { shape: examples.shape, inputs: Inputs::Bytes(inputs), labels })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` images of 3 × 5 × 4 with no black pixel.
    fn images(n: usize) -> Examples {
        let bytes = (0..n * 60).map(|i| 1 + (i % 255) as u8).collect();
        Examples::new([3, 5, 4], Inputs::Bytes(bytes), Labels::Classes { labels: vec![0; n], classes: 10 }).unwrap()
    }

    fn bytes(examples: &Examples) -> &[u8] {
        let Inputs::Bytes(bytes) = &examples.inputs else { panic!("bytes") };
        bytes
    }

    #[test]
    fn every_copy_loses_the_same_number_of_pixels_in_all_channels() {
        let clean = images(7);
        let copied = adversarial(&clean, Adversarial { copies: 3, zeroed: 0.12 }, 1).unwrap();
        assert_eq!(copied.len(), 21);
        let mut places = Vec::new();
        for (i, copy) in bytes(&copied).chunks_exact(60).enumerate() {
            let original = &bytes(&clean)[i / 3 * 60..][..60];
            let zeros = |plane: usize| -> Vec<usize> { (0..20).filter(|p| copy[plane * 20 + p] == 0).collect() };
            // round(0.12 · 20) = 2
            assert_eq!(zeros(0).len(), 2);
            assert_eq!(zeros(0), zeros(1));
            assert_eq!(zeros(0), zeros(2));
            assert!(copy.iter().zip(original).all(|(&new, &old)| new == 0 || new == old));
            places.push(zeros(0));
        }
        places.sort();
        places.dedup();
        assert!(places.len() > 10, "the copies lose different pixels");
    }

    /// Counts of labels and of zeroed places within 4 standard errors of the uniform distribution.
    #[test]
    fn labels_and_places_are_uniform() {
        let n = 20_000;
        let copied = adversarial(&images(n / 10), Adversarial { copies: 10, zeroed: 0.1 }, 2).unwrap();
        let Labels::Classes { labels, classes: 10 } = &copied.labels else { panic!("ten classes") };
        let within = |count: usize, p: f64| {
            let error = (count as f64 - n as f64 * p).abs() / (n as f64 * p * (1.0 - p)).sqrt();
            assert!(error < 4.0, "{count} of {n}, expected a fraction of {p}");
        };
        for class in 0..10 {
            within(labels.iter().filter(|&&label| label == class).count(), 0.1);
        }
        for pixel in 0..20 {
            within(bytes(&copied).chunks_exact(60).filter(|copy| copy[pixel] == 0).count(), 0.1);
        }
    }

    #[test]
    fn a_copy_depends_on_the_seed_and_its_index_alone() {
        let config = Adversarial { copies: 4, zeroed: 0.1 };
        let (few, many) = (adversarial(&images(3), config, 5).unwrap(), adversarial(&images(9), config, 5).unwrap());
        assert_eq!(bytes(&few), &bytes(&many)[..bytes(&few).len()]);
        assert_ne!(few, adversarial(&images(3), config, 6).unwrap());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let error = |examples: &Examples, copies, zeroed| {
            adversarial(examples, Adversarial { copies, zeroed }, 0).unwrap_err().to_string()
        };
        assert_eq!(error(&images(1), 0, 0.1), "data.adversarial.copies: expected at least 1, found 0");
        let fraction = "data.adversarial.zeroed: expected a fraction from 0 to 1, found";
        assert_eq!(error(&images(1), 1, -0.1), format!("{fraction} -0.1"));
        assert_eq!(error(&images(1), 1, f64::NAN), format!("{fraction} NaN"));
        // 8 · 2⁶¹ was 0 in 64 bits, and the loop over the copies had no end.
        let all = "data.adversarial.copies: expected at most";
        assert!(error(&images(8), 1 << 61, 0.1).starts_with(&format!("{all} 4294967295 images")));
        assert!(error(&images(2), 1 << 30, 0.1).starts_with(&format!("{all} 68719476736 bytes")));
        let mut real = images(1);
        real.labels = Labels::Real { values: vec![0.0], outputs: 1 };
        let expected = "data.adversarial: expected images of 8 bits with class labels, found other data";
        assert_eq!(error(&real, 1, 0.1), expected);
    }
}
