//! Pooling over windows of 2 × 2; an odd last row or column is dropped.

use crate::{Real, tasks::each_chunk};

/// Planes `[height, width]` of the input of a pooling.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planes {
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Planes {
    fn area(self) -> usize {
        self.height * self.width
    }

    /// Height and width of the output.
    pub(crate) fn pooled(self) -> [usize; 2] {
        [self.height / 2, self.width / 2]
    }

    /// Where the window of output position p starts.
    #[inline(always)]
    fn window(self, p: usize) -> usize {
        let width = self.width / 2;
        2 * (p / width * self.width + p % width)
    }

    /// `count` planes of `size` numbers, each made by itself.
    fn each<T: Real>(self, count: usize, size: usize, make: impl Fn(usize, &mut [T]) + Send + Sync) -> Vec<T> {
        let arch = pulp::Arch::new();
        let mut out = vec![T::default(); count * size];
        each_chunk(
            &mut out,
            size,
            4 * count * self.area(),
            || (),
            |(), plane, out| {
                arch.dispatch(|| make(plane, out));
            },
        );
        out
    }

    /// The place of the largest of a window that starts at `first`: the first of equals, or the last that is not a number.
    #[inline(always)]
    fn largest<T: Real>(self, x: &[T], first: usize) -> usize {
        let mut found = first;
        for at in [first + 1, first + self.width, first + self.width + 1] {
            // What is not a number is not equal to itself.
            if x[at] > x[found] || x[at].partial_cmp(&x[at]).is_none() {
                found = at;
            }
        }
        found
    }
}

/// The mean of each window.
pub(crate) fn mean<T: Real>(x: &[T], planes: Planes) -> Vec<T> {
    let ([h, w], quarter) = (planes.pooled(), T::of(0.25));
    planes.each(x.len() / planes.area().max(1), h * w, |plane, out| {
        let x = &x[plane * planes.area()..][..planes.area()];
        for (p, out) in out.iter_mut().enumerate() {
            let first = planes.window(p);
            let (above, below) = (&x[first..][..2], &x[first + planes.width..][..2]);
            *out = (above[0] + above[1] + below[0] + below[1]) * quarter;
        }
    })
}

/// The gradient of [`mean`], from that of its output.
pub(crate) fn mean_backward<T: Real>(delta: &[T], planes: Planes) -> Vec<T> {
    let ([h, w], quarter) = (planes.pooled(), T::of(0.25));
    planes.each(delta.len() / (h * w).max(1), planes.area(), |plane, out| {
        for (p, &delta) in delta[plane * h * w..][..h * w].iter().enumerate() {
            let first = planes.window(p);
            for at in [first, first + 1, first + planes.width, first + planes.width + 1] {
                out[at] = quarter * delta;
            }
        }
    })
}

/// Of each window of t its entry where x is largest; x is repeated for every direction of t.
pub(crate) fn at_largest<T: Real>(x: &[T], t: &[T], planes: Planes) -> Vec<T> {
    let ([h, w], area) = (planes.pooled(), planes.area());
    let count = x.len() / area.max(1);
    planes.each(t.len() / area.max(1), h * w, |plane, out| {
        let (x, t) = (&x[plane % count * area..][..area], &t[plane * area..][..area]);
        for (p, out) in out.iter_mut().enumerate() {
            *out = t[planes.largest(x, planes.window(p))];
        }
    })
}

/// The gradient of [`at_largest`] with respect to t, from that of its output.
pub(crate) fn at_largest_backward<T: Real>(x: &[T], delta: &[T], planes: Planes) -> Vec<T> {
    let ([h, w], area) = (planes.pooled(), planes.area());
    let count = x.len() / area.max(1);
    planes.each(delta.len() / (h * w).max(1), area, |plane, out| {
        let x = &x[plane % count * area..][..area];
        for (p, &delta) in delta[plane * h * w..][..h * w].iter().enumerate() {
            out[planes.largest(x, planes.window(p))] = delta;
        }
    })
}
