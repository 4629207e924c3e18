//! Gram matrices of per-sample gradients.

use burn::tensor::Tensor;

use crate::{Network, Pass, Vector};

/// Inner products of the rows ∇_θ ⟨cotangent_c(i), f(xᵢ; θ)⟩: `[m n, m n]` with row (c, i) at c·n + i, from inputs
/// `[n, channels, height, width]` and m cotangents `[n, outputs]`. With the unit vectors as cotangents it is the kernel
/// J Jᵀ of the Jacobian.
///
/// No matrix of size samples × parameters is made: each layer gives its part (its third rule). Costs m gradients of n
/// samples and the layers' inner products.
pub fn gram(
    network: &Network,
    theta: &Vector,
    buffers: &Vector,
    inputs: &Tensor<4>,
    cotangents: &[Tensor<2>],
) -> Tensor<2> {
    let mut rules = Vec::new();
    let mut kept: Vec<Vec<Tensor<2>>> = Vec::new();
    for cotangent in cotangents {
        let mut pass = Pass::value(theta, buffers).recording();
        let outputs = network.forward(inputs.clone(), &mut pass).value;
        let mut gradients = (outputs * cotangent.clone()).sum().backward();
        let (of_pass, rows) = pass.into_tape().keep(&mut gradients);
        rules = of_pass;
        kept.resize_with(rows.len(), Vec::new);
        for (layer, rows) in kept.iter_mut().zip(rows) {
            layer.push(rows);
        }
    }
    let size = cotangents.len() * inputs.dims()[0];
    let zero = Tensor::zeros([size, size], (&inputs.device().without_autodiff(), theta.dtype()));
    rules.iter().zip(kept).fold(zero, |sum, (rule, rows)| sum + rule.gram(Tensor::cat(rows, 0)))
}

/// The kernel J Jᵀ `[C n, C n]` of the Jacobian of all outputs, row (c, i) at c·n + i.
pub fn jacobian_gram(network: &Network, theta: &Vector, buffers: &Vector, inputs: &Tensor<4>) -> Tensor<2> {
    let (n, outputs) = (inputs.dims()[0], network.outputs());
    let options = (&inputs.device().without_autodiff(), theta.dtype());
    let unit = |c: usize| Tensor::<2>::zeros([n, outputs], options).slice_fill([0..n, c..c + 1], 1.0);
    gram(network, theta, buffers, inputs, &(0..outputs).map(unit).collect::<Vec<_>>())
}
