//! What the value of group normalisation, its coefficients and their gradients have in common.
//!
//! With c the centred input of a group of m numbers, s = mean c² + ε and r = s^−½, the normalised input is f = c r. It is
//! the gradient of m √s, so its derivatives are symmetric, and the same formulas serve forward and backward:
//!
//! * Df\[a\] = r ca + ra c, with ca the centred a and ra = −r³ mean(c ca);
//! * D²f\[a, b\] = rb ca + ra cb + rab c, with rab = −r³ mean(ca cb) + 3 r⁵ mean(c ca) mean(c cb).

use std::ops::Range;

use burn::backend::{TensorMetadata, flex::FlexTensor};

use crate::{
    reduce::{over_rows, product, sum},
    simd::Real,
    slices::kernel,
    tasks::each_chunk_with,
};

/// Added to the variance, as in PyTorch.
const EPSILON: f64 = 1e-5;

/// `[images, channels, positions]` in groups of channels. What belongs to directions has `[directions · images, …]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups {
    images: usize,
    pub(super) channels: usize,
    groups: usize,
    pub(super) positions: usize,
}

/// One group of one image along one direction.
pub(super) struct Group {
    /// Its numbers in the images.
    pub(super) image: Range<usize>,
    /// Its numbers among those of all directions.
    pub(super) numbers: Range<usize>,
    /// Its channels in γ.
    pub(super) channels: Range<usize>,
    /// Its channels in the velocities `[directions, channels]`.
    pub(super) velocities: Range<usize>,
}

impl Groups {
    /// The groups of channels of x `[images, channels, h, w]`.
    pub(super) fn new(x: &FlexTensor, groups: usize) -> Self {
        let shape = x.shape();
        Self { images: shape[0], channels: shape[1], groups, positions: shape[2] * shape[3] }
    }

    /// Numbers of a group.
    fn len(self) -> usize {
        self.channels / self.groups * self.positions
    }

    fn group(self, row: usize) -> Group {
        let (images, groups, channels, len) = (self.images, self.groups, self.channels / self.groups, self.len());
        let (direction, image, group) = (row / groups / images, row / groups % images, row % groups);
        let range = |start: usize, len: usize| start..start + len;
        Group {
            image: range((image * groups + group) * len, len),
            numbers: range(row * len, len),
            channels: range(group * channels, channels),
            velocities: range(direction * self.channels + group * channels, channels),
        }
    }

    /// Of a tensor of `numbers` numbers, each group made by itself.
    pub(super) fn each<T: Real>(
        self,
        numbers: usize,
        make: impl Fn(&Group, &mut [T], &mut [Vec<T>; 4]) + Send + Sync,
    ) -> Vec<T> {
        self.make(numbers, self.len(), make)
    }

    /// A number for each channel, summed over the images and directions of a tensor of `numbers` numbers; `make` gives those of the
    /// channels of a group.
    pub(super) fn channel_sums<T: Real>(
        self,
        numbers: usize,
        make: impl Fn(&Group, &mut [T], &mut [Vec<T>; 4]) + Send + Sync,
    ) -> Vec<T> {
        over_rows(&self.make(numbers, self.channels / self.groups, make), self.channels)
    }

    /// `size` numbers for each group.
    fn make<T: Real>(
        self,
        numbers: usize,
        size: usize,
        make: impl Fn(&Group, &mut [T], &mut [Vec<T>; 4]) + Send + Sync,
    ) -> Vec<T> {
        let (arch, rows) = (pulp::Arch::new(), numbers / self.len().max(1));
        let mut out = vec![T::default(); rows * size];
        let scratch = || std::array::from_fn(|_| vec![T::default(); self.len()]);
        each_chunk_with(&mut out, size, rows * self.len() * 4, scratch, |scratch, row, out| {
            arch.dispatch(|| make(&self.group(row), out, scratch));
        });
        out
    }
}

/// Df\[γ δ\], of the shape of δ: the gradient of y with respect to x, and of ẏ with respect to ẋ.
pub(super) fn derivative(x: &FlexTensor, gamma: &FlexTensor, delta: &FlexTensor, sizes: Groups) -> FlexTensor {
    kernel!([x, gamma, delta] -> delta.shape(), derivative_of([x, delta], gamma, sizes))
}

fn derivative_of<T: Real>([x, delta]: [&[T]; 2], gamma: &[T], sizes: Groups) -> Vec<T> {
    sizes.each(delta.len(), |at, out, [c, a, g, _]| {
        let r = standardise(&x[at.image.clone()], c);
        scale(&delta[at.numbers.clone()], &gamma[at.channels.clone()], g);
        let ra = -(r * r * r * centre_along(g, c, a));
        combine(out, sizes.positions, [c, a], |_| ([ra, r], T::default()));
    })
}

/// c = x − mean x, and r = (mean c² + ε)^−½.
#[inline(always)]
pub(super) fn standardise<T: Real>(x: &[T], c: &mut [T]) -> T {
    centre(x, c);
    (mean_product(c, c) + T::of(EPSILON)).reciprocal_root()
}

/// out = x − mean x.
#[inline(always)]
pub(super) fn centre<T: Real>(x: &[T], out: &mut [T]) {
    let mean = sum(x) * T::of(1.0 / x.len() as f64);
    for (out, &x) in out.iter_mut().zip(x) {
        *out = x - mean;
    }
}

/// Centres a, and gives mean(c ca).
#[inline(always)]
pub(super) fn centre_along<T: Real>(a: &[T], c: &[T], out: &mut [T]) -> T {
    centre(a, out);
    mean_product(c, out)
}

#[inline(always)]
pub(super) fn mean_product<T: Real>(a: &[T], b: &[T]) -> T {
    product(a, b) * T::of(1.0 / a.len() as f64)
}

/// out = factor · x, a factor a channel.
#[inline(always)]
pub(super) fn scale<T: Real>(x: &[T], factors: &[T], out: &mut [T]) {
    let positions = x.len() / factors.len();
    for ((out, x), &factor) in out.chunks_exact_mut(positions).zip(x.chunks_exact(positions)).zip(factors) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = factor * x;
        }
    }
}

/// out = Σ_j factor_j terms_j + offset, with factors and an offset of each channel.
#[inline(always)]
pub(super) fn combine<T: Real, const N: usize>(
    out: &mut [T],
    positions: usize,
    terms: [&mut Vec<T>; N],
    of_channel: impl Fn(usize) -> ([T; N], T),
) {
    for (channel, out) in out.chunks_exact_mut(positions).enumerate() {
        let (factors, offset) = of_channel(channel);
        let terms: [&[T]; N] = std::array::from_fn(|j| &terms[j][channel * positions..][..positions]);
        for (i, out) in out.iter_mut().enumerate() {
            let mut sum = offset;
            for j in 0..N {
                sum += factors[j] * terms[j][i];
            }
            *out = sum;
        }
    }
}
