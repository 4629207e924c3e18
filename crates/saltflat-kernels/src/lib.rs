//! Convolution, group normalisation and what stands between them on CPU cores: faster than burn's own kernels there, equal to
//! them up to rounding, and equal bits for any number of threads.
//!
//! The kernels take tensors of burn's CPU backend in f32 and f64 and have backward passes of their own, which compute the
//! gradients that are wanted and no others. For all other tensors the functions are burn's own operations, but for those of
//! group normalisation and [`sample_gradients`]: their callers look at [`has_kernels`] and have another way.
//!
//! `SALTFLAT_KERNELS=burn` switches the kernels off, for comparisons.

mod abreast;
mod backend;
mod backward;
mod blocked;
mod buffer;
mod channels;
mod convolution;
mod cpu;
mod flat;
mod gram;
mod group_norm;
mod pointwise;
mod pool;
mod positions;
mod product;
mod samples;
mod simd;
mod stride;
mod tasks;
mod threads;
mod tile;
mod window;
mod winograd;

use std::sync::LazyLock;

use burn::{
    backend::{Dispatch, DispatchDevice},
    tensor::{
        DType, Tensor, activation, module,
        ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions},
    },
};

use crate::backend::{Kernels, UntrackedKernels};
pub use crate::samples::{gram, patch_products, row_products, row_sums, sample_gradients};
pub(crate) use crate::simd::Real;
pub use crate::threads::{compute_here, start_threads, thread_count, with_threads};
pub use crate::window::Window;

/// The environment variable that chooses the kernels: `own`, the default, or `burn`.
pub const SWITCH: &str = "SALTFLAT_KERNELS";

static SWITCHED_OFF: LazyLock<bool> = LazyLock::new(|| std::env::var(SWITCH).is_ok_and(|kernels| kernels == "burn"));

/// Whether [`SWITCH`] has a value that it may have.
///
/// # Errors
/// What is wrong with it.
pub fn check_switch() -> Result<(), String> {
    match std::env::var(SWITCH).as_deref() {
        Ok("own" | "burn") | Err(std::env::VarError::NotPresent) => Ok(()),
        Ok(other) => Err(format!("expected own or burn, got {other}")),
        Err(e) => Err(e.to_string()),
    }
}

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

/// x Wᵀ + b `[n, outputs]` of x `[n, inputs]`, W `[outputs, inputs]` and, where there is one, b `[outputs]`: PyTorch's `linear`.
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    if !has_kernels(&x) {
        return module::linear(x, weight.transpose(), bias);
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::linear_with_bias(x, weight, bias.into_dispatch()),
        None => Dispatch::linear(x, weight),
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
    add_scaled(a, 1.0, b)
}

/// a + factor · b, of equal shapes.
pub fn add_scaled<const D: usize>(a: Tensor<D>, factor: f64, b: Tensor<D>) -> Tensor<D> {
    if has_kernels(&a) && a.dims() == b.dims() {
        return Tensor::from_dispatch(Dispatch::add_scaled(a.into_dispatch(), factor, b.into_dispatch()));
    }
    if factor == 1.0 { a + b } else { a + b.mul_scalar(factor) }
}

/// A step of gradient descent with momentum, \[θ − η u', u'\] with u' = β u + g, from θ, u and g of equal shapes.
pub fn descend<const D: usize>([theta, velocity, gradient]: [Tensor<D>; 3], momentum: f64, lr: f64) -> [Tensor<D>; 2] {
    let fits = theta.dims() == gradient.dims() && velocity.dims() == gradient.dims();
    if has_kernels(&theta) && fits && ![&theta, &velocity, &gradient].iter().any(|t| t.is_autodiff()) {
        let (theta, velocity, gradient) = (theta.into_dispatch(), velocity.into_dispatch(), gradient.into_dispatch());
        let (theta, velocity) = Dispatch::descend(theta, velocity, gradient, momentum, lr);
        return [theta, velocity].map(Tensor::from_dispatch);
    }
    let velocity = add_scaled(gradient, momentum, velocity);
    [add_scaled(theta, -lr, velocity.clone()), velocity]
}

/// x + leaf with a leaf that is 0, of equal shapes, so that the cotangent at x is the gradient of the leaf.
pub fn watched(x: Tensor<4>, leaf: Tensor<4>) -> Tensor<4> {
    match has_kernels(&x) {
        // Nothing is added.
        true => Tensor::from_dispatch(Dispatch::watched(x.into_dispatch(), leaf.into_dispatch())),
        false => x + leaf,
    }
}

/// Σ a b `[1]`, of equal shapes.
pub fn inner<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<1> {
    match has_kernels(&a) && a.dims() == b.dims() && !a.is_autodiff() && !b.is_autodiff() {
        true => Tensor::from_dispatch(Dispatch::inner(a.into_dispatch(), b.into_dispatch())),
        false => (a * b).sum(),
    }
}

/// x + β of x `[batch, channels, h, w]` and β `[channels]`.
pub fn shift(x: Tensor<4>, beta: Tensor<1>) -> Tensor<4> {
    match has_kernels(&x) {
        true => Tensor::from_dispatch(Dispatch::shift(x.into_dispatch(), beta.into_dispatch())),
        false => x + of_channels(beta),
    }
}

/// The first coefficient of [`shift`] along K directions, ẋ + β̇, from ẋ `[K · batch, channels, h, w]` and β̇ `[K · channels]`,
/// which is a constant to the backward pass; of a batch of `n`.
pub fn shift_first(first: Tensor<4>, v_beta: Tensor<1>, n: usize) -> Tensor<4> {
    if has_kernels(&first) {
        return Tensor::from_dispatch(Dispatch::shift_first(first.into_dispatch(), v_beta.into_dispatch(), n));
    }
    let [rows, channels, _, _] = first.dims();
    first + of_directions(v_beta, rows, n, channels)
}

/// What each of K directions gives in channels of its own, `[batch, K · channels, h, w]`, one direction after the other:
/// `[K · batch, channels, h, w]`.
pub fn by_direction(x: Tensor<4>, directions: usize) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    match has_kernels(&x) {
        _ if directions == 1 => x,
        true => Tensor::from_dispatch(Dispatch::by_direction(x.into_dispatch(), directions)),
        false => {
            let of_direction = c / directions * h * w;
            x.reshape([n, directions, of_direction]).swap_dims(0, 1).reshape([directions * n, c / directions, h, w])
        }
    }
}

/// γ x of x `[batch, channels, h, w]` and γ `[channels]`.
pub fn scale(x: Tensor<4>, gamma: Tensor<1>) -> Tensor<4> {
    match has_kernels(&x) {
        true => Tensor::from_dispatch(Dispatch::scale(x.into_dispatch(), gamma.into_dispatch())),
        false => x * of_channels(gamma),
    }
}

/// The first coefficient of [`scale`] along K directions, γ ẋ + γ̇ x, from ẋ `[K · batch, channels, h, w]` and γ̇
/// `[K · channels]`, which is a constant to the backward pass.
pub fn scale_first([x, first]: [Tensor<4>; 2], [gamma, v_gamma]: [Tensor<1>; 2]) -> Tensor<4> {
    if has_kernels(&x) {
        let (x, first) = (x.into_dispatch(), first.into_dispatch());
        return Tensor::from_dispatch(Dispatch::scale_first(x, first, gamma.into_dispatch(), v_gamma.into_dispatch()));
    }
    let (rows, n) = (first.dims()[0], x.dims()[0]);
    let x = if rows > n { x.repeat_dim(0, rows / n) } else { x };
    let velocity = of_directions(v_gamma, rows, n, gamma.dims()[0]);
    first * of_channels(gamma) + x * velocity
}

/// The second coefficient of [`scale`], γ ẍ + 2 γ̇ ẋ, of a batch of `n`.
pub fn scale_second(
    first: Tensor<4>,
    second: Option<Tensor<4>>,
    [gamma, v_gamma]: [Tensor<1>; 2],
    n: usize,
) -> Tensor<4> {
    let doubled = v_gamma.mul_scalar(2.0);
    if has_kernels(&first) && !first.is_autodiff() {
        let second = second.unwrap_or_else(|| first.zeros_like());
        let (first, second, gamma) = (first.into_dispatch(), second.into_dispatch(), gamma.into_dispatch());
        return Tensor::from_dispatch(Dispatch::scale_directed(first, second, gamma, doubled.into_dispatch(), n));
    }
    let curved = first.clone() * of_directions(doubled, first.dims()[0], n, gamma.dims()[0]);
    match second {
        Some(second) => second * of_channels(gamma) + curved,
        None => curved,
    }
}

fn of_channels(numbers: Tensor<1>) -> Tensor<4> {
    let [channels] = numbers.dims();
    numbers.reshape([1, channels, 1, 1])
}

/// Repeats what belongs to directions, `[directions · channels]`, for every one of n samples: `[rows, channels, 1, 1]`.
fn of_directions(numbers: Tensor<1>, rows: usize, n: usize, channels: usize) -> Tensor<4> {
    let directions = rows / n.max(1);
    numbers.reshape([directions, 1, channels]).expand([directions, n, channels]).reshape([rows, channels, 1, 1])
}

/// The mean of each window of 2 × 2; an odd last row or column is dropped.
pub fn mean_pool(x: Tensor<4>) -> Tensor<4> {
    match has_kernels(&x) && windows(&x) {
        true => Tensor::from_dispatch(Dispatch::mean_pool(x.into_dispatch())),
        false => module::avg_pool2d(x, AvgPoolOptions::new([2, 2]).with_stride([2, 2])),
    }
}

/// The largest of each window of 2 × 2, the first of equals; an odd last row or column is dropped. With it, of every t
/// `[K · batch, channels, h, w]` in `coefficients`, its entries in the same places.
pub fn max_pool<const N: usize>(
    x: Tensor<4>,
    coefficients: [Option<Tensor<4>>; N],
) -> (Tensor<4>, [Option<Tensor<4>>; N]) {
    if has_kernels(&x) && windows(&x) {
        let plain = x.clone().without_autodiff();
        let plain = if x.is_autodiff() { plain.autodiff() } else { plain };
        let pick = |t: Tensor<4>| {
            Tensor::from_dispatch(Dispatch::at_largest(plain.clone().into_dispatch(), t.into_dispatch()))
        };
        return (pick(x), coefficients.map(|t| t.map(pick)));
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

/// True where an image has a whole window.
fn windows(x: &Tensor<4>) -> bool {
    let [_, _, height, width] = x.dims();
    height >= 2 && width >= 2
}
