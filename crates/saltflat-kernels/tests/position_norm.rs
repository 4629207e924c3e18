//! Normalisation over the channels at every position: value, first coefficient and their gradients against the same formulas in burn's operations.
#![allow(clippy::expect_used)]

mod common;

use burn::tensor::{DType, Tensor};
use common::{difference, leaf, normal, numbers};
use saltflat_kernels::PositionNorm;

/// `[images, channels, positions]` and directions: one block of positions, several of unequal length, and one position.
const SHAPES: [([usize; 3], usize); 4] = [([3, 8, 35], 1), ([2, 6, 131], 3), ([4, 5, 1], 2), ([1, 48, 64], 2)];

const KINDS: [PositionNorm; 2] = [PositionNorm { eps: 1e-5, centred: true }, PositionNorm { eps: 0.1, centred: false }];

/// (c, r) of f = c r.
fn parts(kind: PositionNorm, x: Tensor<3>) -> [Tensor<3>; 2] {
    let c = centred(kind, x);
    let r = c.clone().square().mean_dim(1).add_scalar(kind.eps).sqrt().recip();
    [c, r]
}

fn centred(kind: PositionNorm, x: Tensor<3>) -> Tensor<3> {
    if kind.centred { x.clone() - x.mean_dim(1) } else { x }
}

/// f.
fn value(kind: PositionNorm, x: Tensor<3>) -> Tensor<3> {
    let [c, r] = parts(kind, x);
    c * r
}

/// Df\[ẋ\].
fn first(kind: PositionNorm, [x, dx]: [Tensor<3>; 2]) -> Tensor<3> {
    let directions = dx.dims()[0] / x.dims()[0];
    let ([c, r], d) = (parts(kind, x.repeat_dim(0, directions)), centred(kind, dx));
    let dr = r.clone() * r.clone() * r.clone() * (c.clone() * d.clone()).mean_dim(1).neg();
    d * r + c * dr
}

/// y, and the gradients of ⟨y, a random cotangent⟩.
fn with_gradients<const N: usize>(y: Tensor<3>, leaves: [Tensor<3>; N]) -> Vec<Tensor<3>> {
    let mut gradients = (y.clone() * normal(y.dims(), 9, y.dtype()).autodiff()).sum().backward();
    let mut found = vec![y];
    found.extend(leaves.map(|leaf| leaf.grad_remove(&mut gradients).expect("it flowed back")));
    found
}

fn compare(ours: Vec<Tensor<3>>, theirs: Vec<Tensor<3>>, tolerance: f64, what: &str) {
    for (i, (ours, theirs)) in ours.into_iter().zip(theirs).enumerate() {
        let found = difference(ours, theirs);
        assert!(found <= tolerance, "{what}, result {i}: {found:e}");
    }
}

#[test]
fn value_and_its_gradient() {
    for (shape, _) in SHAPES {
        for kind in KINDS {
            for (dtype, tolerance) in [(DType::F32, 2e-5), (DType::F64, 1e-12)] {
                let x = leaf(shape, 0, dtype);
                let ours = with_gradients(kind.value(x.clone()), [x]);
                let x = leaf(shape, 0, dtype);
                let theirs = with_gradients(value(kind, x.clone()), [x]);
                compare(ours, theirs, tolerance, &format!("{shape:?} {kind:?} {dtype:?}"));
            }
        }
    }
}

#[test]
fn first_coefficient_and_its_gradients() {
    for (shape @ [n, c, p], directions) in SHAPES {
        for kind in KINDS {
            for (dtype, tolerance) in [(DType::F32, 5e-5), (DType::F64, 1e-12)] {
                let inputs = || [leaf(shape, 0, dtype), leaf([directions * n, c, p], 1, dtype)];
                let along = inputs();
                let ours = with_gradients(kind.first(along.clone()), along);
                let along = inputs();
                let theirs = with_gradients(first(kind, along.clone()), along);
                compare(ours, theirs, tolerance, &format!("{shape:?} {kind:?} {dtype:?}"));
            }
        }
    }
}

/// The second coefficient is the derivative of the first along x + t ẋ + t² ẍ / 2: a central difference, of error some 10⁻⁸ of the size.
#[test]
fn second_coefficient_is_the_slope_of_the_first() {
    for (shape @ [n, c, p], directions) in SHAPES {
        for kind in KINDS {
            for bent in [false, true] {
                let of_directions = [directions * n, c, p];
                let x = normal(shape, 0, DType::F64);
                let dx = normal(of_directions, 1, DType::F64);
                let ddx = normal(of_directions, 2, DType::F64).mul_scalar(f64::from(u8::from(bent)));
                let ours = kind.second([x.clone(), dx.clone()], bent.then(|| ddx.clone()));
                let at = |t: f64| {
                    let x = x.clone().repeat_dim(0, directions);
                    let moved = x + dx.clone().mul_scalar(t) + ddx.clone().mul_scalar(t * t / 2.0);
                    first(kind, [moved, dx.clone() + ddx.clone().mul_scalar(t)])
                };
                let t = 1e-4;
                let found = difference(ours, (at(t) - at(-t)).div_scalar(2.0 * t));
                assert!(found <= 1e-6, "{shape:?}, {kind:?}, ẍ {bent}: {found:e}");
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let shape @ [n, c, p] = [40, 64, 130];
    let run = |threads: usize| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads").install(|| {
            let along = [leaf(shape, 0, DType::F32), leaf([2 * n, c, p], 1, DType::F32)];
            with_gradients(KINDS[0].first(along.clone()), along).into_iter().map(numbers).collect::<Vec<_>>()
        })
    };
    let one = run(1);
    for threads in [2, 3, 8] {
        assert!(run(threads) == one, "with {threads} threads");
    }
}
