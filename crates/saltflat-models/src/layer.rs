//! The trait of all layers.

use std::fmt::Debug;

use crate::{jet::Jet, pass::Pass};

/// One layer of a network: shapes and slots of its tensors; the numbers come with the [`Pass`].
///
/// A layer has three rules:
///
/// 1. Its value y = f(x; w).
/// 2. Its jet along directions v: ẏ = ∂f/∂x ẋ + ∂f/∂w v and, if the pass is of [second order](Pass::second_order), ÿ.
/// 3. Its per-sample gradient, a [`PerSample`](crate::PerSample) rule, if it has parameters. It gives that to
///    [`Pass::record`] together with its value.
///
/// All of it is written in differentiable burn operations. [`check_layer`](crate::testing::check_layer) compares the rules with
/// differences and with a loop over single samples. A layer with parameters is in `examples/own_layer.rs`; one without needs the
/// first two rules only:
///
/// ```
/// use burn::tensor::Tensor;
/// use saltflat_models::{
///     Jet, Pass,
///     jet::{for_each_direction, sum},
///     layers::Layer,
///     testing::check_layer,
/// };
///
/// /// y = x², elementwise: ẏ = 2 x ẋ, ÿ = 2 ẋ² + 2 x ẍ.
/// #[derive(Debug)]
/// struct Square;
///
/// impl Layer for Square {
///     fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
///         let times_derivative = |t: Tensor<4>| (for_each_direction(&x.value, &t) * t).mul_scalar(2.0);
///         let curved = x.first.clone().filter(|_| pass.second_order()).map(|t| t.square().mul_scalar(2.0));
///         Jet {
///             value: x.value.clone().square(),
///             first: x.first.map(times_derivative),
///             second: sum(curved, x.second.map(times_derivative)),
///         }
///     }
/// }
///
/// check_layer("square", |_place| vec![Square.into()]).unwrap();
/// ```
pub trait Layer: Debug + Send + Sync {
    /// Value and jet of the output (rules 1 and 2); a layer with parameters records rule 3 on the pass's tape.
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet;

    /// True if the output of one sample depends on the others in its batch, so that a sample has no gradient of its
    /// own.
    fn couples_samples(&self) -> bool {
        false
    }

    /// True if it draws something in a training step (dropout), so that the step is about another function than a measurement.
    fn is_random(&self) -> bool {
        false
    }

    /// Numbers that it makes for one sample beside its output `[channels, height, width]`, for the estimate of a pass's memory.
    fn inner_activations(&self, _output: [usize; 3]) -> usize {
        0
    }

    /// True if the output holds the numbers of the input in another shape, so that it takes no memory of its own.
    fn is_reshape(&self) -> bool {
        false
    }

    /// What the layer, whose output has so many channels, takes as given that the shapes of its tensors do not say, such as "group norm with 8 groups
    /// of 4 channels": a note about weights from elsewhere names it.
    fn assumption(&self, _channels: usize) -> Option<String> {
        None
    }
}
