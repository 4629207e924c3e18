//! Convolution, group normalisation and what stands between them on CPU cores: faster than burn's own kernels there, equal to
//! them up to rounding, and equal bits for any number of threads.
//!
//! The kernels take tensors of burn's CPU backend in f32 and f64 and have backward passes of their own, which compute the
//! gradients that are wanted and no others. [`convolution`], [`relu`], [`gate`] and [`sum`] are burn's own operations for
//! all other tensors; the functions of group normalisation ask the caller to look at [`has_kernels`].
//!
//! `SALTFLAT_KERNELS=burn` switches the kernels off, for comparisons.

mod backend;
mod blocked;
mod correlate;
mod cpu;
mod group_norm;
mod pointwise;
mod simd;
mod tasks;
mod weight_gradient;
mod window;

use std::sync::LazyLock;

use burn::{
    backend::{Dispatch, DispatchDevice},
    tensor::{DType, Tensor, activation, module, ops::ConvOptions},
};

use crate::backend::{Kernels, UntrackedKernels};
pub(crate) use crate::simd::Real;
pub use crate::window::Window;

static SWITCHED_OFF: LazyLock<bool> =
    LazyLock::new(|| std::env::var_os("SALTFLAT_KERNELS").is_some_and(|kernels| kernels == "burn"));

/// True where this crate has kernels for such a tensor.
pub fn has_kernels<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device().without_autodiff();
    matches!(device.as_dispatch(), DispatchDevice::Flex(_))
        && matches!(x.dtype(), DType::F32 | DType::F64)
        && !*SWITCHED_OFF
}

/// W ∗ x + b `[batch, outputs, h, w]` of x `[batch, inputs, height, width]`, W `[outputs, inputs, kernel, kernel]` and, where there
/// is one, b `[outputs]`: PyTorch's `conv2d`.
///
/// # Panics
/// Where the shapes do not fit together, or the padded image is smaller than the kernel.
pub fn convolution(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, window: Window) -> Tensor<4> {
    let [_, inputs, height, width] = x.dims();
    let fits = weight.dims()[1] == inputs
        && weight.dims()[2..] == [window.kernel; 2]
        && height.min(width) + 2 * window.padding >= window.kernel
        && window.stride > 0;
    if !has_kernels(&x) || !fits {
        let options = ConvOptions::new([window.stride; 2], [window.padding; 2], [1; 2], 1);
        return module::conv2d(x, weight, bias, options);
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::convolution_with_bias(x, weight, bias.into_dispatch(), window),
        None => Dispatch::convolution(x, weight, window),
    })
}

/// γ f(x) + β for each sample and group of channels, f(x) = (x − mean) (variance + 10⁻⁵)^−½: PyTorch's `group_norm`, from x
/// `[batch, channels, h, w]`, γ and β `[channels]`.
///
/// # Panics
/// Where [`has_kernels`] is false for x.
pub fn group_norm(x: Tensor<4>, [gamma, beta]: [Tensor<1>; 2], groups: usize) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::group_norm(x.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch(), groups))
}

/// The first coefficient of [`group_norm`] along K directions, γ Df\[ẋ\] + γ̇ f + β̇, from ẋ `[K · batch, channels, h, w]` and
/// γ̇, β̇ `[K · channels]`, which are constants to the backward pass.
///
/// # Panics
/// Where [`has_kernels`] is false for x.
pub fn group_norm_first(
    [x, first]: [Tensor<4>; 2],
    gamma: Tensor<1>,
    [v_gamma, v_beta]: [Tensor<1>; 2],
    groups: usize,
) -> Tensor<4> {
    let (x, first, gamma) = (x.into_dispatch(), first.into_dispatch(), gamma.into_dispatch());
    let (v_gamma, v_beta) = (v_gamma.into_dispatch(), v_beta.into_dispatch());
    Tensor::from_dispatch(Dispatch::group_norm_first(x, first, gamma, v_gamma, v_beta, groups))
}

/// The second coefficient of [`group_norm`], γ (D²f\[ẋ, ẋ\] + Df\[ẍ\]) + 2 γ̇ Df\[ẋ\]. It has no backward pass.
///
/// # Panics
/// Where [`has_kernels`] is false for x, or a tensor belongs to an autodiff graph.
pub fn group_norm_second(
    [x, first]: [Tensor<4>; 2],
    second: Option<Tensor<4>>,
    [gamma, v_gamma]: [Tensor<1>; 2],
    groups: usize,
) -> Tensor<4> {
    let (x, first) = (x.into_dispatch(), first.into_dispatch());
    let (gamma, v_gamma) = (gamma.into_dispatch(), v_gamma.into_dispatch());
    Tensor::from_dispatch(match second {
        Some(second) => {
            let second = second.into_dispatch();
            Dispatch::group_norm_second(x, first, second, gamma, v_gamma, groups)
        }
        None => Dispatch::group_norm_second_of_line(x, first, gamma, v_gamma, groups),
    })
}

/// max(x, 0), with derivative 0 at 0; what is not a number stays so.
pub fn relu(x: Tensor<4>) -> Tensor<4> {
    match has_kernels(&x) {
        true => Tensor::from_dispatch(Dispatch::rectify(x.into_dispatch())),
        false => activation::relu(x),
    }
}

/// 0 where y ≤ 0, else t: a coefficient of [`relu`], with y its value `[batch, …]` and t `[K · batch, …]`.
pub fn gate(y: Tensor<4>, t: Tensor<4>) -> Tensor<4> {
    if has_kernels(&y) {
        return Tensor::from_dispatch(Dispatch::gate(y.into_dispatch(), t.into_dispatch()));
    }
    let directions = t.dims()[0] / y.dims()[0].max(1);
    let off = y.lower_equal_scalar(0.0);
    t.mask_fill(if directions > 1 { off.repeat_dim(0, directions) } else { off }, 0.0)
}

/// a + b, of equal shapes.
pub fn sum<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    match has_kernels(&a) && a.dims() == b.dims() {
        true => Tensor::from_dispatch(Dispatch::sum(a.into_dispatch(), b.into_dispatch())),
        false => a + b,
    }
}
