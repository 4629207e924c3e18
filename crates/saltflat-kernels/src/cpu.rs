//! The kernels on tensors of burn's CPU backend: numbers in, numbers out, in f32 or f64.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::{DType, Shape, TensorData},
};

use crate::{
    Window, correlate,
    group_norm::{self, Groups},
    pointwise, weight_gradient,
    window::Sizes,
};

/// Runs the body with the number type of a tensor, and its slices under the names given, and makes a tensor of this shape of the
/// result.
macro_rules! kernel {
    ([$($x:ident),*] -> $shape:expr, $body:expr) => {{
        let shape: Shape = $shape;
        $(let $x = $x.to_contiguous();)*
        macro_rules! with {
            ($real:ty) => {{
                $(let $x = $x.as_slice::<$real>().expect("contiguous, of one number type");)*
                FlexTensor::from_data(TensorData::new($body, shape))
            }};
        }
        match first_type([$($x.dtype()),*]) {
            DType::F32 => with!(f32),
            _ => with!(f64),
        }
    }};
}

fn first_type<const N: usize>(types: [DType; N]) -> DType {
    types[0]
}

fn sizes(x: &Shape, weight: &Shape, window: Window) -> Sizes {
    Sizes { images: x[0], inputs: x[1], outputs: weight[0], height: x[2], width: x[3], window }
}

pub(crate) fn convolution(x: &FlexTensor, weight: &FlexTensor, window: Window) -> FlexTensor {
    let sizes = sizes(&x.shape(), &weight.shape(), window);
    let [h, w] = sizes.output();
    kernel!([x, weight] -> Shape::new([sizes.images, sizes.outputs, h, w]), correlate::value(x, weight, None, &sizes))
}

pub(crate) fn convolution_with_bias(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: &FlexTensor,
    window: Window,
) -> FlexTensor {
    let sizes = sizes(&x.shape(), &weight.shape(), window);
    let [h, w] = sizes.output();
    let shape = Shape::new([sizes.images, sizes.outputs, h, w]);
    kernel!([x, weight, bias] -> shape, correlate::value(x, weight, Some(bias), &sizes))
}

/// With respect to x, of its shape.
pub(crate) fn input_gradient(x: &Shape, weight: &FlexTensor, delta: &FlexTensor, window: Window) -> FlexTensor {
    let sizes = sizes(x, &weight.shape(), window);
    kernel!([delta, weight] -> x.clone(), correlate::input_gradient(delta, weight, &sizes))
}

/// With respect to the weight, of its shape.
pub(crate) fn weight_gradient(x: &FlexTensor, weight: &Shape, delta: &FlexTensor, window: Window) -> FlexTensor {
    let sizes = sizes(&x.shape(), weight, window);
    kernel!([x, delta] -> weight.clone(), weight_gradient::weight_gradient(x, delta, &sizes))
}

/// With respect to an offset a channel: the sum over images and positions, `[channels]`.
pub(crate) fn offset_gradient(delta: &FlexTensor) -> FlexTensor {
    let sizes = groups(&delta.shape(), 1);
    kernel!([delta] -> Shape::new([sizes.channels]), group_norm::channel_sums(delta, sizes))
}

fn groups(x: &Shape, groups: usize) -> Groups {
    Groups { images: x[0], channels: x[1], groups, positions: x[2] * x[3] }
}

pub(crate) fn group_norm(x: &FlexTensor, gamma: &FlexTensor, beta: &FlexTensor, count: usize) -> FlexTensor {
    let sizes = groups(&x.shape(), count);
    kernel!([x, gamma, beta] -> x.shape(), group_norm::value(x, gamma, beta, sizes))
}

/// Df\[γ δ\], of the shape of δ.
pub(crate) fn group_norm_derivative(
    x: &FlexTensor,
    gamma: &FlexTensor,
    delta: &FlexTensor,
    count: usize,
) -> FlexTensor {
    let sizes = groups(&x.shape(), count);
    kernel!([x, gamma, delta] -> delta.shape(), group_norm::derivative([x, delta], gamma, sizes))
}

/// Σ δ f `[channels]`.
pub(crate) fn group_norm_gamma(x: &FlexTensor, delta: &FlexTensor, count: usize) -> FlexTensor {
    let sizes = groups(&x.shape(), count);
    kernel!([x, delta] -> Shape::new([sizes.channels]), group_norm::gamma_of_value([x, delta], sizes))
}

pub(crate) fn group_norm_first(
    [x, first]: [&FlexTensor; 2],
    gamma: &FlexTensor,
    [v_gamma, v_beta]: [&FlexTensor; 2],
    count: usize,
) -> FlexTensor {
    let sizes = groups(&x.shape(), count);
    kernel!(
        [x, first, gamma, v_gamma, v_beta] -> first.shape(),
        group_norm::first([x, first], gamma, [v_gamma, v_beta], sizes)
    )
}

/// ÿ; ẍ = 0 where it is absent.
pub(crate) fn group_norm_second(
    [x, first]: [&FlexTensor; 2],
    second: Option<&FlexTensor>,
    [gamma, v_gamma]: [&FlexTensor; 2],
    count: usize,
) -> FlexTensor {
    let sizes = groups(&x.shape(), count);
    match second {
        Some(second) => kernel!(
            [x, first, second, gamma, v_gamma] -> first.shape(),
            group_norm::second([x, first], Some(second), gamma, v_gamma, sizes)
        ),
        None => kernel!(
            [x, first, gamma, v_gamma] -> first.shape(),
            group_norm::second([x, first], None, gamma, v_gamma, sizes)
        ),
    }
}

/// Σ over directions of D²f\[ẋ, γ δ\] + Df\[γ̇ δ\], of the shape of x.
pub(crate) fn group_norm_curvature(
    [x, first, delta]: [&FlexTensor; 3],
    [gamma, v_gamma]: [&FlexTensor; 2],
    count: usize,
) -> FlexTensor {
    let shape = x.shape();
    let (sizes, n) = (groups(&shape, count), shape.num_elements());
    kernel!(
        [x, first, delta, gamma, v_gamma] -> shape,
        pointwise::over_directions(group_norm::curvature([x, first, delta], gamma, v_gamma, sizes), n)
    )
}

/// Σ δ Df\[ẋ\] `[channels]`.
pub(crate) fn group_norm_gamma_of_first([x, first, delta]: [&FlexTensor; 3], count: usize) -> FlexTensor {
    let sizes = groups(&x.shape(), count);
    kernel!(
        [x, first, delta] -> Shape::new([sizes.channels]),
        group_norm::gamma_of_first([x, first, delta], sizes)
    )
}

pub(crate) fn rectify(x: &FlexTensor) -> FlexTensor {
    kernel!([x] -> x.shape(), pointwise::relu(x))
}

pub(crate) fn gate(y: &FlexTensor, t: &FlexTensor) -> FlexTensor {
    kernel!([y, t] -> t.shape(), pointwise::gate(y, t))
}

pub(crate) fn sum(a: &FlexTensor, b: &FlexTensor) -> FlexTensor {
    kernel!([a, b] -> a.shape(), pointwise::add(a, b))
}
