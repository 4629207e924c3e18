//! CIFAR-10 as a picture: a row a sample.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, DecodingError, Limits};

use crate::error::FetchError;

/// Pixels of a sample, 32 × 32.
const PIXELS: usize = 1024;
/// Bytes of a record: its label, and the red, green and blue planes.
pub(crate) const RECORD: usize = 1 + 3 * PIXELS;

/// Records as in the published files, from a PNG sheet of 8-bit RGB: each of its rows has the 1,024 pixels of a sample,
/// row by row.
pub(crate) fn records(file: &str, png: &[u8], labels: &[u8]) -> Result<Vec<u8>, FetchError> {
    let damaged = |e: DecodingError| FetchError::unpack(file, e);
    let expected = (PIXELS as u32, labels.len() as u32);
    // Checked by its head, before its pixels take any memory.
    let mut reader =
        Decoder::new_with_limits(Cursor::new(png), Limits { bytes: 128 << 20 }).read_info().map_err(damaged)?;
    let (found, color) = (reader.info().size(), reader.output_color_type());
    if found != expected || color != (ColorType::Rgb, BitDepth::Eight) {
        let reason = format!(
            "expected a sheet of {} × {} pixels of Rgb with 8 bits, found {} × {} of {:?} with {} bits",
            expected.0, expected.1, found.0, found.1, color.0, color.1 as u8
        );
        return Err(FetchError::unpack(file, reason));
    }
    let mut pixels = vec![0; labels.len() * PIXELS * 3];
    reader.next_frame(&mut pixels).map_err(damaged)?;
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
    use super::*;

    fn png(width: u32, height: u32, bytes: &[u8], color: ColorType) -> Vec<u8> {
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, width, height);
        encoder.set_color(color);
        encoder.write_header().unwrap().write_image_data(bytes).unwrap();
        png
    }

    /// Label, then all reds, all greens, all blues.
    #[test]
    fn a_row_becomes_a_record_of_planes() {
        let pixels: Vec<u8> = (0..2 * 3 * PIXELS).map(|i| (i * i % 251) as u8).collect();
        let records = records("a.png", &png(1024, 2, &pixels, ColorType::Rgb), &[9, 4]).unwrap();
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
        let gray = refused(&png(1024, 2, &[0; 2048], ColorType::Grayscale));
        assert!(
            gray.ends_with(
                "expected a sheet of 1024 × 2 pixels of Rgb with 8 bits, found 1024 × 2 of Grayscale with 8 bits"
            ),
            "{gray}"
        );
        let short = refused(&png(1024, 1, &[0; 3072], ColorType::Rgb));
        assert!(short.contains("found 1024 × 1 of Rgb with 8 bits"), "{short}");
        let large = refused(&png(1024, 3, &[0; 9216], ColorType::Rgb));
        assert!(large.contains("found 1024 × 3 of Rgb with 8 bits"), "{large}");
        let whole = png(1024, 2, &[7; 6144], ColorType::Rgb);
        for cut in [0, 20, whole.len() - 20] {
            assert!(refused(&whole[..cut]).starts_with("a.png: cannot be unpacked"));
        }
    }
}
