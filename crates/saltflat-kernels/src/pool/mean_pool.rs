//! The mean of windows.

use burn::{
    backend::flex::FlexTensor,
    tensor::{Tensor, module, ops::AvgPoolOptions},
};

use super::planes::{Planes, has_window};
use crate::{operation::apply, simd::Real, slices::kernel, switch::has_kernels};

/// The mean of each window of 2 × 2; an odd last row or column is dropped.
pub fn mean_pool(x: Tensor<4>) -> Tensor<4> {
    if !has_kernels(&x) || !has_window(&x) {
        return module::avg_pool2d(x, AvgPoolOptions::new([2, 2]).with_stride([2, 2]));
    }
    let shape = x.shape();
    let planes = Planes::new(&shape);
    apply([x.into_dispatch()], [], move |[x], []| {
        let y = kernel!([x] -> planes.pooled(&shape), mean(x, planes));
        let backward = move |delta: FlexTensor, [wanted]: [bool; 1]| {
            [wanted.then(|| kernel!([delta] -> shape, mean_backward(delta, planes)))]
        };
        (y, backward)
    })
}

/// The mean of each window.
fn mean<T: Real>(x: &[T], planes: Planes) -> Vec<T> {
    let quarter = T::of(0.25);
    planes.each(x.len() / planes.area().max(1), planes.pooled_area(), |plane, out| {
        let x = &x[plane * planes.area()..][..planes.area()];
        for (p, out) in out.iter_mut().enumerate() {
            let first = planes.window(p);
            let (above, below) = (&x[first..][..2], &x[first + planes.width..][..2]);
            *out = (above[0] + above[1] + below[0] + below[1]) * quarter;
        }
    })
}

/// The gradient of [`mean`], from that of its output.
fn mean_backward<T: Real>(delta: &[T], planes: Planes) -> Vec<T> {
    let (pooled, quarter) = (planes.pooled_area(), T::of(0.25));
    planes.each(delta.len() / pooled.max(1), planes.area(), |plane, out| {
        for (p, &delta) in delta[plane * pooled..][..pooled].iter().enumerate() {
            let first = planes.window(p);
            for at in [first, first + 1, first + planes.width, first + planes.width + 1] {
                out[at] = quarter * delta;
            }
        }
    })
}
