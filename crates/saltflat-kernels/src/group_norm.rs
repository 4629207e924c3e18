//! Group normalisation with its factors and offsets, its jet and their gradients, each in one pass over memory.
//!
//! With c the centred input of a group of m numbers, s = mean c² + ε and r = s^−½, the normalised input is f = c r. It is
//! the gradient of m √s, so its derivatives are symmetric, and the same formulas serve forward and backward:
//!
//! * Df\[a\] = r ca + ra c, with ca the centred a and ra = −r³ mean(c ca);
//! * D²f\[a, b\] = rb ca + ra cb + rab c, with rab = −r³ mean(ca cb) + 3 r⁵ mean(c ca) mean(c cb).

use std::ops::Range;

use crate::{
    Real,
    pointwise::{product, sum},
    tasks::each_chunk,
};

/// Added to the variance, as in PyTorch.
const EPSILON: f64 = 1e-5;

/// `[images, channels, positions]` in groups of channels. What belongs to directions has `[directions · images, …]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Groups {
    pub(crate) images: usize,
    pub(crate) channels: usize,
    pub(crate) groups: usize,
    pub(crate) positions: usize,
}

/// One group of one image along one direction.
struct Group {
    /// Its numbers in the images.
    image: Range<usize>,
    /// Its numbers among those of all directions.
    numbers: Range<usize>,
    /// Its channels in γ.
    channels: Range<usize>,
    /// Its channels in the velocities `[directions, channels]`.
    velocities: Range<usize>,
}

impl Groups {
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

    /// A result of `rows` groups with `each` numbers, each group made by itself.
    fn each<T: Real>(
        self,
        rows: usize,
        each: usize,
        make: impl Fn(&Group, &mut [T], &mut [Vec<T>; 4]) + Send + Sync,
    ) -> Vec<T> {
        let arch = pulp::Arch::new();
        let mut out = vec![T::default(); rows * each];
        let scratch = || std::array::from_fn(|_| vec![T::default(); self.len()]);
        each_chunk(&mut out, each, rows * self.len() * 4, scratch, |scratch, row, out| {
            arch.dispatch(|| make(&self.group(row), out, scratch));
        });
        out
    }

    /// Groups in a tensor of this size.
    fn rows(self, numbers: usize) -> usize {
        numbers / self.len().max(1)
    }

    /// The sum over the images, and directions, of `[rows, channels of a group]`: `[channels]`.
    fn over_images<T: Real>(self, of_groups: &[T]) -> Vec<T> {
        let mut sums = vec![T::default(); self.channels];
        for row in of_groups.chunks_exact(self.channels) {
            for (sum, &x) in sums.iter_mut().zip(row) {
                *sum += x;
            }
        }
        sums
    }
}

/// y = γ f(x) + β.
pub(crate) fn value<T: Real>(x: &[T], gamma: &[T], beta: &[T], sizes: Groups) -> Vec<T> {
    sizes.each(sizes.rows(x.len()), sizes.len(), |at, out, [c, ..]| {
        let r = standardise(&x[at.image.clone()], c);
        combine(out, sizes.positions, [c], |i| {
            let channel = at.channels.start + i;
            ([gamma[channel] * r], beta[channel])
        });
    })
}

/// ẏ = γ Df\[ẋ\] + γ̇ f + β̇.
pub(crate) fn first<T: Real>(
    [x, first]: [&[T]; 2],
    gamma: &[T],
    [v_gamma, v_beta]: [&[T]; 2],
    sizes: Groups,
) -> Vec<T> {
    sizes.each(sizes.rows(first.len()), sizes.len(), |at, out, [c, a, ..]| {
        let r = standardise(&x[at.image.clone()], c);
        let ra = -(r * r * r * centre_along(&first[at.numbers.clone()], c, a));
        combine(out, sizes.positions, [c, a], |i| {
            let (gamma, v) = (gamma[at.channels.start + i], at.velocities.start + i);
            ([gamma * ra + v_gamma[v] * r, gamma * r], v_beta[v])
        });
    })
}

/// ÿ = γ (D²f\[ẋ, ẋ\] + Df\[ẍ\]) + 2 γ̇ Df\[ẋ\]; ẍ = 0 where it is absent.
pub(crate) fn second<T: Real>(
    [x, first]: [&[T]; 2],
    second: Option<&[T]>,
    gamma: &[T],
    v_gamma: &[T],
    sizes: Groups,
) -> Vec<T> {
    let two = T::of(2.0);
    sizes.each(sizes.rows(first.len()), sizes.len(), |at, out, [c, a, b, _]| {
        let r = standardise(&x[at.image.clone()], c);
        let r3 = r * r * r;
        let along = centre_along(&first[at.numbers.clone()], c, a);
        let ra = -(r3 * along);
        let of_second = second.map_or_else(T::default, |second| centre_along(&second[at.numbers.clone()], c, b));
        let raa = T::of(3.0) * r3 * r * r * along * along - r3 * (mean_product(a, a) + of_second);
        combine(out, sizes.positions, [c, a, b], |i| {
            let (gamma, v) = (gamma[at.channels.start + i], two * v_gamma[at.velocities.start + i]);
            ([gamma * raa + v * ra, gamma * two * ra + v * r, gamma * r], T::default())
        });
    })
}

/// Df\[γ δ\]: the gradient of y with respect to x, and of ẏ with respect to ẋ.
pub(crate) fn derivative<T: Real>([x, delta]: [&[T]; 2], gamma: &[T], sizes: Groups) -> Vec<T> {
    sizes.each(sizes.rows(delta.len()), sizes.len(), |at, out, [c, a, g, _]| {
        let r = standardise(&x[at.image.clone()], c);
        scale(&delta[at.numbers.clone()], &gamma[at.channels.clone()], g);
        let ra = -(r * r * r * centre_along(g, c, a));
        combine(out, sizes.positions, [c, a], |_| ([ra, r], T::default()));
    })
}

/// D²f\[ẋ, γ δ\] + Df\[γ̇ δ\], of each direction: the gradient of ẏ with respect to x.
pub(crate) fn curvature<T: Real>([x, first, delta]: [&[T]; 3], gamma: &[T], v_gamma: &[T], sizes: Groups) -> Vec<T> {
    sizes.each(sizes.rows(delta.len()), sizes.len(), |at, out, [c, a, b, g]| {
        let r = standardise(&x[at.image.clone()], c);
        let r3 = r * r * r;
        let delta = &delta[at.numbers.clone()];
        scale(delta, &v_gamma[at.velocities.clone()], g);
        let rv = -(r3 * centre_along(g, c, a));
        combine(out, sizes.positions, [c, a], |_| ([rv, r], T::default()));
        scale(delta, &gamma[at.channels.clone()], g);
        let (mean_a, mean_b) = (centre_along(&first[at.numbers.clone()], c, a), centre_along(g, c, b));
        let rab = T::of(3.0) * r3 * r * r * mean_a * mean_b - r3 * mean_product(a, b);
        g.copy_from_slice(out);
        let one = T::of(1.0);
        combine(out, sizes.positions, [g, c, a, b], |_| ([one, rab, -(r3 * mean_b), -(r3 * mean_a)], T::default()));
    })
}

/// Σ δ f `[channels]`: the gradient of y with respect to γ.
pub(crate) fn gamma_of_value<T: Real>([x, delta]: [&[T]; 2], sizes: Groups) -> Vec<T> {
    let sums = sizes.each(sizes.rows(delta.len()), sizes.channels / sizes.groups, |at, out, [c, ..]| {
        let r = standardise(&x[at.image.clone()], c);
        let planes = c.chunks_exact(sizes.positions).zip(delta[at.numbers.clone()].chunks_exact(sizes.positions));
        for (out, (c, delta)) in out.iter_mut().zip(planes) {
            *out = r * product(c, delta);
        }
    });
    sizes.over_images(&sums)
}

/// Σ δ Df\[ẋ\] `[channels]`: the gradient of ẏ with respect to γ.
pub(crate) fn gamma_of_first<T: Real>([x, first, delta]: [&[T]; 3], sizes: Groups) -> Vec<T> {
    let sums = sizes.each(sizes.rows(delta.len()), sizes.channels / sizes.groups, |at, out, [c, a, ..]| {
        let r = standardise(&x[at.image.clone()], c);
        let ra = -(r * r * r * centre_along(&first[at.numbers.clone()], c, a));
        let planes = c.chunks_exact(sizes.positions).zip(a.chunks_exact(sizes.positions));
        let planes = planes.zip(delta[at.numbers.clone()].chunks_exact(sizes.positions));
        for (out, ((c, a), delta)) in out.iter_mut().zip(planes) {
            *out = r * product(a, delta) + ra * product(c, delta);
        }
    });
    sizes.over_images(&sums)
}

/// c = x − mean x, and r = (mean c² + ε)^−½.
#[inline(always)]
fn standardise<T: Real>(x: &[T], c: &mut [T]) -> T {
    centre(x, c);
    (mean_product(c, c) + T::of(EPSILON)).reciprocal_root()
}

/// out = x − mean x.
#[inline(always)]
fn centre<T: Real>(x: &[T], out: &mut [T]) {
    let mean = sum(x) * T::of(1.0 / x.len() as f64);
    for (out, &x) in out.iter_mut().zip(x) {
        *out = x - mean;
    }
}

/// Centres a, and gives mean(c ca).
#[inline(always)]
fn centre_along<T: Real>(a: &[T], c: &[T], out: &mut [T]) -> T {
    centre(a, out);
    mean_product(c, out)
}

#[inline(always)]
fn mean_product<T: Real>(a: &[T], b: &[T]) -> T {
    product(a, b) * T::of(1.0 / a.len() as f64)
}

/// out = factor · x, a factor a channel.
#[inline(always)]
fn scale<T: Real>(x: &[T], factors: &[T], out: &mut [T]) {
    let positions = x.len() / factors.len();
    for ((out, x), &factor) in out.chunks_exact_mut(positions).zip(x.chunks_exact(positions)).zip(factors) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = factor * x;
        }
    }
}

/// out = Σ_j factor_j terms_j + offset, with factors and an offset of each channel.
#[inline(always)]
fn combine<T: Real, const N: usize>(
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
