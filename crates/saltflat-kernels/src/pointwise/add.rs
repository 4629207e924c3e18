//! Sums of two tensors, and a sum that is a place at which the cotangent is read.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::Tensor,
};
use rayon::prelude::*;

use super::update::update;
use crate::{
    operation::apply,
    simd::Real,
    slices::{in_place, kernel},
    switch::has_kernels,
    tasks::CHUNK,
};

/// a + b, of equal shapes.
pub fn add<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    add_scaled(a, 1.0, b)
}

/// a + factor · b, of equal shapes.
pub fn add_scaled<const D: usize>(a: Tensor<D>, factor: f64, b: Tensor<D>) -> Tensor<D> {
    if !has_kernels(&a) || a.dims() != b.dims() {
        return if factor == 1.0 { a + b } else { a + b.mul_scalar(factor) };
    }
    apply([a.into_dispatch(), b.into_dispatch()], [], move |[a, b], []| {
        let sum = match a.is_unique() {
            true => in_place!(a, [b], add_scaled_to(a, factor, b)),
            false => kernel!([a, b] -> a.shape(), sum_scaled(a, factor, b)),
        };
        let backward = move |delta: FlexTensor, [wants_a, wants_b]: [bool; 2]| {
            let of_b = || match factor {
                1.0 => delta.clone(),
                factor => kernel!([delta] -> delta.shape(), scaled(delta, factor)),
            };
            [wants_a.then(|| delta.clone()), wants_b.then(of_b)]
        };
        (sum, backward)
    })
}

/// x + leaf, of equal shapes, with a leaf of the autodiff graph that is 0: after a backward pass its gradient is the cotangent at x.
pub fn tap(x: Tensor<4>, leaf: Tensor<4>) -> Tensor<4> {
    if !has_kernels(&x) {
        return x + leaf;
    }
    apply([x.into_dispatch(), leaf.into_dispatch()], [], |[x, _leaf], []| {
        // Nothing is added.
        (x, |delta: FlexTensor, wanted: [bool; 2]| wanted.map(|wanted| wanted.then(|| delta.clone())))
    })
}

/// a + b; b is repeated if it is the shorter one.
pub(crate) fn add_repeated(a: FlexTensor, b: &FlexTensor) -> FlexTensor {
    in_place!(a, [b], add_scaled_to(a, 1.0, b))
}

/// a ← a + factor · b; b is repeated if it is the shorter one.
fn add_scaled_to<T: Real>(a: &mut [T], factor: f64, b: &[T]) {
    let factor = T::of(factor);
    update(a, b, |a, b| a + factor * b);
}

/// a + factor · b, of equal lengths.
fn sum_scaled<T: Real>(a: &[T], factor: f64, b: &[T]) -> Vec<T> {
    let factor = T::of(factor);
    match a.len() < CHUNK {
        true => a.iter().zip(b).map(|(&a, &b)| a + factor * b).collect(),
        // Collected, so that the new numbers are not set to zero first.
        false => a.par_iter().zip(b).with_min_len(CHUNK).map(|(&a, &b)| a + factor * b).collect(),
    }
}

/// factor · x.
fn scaled<T: Real>(x: &[T], factor: f64) -> Vec<T> {
    let factor = T::of(factor);
    x.iter().map(|&x| x * factor).collect()
}
