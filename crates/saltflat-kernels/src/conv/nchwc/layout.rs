//! Images with the channels innermost, in blocks: NCHWc.

use crate::{conv::window::Sizes, simd::Real};

/// Images with the channels innermost, in blocks of some vectors: what inner loops read.
/// `[channel blocks, padded height · padded width, block]`, outside the image and in the channels that fill the last block
/// what the buffer held before, which is zero wherever a sum that is kept reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nchwc {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Zeros above and to the left; below and to the right what the padded sizes leave.
    pub(crate) before: usize,
    pub(crate) padded: [usize; 2],
    /// Channels of a block.
    pub(crate) block: usize,
}

impl Nchwc {
    /// The images that a convolution reads, with its padding on every side.
    pub(crate) fn of_input(sizes: &Sizes, block: usize) -> Self {
        let (Sizes { inputs: channels, height, width, .. }, before) = (*sizes, sizes.window.padding);
        Self { channels, height, width, before, padded: [height + 2 * before, width + 2 * before], block }
    }

    pub(crate) fn blocks(&self) -> usize {
        self.channels.div_ceil(self.block)
    }

    /// Positions of the padded image.
    pub(crate) fn positions(&self) -> usize {
        self.padded[0] * self.padded[1]
    }

    /// Numbers of one image.
    pub(crate) fn len(&self) -> usize {
        self.blocks() * self.positions() * self.block
    }

    /// Channels of block `index`.
    pub(crate) fn depth(&self, index: usize) -> usize {
        self.block.min(self.channels - index * self.block)
    }

    /// Writes one image `[channels, height, width]` into a buffer of [`len`](Self::len), whose zeros it leaves alone.
    pub(crate) fn fill<T: Real>(&self, image: &[T], out: &mut [T]) {
        let (block, [_, padded_width]) = (self.block, self.padded);
        let plane = self.height * self.width;
        if plane == 0 {
            return;
        }
        for (index, out) in out.chunks_exact_mut(self.positions() * block).enumerate() {
            let image = &image[index * block * plane..][..self.depth(index) * plane];
            for y in 0..self.height {
                let first = ((y + self.before) * padded_width + self.before) * block;
                let out = &mut out[first..][..self.width * block];
                for (c, plane) in image.chunks_exact(plane).enumerate() {
                    let row = &plane[y * self.width..][..self.width];
                    for (out, &x) in out.chunks_exact_mut(block).zip(row) {
                        out[c] = x;
                    }
                }
            }
        }
    }

    /// Block `index` of all of the images, `[padded positions, images, block]`; what is outside of them is left alone.
    pub(crate) fn fill_interleaved<T: Real>(&self, images: &[T], index: usize, out: &mut [T]) {
        let (plane, size) = (self.height * self.width, self.channels * self.height * self.width);
        let count = images.len() / size.max(1);
        for (i, image) in images.chunks_exact(size.max(1)).enumerate() {
            let image = &image[index * self.block * plane..][..self.depth(index) * plane];
            for y in 0..self.height {
                let first = (y + self.before) * self.padded[1] + self.before;
                let out = &mut out[first * count * self.block..][..self.width * count * self.block];
                for (c, plane) in image.chunks_exact(plane).enumerate() {
                    let row = &plane[y * self.width..][..self.width];
                    for (out, &x) in out[i * self.block + c..].iter_mut().step_by(count * self.block).zip(row) {
                        *out = x;
                    }
                }
            }
        }
    }
}
