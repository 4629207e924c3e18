//! Factors and offsets a channel, linear layers, pooling and sums against burn's operations.

mod common;

use burn::tensor::{
    DType, Tensor, module,
    ops::{AvgPoolOptions, MaxPoolOptions},
};
use common::{difference, leaf, normal, numbers};
use saltflat_kernels::{
    directions_to_batch, dot, linear, max_pool, mean_pool, scale, scale_first, scale_second, shift, shift_first,
};

/// Gradients of Σ δ y with respect to the leaves, after y itself.
fn all<const D: usize>(y: Tensor<D>, leaves: &[Tensor<1>]) -> Vec<Tensor<1>> {
    let mut gradients = (y.clone() * normal(y.dims(), 9, y.dtype()).autodiff()).sum().backward();
    let mut found = vec![y.reshape([-1])];
    found.extend(leaves.iter().map(|t| t.grad_remove(&mut gradients).expect("it flowed back")));
    found
}

fn compare(ours: Vec<Tensor<1>>, theirs: Vec<Tensor<1>>) {
    assert_eq!(ours.len(), theirs.len());
    for (i, (ours, theirs)) in ours.into_iter().zip(theirs).enumerate() {
        let found = difference(ours, theirs);
        assert!(found <= 1e-13, "result {i}: {found:e}");
    }
}

const SHAPE: [usize; 4] = [3, 5, 7, 4];

fn of_channels(t: &Tensor<1>) -> Tensor<4> {
    t.clone().reshape([1, SHAPE[1], 1, 1])
}

/// Of K directions, for every sample.
fn of_directions(t: &Tensor<1>, directions: usize) -> Tensor<4> {
    let [n, c, ..] = SHAPE;
    t.clone().reshape([directions, 1, c]).repeat_dim(1, n).reshape([directions * n, c, 1, 1])
}

fn flat(shape: [usize; 4], part: u64) -> Tensor<1> {
    leaf([shape.iter().product()], part, DType::F64)
}

#[test]
fn factors_and_offsets() {
    let make = || [flat(SHAPE, 0), leaf([5], 1, DType::F64), leaf([5], 2, DType::F64)];
    let [x, gamma, beta] = make();
    let ours = shift(scale(x.clone().reshape(SHAPE), gamma.clone()), beta.clone());
    let ours = all(ours, &[x, gamma, beta]);
    let [x, gamma, beta] = make();
    let theirs = x.clone().reshape(SHAPE) * of_channels(&gamma) + of_channels(&beta);
    compare(ours, all(theirs, &[x, gamma, beta]));
}

#[test]
fn first_and_second_coefficient_of_factors() {
    for directions in [1, 3] {
        let [n, c, h, w] = SHAPE;
        let long = [directions * n, c, h, w];
        let v = normal([directions * c], 3, DType::F64);
        let make = || [flat(SHAPE, 0), flat(long, 1), leaf([c], 2, DType::F64)];
        let [x, dx, gamma] = make();
        let ours =
            scale_first([x.clone().reshape(SHAPE), dx.clone().reshape(long)], [gamma.clone(), v.clone().autodiff()]);
        let ours = all(ours, &[x, dx, gamma]);
        let [x, dx, gamma] = make();
        let theirs = dx.clone().reshape(long) * of_channels(&gamma)
            + x.clone().reshape(SHAPE).repeat_dim(0, directions) * of_directions(&v, directions).autodiff();
        compare(ours, all(theirs, &[x, dx, gamma]));

        let [dx, ddx] = [1, 4].map(|part| normal(long, part, DType::F64));
        let gamma = normal([c], 2, DType::F64);
        let curved = dx.clone() * of_directions(&v, directions) * 2.0;
        let ours = scale_second(dx.clone(), Some(ddx.clone()), [gamma.clone(), v.clone()], n);
        assert!(difference(ours, ddx * of_channels(&gamma) + curved.clone()) <= 1e-15);
        assert!(difference(scale_second(dx, None, [gamma, v.clone()], n), curved) <= 1e-15);
    }
}

#[test]
fn offsets_of_directions() {
    for directions in [1, 3] {
        let [n, c, h, w] = SHAPE;
        let long = [directions * n, c, h, w];
        let v = normal([directions * c], 3, DType::F64);
        let [ours, theirs] = [true, false].map(|ours| {
            let first = flat(long, 1);
            let shaped = first.clone().reshape(long);
            let y = match ours {
                true => shift_first(shaped, v.clone().autodiff(), n),
                false => shaped + of_directions(&v, directions).autodiff(),
            };
            all(y, &[first])
        });
        compare(ours, theirs);
    }
}

#[test]
fn channels_of_directions_become_images() {
    for directions in [1, 3] {
        let [n, c, h, w] = SHAPE;
        let wide = [n, directions * c, h, w];
        let [ours, theirs] = [true, false].map(|ours| {
            let x = flat(wide, 1);
            let shaped = x.clone().reshape(wide);
            let y = match ours {
                true => directions_to_batch(shaped, directions),
                false => Tensor::cat(shaped.chunk(directions, 1), 0),
            };
            all(y, &[x])
        });
        compare(ours, theirs);
    }
}

/// Batch, inputs and outputs, each one, few and many.
const SHAPES: [[usize; 3]; 9] = [
    [1, 1, 1],
    [5, 17, 9],
    [13, 16, 33],
    [70, 300, 130],
    [600, 20, 40],
    [33, 520, 300],
    [256, 10, 1],
    [2, 1_100, 10],
    [1_100, 200, 150],
];

#[test]
fn linear_layers() {
    for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-12)] {
        for with_bias in [false, true] {
            for [n, inputs, outputs] in SHAPES {
                let found = |ours: bool| {
                    let (x, weight) = (leaf([n * inputs], 0, dtype), leaf([outputs * inputs], 1, dtype));
                    let bias = with_bias.then(|| leaf([outputs], 2, dtype));
                    let shaped = (x.clone().reshape([n, inputs]), weight.clone().reshape([outputs, inputs]));
                    let y = match ours {
                        true => linear(shaped.0, shaped.1, bias.clone()),
                        false => module::linear(shaped.0, shaped.1.transpose(), bias.clone()),
                    };
                    all(y, &[Some(x), Some(weight), bias].into_iter().flatten().collect::<Vec<_>>())
                };
                for (i, (ours, theirs)) in found(true).into_iter().zip(found(false)).enumerate() {
                    let found = difference(ours, theirs);
                    assert!(found <= tolerance, "{n} × {inputs} → {outputs} {dtype:?}, result {i}: {found:e}");
                }
            }
        }
    }
}

/// The value and all gradients.
fn products([n, inputs, outputs]: [usize; 3]) -> Vec<Vec<f64>> {
    let (x, weight) = (leaf([n * inputs], 0, DType::F32), leaf([outputs * inputs], 1, DType::F32));
    let y = linear(x.clone().reshape([n, inputs]), weight.clone().reshape([outputs, inputs]), None);
    all(y, &[x, weight]).into_iter().map(numbers).collect()
}

#[test]
fn bits_of_products_do_not_depend_on_the_number_of_threads() {
    for shape in SHAPES {
        let run = |threads: usize| {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads").install(|| products(shape))
        };
        let one = run(1);
        for threads in [2, 3, 8] {
            assert_eq!(run(threads), one, "{shape:?} with {threads} threads");
        }
    }
}

#[test]
fn linear_layers_take_an_empty_batch() {
    let [y, of_x, of_weight] = products([0, 7, 3]).try_into().expect("a value and two gradients");
    assert!(y.is_empty() && of_x.is_empty());
    assert_eq!(of_weight, vec![0.0; 21]);
}

#[test]
fn mean_of_windows() {
    for shape in [[2, 3, 8, 6], [1, 2, 5, 7], [3, 1, 2, 3]] {
        let x = flat(shape, 0);
        let ours = all(mean_pool(x.clone().reshape(shape)), &[x]);
        let x = flat(shape, 0);
        let theirs = module::avg_pool2d(x.clone().reshape(shape), AvgPoolOptions::new([2, 2]).with_stride([2, 2]));
        compare(ours, all(theirs, &[x]));
    }
}

/// Rounded inputs, so that windows have equal entries.
#[test]
fn largest_of_windows() {
    let options = || MaxPoolOptions::new([2, 2]).with_stride([2, 2]);
    for shape @ [n, c, h, w] in [[2, 3, 8, 6], [1, 2, 5, 7], [3, 1, 2, 3]] {
        let make = || (normal([n * c * h * w], 0, DType::F64) * 2.0).round().autodiff().require_grad();
        let x = make();
        let ours = all(max_pool(x.clone().reshape(shape), [] as [Option<Tensor<4>>; 0]).0, &[x]);
        let x = make();
        compare(ours, all(module::max_pool2d(x.clone().reshape(shape), options()), &[x]));

        // Coefficients along two directions are taken where the value is.
        let long = [2 * n, c, h, w];
        let t = flat(long, 1);
        let x = make().without_autodiff().reshape(shape);
        let (value, [first, none]) = max_pool(x.clone().autodiff(), [Some(t.clone().reshape(long)), None]);
        assert!(none.is_none());
        let ours = all(first.expect("asked for"), &[t]);
        let (expected, chosen) = module::max_pool2d_with_indices(x, options());
        assert_eq!(difference(value, expected), 0.0);
        let [_, _, rows, columns] = chosen.dims();
        let t = flat(long, 1);
        let chosen = chosen.reshape([n, c, rows * columns]).repeat_dim(0, 2);
        let theirs = t.clone().reshape([2 * n, c, h * w]).gather(2, chosen).reshape([2 * n, c, rows, columns]);
        compare(ours, all(theirs, &[t]));
    }
}

#[test]
fn inner_products() {
    for n in [1, 31, 16384, 100_003] {
        let (a, b) = (normal([n], 0, DType::F64), normal([n], 1, DType::F64));
        let exact: f64 = numbers(a.clone()).iter().zip(numbers(b.clone())).map(|(a, b)| a * b).sum();
        let found = numbers(dot(a, b))[0];
        assert!((found - exact).abs() <= 1e-12 * (n as f64).sqrt(), "{n}: {found} and {exact}");
    }
}
