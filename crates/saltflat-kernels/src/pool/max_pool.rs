//! The largest of windows.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::{Tensor, module, ops::MaxPoolOptions},
};

use super::planes::{Planes, has_window};
use crate::{operation::apply, simd::Real, slices::kernel, switch::has_kernels};

/// The largest of each window of 2 × 2, the first of equals; an odd last row or column is dropped. Also, for every t
/// `[K · batch, channels, h, w]` in `coefficients`, its entries at the places of the maxima.
pub fn max_pool<const N: usize>(
    x: Tensor<4>,
    coefficients: [Option<Tensor<4>>; N],
) -> (Tensor<4>, [Option<Tensor<4>>; N]) {
    if has_kernels(&x) && has_window(&x) {
        let pick = |t: Tensor<4>| max_pool_select(x.clone(), t);
        return (pick(x.clone()), coefficients.map(|t| t.map(pick)));
    }
    let options = MaxPoolOptions::new([2, 2]).with_stride([2, 2]);
    if coefficients.iter().all(Option::is_none) {
        return (module::max_pool2d(x, options), coefficients);
    }
    let [n, c, h, w] = x.dims();
    let (value, chosen) = module::max_pool2d_with_indices(x, options);
    let [_, _, rows, columns] = value.dims();
    let chosen = chosen.reshape([n, c, rows * columns]);
    let pick = |t: Tensor<4>| {
        let directions = t.dims()[0] / n;
        let chosen = if directions == 1 { chosen.clone() } else { chosen.clone().repeat_dim(0, directions) };
        t.reshape([directions * n, c, h * w]).gather(2, chosen).reshape([directions * n, c, rows, columns])
    };
    (value, coefficients.map(|t| t.map(pick)))
}

/// Of each window of t its entry where x, a constant to the backward pass, is largest.
fn max_pool_select(x: Tensor<4>, t: Tensor<4>) -> Tensor<4> {
    let planes = Planes::new(&x.shape());
    apply([t.into_dispatch()], [x.into_dispatch()], move |[t], [x]| {
        let shape = t.shape();
        let y = kernel!([x, t] -> planes.pooled(&shape), select(x, t, planes));
        let backward = move |delta: FlexTensor, [wanted]: [bool; 1]| {
            [wanted.then(|| kernel!([x, delta] -> shape, select_backward(x, delta, planes)))]
        };
        (y, backward)
    })
}

/// Of each window of t its entry where x is largest; x is repeated for every direction of t.
fn select<T: Real>(x: &[T], t: &[T], planes: Planes) -> Vec<T> {
    let area = planes.area();
    let count = x.len() / area.max(1);
    planes.each(t.len() / area.max(1), planes.pooled_area(), |plane, out| {
        let (x, t) = (&x[plane % count * area..][..area], &t[plane * area..][..area]);
        for (p, out) in out.iter_mut().enumerate() {
            *out = t[largest(x, planes, planes.window(p))];
        }
    })
}

/// The gradient of [`select`] with respect to t, from that of its output.
fn select_backward<T: Real>(x: &[T], delta: &[T], planes: Planes) -> Vec<T> {
    let (pooled, area) = (planes.pooled_area(), planes.area());
    let count = x.len() / area.max(1);
    planes.each(delta.len() / pooled.max(1), area, |plane, out| {
        let x = &x[plane % count * area..][..area];
        for (p, &delta) in delta[plane * pooled..][..pooled].iter().enumerate() {
            out[largest(x, planes, planes.window(p))] = delta;
        }
    })
}

/// The place of the largest of a window that starts at `first`: the first of equals, or the last that is not a number.
#[inline(always)]
fn largest<T: Real>(x: &[T], planes: Planes, first: usize) -> usize {
    let mut found = first;
    for at in [first + 1, first + planes.width, first + planes.width + 1] {
        // What is not a number is not equal to itplanes.
        if x[at] > x[found] || x[at].partial_cmp(&x[at]).is_none() {
            found = at;
        }
    }
    found
}
