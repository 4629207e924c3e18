//! Convolutions of stride 1 with few channels: positions innermost, as they lie in the images.
//!
//! Padded rows lie one after the other, so an entry of the kernel is a shift of the whole image, the same for every position; what
//! is computed between two rows is dropped. A tile of M outputs and V vectors of positions stays in registers while inputs and
//! kernel entries pass; for the gradient with respect to the weight, M outputs and the K entries of a row of the kernel.

mod correlate;
mod weight_gradient;

pub(crate) use self::{correlate::correlate, weight_gradient::weight_gradient};
use crate::{
    Real,
    window::{Sizes, Sliding, Window},
};

/// Channels from which other kernels are faster.
const CHANNELS: usize = 32;

/// Sides from which what lies between rows is a small part.
const SIDE: usize = 8;

/// Positions from which those of a 1 × 1 kernel fill vectors.
const POSITIONS: usize = 64;

/// Whether these kernels serve the value of a convolution and the gradient with respect to its input best.
pub(crate) fn serves(sizes: &Sizes) -> bool {
    let Window { kernel, stride, padding } = sizes.window;
    let pointwise = kernel == 1 && stride == 1 && padding == 0 && sizes.positions() >= POSITIONS;
    pointwise || serves_weight(sizes)
}

/// Whether they serve the gradient with respect to the weight best.
pub(crate) fn serves_weight(sizes: &Sizes) -> bool {
    let [_, w] = sizes.output();
    matches!(sizes.window.kernel, 1 | 3 | 5)
        && Sliding::fits(sizes)
        && sizes.inputs.min(sizes.outputs) < CHANNELS
        && w.min(sizes.width) >= SIDE
}

/// Padded planes, row by row.
#[derive(Clone, Copy)]
struct Planes {
    height: usize,
    width: usize,
    /// Zeros above and to the left.
    before: usize,
    pitch: usize,
    /// Numbers of a plane with what may be read beyond.
    len: usize,
}

impl Planes {
    /// Writes planes into a buffer, whose zeros it leaves alone.
    #[inline(always)]
    fn fill<T: Real>(&self, image: &[T], out: &mut [T]) {
        let planes = image.chunks_exact(self.height * self.width).zip(out.chunks_exact_mut(self.len));
        for (plane, out) in planes {
            let out = &mut out[(self.before * self.pitch + self.before)..];
            for (row, out) in plane.chunks_exact(self.width).zip(out.chunks_mut(self.pitch)) {
                copy_row(row, out);
            }
        }
    }
}

/// Planes of the image and of the result, with the positions that are computed rounded up to `step`.
fn planes(sizes: &Sliding, step: usize) -> [Planes; 2] {
    let Sliding { height, width, h, w, kernel, before, .. } = *sizes;
    let pitch = w + kernel - 1;
    let len = (h * pitch).next_multiple_of(step);
    let beyond = (kernel - 1) * (pitch + 1);
    [Planes { height, width, before, pitch, len: len + beyond }, Planes { height: h, width: w, before: 0, pitch, len }]
}

/// Copies a row to the start of another, in blocks: rows are so short that a call would take longer.
#[inline(always)]
fn copy_row<T: Real>(from: &[T], to: &mut [T]) {
    let (blocks, rest) = from.as_chunks::<8>();
    let (to, to_rest) = to[..from.len()].as_chunks_mut::<8>();
    for (to, from) in to.iter_mut().zip(blocks) {
        *to = *from;
    }
    for (to, from) in to_rest.iter_mut().zip(rest) {
        *to = *from;
    }
}
