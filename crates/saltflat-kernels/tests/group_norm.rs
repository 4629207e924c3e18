//! Group normalisation, its jet and their gradients against the formulas in burn's operations.

mod common;

use burn::tensor::{DType, Gradients, Tensor};
use common::{difference, leaf, normal};
use saltflat_kernels::{group_norm, group_norm_first, group_norm_second};

const SHAPES: [([usize; 4], usize, usize); 5] =
    [([3, 8, 5, 7], 2, 1), ([2, 6, 3, 3], 6, 1), ([4, 4, 1, 1], 1, 2), ([2, 12, 8, 8], 3, 3), ([1, 64, 16, 16], 16, 2)];

fn parameter(values: &Tensor<1>) -> Tensor<4> {
    values.clone().reshape([1, values.dims()[0], 1, 1])
}

/// Of the directions `[K · channels]`, for every image: `[K · images, channels, 1, 1]`.
fn velocity(values: &Tensor<1>, directions: usize, images: usize) -> Tensor<4> {
    let channels = values.dims()[0] / directions;
    values.clone().reshape([directions, 1, channels, 1]).repeat_dim(1, images).reshape([
        directions * images,
        channels,
        1,
        1,
    ])
}

fn centred(x: Tensor<4>, groups: usize) -> Tensor<3> {
    let [n, c, h, w] = x.dims();
    let x = x.reshape([n, groups, c / groups * h * w]);
    let mean = x.clone().mean_dim(2);
    x - mean
}

/// (c, r) of c (mean c² + ε)^−½.
fn parts(x: &Tensor<4>, groups: usize) -> [Tensor<3>; 2] {
    let c = centred(x.clone(), groups);
    let r = c.clone().square().mean_dim(2).add_scalar(1e-5).sqrt().recip();
    [c, r]
}

fn value(x: &Tensor<4>, gamma: &Tensor<1>, beta: &Tensor<1>, groups: usize) -> Tensor<4> {
    let [c, r] = parts(x, groups);
    (c * r).reshape(x.dims()) * parameter(gamma) + parameter(beta)
}

/// d/dt of the value at x + t ẋ, γ + t γ̇, β + t β̇.
fn first([x, dx]: [&Tensor<4>; 2], gamma: &Tensor<1>, [v_gamma, v_beta]: [&Tensor<1>; 2], groups: usize) -> Tensor<4> {
    let (images, directions) = (x.dims()[0], dx.dims()[0] / x.dims()[0]);
    let x = x.clone().repeat_dim(0, directions);
    let ([c, r], d) = (parts(&x, groups), centred(dx.clone(), groups));
    let dr = r.clone() * r.clone() * r.clone() * (c.clone() * d.clone()).mean_dim(2).neg();
    let normalised = (c.clone() * r.clone()).reshape(x.dims());
    let derivative = (d * r + c * dr).reshape(x.dims());
    derivative * parameter(gamma)
        + normalised * velocity(v_gamma, directions, images)
        + velocity(v_beta, directions, images)
}

fn gradients<const N: usize>(y: Tensor<4>, part: u64, leaves: [Tensor<4>; N], gamma: &Tensor<1>) -> Vec<Tensor<1>> {
    let mut gradients: Gradients = (y.clone() * normal(y.dims(), part, y.dtype()).autodiff()).sum().backward();
    let mut found = vec![y.flatten::<1>(0, 3)];
    found.extend(leaves.map(|t| t.grad_remove(&mut gradients).expect("it flowed back").flatten::<1>(0, 3)));
    found.push(gamma.grad_remove(&mut gradients).expect("it flowed back"));
    found
}

fn compare(ours: Vec<Tensor<1>>, theirs: Vec<Tensor<1>>, tolerance: f64, what: &str) {
    assert_eq!(ours.len(), theirs.len());
    for (i, (ours, theirs)) in ours.into_iter().zip(theirs).enumerate() {
        let found = difference(ours, theirs);
        assert!(found <= tolerance, "{what}, result {i}: {found:e}");
    }
}

#[test]
fn value_and_its_gradients() {
    for (shape, groups, _) in SHAPES {
        // A group of one number is 0 whatever x is, up to ε: its gradient is rounding.
        for (dtype, tolerance) in [(DType::F32, 2e-5), (DType::F64, 1e-12)] {
            let make = || (leaf(shape, 0, dtype), leaf([shape[1]], 1, dtype), leaf([shape[1]], 2, dtype));
            let found = |by: &dyn Fn(&Tensor<4>, &Tensor<1>, &Tensor<1>) -> Tensor<4>| {
                let (x, gamma, beta) = make();
                let y = by(&x, &gamma, &beta);
                let mut found = gradients(y, 3, [x.clone()], &gamma);
                let y = by(&x, &gamma, &beta);
                let mut of_beta = (y.clone() * normal(y.dims(), 3, dtype).autodiff()).sum().backward();
                found.push(beta.grad_remove(&mut of_beta).expect("it flowed back"));
                found
            };
            let ours = found(&|x, gamma, beta| group_norm(x.clone(), [gamma.clone(), beta.clone()], groups));
            let theirs = found(&|x, gamma, beta| value(x, gamma, beta, groups));
            compare(ours, theirs, tolerance, &format!("{shape:?} {dtype:?}"));
        }
    }
}

#[test]
fn first_coefficient_and_its_gradients() {
    for (shape @ [n, c, h, w], groups, directions) in SHAPES {
        for (dtype, tolerance) in [(DType::F32, 5e-5), (DType::F64, 1e-12)] {
            let found = |ours: bool| {
                let (x, dx) = (leaf(shape, 0, dtype), leaf([directions * n, c, h, w], 1, dtype));
                let gamma = leaf([c], 2, dtype);
                let [v_gamma, v_beta] = [3, 4].map(|part| normal([directions * c], part, dtype).autodiff());
                let y = match ours {
                    true => group_norm_first([x.clone(), dx.clone()], gamma.clone(), [v_gamma, v_beta], groups),
                    false => first([&x, &dx], &gamma, [&v_gamma, &v_beta], groups),
                };
                gradients(y, 5, [x, dx], &gamma)
            };
            compare(found(true), found(false), tolerance, &format!("{shape:?} {dtype:?}"));
        }
    }
}

/// The second coefficient is the derivative of the first along x + t ẋ + t² ẍ / 2, γ + t γ̇: a central difference, of error
/// some 10⁻¹⁰ of the size.
#[test]
fn second_coefficient_is_the_slope_of_the_first() {
    for (shape @ [n, c, h, w], groups, directions) in SHAPES {
        for bent in [false, true] {
            let (x, gamma) = (normal(shape, 0, DType::F64), normal([c], 2, DType::F64));
            let dx = normal([directions * n, c, h, w], 1, DType::F64);
            let ddx = normal([directions * n, c, h, w], 6, DType::F64).mul_scalar(f64::from(u8::from(bent)));
            let [v_gamma, v_beta] = [3, 4].map(|part| normal([directions * c], part, DType::F64));
            let second = bent.then(|| ddx.clone());
            let ours = group_norm_second([x.clone(), dx.clone()], second, [gamma.clone(), v_gamma.clone()], groups);
            // One direction at a time: x differs between directions off t = 0.
            let t = 1e-4;
            let each = (0..directions).map(|k| {
                let of = |all: &Tensor<4>| all.clone().slice([k * n..(k + 1) * n, 0..c, 0..h, 0..w]);
                let part = |all: &Tensor<1>| all.clone().narrow(0, k * c, c);
                let at = |t: f64| {
                    let moved = x.clone() + of(&dx).mul_scalar(t) + of(&ddx).mul_scalar(t * t / 2.0);
                    let along = of(&dx) + of(&ddx).mul_scalar(t);
                    let gamma = gamma.clone() + part(&v_gamma).mul_scalar(t);
                    first([&moved, &along], &gamma, [&part(&v_gamma), &part(&v_beta)], groups)
                };
                (at(t) - at(-t)).div_scalar(2.0 * t)
            });
            let theirs = Tensor::cat(each.collect(), 0);
            let found = difference(ours.flatten::<1>(0, 3), theirs.flatten::<1>(0, 3));
            assert!(found <= 1e-6, "{shape:?}, ẍ {bent}: {found:e}");
        }
    }
}
