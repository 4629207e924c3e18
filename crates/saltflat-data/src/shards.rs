//! Rows on a device, in pieces that fit a storage binding.

use burn::tensor::kind::Basic;
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};

use crate::examples::Inputs;

/// Largest piece in bytes. The least that a GPU must bind as storage is 128 MiB.
pub(crate) const SHARD_BYTES: usize = 120 << 20;

/// A matrix of n rows, cut into pieces of consecutive rows.
#[derive(Debug)]
pub(crate) struct Shards {
    store: Store,
    rows: usize,
    len: usize,
    width: usize,
    dtype: DType,
    device: Device,
}

/// How the rows are stored, in pieces of `[rows, width]`.
#[derive(Debug)]
enum Store {
    Bytes(Vec<Tensor<2, Int>>),
    /// Four bytes in an i32: byte k of word j is entry k·⌈width/4⌉ + j of the row.
    Packed(Vec<Tensor<2, Int>>),
    Floats(Vec<Tensor<2>>),
}

/// How bytes are stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ByteStore {
    /// One each.
    U8,
    /// Four in an i32, for devices that do not store u8.
    Packed,
}

impl ByteStore {
    /// What the device can do.
    pub fn of(device: &Device) -> Self {
        if device.supports_dtype(DType::U8) { Self::U8 } else { Self::Packed }
    }
}

impl Shards {
    /// Rows of `width` entries on the device, no piece larger than `most` bytes (but at least one row).
    ///
    /// Bytes keep their size on the device; floats have the type `dtype`, which is also the type of a gathered batch.
    pub fn new(inputs: &Inputs, width: usize, bytes: ByteStore, most: usize, device: &Device, dtype: DType) -> Self {
        let words = width.div_ceil(4);
        let row_bytes = match (inputs, bytes) {
            (Inputs::Bytes(_), ByteStore::U8) => width,
            (Inputs::Bytes(_), ByteStore::Packed) => 4 * words,
            (Inputs::Floats(_), _) => width * dtype.size(),
        };
        let rows = (most / row_bytes).max(1);
        let store = match (inputs, bytes) {
            (Inputs::Bytes(all), ByteStore::U8) => {
                let shard = |piece: &[u8]| {
                    let data = TensorData::new(piece.to_vec(), [piece.len() / width, width]);
                    Tensor::from_data(data, (device, DType::U8))
                };
                Store::Bytes(all.chunks(rows * width).map(shard).collect())
            }
            (Inputs::Bytes(all), ByteStore::Packed) => {
                let shard = |piece: &[u8]| {
                    let packed: Vec<i32> = piece.chunks_exact(width).flat_map(|row| pack(row, words)).collect();
                    let data = TensorData::new(packed, [piece.len() / width, words]);
                    Tensor::from_data(data, (device, DType::I32))
                };
                Store::Packed(all.chunks(rows * width).map(shard).collect())
            }
            (Inputs::Floats(all), _) => {
                let shard = |piece: &[f32]| {
                    let data = TensorData::new(piece.to_vec(), [piece.len() / width, width]);
                    Tensor::from_data(data, (device, dtype))
                };
                Store::Floats(all.chunks(rows * width).map(shard).collect())
            }
        };
        Self { store, rows, len: inputs.len() / width, width, dtype, device: device.clone() }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The rows at these indices, in their order: `[batch, width]`. Bytes become 0.0 to 255.0.
    pub fn gather(&self, indices: &[u32]) -> Tensor<2> {
        assert!(!indices.is_empty(), "a batch needs at least one sample");
        assert!(indices.iter().all(|&i| (i as usize) < self.len), "a sample's index is past the end of {}", self.len);
        let float = FloatDType::from(self.dtype);
        match &self.store {
            Store::Bytes(shards) => self.gather_from(shards, indices).cast(float),
            Store::Packed(shards) => unpack(self.gather_from(shards, indices), self.width).cast(float),
            Store::Floats(shards) => self.gather_from(shards, indices),
        }
    }

    fn gather_from<K: Basic>(&self, shards: &[Tensor<2, K>], indices: &[u32]) -> Tensor<2, K> {
        if let [only] = shards {
            return only.clone().select(0, self.index(indices.iter().map(|&i| i as usize)));
        }
        let mut places = vec![Vec::new(); shards.len()];
        for (place, &i) in indices.iter().enumerate() {
            places[i as usize / self.rows].push(place);
        }
        let pieces = shards.iter().zip(&places).filter(|(_, places)| !places.is_empty());
        let select = |(shard, places): (&Tensor<2, K>, &Vec<usize>)| {
            shard.clone().select(0, self.index(places.iter().map(|&place| indices[place] as usize % self.rows)))
        };
        let gathered = Tensor::cat(pieces.map(select).collect(), 0);
        // Row r of `gathered` belongs at places.concat()[r].
        let mut order = vec![0; indices.len()];
        places.into_iter().flatten().enumerate().for_each(|(row, place)| order[place] = row);
        gathered.select(0, self.index(order.into_iter()))
    }

    fn index(&self, indices: impl Iterator<Item = usize>) -> Tensor<1, Int> {
        let indices: Vec<i32> = indices.map(|i| i as i32).collect();
        let n = indices.len();
        Tensor::from_data(TensorData::new(indices, [n]), (&self.device, DType::I32))
    }
}

/// A row of bytes as words; missing bytes are 0.
fn pack(row: &[u8], words: usize) -> impl Iterator<Item = i32> + '_ {
    let byte = move |k: usize, j: usize| row.get(k * words + j).copied().unwrap_or(0);
    (0..words).map(move |j| i32::from_le_bytes([byte(0, j), byte(1, j), byte(2, j), byte(3, j)]))
}

/// The bytes of packed rows: `[batch, words]` to `[batch, width]`.
fn unpack(packed: Tensor<2, Int>, width: usize) -> Tensor<2, Int> {
    let [batch, _] = packed.dims();
    let byte = |k: i32| packed.clone().bitwise_right_shift_scalar(8 * k).bitwise_and_scalar(255);
    Tensor::cat((0..4).map(byte).collect(), 1).slice([0..batch, 0..width])
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 23;
    const WIDTH: usize = 7;

    fn bytes() -> Vec<u8> {
        (0..N * WIDTH).map(|i| (i * 89 % 256) as u8).collect()
    }

    fn rows(inputs: &Inputs, store: ByteStore, most: usize, dtype: DType, indices: &[u32]) -> Vec<f64> {
        let shards = Shards::new(inputs, WIDTH, store, most, &Device::flex(), dtype);
        let gathered = shards.gather(indices);
        assert_eq!(gathered.dtype(), dtype);
        assert_eq!(gathered.dims(), [indices.len(), WIDTH]);
        gathered.into_data().iter::<f64>().collect()
    }

    /// Every way to store gives the host's rows, whether in one piece, in several or in one a row.
    #[test]
    fn every_store_gathers_the_rows_in_the_order_of_the_indices() {
        let data = bytes();
        let floats: Vec<f32> = data.iter().map(|&byte| f32::from(byte) - 128.5).collect();
        let indices = [22, 0, 11, 11, 3, 17, 1, 22, 8];
        let host = |i: &u32| *i as usize * WIDTH..(*i as usize + 1) * WIDTH;
        let expected: Vec<f64> = indices.iter().flat_map(|i| &data[host(i)]).map(|&byte| byte.into()).collect();
        let shifted: Vec<f64> = expected.iter().map(|x| x - 128.5).collect();
        for dtype in [DType::F32, DType::F64] {
            for most in [SHARD_BYTES, 5 * WIDTH * 4, 1] {
                for store in [ByteStore::U8, ByteStore::Packed] {
                    let found = rows(&Inputs::Bytes(data.clone()), store, most, dtype, &indices);
                    assert_eq!(found, expected, "{store:?} {most}");
                }
                let found = rows(&Inputs::Floats(floats.clone()), ByteStore::U8, most, dtype, &indices);
                assert_eq!(found, shifted, "floats {most}");
            }
        }
    }

    #[test]
    fn pieces_are_no_larger_than_asked_and_hold_every_row() {
        for (store, row_bytes) in [(ByteStore::U8, WIDTH), (ByteStore::Packed, 8)] {
            let shards =
                Shards::new(&Inputs::Bytes(bytes()), WIDTH, store, 5 * row_bytes + 1, &Device::flex(), DType::F32);
            let (Store::Bytes(pieces) | Store::Packed(pieces)) = &shards.store else { panic!("bytes") };
            let rows: Vec<usize> = pieces.iter().map(|piece| piece.dims()[0]).collect();
            assert_eq!(rows, [5, 5, 5, 5, 3]);
            assert_eq!(shards.len(), N);
        }
    }

    #[test]
    fn flex_stores_bytes() {
        assert_eq!(ByteStore::of(&Device::flex()), ByteStore::U8);
    }

    #[test]
    #[should_panic(expected = "past the end of 23")]
    fn an_index_past_the_end() {
        rows(&Inputs::Bytes(bytes()), ByteStore::U8, SHARD_BYTES, DType::F32, &[23]);
    }
}
