//! The kernels with their backward passes, which compute the gradients that are wanted and no others.

use burn::{
    backend::{
        Autodiff, Flex, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        flex::FlexTensor,
        tensor::FloatTensor,
    },
    tensor::Shape,
};

use crate::{Window, backend::Kernels, cpu};

type Tracked<C> = FloatTensor<Autodiff<Flex, C>>;

/// Declares an operation with inputs that may have gradients: what it keeps, and the gradient of each input from the
/// output's δ.
macro_rules! operation {
    ($name:ident, $inputs:literal, $state:ty, |$kept:ident, $delta:ident| [$($gradient:expr),*]) => {
        #[derive(Debug)]
        struct $name;

        impl Backward<Flex, $inputs> for $name {
            type State = $state;

            fn backward(self, ops: Ops<$state, $inputs>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let $delta = gradients.consume::<Flex>(&ops.node);
                let $kept = ops.state;
                let mut parents = ops.parents.into_iter();
                // Only what is wanted is computed.
                $(if let Some(node) = parents.next().flatten() {
                    gradients.register::<Flex>(node.id, $gradient);
                })*
            }
        }
    };
}

operation!(Convolution, 2, (FlexTensor, FlexTensor, Window), |kept, delta| [
    cpu::input_gradient(&kept.0.shape(), &kept.1, &delta, kept.2),
    cpu::weight_gradient(&kept.0, &kept.1.shape(), &delta, kept.2)
]);

operation!(ConvolutionWithBias, 3, (FlexTensor, FlexTensor, Window), |kept, delta| [
    cpu::input_gradient(&kept.0.shape(), &kept.1, &delta, kept.2),
    cpu::weight_gradient(&kept.0, &kept.1.shape(), &delta, kept.2),
    cpu::offset_gradient(&delta)
]);

operation!(GroupNorm, 3, (FlexTensor, FlexTensor, usize), |kept, delta| [
    cpu::group_norm_derivative(&kept.0, &kept.1, &delta, kept.2),
    cpu::group_norm_gamma(&kept.0, &delta, kept.2),
    cpu::offset_gradient(&delta)
]);

operation!(GroupNormFirst, 3, ([FlexTensor; 4], usize), |kept, delta| [
    {
        let [x, first, gamma, v_gamma] = &kept.0;
        cpu::group_norm_curvature([x, first, &delta], [gamma, v_gamma], kept.1)
    },
    cpu::group_norm_derivative(&kept.0[0], &kept.0[2], &delta, kept.1),
    cpu::group_norm_gamma_of_first([&kept.0[0], &kept.0[1], &delta], kept.1)
]);

operation!(Rectify, 1, FlexTensor, |output, delta| [cpu::gate(&output, delta)]);

operation!(Gate, 1, FlexTensor, |output, delta| [cpu::gate(&output, delta)]);

operation!(AddScaled, 2, f64, |factor, delta| [
    delta.clone(),
    if factor == 1.0 { delta.clone() } else { cpu::scaled(&delta, factor) }
]);

operation!(Watched, 2, (), |_kept, delta| [delta.clone(), delta.clone()]);

operation!(Shift, 2, (), |_kept, delta| [delta.clone(), cpu::offset_gradient(&delta)]);

operation!(ShiftFirst, 1, (), |_kept, delta| [delta.clone()]);

operation!(ByDirection, 1, usize, |directions, delta| [cpu::by_image(&delta, directions)]);

operation!(Scale, 2, [FlexTensor; 2], |kept, delta| [
    cpu::scale(&delta, &kept[1]),
    cpu::channel_products(&kept[0], &delta)
]);

operation!(ScaleFirst, 3, (Shape, [FlexTensor; 3]), |kept, delta| [
    cpu::scale_curvature(&kept.0, &kept.1[2], &delta),
    cpu::scale(&delta, &kept.1[1]),
    cpu::channel_products(&kept.1[0], &delta)
]);

operation!(Linear, 2, [FlexTensor; 2], |kept, delta| [
    cpu::product(delta.clone(), kept[1].clone()),
    cpu::transposed_product(delta.clone(), kept[0].clone())
]);

operation!(LinearWithBias, 3, [FlexTensor; 2], |kept, delta| [
    cpu::product(delta.clone(), kept[1].clone()),
    cpu::transposed_product(delta.clone(), kept[0].clone()),
    cpu::over_rows(&delta)
]);

operation!(MeanPool, 1, Shape, |shape, delta| [cpu::mean_pool_backward(&shape, &delta)]);

operation!(AtLargest, 1, (FlexTensor, Shape), |kept, delta| [cpu::at_largest_backward(&kept.0, &kept.1, &delta)]);

impl<C: CheckpointStrategy> Kernels for Autodiff<Flex, C> {
    fn convolution(x: Tracked<C>, weight: Tracked<C>, window: Window) -> Tracked<C> {
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let output = cpu::convolution(&x, &weight, window);
        match Convolution.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((x, weight, window), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn convolution_with_bias(x: Tracked<C>, weight: Tracked<C>, bias: Tracked<C>, window: Window) -> Tracked<C> {
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let (bias, bias_node) = bias.into_parts();
        let output = cpu::convolution_with_bias(&x, &weight, &bias, window);
        match ConvolutionWithBias.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((x, weight, window), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn group_norm(x: Tracked<C>, gamma: Tracked<C>, beta: Tracked<C>, groups: usize) -> Tracked<C> {
        let ((x, x_node), (gamma, gamma_node), (beta, beta_node)) =
            (x.into_parts(), gamma.into_parts(), beta.into_parts());
        let output = cpu::group_norm(&x, &gamma, &beta, groups);
        match GroupNorm.prepare::<C>([x_node, gamma_node, beta_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((x, gamma, groups), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn group_norm_first(
        x: Tracked<C>,
        first: Tracked<C>,
        gamma: Tracked<C>,
        v_gamma: Tracked<C>,
        v_beta: Tracked<C>,
        groups: usize,
    ) -> Tracked<C> {
        let ((x, x_node), (first, first_node), (gamma, gamma_node)) =
            (x.into_parts(), first.into_parts(), gamma.into_parts());
        let (v_gamma, v_beta) = (v_gamma.into_primitive(), v_beta.into_primitive());
        let output = cpu::group_norm_first([&x, &first], &gamma, [&v_gamma, &v_beta], groups);
        match GroupNormFirst.prepare::<C>([x_node, first_node, gamma_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(([x, first, gamma, v_gamma], groups), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn rectify(x: Tracked<C>) -> Tracked<C> {
        let (x, node) = x.into_parts();
        let output = cpu::rectify(x);
        match Rectify.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(output.clone(), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn gate(y: Tracked<C>, t: Tracked<C>) -> Tracked<C> {
        let (y, (t, node)) = (y.into_primitive(), t.into_parts());
        let output = cpu::gate(&y, t);
        match Gate.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(y, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn add_scaled(a: Tracked<C>, factor: f64, b: Tracked<C>) -> Tracked<C> {
        let ((a, a_node), (b, b_node)) = (a.into_parts(), b.into_parts());
        let output = cpu::add_scaled(a, factor, &b);
        match AddScaled.prepare::<C>([a_node, b_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(factor, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn watched(x: Tracked<C>, leaf: Tracked<C>) -> Tracked<C> {
        let ((x, node), (_, leaf)) = (x.into_parts(), leaf.into_parts());
        Watched.prepare::<C>([node, leaf]).compute_bound().stateless(x)
    }

    fn shift(x: Tracked<C>, beta: Tracked<C>) -> Tracked<C> {
        let ((x, x_node), (beta, beta_node)) = (x.into_parts(), beta.into_parts());
        let images = x.shape()[0];
        let output = cpu::shift(x, &beta, images);
        Shift.prepare::<C>([x_node, beta_node]).compute_bound().stateless(output)
    }

    fn shift_first(first: Tracked<C>, v_beta: Tracked<C>, images: usize) -> Tracked<C> {
        let (first, node) = first.into_parts();
        let output = cpu::shift(first, &v_beta.into_primitive(), images);
        ShiftFirst.prepare::<C>([node]).compute_bound().stateless(output)
    }

    fn by_direction(x: Tracked<C>, directions: usize) -> Tracked<C> {
        let (x, node) = x.into_parts();
        let output = cpu::by_direction(&x, directions);
        match ByDirection.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(directions, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn scale(x: Tracked<C>, gamma: Tracked<C>) -> Tracked<C> {
        let ((x, x_node), (gamma, gamma_node)) = (x.into_parts(), gamma.into_parts());
        let output = cpu::scale(&x, &gamma);
        match Scale.prepare::<C>([x_node, gamma_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish([x, gamma], output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn scale_first(x: Tracked<C>, first: Tracked<C>, gamma: Tracked<C>, v_gamma: Tracked<C>) -> Tracked<C> {
        let ((x, x_node), (first, first_node), (gamma, gamma_node)) =
            (x.into_parts(), first.into_parts(), gamma.into_parts());
        let (shape, v_gamma) = (x.shape(), v_gamma.into_primitive());
        let output = cpu::scale_first([&x, &first], [&gamma, &v_gamma], shape[0]);
        match ScaleFirst.prepare::<C>([x_node, first_node, gamma_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((shape, [first, gamma, v_gamma]), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn linear(x: Tracked<C>, weight: Tracked<C>) -> Tracked<C> {
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let output = cpu::linear(&x, &weight, None);
        match Linear.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish([x, weight], output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn linear_with_bias(x: Tracked<C>, weight: Tracked<C>, bias: Tracked<C>) -> Tracked<C> {
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let (bias, bias_node) = bias.into_parts();
        let output = cpu::linear(&x, &weight, Some(&bias));
        match LinearWithBias.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish([x, weight], output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn mean_pool(x: Tracked<C>) -> Tracked<C> {
        let (x, node) = x.into_parts();
        let output = cpu::mean_pool(&x);
        match MeanPool.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(x.shape(), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn at_largest(x: Tracked<C>, t: Tracked<C>) -> Tracked<C> {
        let (x, (t, node)) = (x.into_primitive(), t.into_parts());
        let output = cpu::at_largest(&x, &t);
        match AtLargest.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((x, t.shape()), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}
