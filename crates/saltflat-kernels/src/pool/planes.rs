//! Planes that are pooled over windows of 2 × 2; an odd last row or column is dropped.

use burn::tensor::{Shape, Tensor};

use crate::{simd::Real, tasks::each_chunk};

/// Planes `[height, width]` of the input of a pooling.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planes {
    height: usize,
    pub(super) width: usize,
}

impl Planes {
    /// The planes of x `[…, …, height, width]`.
    pub(super) fn new(x: &Shape) -> Self {
        Self { height: x[2], width: x[3] }
    }

    /// Numbers of a plane.
    pub(super) fn area(self) -> usize {
        self.height * self.width
    }

    /// Numbers of a plane of the output.
    pub(super) fn pooled_area(self) -> usize {
        self.height / 2 * (self.width / 2)
    }

    /// The shape of the output of x.
    pub(super) fn pooled(self, x: &Shape) -> Shape {
        Shape::new([x[0], x[1], self.height / 2, self.width / 2])
    }

    /// The start of the window of output position p.
    #[inline(always)]
    pub(super) fn window(self, p: usize) -> usize {
        let width = self.width / 2;
        2 * (p / width * self.width + p % width)
    }

    /// `count` planes of `size` numbers, each made by itself.
    pub(super) fn each<T: Real>(
        self,
        count: usize,
        size: usize,
        make: impl Fn(usize, &mut [T]) + Send + Sync,
    ) -> Vec<T> {
        let arch = pulp::Arch::new();
        let mut out = vec![T::default(); count * size];
        each_chunk(&mut out, size, 4 * count * self.area(), |plane, out| {
            arch.dispatch(|| make(plane, out));
        });
        out
    }
}

/// True if an image has a whole window.
pub(super) fn has_window(x: &Tensor<4>) -> bool {
    let [_, _, height, width] = x.dims();
    height >= 2 && width >= 2
}
