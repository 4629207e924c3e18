//! A network: layers in order, with branches.

use std::convert::Infallible;

use burn::tensor::{Device, Tensor};

use crate::{jet::Jet, join::Join, layer::Layer, layout::Layout, pass::Pass, vector::Vector};

/// One stage of a network.
#[derive(Debug)]
pub enum Stage {
    /// A layer.
    Layer(Box<dyn Layer>),
    /// Branches of one input, evaluated in their order; an empty one is the identity.
    Branches {
        /// The branches, at least one.
        branches: Vec<Vec<Stage>>,
        /// How their outputs become one.
        join: Join,
    },
}

impl<L: Layer + 'static> From<L> for Stage {
    fn from(layer: L) -> Self {
        Self::Layer(Box::new(layer))
    }
}

/// A function f(x; θ): the stages and the layout of the tensors, without the numbers. A PyTorch module holds its parameters;
/// a network is given them with every [`Pass`], so that it can be evaluated at any point θ of parameter space.
///
/// ```
/// use burn::tensor::{DType, Device, Tensor};
/// use saltflat_models::{Directions, Init, Item, Network, Pass, layers::{Activation, LinearConfig}};
///
/// // 4 → 8 → 2 with tanh between.
/// let linear = |outputs| LinearConfig::new(outputs, Init::Normal { std: 0.5 }, Some(Init::ZERO));
/// let layers = [Item::from(linear(8)).named("first"), Activation::Tanh.into(), Item::from(linear(2)).named("last")];
/// let network = Network::from_layers(&layers, [4, 1, 1], 2).unwrap();
/// assert_eq!(network.layout().len(), 4 * 8 + 8 + 8 * 2 + 2);
///
/// // A starting point, and the outputs of three samples there.
/// let (theta, buffers) = network.layout().init(0, &Device::flex(), DType::F64);
/// let inputs = Tensor::ones([3, 4, 1, 1], (&Device::flex(), DType::F64));
/// let outputs = network.value(&theta, &buffers, inputs.clone());
/// assert_eq!(outputs.dims(), [3, 2]);
///
/// // df/dt and d²f/dt² at θ + t θ in one pass, without a backward pass.
/// let direction = Directions::from(&theta);
/// let jet = network.forward(inputs, &mut Pass::jet(&theta, &buffers, &direction, 2));
/// assert_eq!(jet.first.unwrap().dims(), [3, 2]);
/// assert_eq!(jet.second.unwrap().dims(), [3, 2]);
/// ```
#[derive(Debug)]
pub struct Network {
    layout: Layout,
    stages: Vec<Stage>,
    input: [usize; 3],
    outputs: usize,
}

impl Network {
    /// The network of these stages, from images `[channels, height, width]` to `outputs` numbers.
    pub fn new(layout: Layout, stages: Vec<Stage>, input: [usize; 3], outputs: usize) -> Self {
        Self { layout, stages, input, outputs }
    }

    /// Names, shapes and initial distributions of its tensors.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Shape of one input, `[channels, height, width]`.
    pub fn input(&self) -> [usize; 3] {
        self.input
    }

    /// Number of outputs C.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// True if samples of a batch depend on each other (batch normalisation): a sample then has no gradient of its own
    /// in a training step.
    pub fn couples_samples(&self) -> bool {
        any(&self.stages, |layer| layer.couples_samples())
    }

    /// True if a training step draws something in the network (dropout), so that it is about another function than a measurement.
    pub fn is_random(&self) -> bool {
        any(&self.stages, |layer| layer.is_random())
    }

    /// Runs the stages on `[batch, channels, height, width]`; the output's coefficients are `[batch, outputs]`.
    pub fn forward(&self, inputs: Tensor<4>, pass: &mut Pass<'_>) -> Jet<2> {
        let Ok(outputs) = self.forward_with(inputs, pass, &never_fails);
        outputs
    }

    /// [`forward`](Self::forward), which calls `check` before every layer.
    ///
    /// # Errors
    /// The first error of `check`.
    pub fn forward_with<E>(
        &self,
        inputs: Tensor<4>,
        pass: &mut Pass<'_>,
        check: &dyn Fn() -> Result<(), E>,
    ) -> Result<Jet<2>, E> {
        Ok(run(&self.stages, Jet::constant(inputs), pass, check, &mut |_, _| {})?.linear(|t| t.flatten(1, 3)))
    }

    /// Numbers that one sample's activations have: the sum over all layers' outputs, and the largest of them. What a pass
    /// keeps for a backward pass grows with the first, what one without keeps with the second.
    pub fn activations(&self) -> (usize, usize) {
        let [c, h, w] = self.input;
        let mut sizes = vec![c * h * w];
        self.walk(&mut |stage, [_, c, h, w]| match stage {
            Stage::Layer(layer) if layer.is_reshape() => {}
            Stage::Layer(layer) => sizes.push(c * h * w + layer.inner_activations([c, h, w])),
            Stage::Branches { .. } => sizes.push(c * h * w),
        });
        (sizes.iter().sum(), sizes.into_iter().max().unwrap_or(0))
    }

    /// The fewest positions at which one sample goes through a layer that [couples samples](Self::couples_samples): the values of a channel
    /// that a sample adds to its batch's statistics. Absent if there is no such layer.
    pub fn coupled_positions(&self) -> Option<usize> {
        if !self.couples_samples() {
            return None;
        }
        let mut fewest = None;
        // Such a layer keeps the shape of what it normalises.
        self.walk(&mut |stage, [_, _, height, width]| {
            if matches!(stage, Stage::Layer(layer) if layer.couples_samples()) {
                fewest = Some(fewest.map_or(height * width, |least: usize| least.min(height * width)));
            }
        });
        fewest
    }

    /// What its layers take as given that the shapes of their tensors do not say, each once: weights from elsewhere fit the network also where they
    /// were trained with something else.
    pub fn assumptions(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        self.walk(&mut |stage, [_, channels, ..]| {
            if let Stage::Layer(layer) = stage {
                all.extend(layer.assumption(channels).filter(|found| !all.contains(found)));
            }
        });
        all
    }

    /// Runs one sample through the network and shows every stage with the shape of its output.
    fn walk(&self, see: &mut dyn FnMut(&Stage, [usize; 4])) {
        let (device, [c, h, w]) = (Device::flex(), self.input);
        let (theta, buffers) = self.layout.zeros(&device);
        let input = Jet::constant(Tensor::zeros([1, c, h, w], &device));
        let Ok(_) = run(&self.stages, input, &mut Pass::value(&theta, &buffers), &never_fails, see);
    }

    /// The outputs f `[batch, outputs]` as they are measured (running statistics in batch normalisation).
    pub fn value(&self, theta: &Vector, buffers: &Vector, inputs: Tensor<4>) -> Tensor<2> {
        self.forward(inputs, &mut Pass::value(theta, buffers)).value
    }
}

/// True if this holds for one of the layers.
fn any(stages: &[Stage], holds: fn(&dyn Layer) -> bool) -> bool {
    stages.iter().any(|stage| match stage {
        Stage::Layer(layer) => holds(&**layer),
        Stage::Branches { branches, .. } => branches.iter().any(|branch| any(branch, holds)),
    })
}

fn never_fails() -> Result<(), Infallible> {
    Ok(())
}

/// Calls `check` before every layer, and shows every stage with the shape of its output to `see`.
fn run<E>(
    stages: &[Stage],
    mut x: Jet,
    pass: &mut Pass<'_>,
    check: &dyn Fn() -> Result<(), E>,
    see: &mut dyn FnMut(&Stage, [usize; 4]),
) -> Result<Jet, E> {
    for stage in stages {
        x = match stage {
            Stage::Layer(layer) => {
                check()?;
                layer.forward(x, pass)
            }
            Stage::Branches { branches, join } => match branches.split_last() {
                None => x,
                Some((last, others)) => {
                    let mut outputs = Vec::with_capacity(branches.len());
                    for branch in others {
                        outputs.push(run(branch, x.clone(), pass, check, see)?);
                    }
                    let last = run(last, x, pass, check, see)?;
                    join.of(outputs, last, pass.second_order())
                }
            },
        };
        see(stage, x.value.dims());
    }
    Ok(x)
}
