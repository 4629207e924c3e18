//! Random crops and flips, as torchvision's `RandomCrop(size, padding=4)` and `RandomHorizontalFlip()`.

use burn::tensor::{DType, Int, Tensor, TensorData};
use rand::RngExt;
use saltflat_random::Key;

/// Black pixels on each side before the crop.
const PADDING: i32 = 4;

/// What happens to one image: a window of its own size is cut from the padded image, then mirrored or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Rows and columns by which the window lies below and to the right of the image, −4 to 4.
    pub shift: [i32; 2],
    /// Whether left and right are exchanged.
    pub flip: bool,
}

impl Change {
    /// Independent uniform changes of `n` images; they follow from `key` and the image's place.
    pub fn draw(key: Key, n: usize) -> Vec<Self> {
        let mut rng = key.rng();
        let mut shift = || rng.random_range(-PADDING..=PADDING);
        let shifts: Vec<[i32; 2]> = (0..n).map(|_| [shift(), shift()]).collect();
        shifts.into_iter().map(|shift| Self { shift, flip: rng.random() }).collect()
    }
}

/// Changes images `[batch, channels, height, width]`, one change an image. What comes from outside is 0.
///
/// Only two numbers a row and two a column go to the device; a gather there does the rest.
pub(crate) fn apply(images: Tensor<4>, changes: &[Change]) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    let (device, dtype) = (images.device(), images.dtype());
    let rows = axis(changes, height, |change| (change.shift[0], false));
    let columns = axis(changes, width, |change| (change.shift[1], change.flip));
    let index = |values: Vec<i32>, shape: [usize; 3]| -> Tensor<3, Int> {
        Tensor::from_data(TensorData::new(values, shape), (&device, DType::I32))
    };
    let mask = |values: Vec<f32>, shape: [usize; 3]| -> Tensor<3> {
        Tensor::from_data(TensorData::new(values, shape), (&device, dtype))
    };
    let source = index(rows.0, [batch, height, 1]).mul_scalar(width as i32) + index(columns.0, [batch, 1, width]);
    let inside = mask(rows.1, [batch, height, 1]) * mask(columns.1, [batch, 1, width]);
    let area = height * width;
    let source = source.reshape([batch, 1, area]).expand([batch, channels, area]);
    let gathered = images.reshape([batch, channels, area]).gather(2, source);
    (gathered * inside.reshape([batch, 1, area])).reshape([batch, channels, height, width])
}

/// Along one axis: where each entry of the result comes from (a valid place), and 1 if it comes from inside, else 0.
fn axis(changes: &[Change], length: usize, change: impl Fn(&Change) -> (i32, bool)) -> (Vec<i32>, Vec<f32>) {
    let last = length as i32 - 1;
    let place = |one: &Change| {
        let (shift, flip) = change(one);
        (0..=last).map(move |i| shift + if flip { last - i } else { i })
    };
    let places: Vec<i32> = changes.iter().flat_map(place).collect();
    let inside = places.iter().map(|i| if (0..=last).contains(i) { 1.0 } else { 0.0 }).collect();
    (places.into_iter().map(|i| i.clamp(0, last)).collect(), inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use saltflat_random::Stream;

    use burn::tensor::Device;

    #[test]
    fn draws_are_uniform() {
        let n = 90_000;
        let changes = Change::draw(Key::new(1, Stream::Augmentation, 0), n);
        let within = |count: usize, p: f64| {
            let error = (count as f64 - n as f64 * p).abs() / (n as f64 * p * (1.0 - p)).sqrt();
            assert!(error < 4.0, "{count} of {n}, expected a fraction of {p}");
        };
        for shift in -4..=4 {
            within(changes.iter().filter(|change| change.shift[0] == shift).count(), 1.0 / 9.0);
            within(changes.iter().filter(|change| change.shift[1] == shift).count(), 1.0 / 9.0);
            within(changes.iter().filter(|change| change.shift == [shift, -shift]).count(), 1.0 / 81.0);
        }
        within(changes.iter().filter(|change| change.flip).count(), 0.5);
        within(changes.iter().filter(|change| change.flip && change.shift[1] > 0).count(), 2.0 / 9.0);
    }

    /// Pads a plane, cuts the window and mirrors it, one step after the other.
    fn on_host(plane: &[f64], height: usize, width: usize, change: Change) -> Vec<f64> {
        let padded_width = width + 8;
        let mut padded = vec![0.0; (height + 8) * padded_width];
        for y in 0..height {
            for x in 0..width {
                padded[(y + 4) * padded_width + x + 4] = plane[y * width + x];
            }
        }
        let [top, left] = change.shift.map(|shift| (shift + 4) as usize);
        let mut window = Vec::new();
        for y in 0..height {
            let start = (y + top) * padded_width + left;
            let mut row = padded[start..start + width].to_vec();
            if change.flip {
                row.reverse();
            }
            window.extend(row);
        }
        window
    }

    #[test]
    fn the_gather_equals_a_host_loop() {
        let (channels, height, width) = (3, 6, 5);
        let mut changes = Change::draw(Key::new(2, Stream::Augmentation, 7), 40);
        changes.push(Change { shift: [0, 0], flip: false });
        changes.push(Change { shift: [-4, 4], flip: true });
        changes.push(Change { shift: [4, -4], flip: false });
        let batch = changes.len();
        let values: Vec<f64> = (1..=batch * channels * height * width).map(|i| i as f64).collect();
        let data = TensorData::new(values.clone(), [batch, channels, height, width]);
        let images = Tensor::<4>::from_data(data, (&Device::flex(), DType::F64));
        let found = apply(images, &changes).into_data().try_to_vec::<f64>().unwrap();
        let planes = values.chunks_exact(height * width).enumerate();
        let expected: Vec<f64> =
            planes.flat_map(|(i, plane)| on_host(plane, height, width, changes[i / channels])).collect();
        assert_eq!(found, expected);
    }
}
