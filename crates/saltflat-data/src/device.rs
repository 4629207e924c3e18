//! A split on a device.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::augment::{self, Change};
use crate::examples::{Examples, Inputs, Standardise};
use crate::shards::{ByteStore, SHARD_BYTES, Shards};

/// The inputs of a split on a device, from which batches are gathered.
///
/// Images stay bytes there: one a pixel if the device stores u8, otherwise four in an i32. Only the indices of a batch
/// go up to the device.
#[derive(Debug)]
pub struct DeviceData {
    shards: Shards,
    shape: [usize; 3],
    scaling: Scaling,
}

/// How stored numbers become inputs: x·scale + offset.
#[derive(Debug)]
enum Scaling {
    None,
    /// The same for every channel. A product with a scalar is ten times as fast on the CPU as one with a vector.
    Scalar {
        scale: f64,
        offset: f64,
    },
    /// Scale and offset of each channel, `[1, channels, 1, 1]`.
    Channels(Box<[Tensor<4>; 2]>),
}

impl DeviceData {
    /// Copies the inputs to the device. Batches have the float type `dtype` and record no gradients.
    ///
    /// # Panics
    /// If `standardise` has not one mean and one standard deviation for each channel, or `dtype` is no float type.
    pub fn new(examples: &Examples, standardise: Option<&Standardise>, device: &Device, dtype: DType) -> Self {
        Self::stored(examples, standardise, ByteStore::of(device), SHARD_BYTES, device, dtype)
    }

    fn stored(
        examples: &Examples,
        standardise: Option<&Standardise>,
        bytes: ByteStore,
        most: usize,
        device: &Device,
        dtype: DType,
    ) -> Self {
        let device = device.clone().without_autodiff();
        let scaling = Scaling::new(examples, standardise, &device, dtype);
        let shards = Shards::new(examples.inputs(), examples.width(), bytes, most, &device, dtype);
        Self { shards, shape: examples.shape(), scaling }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.shards.len()
    }

    /// True if there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of one input: `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The samples at these indices, in their order, images scaled to [0, 1] and standardised:
    /// `[batch, channels, height, width]`.
    ///
    /// # Panics
    /// If there is no index, or one is not less than [`len`](Self::len).
    pub fn batch(&self, indices: &[u32]) -> Tensor<4> {
        self.scaling.apply(self.gathered(indices))
    }

    /// [`batch`](Self::batch) with every image changed: padded by four black pixels on each side, cut to its own size at a
    /// place, and mirrored left to right or not, as [`Change::draw`] draws it for each.
    ///
    /// This is `RandomCrop(size, padding=4)` and `RandomHorizontalFlip()` of torchvision, before standardising.
    ///
    /// # Panics
    /// As [`batch`](Self::batch), and if there is not one change an index.
    pub fn batch_augmented(&self, indices: &[u32], changes: &[Change]) -> Tensor<4> {
        self.scaling.apply(augment::apply(self.gathered(indices), changes))
    }

    fn gathered(&self, indices: &[u32]) -> Tensor<4> {
        let [channels, height, width] = self.shape;
        self.shards.gather(indices).reshape([indices.len(), channels, height, width])
    }
}

impl Scaling {
    /// x/255 of bytes, then (x − mean)/std, as one product and one sum.
    fn new(examples: &Examples, standardise: Option<&Standardise>, device: &Device, dtype: DType) -> Self {
        let unit = match examples.inputs() {
            Inputs::Bytes(_) => 1.0 / 255.0,
            Inputs::Floats(_) => 1.0,
        };
        let Some(Standardise { mean, std }) = standardise else {
            return if unit == 1.0 { Self::None } else { Self::Scalar { scale: unit, offset: 0.0 } };
        };
        let [channels, _, _] = examples.shape();
        assert_eq!([mean.len(), std.len()], [channels; 2], "one mean and standard deviation for each channel");
        let scale: Vec<f64> = std.iter().map(|&std| unit / f64::from(std)).collect();
        let offset: Vec<f64> = mean.iter().zip(std).map(|(&mean, &std)| -f64::from(mean) / f64::from(std)).collect();
        if let ([scale], [offset]) = (&scale[..], &offset[..]) {
            return Self::Scalar { scale: *scale, offset: *offset };
        }
        let tensor =
            |values: Vec<f64>| Tensor::from_data(TensorData::new(values, [1, channels, 1, 1]), (device, dtype));
        Self::Channels(Box::new([tensor(scale), tensor(offset)]))
    }

    fn apply(&self, batch: Tensor<4>) -> Tensor<4> {
        match self {
            Self::None => batch,
            Self::Scalar { scale, offset: 0.0 } => batch.mul_scalar(*scale),
            Self::Scalar { scale, offset } => batch.mul_scalar(*scale).add_scalar(*offset),
            Self::Channels(constants) => {
                let [scale, offset] = constants.as_ref().clone();
                batch * scale + offset
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use saltflat_random::{Key, Stream};

    use super::*;
    use crate::examples::Labels;

    const SHAPE: [usize; 3] = [3, 5, 4];
    const WIDTH: usize = 60;
    const N: usize = 30;

    fn bytes() -> Vec<u8> {
        (0..N * WIDTH).map(|i| (i * i * 31 % 256) as u8).collect()
    }

    fn examples(inputs: Inputs) -> Examples {
        Examples::new(SHAPE, inputs, Labels::Classes { labels: vec![0; N], classes: 1 }).unwrap()
    }

    fn constants() -> Standardise {
        Standardise { mean: vec![0.49, 0.25, 0.75], std: vec![0.2, 0.5, 0.125] }
    }

    /// (x/255 − mean)/std on the host.
    fn standardised(bytes: &[u8]) -> Vec<f64> {
        let Standardise { mean, std } = constants();
        let channel = |i: usize| i / 20 % 3;
        let value = |(i, &byte): (usize, &u8)| {
            (f64::from(byte) / 255.0 - f64::from(mean[channel(i)])) / f64::from(std[channel(i)])
        };
        bytes.iter().enumerate().map(value).collect()
    }

    /// Within a few roundings of numbers of size up to 4: 1e-6 in f32, 1e-14 in f64.
    fn assert_close(found: Tensor<4>, expected: &[f64]) {
        let tolerance = if found.dtype() == DType::F64 { 1e-14 } else { 1e-6 };
        let found: Vec<f64> = found.into_data().iter::<f64>().collect();
        assert_eq!(found.len(), expected.len());
        for (i, (a, b)) in found.iter().zip(expected).enumerate() {
            assert!((a - b).abs() <= tolerance, "entry {i}: {a}, expected {b}");
        }
    }

    const INDICES: [u32; 5] = [29, 0, 14, 14, 7];

    fn chosen() -> Vec<u8> {
        let data = bytes();
        INDICES.iter().flat_map(|&i| data[i as usize * WIDTH..][..WIDTH].to_vec()).collect()
    }

    #[test]
    fn a_batch_is_the_hosts_arithmetic_however_it_is_stored() {
        let device = Device::flex();
        let examples = examples(Inputs::Bytes(bytes()));
        for dtype in [DType::F32, DType::F64] {
            for store in [ByteStore::U8, ByteStore::Packed] {
                for most in [SHARD_BYTES, 4 * WIDTH] {
                    let data = DeviceData::stored(&examples, Some(&constants()), store, most, &device, dtype);
                    let batch = data.batch(&INDICES);
                    assert_eq!((batch.dims(), batch.dtype()), ([5, 3, 5, 4], dtype));
                    assert_close(batch, &standardised(&chosen()));
                }
            }
            let data = DeviceData::new(&examples, None, &device, dtype);
            let expected: Vec<f64> = chosen().iter().map(|&byte| f64::from(byte) / 255.0).collect();
            assert_close(data.batch(&INDICES), &expected);
            assert_eq!((data.len(), data.shape()), (N, SHAPE));
        }
    }

    /// One channel takes the scalar path.
    #[test]
    fn grey_images_are_standardised() {
        let labels = Labels::Classes { labels: vec![0; 2], classes: 1 };
        let grey = Examples::new([1, 1, 3], Inputs::Bytes(vec![0, 51, 255, 1, 2, 102]), labels).unwrap();
        let constants = Standardise { mean: vec![0.25], std: vec![0.5] };
        let data = DeviceData::new(&grey, Some(&constants), &Device::flex(), DType::F32);
        assert_close(data.batch(&[0]), &[-0.5, -0.1, 1.5]);
    }

    #[test]
    fn floats_stay_as_they_are() {
        let floats: Vec<f32> = (0..N * WIDTH).map(|i| i as f32 - 0.1).collect();
        let data = DeviceData::new(&examples(Inputs::Floats(floats.clone())), None, &Device::flex(), DType::F32);
        let found = data.batch(&[3, 1]).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(found, [&floats[3 * WIDTH..4 * WIDTH], &floats[WIDTH..2 * WIDTH]].concat());
    }

    /// Augmented is: shift and mirror the bytes with black outside, then standardise.
    #[test]
    fn augmentation_comes_before_standardising() {
        let key = Key::new(4, Stream::Augmentation, 11);
        let (source, [channels, height, width]) = (chosen(), SHAPE);
        let mut moved = vec![0; source.len()];
        for (sample, change) in Change::draw(key, INDICES.len()).into_iter().enumerate() {
            for plane in 0..channels {
                for y in 0..height as i32 {
                    for x in 0..width as i32 {
                        let from_x = if change.flip { width as i32 - 1 - x } else { x } + change.shift[1];
                        let from_y = y + change.shift[0];
                        if (0..height as i32).contains(&from_y) && (0..width as i32).contains(&from_x) {
                            let base = (sample * channels + plane) * height * width;
                            moved[base + y as usize * width + x as usize] =
                                source[base + from_y as usize * width + from_x as usize];
                        }
                    }
                }
            }
        }
        for store in [ByteStore::U8, ByteStore::Packed] {
            let examples = examples(Inputs::Bytes(bytes()));
            let device = Device::flex();
            let data = DeviceData::stored(&examples, Some(&constants()), store, SHARD_BYTES, &device, DType::F32);
            let drawn = |step| Change::draw(Key::new(4, Stream::Augmentation, step), INDICES.len());
            assert_close(data.batch_augmented(&INDICES, &drawn(11)), &standardised(&moved));
            let other = data.batch_augmented(&INDICES, &drawn(12));
            assert_ne!(other.into_data(), data.batch_augmented(&INDICES, &drawn(11)).into_data());
        }
    }

    #[test]
    fn batches_record_no_gradients_on_an_autodiff_device() {
        let device = Device::flex().autodiff();
        let data = DeviceData::new(&examples(Inputs::Bytes(bytes())), None, &device, DType::F32);
        assert!(!data.batch(&[0]).device().is_autodiff());
    }
}
