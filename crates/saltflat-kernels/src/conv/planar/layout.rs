//! Padded planes, whose rows lie one after the other.

use crate::{conv::window::Sliding, simd::Real};

/// Padded planes, row by row.
#[derive(Clone, Copy)]
pub(super) struct Planes {
    pub(super) height: usize,
    pub(super) width: usize,
    /// Zeros above and to the left.
    pub(super) before: usize,
    pub(super) pitch: usize,
    /// Numbers of a plane with what may be read beyond.
    pub(super) len: usize,
}

impl Planes {
    /// Writes planes into a buffer, whose zeros it leaves alone.
    #[inline(always)]
    pub(super) fn fill<T: Real>(&self, image: &[T], out: &mut [T]) {
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
pub(super) fn planes(sizes: &Sliding, step: usize) -> [Planes; 2] {
    let Sliding { height, width, h, w, kernel, before, .. } = *sizes;
    let pitch = w + kernel - 1;
    let len = (h * pitch).next_multiple_of(step);
    let beyond = (kernel - 1) * (pitch + 1);
    [Planes { height, width, before, pitch, len: len + beyond }, Planes { height: h, width: w, before: 0, pitch, len }]
}

/// Copies a row to the start of another, in blocks: rows are so short that a call would take longer.
#[inline(always)]
pub(super) fn copy_row<T: Real>(from: &[T], to: &mut [T]) {
    let (blocks, rest) = from.as_chunks::<8>();
    let (to, to_rest) = to[..from.len()].as_chunks_mut::<8>();
    for (to, from) in to.iter_mut().zip(blocks) {
        *to = *from;
    }
    for (to, from) in to_rest.iter_mut().zip(rest) {
        *to = *from;
    }
}
