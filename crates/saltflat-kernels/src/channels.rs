//! A factor and an offset a channel, their jet and gradients, each in one pass over memory.

use crate::{
    Real,
    pointwise::{product, sum},
    tasks::each_chunk,
};

/// `[images, channels, positions]`; what belongs to directions has `[directions · images, …]`, and factors
/// `[directions · channels]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channels {
    pub(crate) images: usize,
    pub(crate) channels: usize,
    pub(crate) positions: usize,
}

impl Channels {
    /// Of a plane of all directions: its start in the images, its channel, and that among those of all directions.
    fn plane(self, plane: usize) -> [usize; 3] {
        let (row, channel) = (plane / self.channels, plane % self.channels);
        let (direction, image) = (row / self.images, row % self.images);
        [(image * self.channels + channel) * self.positions, channel, direction * self.channels + channel]
    }

    /// `numbers` numbers, each plane made by itself.
    fn each<T: Real>(self, numbers: usize, make: impl Fn(usize, [usize; 3], &mut [T]) + Send + Sync) -> Vec<T> {
        let mut out = vec![T::default(); numbers];
        self.update(&mut out, make);
        out
    }

    /// Each plane of `out` by itself.
    fn update<T: Real>(self, out: &mut [T], make: impl Fn(usize, [usize; 3], &mut [T]) + Send + Sync) {
        let arch = pulp::Arch::new();
        let (line, work) = (self.channels * self.positions, 2 * out.len());
        each_chunk(
            out,
            line,
            work,
            || (),
            |(), row, out| {
                arch.dispatch(|| {
                    for (i, out) in out.chunks_exact_mut(self.positions.max(1)).enumerate() {
                        let plane = row * self.channels + i;
                        make(plane * self.positions, self.plane(plane), out);
                    }
                });
            },
        );
    }

    /// `[channels]`, the sums over all images and directions of a number of each plane.
    fn over_images<T: Real>(self, planes: usize, of_plane: impl Fn(usize, usize) -> T + Send + Sync) -> Vec<T> {
        let arch = pulp::Arch::new();
        let mut each = vec![T::default(); planes];
        each_chunk(
            &mut each,
            self.channels,
            planes * self.positions,
            || (),
            |(), row, out| {
                arch.dispatch(|| {
                    for (i, out) in out.iter_mut().enumerate() {
                        let plane = row * self.channels + i;
                        *out = of_plane(plane * self.positions, self.plane(plane)[0]);
                    }
                });
            },
        );
        let mut sums = vec![T::default(); self.channels];
        for row in each.chunks_exact(self.channels.max(1)) {
            for (sum, &x) in sums.iter_mut().zip(row) {
                *sum += x;
            }
        }
        sums
    }

    fn planes(self, numbers: usize) -> usize {
        numbers / self.positions.max(1)
    }
}

/// x + β, a number for each channel, or for each direction and channel.
pub(crate) fn shift<T: Real>(x: &mut [T], beta: &[T], sizes: Channels) {
    sizes.update(x, |_, [_, _, channel], out| {
        for x in out {
            *x += beta[channel];
        }
    });
}

/// γ x, also of what belongs to directions.
pub(crate) fn scale<T: Real>(x: &[T], gamma: &[T], sizes: Channels) -> Vec<T> {
    let positions = sizes.positions;
    sizes.each(x.len(), |start, [_, channel, _], out| {
        for (out, &x) in out.iter_mut().zip(&x[start..][..positions]) {
            *out = gamma[channel] * x;
        }
    })
}

/// γ a + γ̇ b of `a` of all directions, and `b` of all directions or of the images.
pub(crate) fn scale_first<T: Real>([b, a]: [&[T]; 2], gamma: &[T], v_gamma: &[T], sizes: Channels) -> Vec<T> {
    let (positions, directed) = (sizes.positions, b.len() == a.len());
    sizes.each(a.len(), |start, [of_image, channel, velocity], out| {
        let (gamma, v) = (gamma[channel], v_gamma[velocity]);
        let b = &b[if directed { start } else { of_image }..][..positions];
        for ((out, &a), &b) in out.iter_mut().zip(&a[start..][..positions]).zip(b) {
            *out = gamma * a + v * b;
        }
    })
}

/// Of each direction γ̇ δ.
pub(crate) fn scale_by_velocity<T: Real>(delta: &[T], v_gamma: &[T], sizes: Channels) -> Vec<T> {
    let positions = sizes.positions;
    sizes.each(delta.len(), |start, [_, _, velocity], out| {
        for (out, &x) in out.iter_mut().zip(&delta[start..][..positions]) {
            *out = v_gamma[velocity] * x;
        }
    })
}

/// Σ a b over images and positions, `[channels]`.
pub(crate) fn products<T: Real>([a, b]: [&[T]; 2], sizes: Channels) -> Vec<T> {
    let positions = sizes.positions;
    sizes.over_images(sizes.planes(a.len()), |start, _| product(&a[start..][..positions], &b[start..][..positions]))
}

/// Σ a over images and positions, `[channels]`.
pub(crate) fn sums<T: Real>(a: &[T], sizes: Channels) -> Vec<T> {
    sizes.over_images(sizes.planes(a.len()), |start, _| sum(&a[start..][..sizes.positions]))
}
