//! Checks of the three rules of a layer, for tests.
//!
//! Everything is compared in f64 on the CPU: jets with differences, the backward pass of a jet with differences of gradients, the
//! inner products of per-sample gradients with a loop over single samples.

use std::path::Path;

use burn::tensor::{DType, Device, Tensor, TensorData};
use saltflat_config::{Problems, Section, parse, problem_lines};
use saltflat_random::{Key, Stream};

use crate::{
    gram::{GramChunks, gram},
    layer_config::{CASE_INPUT, LayerCase},
    layers::{Activation, Conv2d, Linear, Window},
    layout::{Init, Layout},
    list::{Item, build_list, read_list},
    network::{Network, Stage},
    pass::Pass,
    place::Place,
    vector::{Directions, Vector},
};

/// Samples of a batch.
const BATCH: usize = 3;
/// Shape of a sample before the convolution that leads to the layer.
const INPUT: [usize; 3] = [2, CASE_INPUT[1], CASE_INPUT[2]];

/// What a check found: nothing, or what is off and by how much.
pub type CheckResult = Result<(), String>;

/// What leads to a layer in a check, and with that the coefficients of the jet that reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// A convolution and silu: a first and a second coefficient.
    Curved,
    /// A convolution: a first coefficient only.
    Linear,
    /// No parameters, as before the first layer of a network: no coefficient.
    Constant,
}

impl Lead {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Curved, Self::Linear, Self::Constant];

    fn stages(self, layout: &mut Layout) -> Vec<Stage> {
        let (init, channels) = (Init::Normal { std: 0.4 }, [INPUT[0], CASE_INPUT[0]]);
        let place = &mut Place::new(layout, "lead", INPUT);
        match self {
            Self::Curved => {
                let lead = Conv2d::new(place, channels, Window::three(1), init, Some(init));
                vec![lead.into(), Activation::Silu.into()]
            }
            Self::Linear => vec![Conv2d::new(place, channels, Window::three(1), init, Some(init)).into()],
            Self::Constant => vec![Linear::frozen(place, channels, init).into()],
        }
    }
}

/// Makes all checks of a layer, which gets inputs of the shape [`CASE_INPUT`], `[4, 7, 6]`, and adds its tensors to its place. Stages
/// that it needs before or after it can stand beside it.
///
/// # Errors
/// A rule that does not hold.
pub fn check_layer(name: &str, stages: impl FnOnce(&mut Place<'_>) -> Vec<Stage>) -> CheckResult {
    let contract = LayerContract::of_layer(name, stages);
    contract.jets_are_derivatives()?;
    contract.directions_share_a_pass()?;
    contract.backward_pass_of_a_jet_is_a_hessian_vector_product()?;
    contract.second_coefficient_is_the_curvature()?;
    contract.gram_matrix_is_that_of_a_loop()
}

/// A network whose layers' rules are to be checked, with a point, directions and inputs that are drawn for it.
#[derive(Debug)]
pub struct LayerContract {
    name: String,
    network: Network,
    theta: Vector,
    buffers: Vector,
}

impl LayerContract {
    /// A network that ends in this layer; a convolution and silu before it give it an input of the shape [`CASE_INPUT`] with both
    /// coefficients.
    pub fn of_layer(name: &str, stages: impl FnOnce(&mut Place<'_>) -> Vec<Stage>) -> Self {
        let mut layout = Layout::default();
        let mut all = Lead::Curved.stages(&mut layout);
        all.extend(stages(&mut Place::new(&mut layout, "layer", CASE_INPUT)));
        Self::of_network(name, layout, all)
    }

    /// A network with the list of layers of a row, which gets an input of the shape [`CASE_INPUT`] with the coefficients of `lead`. If they are
    /// not both there, silu comes after the list, so that the outputs are no linear function of its parameters.
    ///
    /// # Errors
    /// What is wrong with the list, or the shape that a layer gives its output if it is another.
    pub fn of_case(case: &LayerCase, lead: Lead) -> Result<Self, String> {
        let items = items_of(&case.layers)?;
        let mut layout = Layout::default();
        let mut all = lead.stages(&mut layout);
        let built = build_list(&mut layout, &case.name, &items, CASE_INPUT).map_err(|e| e.to_string())?;
        all.extend(built.stages);
        if lead != Lead::Curved {
            all.push(Activation::Silu.into());
        }
        let contract = Self::of_network(&format!("{}, {lead:?}", case.name), layout, all);
        let found = contract.network.value(&contract.theta, &contract.buffers, inputs()).dims()[1];
        match found == built.output.iter().product::<usize>() {
            true => Ok(contract),
            false => Err(format!("{}: the output has {found} numbers, the layer said {:?}", case.name, built.output)),
        }
    }

    /// A network whose inputs have the shape `[2, 7, 6]`, at a point at which every parameter is random around its initial value,
    /// so that no term vanishes.
    pub fn of_network(name: &str, layout: Layout, stages: Vec<Stage>) -> Self {
        let network = Network::new(layout, stages, INPUT, 0);
        let (theta, buffers) = network.layout().init(5, &Device::flex(), DType::F64);
        let theta = theta.plus_scaled(0.3, &theta.normal_like(key(90)));
        let buffers = buffers.map(|t| t.mul_scalar(1.3).add_scalar(0.2));
        Self { name: name.into(), network, theta, buffers }
    }

    /// True if there is something to differentiate by.
    pub fn has_parameters(&self) -> bool {
        !self.network.layout().is_empty()
    }

    /// Both coefficients of a jet are those of central differences, as in a training step and as in a measurement: with step h the error
    /// is of order h² + 1e−16/h for the first and h² + 1e−16/h² for the second coefficient; the outputs are of order 1.
    pub fn jets_are_derivatives(&self) -> CheckResult {
        let v = self.theta.normal_like(key(91));
        for train in [false, true] {
            let at = |t: f64| self.value_at(&v, t, train);
            let [first, second] = self.jet_along(&Directions::from(&v), train);
            let h = 1e-6;
            let difference = combined(&at(h), &at(-h), |a, b| (a - b) / (2.0 * h));
            self.compare("the first coefficient", &first.unwrap_or_default(), &difference, 1e-7)?;
            let h = 1e-4;
            let outer = combined(&at(h), &at(-h), |a, b| a + b);
            let difference = combined(&outer, &at(0.0), |sum, middle| (sum - 2.0 * middle) / (h * h));
            let second = second.unwrap_or_else(|| vec![0.0; difference.len()]);
            self.compare("the second coefficient", &second, &difference, 3e-5)?;
        }
        Ok(())
    }

    /// Three directions in one pass give what each gives by itself.
    pub fn directions_share_a_pass(&self) -> CheckResult {
        let directions: Vec<_> = (94..97).map(|part| self.theta.normal_like(key(part))).collect();
        for train in [false, true] {
            let together = self.jet_along(&Directions::new(&directions), train);
            let single: Vec<_> = directions.iter().map(|v| self.jet_along(&Directions::from(v), train)).collect();
            for (order, found) in together.into_iter().enumerate() {
                let expected: Option<Vec<_>> = single.iter().map(|jet| jet[order].clone()).collect();
                match (found, expected.map(|all| all.concat())) {
                    (None, None) => {}
                    (Some(found), Some(expected)) => {
                        self.compare("a jet of three directions", &found, &expected, 1e-13)?;
                    }
                    (Some(_), None) | (None, Some(_)) => {
                        return Err(format!("{}: a coefficient is there only in one of two passes", self.name));
                    }
                }
            }
        }
        Ok(())
    }

    /// The backward pass of the first coefficient is the difference of two gradients.
    pub fn backward_pass_of_a_jet_is_a_hessian_vector_product(&self) -> CheckResult {
        let v = self.theta.normal_like(key(92));
        let product = flat(&self.hessian_product(&v)?.0);
        let h = 1e-6;
        let difference = combined(&self.gradient_at(&v, h), &self.gradient_at(&v, -h), |a, b| (a - b) / (2.0 * h));
        self.compare("Hv", &product, &difference, 1e-6)
    }

    /// vᵀ∇²⟨c, f⟩v by the second coefficient and by the backward pass of the first: two routes to one number.
    pub fn second_coefficient_is_the_curvature(&self) -> CheckResult {
        let v = self.theta.signs_like(key(93));
        let (product, cotangent) = self.hessian_product(&v)?;
        let by_reverse = product.dot(&v).into_scalar::<f64>();
        let along = Directions::from(&v);
        let mut pass = Pass::jet(&self.theta, &self.buffers, &along, 2);
        let second = self.network.forward(inputs(), &mut pass).second;
        let by_forward = second.map_or(0.0, |second| (second * cotangent).sum().into_scalar::<f64>());
        match (by_reverse - by_forward).abs() <= 1e-11 * by_reverse.abs().max(1.0) {
            true => Ok(()),
            false => Err(format!("{}: vᵀHv is {by_reverse} by the backward pass, {by_forward} without", self.name)),
        }
    }

    /// The inner products of per-sample gradients are those of the gradients of single samples, and do not depend on how many layers
    /// and samples are taken at a time.
    pub fn gram_matrix_is_that_of_a_loop(&self) -> CheckResult {
        let Self { network, theta, buffers, .. } = self;
        let outputs = network.value(theta, buffers, inputs()).dims()[1];
        let cotangents = [random([BATCH, outputs], 3), random([BATCH, outputs], 4)];
        let matrix = |microbatch, bytes| {
            numbers(gram(network, theta, buffers, &inputs(), &cotangents, GramChunks { microbatch, bytes }))
        };
        let found = matrix(BATCH, usize::MAX);
        self.compare("the Gram matrix, a layer and two samples at a time", &matrix(2, 1), &found, 1e-13)?;
        let mut rows = Vec::new();
        for cotangent in &cotangents {
            for i in 0..BATCH as i32 {
                let index = Tensor::from_data(TensorData::from([i]), &Device::flex());
                let leaves = theta.leaves();
                let output = network.value(&leaves, buffers, inputs().select(0, index.clone()));
                let mut gradients = (output * cotangent.clone().select(0, index)).sum().backward();
                rows.push(flat(&leaves.take_gradients(&mut gradients)));
            }
        }
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let expected: Vec<f64> = rows.iter().flat_map(|a| rows.iter().map(move |b| dot(a, b))).collect();
        self.compare("the Gram matrix", &found, &expected, 1e-12)
    }

    /// f(θ + t v) as numbers; `train` uses the batch's statistics in batch normalisation.
    fn value_at(&self, v: &Vector, t: f64, train: bool) -> Vec<f64> {
        let theta = self.theta.plus_scaled(t, v);
        numbers(self.network.forward(inputs(), &mut mode(Pass::value(&theta, &self.buffers), train)).value)
    }

    /// Both coefficients along these directions.
    fn jet_along(&self, directions: &Directions, train: bool) -> [Option<Vec<f64>>; 2] {
        let pass = Pass::jet(&self.theta, &self.buffers, directions, 2);
        let jet = self.network.forward(inputs(), &mut mode(pass, train));
        [jet.first.map(numbers), jet.second.map(numbers)]
    }

    /// ∇⟨c, f⟩ at θ + t v.
    fn gradient_at(&self, v: &Vector, t: f64) -> Vec<f64> {
        let leaves = self.theta.plus_scaled(t, v).leaves();
        let outputs = self.network.value(&leaves, &self.buffers, inputs());
        let shape = outputs.dims();
        let mut gradients = (outputs * random(shape, 2)).sum().backward();
        flat(&leaves.take_gradients(&mut gradients))
    }

    /// ∇²⟨c, f⟩ v by the backward pass of the first coefficient, and c.
    fn hessian_product(&self, v: &Vector) -> Result<(Vector, Tensor<2>), String> {
        let leaves = self.theta.leaves();
        let along = Directions::from(v);
        let first = self.network.forward(inputs(), &mut Pass::jet(&leaves, &self.buffers, &along, 1)).first;
        let first = first.ok_or_else(|| format!("{}: the first coefficient is absent", self.name))?;
        let cotangent = random(first.dims(), 2);
        let mut gradients = (first * cotangent.clone()).sum().backward();
        Ok((leaves.take_gradients(&mut gradients), cotangent))
    }

    /// ‖found − expected‖ ≤ tolerance · ‖expected‖.
    fn compare(&self, what: &str, found: &[f64], expected: &[f64], tolerance: f64) -> CheckResult {
        let name = &self.name;
        if found.len() != expected.len() {
            return Err(format!("{name}: {what} has {} entries, expected {}", found.len(), expected.len()));
        }
        let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
        let difference = norm(&combined(found, expected, |a, b| a - b)) / norm(expected).max(1e-3);
        match difference <= tolerance {
            true => Ok(()),
            false => Err(format!("{name}: {what} is off by {difference:.1e} (relative), allowed is {tolerance:.0e}")),
        }
    }
}

/// The layers that a list in TOML says.
///
/// # Errors
/// All problems of the list.
pub fn items_of(list: &str) -> Result<Vec<Item>, String> {
    let problems = Problems::default();
    let table = parse(&format!("layers = {list}")).map_err(|e| e.to_string())?;
    let items = read_list(&mut Section::root(table, Path::new(""), &problems), "layers");
    match problems.take() {
        found if found.is_empty() => Ok(items.unwrap_or_default()),
        found => Err(problem_lines(&found)),
    }
}

fn key(part: u64) -> Key {
    Key::new(11, Stream::Probe, 0).part(part)
}

fn random<const D: usize>(shape: [usize; D], part: u64) -> Tensor<D> {
    let values = key(part).normal(shape.iter().product());
    Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
}

fn inputs() -> Tensor<4> {
    random([BATCH, INPUT[0], INPUT[1], INPUT[2]], 1)
}

fn mode(pass: Pass<'_>, train: bool) -> Pass<'_> {
    if train { pass.training_with(Key::new(11, Stream::Dropout, 0), 0) } else { pass }
}

fn combined(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
}

/// The entries; none if the device cannot be read, which no comparison takes for the right number of them.
fn numbers<const D: usize>(t: Tensor<D>) -> Vec<f64> {
    t.without_autodiff().try_into_vec_as::<f64>().unwrap_or_default()
}

fn flat(v: &Vector) -> Vec<f64> {
    v.parts().iter().flat_map(|part| numbers(part.clone())).collect()
}
