//! An operation with kernels of this crate, and its backward pass.

use std::fmt::Debug;

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

/// An operation on N tensors of the CPU backend, with its backward pass.
///
/// An operation is its implementation of this trait and a public function that calls [`apply`]. With burn's `backend_extension` it would
/// also be a method of a trait, the implementations of that for the backend with and without autodiff, and one of burn's `Backward`.
pub(crate) trait Operation<const N: usize>: Debug + Send + 'static {
    /// Number of inputs, the last ones, that are constants to the backward pass.
    const CONSTANTS: usize = 0;

    /// What the backward pass reads.
    type Saved: Clone + Debug + Send + 'static;

    /// The output, and what the backward pass reads.
    fn forward(&self, inputs: [FlexTensor; N]) -> (FlexTensor, Self::Saved);

    /// The gradients of the inputs that are `wanted`, and of no others, from the gradient `delta` of the output.
    fn backward(&self, saved: Self::Saved, delta: FlexTensor, wanted: [bool; N]) -> [Option<FlexTensor>; N];
}

/// The output of an operation, part of the autodiff graph if one of the inputs is.
///
/// # Panics
/// If an input is not a float tensor of the CPU backend, or inputs have different gradient-checkpointing strategies.
pub(crate) fn apply<O: Operation<N>, const N: usize, const D: usize>(
    operation: O,
    inputs: [DispatchTensor; N],
) -> Tensor<D> {
    let strategy = inputs.iter().find_map(|input| match input.autodiff {
        DispatchAutodiffContext::Enabled(strategy) => Some(strategy),
        DispatchAutodiffContext::Disabled => None,
    });
    match strategy {
        None => from_flex(operation.forward(inputs.map(primitive::<Flex>)).0),
        Some(GradientCheckpointingStrategy::Disabled) => record::<O, NoCheckpointing, N, D>(operation, inputs),
        Some(GradientCheckpointingStrategy::Balanced) => record::<O, BalancedCheckpointing, N, D>(operation, inputs),
    }
}

/// The tensor of backend B, which is the CPU backend with or without autodiff.
fn primitive<B: Backend>(x: DispatchTensor) -> FloatTensor<B>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    <DispatchTensor as DispatchKindConversion<B>>::try_into_backend(x).expect("a tensor of the CPU backend").float()
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

/// [`apply`] with inputs of an autodiff graph.
fn record<O, C, const N: usize, const D: usize>(operation: O, inputs: [DispatchTensor; N]) -> Tensor<D>
where
    O: Operation<N>,
    C: CheckpointStrategy,
    DispatchTensor: DispatchKindConversion<Autodiff<Flex, C>>,
{
    let mut inputs = inputs.map(|input| match input.autodiff {
        DispatchAutodiffContext::Enabled(_) => primitive::<Autodiff<Flex, C>>(input),
        DispatchAutodiffContext::Disabled => Autodiff::<Flex, C>::from_inner(primitive::<Flex>(input)),
    });
    for constant in &mut inputs[N - O::CONSTANTS..] {
        *constant = Autodiff::<Flex, C>::from_inner(constant.primitive().clone());
    }
    let nodes = inputs.each_ref().map(|input| input.node());
    let (output, saved) = operation.forward(inputs.map(|input| input.into_primitive()));
    let output = match Recorded(operation).prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(saved, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex, C>>(output)
}

/// An operation in an autodiff graph.
#[derive(Debug)]
struct Recorded<O>(O);

impl<O: Operation<N>, const N: usize> Backward<Flex, N> for Recorded<O> {
    type State = O::Saved;

    fn backward(self, ops: Ops<O::Saved, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let delta = gradients.consume::<Flex>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        for (node, gradient) in ops.parents.into_iter().zip(self.0.backward(ops.state, delta, wanted)) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, gradient.expect("the gradient of a wanted input"));
            }
        }
    }
}
