//! Operations with kernels of this crate, and with backward passes of their own.

use std::fmt::{Debug, Formatter};

use burn::{
    backend::{
        Autodiff, AutodiffBackend, Backend, DispatchAutodiffContext, DispatchKindConversion, DispatchTensor, Flex,
        GradientCheckpointingStrategy,
        autodiff::{
            checkpoint::{
                base::Checkpointer,
                strategy::{BalancedCheckpointing, CheckpointStrategy, NoCheckpointing},
            },
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        flex::FlexTensor,
        tensor::FloatTensor,
    },
    tensor::Tensor,
};

/// The output of an operation on tensors of the CPU backend, part of the autodiff graph if one of them is.
///
/// `forward` gives the output and the backward pass, as JAX's `vjp`: a function from the gradient δ of the output to those of the inputs,
/// which keeps what it reads and computes the gradients that are wanted and no others. To it the `constants` have none.
///
/// A call of this function is all that makes an operation. With burn's `backend_extension` it would be a method of a trait, the
/// implementations of that for the backend with and without autodiff, and one of burn's `Backward`.
///
/// # Panics
/// If an input is not a float tensor of the CPU backend, or inputs have different gradient-checkpointing strategies.
pub(crate) fn apply<const N: usize, const M: usize, const D: usize, B>(
    inputs: [DispatchTensor; N],
    constants: [DispatchTensor; M],
    forward: impl FnOnce([FlexTensor; N], [FlexTensor; M]) -> (FlexTensor, B),
) -> Tensor<D>
where
    B: FnOnce(FlexTensor, [bool; N]) -> [Option<FlexTensor>; N] + Send + 'static,
{
    let strategy = inputs.iter().chain(&constants).find_map(|input| match input.autodiff {
        DispatchAutodiffContext::Enabled(strategy) => Some(strategy),
        DispatchAutodiffContext::Disabled => None,
    });
    match strategy {
        None => from_flex(forward(inputs.map(primitive::<Flex>), constants.map(primitive::<Flex>)).0),
        Some(GradientCheckpointingStrategy::Disabled) => {
            record::<NoCheckpointing, N, M, D, B>(inputs, constants, forward)
        }
        Some(GradientCheckpointingStrategy::Balanced) => {
            record::<BalancedCheckpointing, N, M, D, B>(inputs, constants, forward)
        }
    }
}

/// The tensor of the CPU backend.
///
/// # Panics
/// If the tensor is on another backend, or belongs to an autodiff graph.
pub(crate) fn to_flex<const D: usize>(x: Tensor<D>) -> FlexTensor {
    primitive::<Flex>(x.into_dispatch())
}

/// The inverse of [`to_flex`].
pub(crate) fn from_flex<const D: usize>(x: FlexTensor) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(x)
}

/// The tensor of backend B, which is the CPU backend with or without autodiff.
fn primitive<B: Backend>(x: DispatchTensor) -> FloatTensor<B>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    <DispatchTensor as DispatchKindConversion<B>>::try_into_backend(x).expect("a tensor of the CPU backend").float()
}

/// [`apply`] in an autodiff graph.
fn record<C, const N: usize, const M: usize, const D: usize, B>(
    inputs: [DispatchTensor; N],
    constants: [DispatchTensor; M],
    forward: impl FnOnce([FlexTensor; N], [FlexTensor; M]) -> (FlexTensor, B),
) -> Tensor<D>
where
    C: CheckpointStrategy,
    DispatchTensor: DispatchKindConversion<Autodiff<Flex, C>>,
    B: FnOnce(FlexTensor, [bool; N]) -> [Option<FlexTensor>; N] + Send + 'static,
{
    let tracked = |input: DispatchTensor| match input.autodiff {
        DispatchAutodiffContext::Enabled(_) => primitive::<Autodiff<Flex, C>>(input),
        DispatchAutodiffContext::Disabled => Autodiff::<Flex, C>::from_inner(primitive::<Flex>(input)),
    };
    let inputs = inputs.map(tracked);
    let nodes = inputs.each_ref().map(FloatTensor::<Autodiff<Flex, C>>::node);
    let (inputs, constants) =
        (inputs.map(Autodiff::<Flex, C>::inner), constants.map(|x| Autodiff::<Flex, C>::inner(tracked(x))));
    let (output, backward) = forward(inputs, constants);
    let output = match Recorded(backward).prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex, C>>(output)
}

/// The backward pass of an operation in an autodiff graph.
struct Recorded<B>(B);

impl<B> Debug for Recorded<B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorded")
    }
}

impl<const N: usize, B> Backward<Flex, N> for Recorded<B>
where
    B: FnOnce(FlexTensor, [bool; N]) -> [Option<FlexTensor>; N] + Send + 'static,
{
    type State = ();

    fn backward(self, ops: Ops<(), N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let delta = gradients.consume::<Flex>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        for (node, gradient) in ops.parents.into_iter().zip(self.0(delta, wanted)) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, gradient.expect("the gradient of a wanted input"));
            }
        }
    }
}
