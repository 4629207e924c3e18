//! The kernels on tensors of burn's CPU backend: numbers in, numbers out, in f32 or f64.

use burn::{
    backend::{Flex, TensorMetadata, flex::FlexTensor, ops::FloatTensorOps},
    tensor::{DType, Shape, TensorData},
};

use crate::{
    Window,
    channels::{self, Channels},
    convolution as convolutions, gram as inner_products,
    group_norm::{self, Groups},
    pointwise,
    pool::{self, Planes},
    positions::{self, Positions},
    product::{self as matrices, Left, pays, product_of_rows},
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
                #[allow(dead_code)]
                type Number = $real;
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
    kernel!([x, weight] -> Shape::new([sizes.images, sizes.outputs, h, w]), convolutions::value(x, weight, None, &sizes))
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
    kernel!([x, weight, bias] -> shape, convolutions::value(x, weight, Some(bias), &sizes))
}

/// With respect to x, of its shape.
pub(crate) fn input_gradient(x: &Shape, weight: &FlexTensor, delta: &FlexTensor, window: Window) -> FlexTensor {
    let sizes = sizes(x, &weight.shape(), window);
    kernel!([delta, weight] -> x.clone(), convolutions::input_gradient(delta, weight, &sizes))
}

/// With respect to the weight, of its shape.
pub(crate) fn weight_gradient(x: &FlexTensor, weight: &Shape, delta: &FlexTensor, window: Window) -> FlexTensor {
    let sizes = sizes(&x.shape(), weight, window);
    kernel!([x, delta] -> weight.clone(), convolutions::weight_gradient(x, delta, &sizes))
}

/// With respect to the weight, of each sample by itself, `[images, outputs · inputs · kernel²]`.
pub(crate) fn sample_gradients(x: &FlexTensor, delta: &FlexTensor, window: Window) -> FlexTensor {
    let weight = Shape::new([delta.shape()[1], x.shape()[1], window.kernel, window.kernel]);
    let sizes = sizes(&x.shape(), &weight, window);
    let shape = Shape::new([sizes.images, weight.num_elements()]);
    kernel!([x, delta] -> shape, convolutions::sample_gradients(x, delta, &sizes))
}

/// With respect to an offset a channel: the sum over images and positions, `[channels]`.
pub(crate) fn offset_gradient(delta: &FlexTensor) -> FlexTensor {
    let sizes = channels(&delta.shape());
    kernel!([delta] -> Shape::new([sizes.channels]), channels::sums(delta, sizes))
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

/// The tensor with numbers that may be written: its own where nobody else has them, else a copy.
fn writable(x: FlexTensor) -> FlexTensor {
    let whole = |x: &FlexTensor| x.is_contiguous() && x.bytes().len() == x.shape().num_elements() * x.dtype().size();
    match x.is_unique() && whole(&x) {
        true => x,
        false => {
            let x = x.to_contiguous();
            let (shape, dtype) = (x.shape(), x.dtype());
            match (x.as_slice::<f32>(), x.as_slice::<f64>()) {
                (Some(values), _) => FlexTensor::from_data(TensorData::new(values.to_vec(), shape)),
                (_, Some(values)) => FlexTensor::from_data(TensorData::new(values.to_vec(), shape)),
                _ => unreachable!("{dtype:?} has no kernels"),
            }
        }
    }
}

/// Runs the body on the numbers of a tensor, in place where nobody else has them, and the slices of others.
macro_rules! in_place {
    ($y:ident, [$($x:ident),*], $body:expr) => {{
        $(let $x = $x.to_contiguous();)*
        let mut tensor = writable($y);
        macro_rules! with {
            ($real:ty) => {{
                $(let $x = $x.as_slice::<$real>().expect("contiguous, of one number type");)*
                let $y = tensor.storage_mut::<$real>();
                $body
            }};
        }
        match tensor.dtype() {
            DType::F32 => with!(f32),
            _ => with!(f64),
        }
        tensor
    }};
}

pub(crate) fn rectify(x: FlexTensor) -> FlexTensor {
    in_place!(x, [], pointwise::relu(x))
}

pub(crate) fn gate(y: &FlexTensor, t: FlexTensor) -> FlexTensor {
    in_place!(t, [y], pointwise::gate(t, y))
}

/// a + factor · b.
pub(crate) fn add_scaled(a: FlexTensor, factor: f64, b: &FlexTensor) -> FlexTensor {
    match a.is_unique() {
        true => in_place!(a, [b], pointwise::add_scaled(a, factor, b)),
        false => kernel!([a, b] -> a.shape(), pointwise::sum_scaled(a, factor, b)),
    }
}

/// (θ − η u', u') with u' = β u + g, each in its memory where nobody else has it.
pub(crate) fn descend(
    theta: FlexTensor,
    velocity: FlexTensor,
    gradient: &FlexTensor,
    momentum: f64,
    lr: f64,
) -> (FlexTensor, FlexTensor) {
    let (mut velocity, gradient) = (writable(velocity), gradient.to_contiguous());
    let theta = in_place!(theta, [gradient], pointwise::descend(theta, velocity.storage_mut(), gradient, momentum, lr));
    (theta, velocity)
}

/// factor · x.
pub(crate) fn scaled(x: &FlexTensor, factor: f64) -> FlexTensor {
    kernel!([x] -> x.shape(), x.iter().map(|x| x * factor as Number).collect::<Vec<_>>())
}

/// x Wᵀ + b `[n, outputs]` from x `[n, inputs]`, W `[outputs, inputs]` and, where there is one, b `[outputs]`.
pub(crate) fn linear(x: &FlexTensor, weight: &FlexTensor, bias: Option<&FlexTensor>) -> FlexTensor {
    let ([n, inputs], outputs) = (x.shape().dims(), weight.shape()[0]);
    let sizes = [n, inputs, outputs];
    let product = match pays(sizes) {
        true => kernel!([x, weight] -> Shape::new([n, outputs]), product_of_rows(x, weight, sizes)),
        false => Flex::float_matmul(x.clone(), Flex::float_transpose(weight.clone())),
    };
    match bias {
        Some(bias) => in_place!(product, [bias], pointwise::add_scaled(product, 1.0, bias)),
        None => product,
    }
}

/// a b.
pub(crate) fn product(a: FlexTensor, b: FlexTensor) -> FlexTensor {
    let ([m, k], n) = (a.shape().dims(), b.shape()[1]);
    match pays([m, k, n]) {
        true => kernel!([a, b] -> Shape::new([m, n]), matrices::product(a, Left::Rows, b, [m, k, n])),
        false => Flex::float_matmul(a, b),
    }
}

/// aᵀ b.
pub(crate) fn transposed_product(a: FlexTensor, b: FlexTensor) -> FlexTensor {
    let ([k, m], n) = (a.shape().dims(), b.shape()[1]);
    match pays([m, k, n]) {
        true => kernel!([a, b] -> Shape::new([m, n]), matrices::product(a, Left::Columns, b, [m, k, n])),
        false => Flex::float_matmul(Flex::float_transpose(a), b),
    }
}

/// Σ over the rows of x `[rows, n]`: `[n]`.
pub(crate) fn over_rows(x: &FlexTensor) -> FlexTensor {
    let n = x.shape()[1];
    kernel!([x] -> Shape::new([n]), pointwise::over_rows(x, n))
}

/// x xᵀ.
pub(crate) fn gram(x: &FlexTensor) -> FlexTensor {
    let rows = x.shape()[0];
    kernel!([x] -> Shape::new([rows, rows]), inner_products::products(x, rows))
}

/// Σ a b of each row, `[rows]`.
pub(crate) fn row_products(a: &FlexTensor, b: &FlexTensor) -> FlexTensor {
    let rows = a.shape()[0];
    kernel!([a, b] -> Shape::new([rows]), pointwise::row_products(a, b, rows))
}

/// Σ x of each row, `[rows]`.
pub(crate) fn row_sums(x: &FlexTensor) -> FlexTensor {
    let rows = x.shape()[0];
    kernel!([x] -> Shape::new([rows]), pointwise::row_sums(x, rows))
}

/// `[samples, columns]` of the cotangents, from the inner products of pixels and of cotangents at positions.
pub(crate) fn patch_products(
    pixels: &FlexTensor,
    cotangents: &FlexTensor,
    window: Window,
    [height, width]: [usize; 2],
) -> FlexTensor {
    let sizes = Positions { height, width, window };
    let of = [cotangents.shape()[0] / sizes.outputs(), cotangents.shape()[1] / sizes.outputs()];
    kernel!([pixels, cotangents] -> Shape::new(of), positions::products([pixels, cotangents], of, sizes))
}

/// Σ a b `[1]`.
pub(crate) fn inner(a: &FlexTensor, b: &FlexTensor) -> FlexTensor {
    kernel!([a, b] -> Shape::new([1]), vec![pointwise::inner(a, b)])
}

fn channels(x: &Shape) -> Channels {
    Channels { images: x[0], channels: x[1], positions: x[2] * x[3] }
}

/// x + β, with β `[channels]`, or `[directions · channels]` for x of all directions of this many images.
pub(crate) fn shift(x: FlexTensor, beta: &FlexTensor, images: usize) -> FlexTensor {
    let sizes = Channels { images, ..channels(&x.shape()) };
    in_place!(x, [beta], channels::shift(x, beta, sizes))
}

/// `[images, directions · channels, …]` → `[directions · images, channels, …]`.
pub(crate) fn by_direction(x: &FlexTensor, directions: usize) -> FlexTensor {
    let [n, c, h, w] = x.shape().dims();
    let shape = Shape::new([directions * n, c / directions, h, w]);
    kernel!([x] -> shape, pointwise::exchange(x, n, directions))
}

/// The inverse of [`by_direction`].
pub(crate) fn by_image(x: &FlexTensor, directions: usize) -> FlexTensor {
    let [n, c, h, w] = x.shape().dims();
    let shape = Shape::new([n / directions, directions * c, h, w]);
    kernel!([x] -> shape, pointwise::exchange(x, directions, n / directions))
}

/// γ x, also of what belongs to directions.
pub(crate) fn scale(x: &FlexTensor, gamma: &FlexTensor) -> FlexTensor {
    let sizes = channels(&x.shape());
    kernel!([x, gamma] -> x.shape(), channels::scale(x, gamma, sizes))
}

/// γ ẋ + γ̇ x, with x of the images or of all directions.
pub(crate) fn scale_first(
    [x, first]: [&FlexTensor; 2],
    [gamma, v_gamma]: [&FlexTensor; 2],
    images: usize,
) -> FlexTensor {
    let sizes = Channels { images, ..channels(&first.shape()) };
    kernel!([x, first, gamma, v_gamma] -> first.shape(), channels::scale_first([x, first], gamma, v_gamma, sizes))
}

/// Σ over directions of γ̇ δ, of the shape of x.
pub(crate) fn scale_curvature(x: &Shape, v_gamma: &FlexTensor, delta: &FlexTensor) -> FlexTensor {
    let (sizes, n) = (channels(x), x.num_elements());
    kernel!(
        [delta, v_gamma] -> x.clone(),
        pointwise::over_directions(channels::scale_by_velocity(delta, v_gamma, sizes), n)
    )
}

/// Σ a b over images and positions, `[channels]`.
pub(crate) fn channel_products(a: &FlexTensor, b: &FlexTensor) -> FlexTensor {
    let sizes = channels(&a.shape());
    kernel!([a, b] -> Shape::new([sizes.channels]), channels::products([a, b], sizes))
}

fn planes(x: &Shape) -> Planes {
    Planes { height: x[2], width: x[3] }
}

fn pooled(x: &Shape) -> Shape {
    let [h, w] = planes(x).pooled();
    Shape::new([x[0], x[1], h, w])
}

pub(crate) fn mean_pool(x: &FlexTensor) -> FlexTensor {
    let planes = planes(&x.shape());
    kernel!([x] -> pooled(&x.shape()), pool::mean(x, planes))
}

/// With respect to the input, of its shape.
pub(crate) fn mean_pool_backward(x: &Shape, delta: &FlexTensor) -> FlexTensor {
    let planes = planes(x);
    kernel!([delta] -> x.clone(), pool::mean_backward(delta, planes))
}

pub(crate) fn at_largest(x: &FlexTensor, t: &FlexTensor) -> FlexTensor {
    let planes = planes(&x.shape());
    kernel!([x, t] -> pooled(&t.shape()), pool::at_largest(x, t, planes))
}

/// With respect to t, of its shape.
pub(crate) fn at_largest_backward(x: &FlexTensor, t: &Shape, delta: &FlexTensor) -> FlexTensor {
    let planes = planes(&x.shape());
    kernel!([x, delta] -> t.clone(), pool::at_largest_backward(x, delta, planes))
}
