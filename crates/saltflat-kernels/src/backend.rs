//! The kernels as operations of burn's CPU backend.

use burn::backend::{Backend, Flex, TensorMetadata, backend_extension, flex::FlexTensor, tensor::FloatTensor};

use crate::{Window, cpu};

/// Operations with kernels of our own; shapes and formulas are those of the functions in this crate's root.
#[backend_extension(Flex, Autodiff)]
pub trait Kernels: Backend {
    /// W ∗ x.
    fn convolution(x: FloatTensor<Self>, weight: FloatTensor<Self>, window: Window) -> FloatTensor<Self>;

    /// W ∗ x + b.
    fn convolution_with_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        window: Window,
    ) -> FloatTensor<Self>;

    /// γ f(x) + β.
    fn group_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        groups: usize,
    ) -> FloatTensor<Self>;

    /// γ Df\[ẋ\] + γ̇ f + β̇; the velocities are constants.
    fn group_norm_first(
        x: FloatTensor<Self>,
        first: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        v_gamma: FloatTensor<Self>,
        v_beta: FloatTensor<Self>,
        groups: usize,
    ) -> FloatTensor<Self>;

    /// max(x, 0).
    fn rectify(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// 0 where y ≤ 0, else t; no gradient with respect to y.
    fn gate(y: FloatTensor<Self>, t: FloatTensor<Self>) -> FloatTensor<Self>;

    /// a + factor · b, of equal shapes.
    fn add_scaled(a: FloatTensor<Self>, factor: f64, b: FloatTensor<Self>) -> FloatTensor<Self>;

    /// x; its cotangent is that of the leaf, too.
    fn watched(x: FloatTensor<Self>, leaf: FloatTensor<Self>) -> FloatTensor<Self>;

    /// x + β, a number a channel.
    fn shift(x: FloatTensor<Self>, beta: FloatTensor<Self>) -> FloatTensor<Self>;

    /// x + β̇ of all directions; the velocity is a constant.
    fn shift_first(first: FloatTensor<Self>, v_beta: FloatTensor<Self>, images: usize) -> FloatTensor<Self>;

    /// `[images, directions · channels, …]` → `[directions · images, channels, …]`.
    fn by_direction(x: FloatTensor<Self>, directions: usize) -> FloatTensor<Self>;

    /// γ x, a number a channel.
    fn scale(x: FloatTensor<Self>, gamma: FloatTensor<Self>) -> FloatTensor<Self>;

    /// γ ẋ + γ̇ x; the velocity is a constant.
    fn scale_first(
        x: FloatTensor<Self>,
        first: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        v_gamma: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// x Wᵀ.
    fn linear(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// x Wᵀ + b.
    fn linear_with_bias(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The mean of each window of 2 × 2.
    fn mean_pool(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Of each window of 2 × 2 of t its entry where x is largest; no gradient with respect to x.
    fn at_largest(x: FloatTensor<Self>, t: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Operations without a backward pass.
#[backend_extension(Flex)]
pub trait UntrackedKernels: Backend {
    /// γ (D²f\[ẋ, ẋ\] + Df\[ẍ\]) + 2 γ̇ Df\[ẋ\].
    fn group_norm_second(
        x: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        v_gamma: FloatTensor<Self>,
        groups: usize,
    ) -> FloatTensor<Self>;

    /// γ a + γ̇ b, all of `[directions · images, …]`, with γ̇ of each direction.
    fn scale_directed(
        b: FloatTensor<Self>,
        a: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        v_gamma: FloatTensor<Self>,
        images: usize,
    ) -> FloatTensor<Self>;

    /// The gradient of each sample with respect to the weight of a convolution.
    fn sample_gradients(x: FloatTensor<Self>, delta: FloatTensor<Self>, window: Window) -> FloatTensor<Self>;

    /// x xᵀ.
    fn gram(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Σ a b of each row.
    fn row_products(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Σ x of each row.
    fn row_sums(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Inner products of sample gradients from those at pairs of pixels and of positions.
    fn patch_products(
        pixels: FloatTensor<Self>,
        cotangents: FloatTensor<Self>,
        window: Window,
        image: [usize; 2],
    ) -> FloatTensor<Self>;

    /// (θ − η u', u') with u' = β u + g.
    fn descend(
        theta: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        momentum: f64,
        lr: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Σ a b `[1]`.
    fn inner(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The same where ẍ = 0.
    fn group_norm_second_of_line(
        x: FloatTensor<Self>,
        first: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        v_gamma: FloatTensor<Self>,
        groups: usize,
    ) -> FloatTensor<Self>;
}

impl UntrackedKernels for Flex {
    fn group_norm_second(
        x: FlexTensor,
        first: FlexTensor,
        second: FlexTensor,
        gamma: FlexTensor,
        v_gamma: FlexTensor,
        groups: usize,
    ) -> FlexTensor {
        cpu::group_norm_second([&x, &first], Some(&second), [&gamma, &v_gamma], groups)
    }

    fn scale_directed(
        b: FlexTensor,
        a: FlexTensor,
        gamma: FlexTensor,
        v_gamma: FlexTensor,
        images: usize,
    ) -> FlexTensor {
        cpu::scale_first([&b, &a], [&gamma, &v_gamma], images)
    }

    fn sample_gradients(x: FlexTensor, delta: FlexTensor, window: Window) -> FlexTensor {
        cpu::sample_gradients(&x, &delta, window)
    }

    fn gram(x: FlexTensor) -> FlexTensor {
        cpu::gram(&x)
    }

    fn row_products(a: FlexTensor, b: FlexTensor) -> FlexTensor {
        cpu::row_products(&a, &b)
    }

    fn row_sums(x: FlexTensor) -> FlexTensor {
        cpu::row_sums(&x)
    }

    fn patch_products(pixels: FlexTensor, cotangents: FlexTensor, window: Window, image: [usize; 2]) -> FlexTensor {
        cpu::patch_products(&pixels, &cotangents, window, image)
    }

    fn descend(
        theta: FlexTensor,
        velocity: FlexTensor,
        gradient: FlexTensor,
        momentum: f64,
        lr: f64,
    ) -> (FlexTensor, FlexTensor) {
        cpu::descend(theta, velocity, &gradient, momentum, lr)
    }

    fn inner(a: FlexTensor, b: FlexTensor) -> FlexTensor {
        cpu::inner(&a, &b)
    }

    fn group_norm_second_of_line(
        x: FlexTensor,
        first: FlexTensor,
        gamma: FlexTensor,
        v_gamma: FlexTensor,
        groups: usize,
    ) -> FlexTensor {
        cpu::group_norm_second([&x, &first], None, [&gamma, &v_gamma], groups)
    }
}

impl Kernels for Flex {
    fn convolution(x: FlexTensor, weight: FlexTensor, window: Window) -> FlexTensor {
        cpu::convolution(&x, &weight, window)
    }

    fn convolution_with_bias(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, window: Window) -> FlexTensor {
        cpu::convolution_with_bias(&x, &weight, &bias, window)
    }

    fn group_norm(x: FlexTensor, gamma: FlexTensor, beta: FlexTensor, groups: usize) -> FlexTensor {
        cpu::group_norm(&x, &gamma, &beta, groups)
    }

    fn group_norm_first(
        x: FlexTensor,
        first: FlexTensor,
        gamma: FlexTensor,
        v_gamma: FlexTensor,
        v_beta: FlexTensor,
        groups: usize,
    ) -> FlexTensor {
        cpu::group_norm_first([&x, &first], &gamma, [&v_gamma, &v_beta], groups)
    }

    fn rectify(x: FlexTensor) -> FlexTensor {
        cpu::rectify(x)
    }

    fn gate(y: FlexTensor, t: FlexTensor) -> FlexTensor {
        cpu::gate(&y, t)
    }

    fn add_scaled(a: FlexTensor, factor: f64, b: FlexTensor) -> FlexTensor {
        cpu::add_scaled(a, factor, &b)
    }

    fn watched(x: FlexTensor, _leaf: FlexTensor) -> FlexTensor {
        x
    }

    fn shift(x: FlexTensor, beta: FlexTensor) -> FlexTensor {
        let images = x.shape()[0];
        cpu::shift(x, &beta, images)
    }

    fn shift_first(first: FlexTensor, v_beta: FlexTensor, images: usize) -> FlexTensor {
        cpu::shift(first, &v_beta, images)
    }

    fn by_direction(x: FlexTensor, directions: usize) -> FlexTensor {
        cpu::by_direction(&x, directions)
    }

    fn scale(x: FlexTensor, gamma: FlexTensor) -> FlexTensor {
        cpu::scale(&x, &gamma)
    }

    fn scale_first(x: FlexTensor, first: FlexTensor, gamma: FlexTensor, v_gamma: FlexTensor) -> FlexTensor {
        let images = x.shape()[0];
        cpu::scale_first([&x, &first], [&gamma, &v_gamma], images)
    }

    fn linear(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
        cpu::linear(&x, &weight, None)
    }

    fn linear_with_bias(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        cpu::linear(&x, &weight, Some(&bias))
    }

    fn mean_pool(x: FlexTensor) -> FlexTensor {
        cpu::mean_pool(&x)
    }

    fn at_largest(x: FlexTensor, t: FlexTensor) -> FlexTensor {
        cpu::at_largest(&x, &t)
    }
}
