//! CIFAR-10 as a picture: a row a sample.

use std::io::Cursor;

use image::{ColorType, ImageDecoder, Limits, codecs::png::PngDecoder};

use crate::error::FetchError;

/// Pixels of a sample, 32 × 32.
const PIXELS: usize = 1024;
/// Bytes of a record: its label, and the red, green and blue planes.
pub(crate) const RECORD: usize = 1 + 3 * PIXELS;

/// Records as in the published files, from a PNG sheet of 8-bit RGB: each of its rows has the 1,024 pixels of a sample,
/// row by row.
pub(crate) fn records(file: &str, png: &[u8], labels: &[u8]) -> Result<Vec<u8>, FetchError> {
    let damaged = |e: image::ImageError| FetchError::unpack(file, e);
    let expected = (PIXELS as u32, labels.len() as u32);
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(expected.0), Some(expected.1));
    limits.max_alloc = Some(128 << 20);
    let decoder = PngDecoder::with_limits(Cursor::new(png), limits).map_err(damaged)?;
    if decoder.dimensions() != expected || decoder.color_type() != ColorType::Rgb8 {
        let (width, height) = decoder.dimensions();
        let found = format!("{width} × {height} of {:?}", decoder.color_type());
        let reason = format!("expected a sheet of {} × {} pixels of Rgb8, found {found}", expected.0, expected.1);
        return Err(FetchError::unpack(file, reason));
    }
    let mut pixels = vec![0; labels.len() * PIXELS * 3];
    decoder.read_image(&mut pixels).map_err(damaged)?;
    let mut records = Vec::with_capacity(labels.len() * RECORD);
    for (label, sample) in labels.iter().zip(pixels.chunks_exact(PIXELS * 3)) {
        records.push(*label);
        for channel in 0..3 {
            records.extend(sample.iter().skip(channel).step_by(3));
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

    use super::*;

    fn png(width: u32, height: u32, bytes: &[u8], color: ExtendedColorType) -> Vec<u8> {
        let mut png = Vec::new();
        PngEncoder::new(&mut png).write_image(bytes, width, height, color).unwrap();
        png
    }

    /// Label, then all reds, all greens, all blues.
    #[test]
    fn a_row_becomes_a_record_of_planes() {
        let pixels: Vec<u8> = (0..2 * 3 * PIXELS).map(|i| (i * i % 251) as u8).collect();
        let records = records("a.png", &png(1024, 2, &pixels, ExtendedColorType::Rgb8), &[9, 4]).unwrap();
        assert_eq!(records.len(), 2 * 3073);
        for (n, label) in [(0, 9), (1, 4)] {
            assert_eq!(records[n * 3073], label);
            for pixel in [0, 1, 31, 32, 1023] {
                for channel in 0..3 {
                    let there = records[n * 3073 + 1 + channel * 1024 + pixel];
                    assert_eq!(there, pixels[(n * 1024 + pixel) * 3 + channel], "{n} {pixel} {channel}");
                }
            }
        }
    }

    #[test]
    fn other_pictures_are_refused() {
        let refused = |png: &[u8]| records("a.png", png, &[1, 2]).unwrap_err().to_string();
        let gray = refused(&png(1024, 2, &[0; 2048], ExtendedColorType::L8));
        assert!(gray.ends_with("expected a sheet of 1024 × 2 pixels of Rgb8, found 1024 × 2 of L8"), "{gray}");
        let short = refused(&png(1024, 1, &[0; 3072], ExtendedColorType::Rgb8));
        assert!(short.contains("found 1024 × 1 of Rgb8"), "{short}");
        // Larger than what was asked for: refused by its head, before its pixels take any memory.
        let large = refused(&png(1024, 3, &[0; 9216], ExtendedColorType::Rgb8));
        assert!(large.starts_with("a.png: cannot be unpacked"), "{large}");
        let whole = png(1024, 2, &[7; 6144], ExtendedColorType::Rgb8);
        for cut in [0, 20, whole.len() - 20] {
            assert!(refused(&whole[..cut]).starts_with("a.png: cannot be unpacked"));
        }
    }
}
