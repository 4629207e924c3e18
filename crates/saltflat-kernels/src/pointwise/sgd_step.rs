//! A step of gradient descent.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::add::add_scaled;
use crate::{
    operation::{from_flex, to_flex},
    simd::Real,
    slices::{in_place, writable},
    switch::has_untracked_kernels,
    tasks::CHUNK,
};

/// A step of gradient descent with momentum, \[θ − η u', u'\] with u' = β u + g, from θ, u and g of equal shapes: PyTorch's `SGD` without
/// dampening. Each result takes the memory of its input if no other tensor shares that.
pub fn sgd_step<const D: usize>([theta, velocity, gradient]: [Tensor<D>; 3], momentum: f64, lr: f64) -> [Tensor<D>; 2] {
    let fits = theta.dims() == gradient.dims() && velocity.dims() == gradient.dims();
    if fits && has_untracked_kernels(&theta) && !velocity.is_autodiff() && !gradient.is_autodiff() {
        let (theta, mut velocity) = (to_flex(theta), writable(to_flex(velocity)));
        let gradient = to_flex(gradient);
        let theta = in_place!(theta, [gradient], step(theta, velocity.storage_mut(), gradient, momentum, lr));
        return [theta, velocity].map(from_flex);
    }
    let velocity = add_scaled(gradient, momentum, velocity);
    [add_scaled(theta, -lr, velocity.clone()), velocity]
}

/// u ← β u + g, then θ ← θ − η u, all of equal lengths: one pass over memory.
fn step<T: Real>(theta: &mut [T], velocity: &mut [T], gradient: &[T], momentum: f64, lr: f64) {
    let (arch, momentum, lr) = (pulp::Arch::new(), T::of(momentum), T::of(lr));
    let chunk = |((theta, velocity), gradient): ((&mut [T], &mut [T]), &[T])| {
        arch.dispatch(|| {
            for ((theta, u), &g) in theta.iter_mut().zip(velocity).zip(gradient) {
                *u = g + momentum * *u;
                *theta = *theta - lr * *u;
            }
        });
    };
    match theta.len() <= CHUNK {
        true => chunk(((theta, velocity), gradient)),
        false => {
            let chunks = theta.par_chunks_mut(CHUNK).zip(velocity.par_chunks_mut(CHUNK));
            chunks.zip(gradient.par_chunks(CHUNK)).for_each(chunk);
        }
    }
}
