//! One contract for every layer: jets against differences in f64, the backward pass of a jet against differences of
//! gradients, the per-sample Gram matrix against a loop of single samples. Values against PyTorch are in `pytorch.rs`.
#![allow(clippy::unwrap_used)]

use burn::tensor::{DType, Device, Tensor, TensorData};
use saltflat_models::{
    Directions, GramChunks, Init, Layout, Network, Pass, Stage, Vector, gram,
    layers::{
        Activation, AvgPool, BatchNorm, Bias, Conv2d, FixupShortcut, GlobalAvgPool, GroupNorm, Linear, MaxPool, Scale,
        Window,
    },
};
use saltflat_random::{Key, Stream};

const BATCH: usize = 3;
const INPUT: [usize; 3] = [2, 7, 6];
const INIT: Init = Init::Normal { std: 0.4 };

fn key(part: u64) -> Key {
    Key::new(11, Stream::Probe, 0).part(part)
}

fn random<const D: usize>(shape: [usize; D], part: u64) -> Tensor<D> {
    let values = key(part).normal(shape.iter().product());
    Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
}

/// A network that ends in the layer under test; a convolution and silu before it give it an input with both coefficients.
struct Case {
    name: &'static str,
    network: Network,
}

fn case(name: &'static str, channels: usize, layer: impl FnOnce(&mut Layout) -> Vec<Stage>) -> Case {
    let mut layout = Layout::default();
    let lead = Conv2d::new(&mut layout, "lead", [INPUT[0], channels], Window::three(1), INIT, Some(INIT));
    let mut stages: Vec<Stage> = vec![lead.into(), Activation::Silu.into()];
    stages.extend(layer(&mut layout));
    Case { name, network: Network::new(layout, stages, INPUT, 0) }
}

fn cases() -> Vec<Case> {
    let area = INPUT[1] * INPUT[2];
    let conv = |layout: &mut Layout, window, bias| Conv2d::new(layout, "layer", [4, 3], window, INIT, bias).into();
    let five = Window { kernel: 5, stride: 1, padding: 2 };
    let mut cases = vec![
        case("linear", 4, |l| vec![Linear::new(l, "layer", [4 * area, 5], INIT, Some(INIT)).into()]),
        case("linear without bias", 4, |l| vec![Linear::new(l, "layer", [4 * area, 5], INIT, None).into()]),
        case("frozen linear", 4, |l| vec![Linear::frozen(l, "layer", [4 * area, 5], INIT).into()]),
        case("conv 3×3", 4, |l| vec![conv(l, Window::three(1), None)]),
        case("conv 3×3, stride 2, bias", 4, |l| vec![conv(l, Window::three(2), Some(INIT))]),
        case("conv 1×1, stride 2", 4, |l| vec![conv(l, Window::one(2), Some(INIT))]),
        case("conv 5×5, bias", 4, |l| vec![conv(l, five, Some(INIT))]),
        case("conv of pooled images", 4, |l| {
            vec![AvgPool.into(), AvgPool.into(), conv(l, Window::three(1), Some(INIT))]
        }),
        case("group norm", 4, |l| vec![GroupNorm::new(l, "layer", 4, 2).into()]),
        case("group norm, one group", 4, |l| vec![GroupNorm::new(l, "layer", 4, 1).into()]),
        case("batch norm", 4, |l| vec![BatchNorm::new(l, "layer", 4).into()]),
        case("max pool", 4, |_| vec![MaxPool.into()]),
        case("average pool", 4, |_| vec![AvgPool.into()]),
        case("global average pool", 4, |_| vec![GlobalAvgPool.into()]),
        case("scalar bias", 4, |l| vec![Bias::new(l, "layer").into()]),
        case("scalar scale", 4, |l| vec![Scale::new(l, "layer").into()]),
        case("fixup shortcut", 4, |_| vec![FixupShortcut.into()]),
        case("residual", 4, |l| {
            let main = vec![Conv2d::new(l, "main", [4, 4], Window::three(1), INIT, None).into()];
            vec![Stage::Residual { main, shortcut: vec![Scale::new(l, "shortcut").into()] }]
        }),
    ];
    cases.push({
        let mut layout = Layout::default();
        let bias = Bias::new(&mut layout, "first");
        let conv = Conv2d::new(&mut layout, "layer", [INPUT[0], 3], Window::three(1), INIT, None);
        let stages = vec![bias.into(), conv.into(), Activation::Silu.into()];
        Case { name: "scalar bias of the input", network: Network::new(layout, stages, INPUT, 0) }
    });
    cases.extend(Activation::ALL.map(|(name, activation)| case(name, 4, |_| vec![activation.into()])));
    cases
}

/// A start where nothing hides: every parameter random around its initial value.
fn point(network: &Network) -> (Vector, Vector) {
    let (theta, buffers) = network.layout().init(5, &Device::flex(), DType::F64);
    (theta.plus_scaled(0.3, &theta.normal_like(key(90))), buffers.map(|t| t.mul_scalar(1.3).add_scalar(0.2)))
}

fn numbers<const D: usize>(t: Tensor<D>) -> Vec<f64> {
    t.without_autodiff().try_into_vec_as::<f64>().unwrap()
}

fn flat(v: &Vector) -> Vec<f64> {
    v.parts().iter().flat_map(|part| numbers(part.clone())).collect()
}

fn close(case: &str, what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{case}: {what}");
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    let size = norm(&mut expected.iter().copied()).max(1e-3);
    assert!(difference <= tolerance * size, "{case}: {what} is off by {:.1e} (relative)", difference / size);
}

/// f(θ + t v) as numbers; `train` uses the batch's statistics in batch normalisation.
fn value_at(network: &Network, theta: &Vector, buffers: &Vector, v: &Vector, t: f64, train: bool) -> Vec<f64> {
    let theta = theta.plus_scaled(t, v);
    let pass = Pass::value(&theta, buffers);
    let mut pass = if train { pass.training() } else { pass };
    numbers(network.forward(random([BATCH, INPUT[0], INPUT[1], INPUT[2]], 1), &mut pass).value)
}

fn jet_at(network: &Network, theta: &Vector, buffers: &Vector, v: &Vector, train: bool) -> [Option<Vec<f64>>; 2] {
    let v = Directions::from(v);
    let pass = Pass::jet(theta, buffers, &v, 2);
    let mut pass = if train { pass.training() } else { pass };
    let jet = network.forward(random([BATCH, INPUT[0], INPUT[1], INPUT[2]], 1), &mut pass);
    [jet.first.map(numbers), jet.second.map(numbers)]
}

/// Central differences: with step h the error is of order h² + 1e−16/h for the first and h² + 1e−16/h² for the second
/// coefficient; the outputs are of order 1.
#[test]
fn jets_are_derivatives() {
    for Case { name, network } in cases() {
        let (theta, buffers) = point(&network);
        let v = theta.normal_like(key(91));
        for train in [false, true] {
            let at = |t: f64| value_at(&network, &theta, &buffers, &v, t, train);
            let combine = |a: &[f64], b: &[f64], f: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
                a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
            };
            let [first, second] = jet_at(&network, &theta, &buffers, &v, train);
            let h = 1e-6;
            let difference = combine(&at(h), &at(-h), &|a, b| (a - b) / (2.0 * h));
            close(name, "the first coefficient", &first.unwrap(), &difference, 1e-7);
            let h = 1e-4;
            let outer = combine(&at(h), &at(-h), &|a, b| a + b);
            let difference = combine(&outer, &at(0.0), &|sum, middle| (sum - 2.0 * middle) / (h * h));
            let second = second.unwrap_or_else(|| vec![0.0; difference.len()]);
            close(name, "the second coefficient", &second, &difference, 3e-5);
        }
    }
}

/// Several directions in one pass give what each gives alone.
#[test]
fn directions_share_a_pass() {
    for Case { name, network } in cases() {
        let (theta, buffers) = point(&network);
        let directions: Vec<_> = (94..97).map(|part| theta.normal_like(key(part))).collect();
        for train in [false, true] {
            let stacked = Directions::new(&directions);
            let pass = Pass::jet(&theta, &buffers, &stacked, 2);
            let mut pass = if train { pass.training() } else { pass };
            let jet = network.forward(random([BATCH, INPUT[0], INPUT[1], INPUT[2]], 1), &mut pass);
            let alone: Vec<_> = directions.iter().map(|v| jet_at(&network, &theta, &buffers, v, train)).collect();
            for (order, found) in [jet.first, jet.second].into_iter().enumerate() {
                let expected: Option<Vec<f64>> =
                    alone.iter().map(|jet| jet[order].clone()).collect::<Option<Vec<_>>>().map(|v| v.concat());
                match (found.map(numbers), expected) {
                    (Some(found), Some(expected)) => close(name, "a jet of three directions", &found, &expected, 1e-13),
                    (found, expected) => assert_eq!(found, expected, "{name}"),
                }
            }
        }
    }
}

/// ∇⟨c, f⟩ at θ + t v.
fn gradient_at(network: &Network, theta: &Vector, buffers: &Vector, v: &Vector, t: f64) -> Vec<f64> {
    let leaves = theta.plus_scaled(t, v).leaves();
    let outputs =
        network.forward(random([BATCH, INPUT[0], INPUT[1], INPUT[2]], 1), &mut Pass::value(&leaves, buffers)).value;
    let shape = outputs.dims();
    let mut gradients = (outputs * random(shape, 2)).sum().backward();
    flat(&leaves.take_gradients(&mut gradients))
}

#[test]
fn the_backward_pass_of_a_jet_is_a_hessian_vector_product() {
    for Case { name, network } in cases() {
        let (theta, buffers) = point(&network);
        let v = theta.normal_like(key(92));
        let leaves = theta.leaves();
        let inputs = random([BATCH, INPUT[0], INPUT[1], INPUT[2]], 1);
        let first = network.forward(inputs, &mut Pass::jet(&leaves, &buffers, &Directions::from(&v), 1)).first.unwrap();
        let shape = first.dims();
        let mut gradients = (first * random(shape, 2)).sum().backward();
        let product = flat(&leaves.take_gradients(&mut gradients));
        let h = 1e-6;
        let (a, b) = (gradient_at(&network, &theta, &buffers, &v, h), gradient_at(&network, &theta, &buffers, &v, -h));
        let difference: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a - b) / (2.0 * h)).collect();
        close(name, "Hv", &product, &difference, 1e-6);
    }
}

/// vᵀ∇²⟨c, f⟩v by the second coefficient and by the backward pass of the first: two routes to one number.
#[test]
fn the_second_coefficient_is_the_curvature_along_v() {
    for Case { name, network } in cases() {
        let (theta, buffers) = point(&network);
        let v = theta.signs_like(key(93));
        let leaves = theta.leaves();
        let inputs = random([BATCH, INPUT[0], INPUT[1], INPUT[2]], 1);
        let jet =
            network.forward(inputs.clone(), &mut Pass::jet(&leaves, &buffers, &Directions::from(&v), 1)).first.unwrap();
        let cotangent = random(jet.dims(), 2);
        let mut gradients = (jet * cotangent.clone()).sum().backward();
        let by_reverse = leaves.take_gradients(&mut gradients).dot(&v).into_scalar::<f64>();
        let second = network.forward(inputs, &mut Pass::jet(&theta, &buffers, &Directions::from(&v), 2)).second;
        let by_forward = second.map_or(0.0, |second| (second * cotangent).sum().into_scalar::<f64>());
        assert!(
            (by_reverse - by_forward).abs() <= 1e-11 * by_reverse.abs().max(1.0),
            "{name}: {by_reverse} {by_forward}"
        );
    }
}

#[test]
fn gram_matrices_are_those_of_a_loop() {
    for Case { name, network } in cases() {
        let (theta, buffers) = point(&network);
        let inputs = random([BATCH, INPUT[0], INPUT[1], INPUT[2]], 1);
        let outputs = network.value(&theta, &buffers, inputs.clone()).dims()[1];
        let cotangents = [random([BATCH, outputs], 3), random([BATCH, outputs], 4)];
        let chunks = |microbatch, bytes| GramChunks { microbatch, bytes };
        let found = numbers(gram(&network, &theta, &buffers, &inputs, &cotangents, chunks(BATCH, usize::MAX)));
        let in_groups = numbers(gram(&network, &theta, &buffers, &inputs, &cotangents, chunks(2, 1)));
        close(name, "the Gram matrix, a layer and two samples at a time", &in_groups, &found, 1e-13);
        let mut rows = Vec::new();
        for cotangent in &cotangents {
            for i in 0..BATCH as i64 {
                let index = Tensor::from_data(TensorData::from([i as i32]), &Device::flex());
                let leaves = theta.leaves();
                let output = network.value(&leaves, &buffers, inputs.clone().select(0, index.clone()));
                let mut gradients = (output * cotangent.clone().select(0, index)).sum().backward();
                rows.push(flat(&leaves.take_gradients(&mut gradients)));
            }
        }
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let expected: Vec<f64> = rows.iter().flat_map(|a| rows.iter().map(move |b| dot(a, b))).collect();
        close(name, "the Gram matrix", &found, &expected, 1e-12);
    }
}
