//! The rectifier, its coefficients and their backward passes.

use burn::{
    backend::flex::FlexTensor,
    tensor::{Tensor, activation},
};

use super::update::update;
use crate::{
    operation::apply,
    simd::Real,
    slices::in_place,
    switch::has_kernels,
    tasks::{CHUNK, each_chunk},
};

/// max(x, 0), with derivative 0 at 0; NaN stays NaN.
pub fn throwaway(x: Tensor<4>) -> Tensor<4> {
    if !has_kernels(&x) {
        return activation::relu(x);
    }
    apply([x.into_dispatch()], [], |[x], []| {
        let y = in_place!(x, [], rectify(x));
        (y.clone(), move |delta, [wanted]: [bool; 1]| [wanted.then(|| masked(&y, delta))])
    })
}

/// 0 where y ≤ 0, else t: the gradient of [`relu`] with respect to its input, and a coefficient of it, with y its value `[batch, …]` and
/// t `[K · batch, …]`. To the backward pass y is a constant.
pub fn throwaway_backward(y: Tensor<4>, t: Tensor<4>) -> Tensor<4> {
    if has_kernels(&y) {
        return apply([t.into_dispatch()], [y.into_dispatch()], |[t], [y]| {
            (masked(&y, t), move |delta, [wanted]: [bool; 1]| [wanted.then(|| masked(&y, delta))])
        });
    }
    let directions = t.dims()[0] / y.dims()[0].max(1);
    let off = y.lower_equal_scalar(0.0);
    t.mask_fill(if directions > 1 { off.repeat_dim(0, directions) } else { off }, 0.0)
}

/// 0 where y ≤ 0, else t; y `[images, …]` is repeated for every direction of t `[directions · images, …]`.
fn masked(y: &FlexTensor, t: FlexTensor) -> FlexTensor {
    in_place!(t, [y], mask(t, y))
}

fn mask<T: Real>(t: &mut [T], y: &[T]) {
    update(t, y, |t, y| if y <= T::default() { T::default() } else { t });
}

fn rectify<T: Real>(x: &mut [T]) {
    let arch = pulp::Arch::new();
    let work = x.len();
    each_chunk(x, CHUNK, work, |_, x| {
        arch.dispatch(|| {
            for x in x {
                *x = if *x <= T::default() { T::default() } else { *x };
            }
        });
    });
}
