//! Gram matrices of per-sample gradients.

use std::ops::Range;

use burn::tensor::Tensor;

use crate::{Network, Pass, PerSample, Vector};

/// Inner products of the rows ∇_θ ⟨cotangent_c(i), f(xᵢ; θ)⟩: `[m n, m n]` with row (c, i) at c·n + i, from inputs
/// `[n, channels, height, width]` and m cotangents `[n, outputs]`. With the unit vectors as cotangents it is the kernel
/// J Jᵀ of the Jacobian.
///
/// No matrix of size samples × parameters is made: each layer gives its part (its third rule). Costs m gradients of n
/// samples and the layers' inner products. What the layers keep of the cotangents is bounded by `memory` bytes: where it
/// does not fit, the layers are taken in groups and the m gradients made again for each (a layer is never cut).
pub fn gram(
    network: &Network,
    theta: &Vector,
    buffers: &Vector,
    inputs: &Tensor<4>,
    cotangents: &[Tensor<2>],
    memory: usize,
) -> Tensor<2> {
    let size = cotangents.len() * inputs.dims()[0];
    let mut sum = Tensor::zeros([size, size], (&inputs.device().without_autodiff(), theta.dtype()));
    let kept_of = |cotangent: &Tensor<2>, layers: Option<&Range<usize>>| {
        let mut pass = Pass::value(theta, buffers).recording();
        let outputs = network.forward(inputs.clone(), &mut pass).value;
        let mut gradients = (outputs * cotangent.clone()).sum().backward();
        pass.into_tape().keep(&mut gradients, layers)
    };
    let Some(first) = cotangents.first() else { return sum };
    // What the first cotangent leaves says how much all will.
    let mut pending = kept_of(first, None);
    let bytes: Vec<usize> =
        pending.iter().map(|(_, rows)| rows.shape().num_elements() * theta.dtype().size() * cotangents.len()).collect();
    let groups = groups(&bytes, memory);
    for (index, layers) in groups.iter().enumerate() {
        let mut of_group: Vec<(Box<dyn PerSample>, Vec<Tensor<2>>)> = match index {
            0 => pending.drain(..).take(layers.len()).map(|(rule, rows)| (rule, vec![rows])).collect(),
            _ => kept_of(first, Some(layers)).into_iter().map(|(rule, rows)| (rule, vec![rows])).collect(),
        };
        for cotangent in &cotangents[1..] {
            for ((_, all), (_, rows)) in of_group.iter_mut().zip(kept_of(cotangent, Some(layers))) {
                all.push(rows);
            }
        }
        for (rule, rows) in of_group {
            sum = sum + rule.gram(Tensor::cat(rows, 0));
        }
    }
    sum
}

/// Consecutive layers that fit into `memory` together; at least one a group.
fn groups(bytes: &[usize], memory: usize) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (layer, &size) in bytes.iter().enumerate() {
        if layer > start && used + size > memory {
            groups.push(start..layer);
            (start, used) = (layer, 0);
        }
        used += size;
    }
    if start < bytes.len() {
        groups.push(start..bytes.len());
    }
    groups
}

/// The kernel J Jᵀ `[C n, C n]` of the Jacobian of all outputs, row (c, i) at c·n + i; see [`gram()`].
pub fn jacobian_gram(
    network: &Network,
    theta: &Vector,
    buffers: &Vector,
    inputs: &Tensor<4>,
    memory: usize,
) -> Tensor<2> {
    let (n, outputs) = (inputs.dims()[0], network.outputs());
    let options = (&inputs.device().without_autodiff(), theta.dtype());
    let unit = |c: usize| Tensor::<2>::zeros([n, outputs], options).slice_fill([0..n, c..c + 1], 1.0);
    gram(network, theta, buffers, inputs, &(0..outputs).map(unit).collect::<Vec<_>>(), memory)
}

#[cfg(test)]
mod tests {
    use super::groups;

    #[test]
    fn layers_are_grouped_by_their_bytes() {
        assert_eq!(groups(&[3, 3, 3, 9, 1], 6), [0..2, 2..3, 3..4, 4..5]);
        assert_eq!(groups(&[3, 3, 9], 6), [0..2, 2..3]);
        assert!(groups(&[], 1).is_empty());
    }
}
