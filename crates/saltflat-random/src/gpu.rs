//! The draws of [`Key::box_muller`](crate::Key::box_muller), [`Key::signs`](crate::Key::signs) and [`Key::uniform`](crate::Key::uniform) on a
//! GPU: ChaCha's words are the same there, so signs and uniform numbers are, and normal numbers up to the rounding of its logarithm, sine and
//! cosine.

use burn::{
    backend::{Backend, Dispatch, DispatchDevice, TensorMetadata, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};
use burn_cubecl::{CubeBackend, cubecl, ops::numeric::empty_device_contiguous_dtype};
use cubecl::{calculate_cube_count_elemwise, prelude::*};

use crate::{
    box_muller::{BLOCK, PAIRS, UNIT},
    draw_kind::DrawKind,
    key::{Key, PART, UNIFORM_STEP, UNUSED_BITS},
};

/// A whole turn.
const TURN: f32 = std::f32::consts::TAU;

/// Draws on the device of the tensors.
#[backend_extension(Cube, Fusion: cfg(feature = "fusion"))]
pub(crate) trait Draws: Backend {
    /// Numbers `start`, `start` + 1, … of the draw from this part on, as many as `like` has.
    #[fusion(dtype = like, shape = like)]
    fn draw(like: FloatTensor<Self>, key: [u32; 8], part: u32, start: u32, kind: DrawKind) -> FloatTensor<Self>;
}

/// Whether the tensor is on a GPU, in f32.
pub(crate) fn supports(like: &Tensor<1>) -> bool {
    let device = like.device().without_autodiff();
    matches!(device.as_dispatch(), DispatchDevice::Cube(_)) && like.dtype() == DType::F32
}

/// Numbers `start`, `start` + 1, … of a draw, as many as `like` has.
pub(crate) fn draw(key: Key, kind: DrawKind, start: usize, like: &Tensor<1>) -> Tensor<1> {
    let like = like.clone().without_autodiff().into_dispatch();
    Tensor::from_dispatch(Dispatch::draw(like, key.words(), (start / PART) as u32, (start % PART) as u32, kind))
}

impl Draws for CubeBackend {
    fn draw(like: FloatTensor<Self>, key: [u32; 8], part: u32, start: u32, kind: DrawKind) -> FloatTensor<Self> {
        let shape = like.shape();
        let (end, per_block) = (start as usize + shape.num_elements(), kind.numbers_per_block() as usize);
        let out = empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape, DType::F32);
        let blocks = end.div_ceil(per_block) - start as usize / per_block;
        let dim = CubeDim::new(&like.client, blocks);
        let count = calculate_cube_count_elemwise(&like.client, blocks, dim);
        let mut words = SequenceArg::new();
        key.into_iter().for_each(|word| words.push(word));
        fill::launch(&like.client, count, dim, words, part, start, out.clone().into_buffer_arg(), kind);
        out
    }
}

/// Each unit makes the numbers of one block of ChaCha.
#[cube(launch)]
fn fill(key: Sequence<u32>, part: u32, start: u32, out: &mut [f32], #[comptime] kind: DrawKind) {
    let per_block = comptime!(kind.numbers_per_block());
    let size = comptime!(PART as u32);
    let first = (start / per_block + ABSOLUTE_POS as u32) * per_block;
    let words = chacha(&key, first % size / per_block, part + first / size);
    // Index of the first number of the block; before the start it wraps around to beyond the end.
    let to = first - start;
    if comptime!(kind == DrawKind::Normal) {
        #[unroll]
        for i in 0..PAIRS {
            let unit = f32::cast_from(words[i]) * UNIT + UNIT / 2.0f32;
            let angle = (f32::cast_from(words[PAIRS + i]) * UNIT - 0.5f32) * TURN;
            // A logarithm that rounding takes beyond 0 must not give NaN.
            let radius = (unit.ln() * -2.0f32).abs().sqrt();
            // Half a turn is taken off the angle, where a GPU's functions are most exact, and comes back as a sign.
            write(out, to + i as u32, -radius * angle.cos());
            write(out, to + (PAIRS + i) as u32, -radius * angle.sin());
        }
    } else if comptime!(kind == DrawKind::Uniform) {
        #[unroll]
        for word in 0..BLOCK {
            write(out, to + word as u32, f32::cast_from(words[word] >> UNUSED_BITS) * UNIFORM_STEP);
        }
    } else {
        #[unroll]
        for word in 0..BLOCK {
            for bit in 0..32u32 {
                let sign = f32::cast_from((words[word] >> bit) & 1u32) * 2.0f32 - 1.0f32;
                write(out, to + 32 * word as u32 + bit, sign);
            }
        }
    }
}

#[cube]
fn write(out: &mut [f32], at: u32, x: f32) {
    if at < out.len() as u32 {
        out[at as usize] = x;
    }
}

/// A block of ChaCha with 8 rounds (Bernstein 2008): the key, the block's number, the stream.
#[cube]
fn chacha(key: &Sequence<u32>, block: u32, stream: u32) -> Array<u32> {
    let mut start = Array::<u32>::new(16usize);
    start[0] = 0x61707865u32;
    start[1] = 0x3320646eu32;
    start[2] = 0x79622d32u32;
    start[3] = 0x6b206574u32;
    #[unroll]
    for i in 0..8usize {
        start[4 + i] = key[i];
    }
    start[12] = block;
    start[13] = 0u32;
    start[14] = stream;
    start[15] = 0u32;
    let mut x = Array::<u32>::new(16usize);
    #[unroll]
    for i in 0..16usize {
        x[i] = start[i];
    }
    for _ in 0..4u32 {
        #[unroll]
        for i in 0..4usize {
            quarter(&mut x, i, 4 + i, 8 + i, 12 + i);
        }
        #[unroll]
        for i in 0..4usize {
            quarter(&mut x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
        }
    }
    #[unroll]
    for i in 0..16usize {
        x[i] += start[i];
    }
    x
}

#[cube]
fn quarter(x: &mut Array<u32>, #[comptime] a: usize, #[comptime] b: usize, #[comptime] c: usize, #[comptime] d: usize) {
    x[a] += x[b];
    x[d] = rotate_left(x[d] ^ x[a], 16u32);
    x[c] += x[d];
    x[b] = rotate_left(x[b] ^ x[c], 12u32);
    x[a] += x[b];
    x[d] = rotate_left(x[d] ^ x[a], 8u32);
    x[c] += x[d];
    x[b] = rotate_left(x[b] ^ x[c], 7u32);
}

#[cube]
fn rotate_left(x: u32, #[comptime] by: u32) -> u32 {
    (x << by) | (x >> comptime!(32 - by))
}
