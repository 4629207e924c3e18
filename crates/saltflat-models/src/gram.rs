//! Gram matrices of per-sample gradients.

use std::{convert::Infallible, ops::Range};

use burn::tensor::Tensor;

use crate::{network::Network, pass::Pass, tape::PerSample, vector::Vector};

/// How much a Gram matrix takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GramChunks {
    /// Samples of one pass through the network.
    pub microbatch: usize,
    /// Bytes that the layers may keep. If it does not fit, the layers are taken in groups and the gradients made again
    /// for each; a layer is never cut, so the least is what one layer keeps of all cotangents and samples.
    pub bytes: usize,
}

/// What a layer keeps of some cotangents and samples.
struct Kept {
    rule: Box<dyn PerSample>,
    rows: Vec<Tensor<2>>,
    inputs: Vec<Tensor<4>>,
}

impl Kept {
    fn gram(self) -> Tensor<2> {
        let input = (!self.inputs.is_empty()).then(|| Tensor::cat(self.inputs, 0));
        self.rule.gram(Tensor::cat(self.rows, 0), input)
    }
}

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
    chunks: GramChunks,
) -> Tensor<2> {
    let never = || Ok::<(), Infallible>(());
    let Ok(matrix) = gram_with(network, theta, buffers, inputs, cotangents, chunks, &never);
    matrix
}

/// [`gram()`], which calls `check` before every pass and before the inner products of every layer.
///
/// # Errors
/// The first error of `check`.
pub fn gram_with<E>(
    network: &Network,
    theta: &Vector,
    buffers: &Vector,
    inputs: &Tensor<4>,
    cotangents: &[Tensor<2>],
    chunks: GramChunks,
    check: &dyn Fn() -> Result<(), E>,
) -> Result<Tensor<2>, E> {
    let [n, channels, height, width] = inputs.dims();
    let size = cotangents.len() * n;
    let mut sum = Tensor::zeros([size, size], (&inputs.device().without_autodiff(), theta.dtype()));
    let outputs_of = |samples: Range<usize>| {
        let mut pass = Pass::value(theta, buffers).recording();
        let x = inputs.clone().slice([samples, 0..channels, 0..height, 0..width]);
        (network.forward(x, &mut pass).value, pass.into_tape())
    };
    if size == 0 {
        return Ok(sum);
    }
    // What a layer keeps of one sample says what it keeps of all.
    let of_one = outputs_of(0..1).1.sizes();
    let bytes = of_one.iter().map(|[kept, input]| (kept * cotangents.len() + input) * n * theta.dtype().size());
    let bytes: Vec<usize> = bytes.collect();
    let microbatch = chunks.microbatch.clamp(1, n);
    for layers in groups(&bytes, chunks.bytes) {
        let mut of_group: Vec<Kept> = Vec::new();
        for (c, cotangent) in cotangents.iter().enumerate() {
            for start in (0..n).step_by(microbatch) {
                check()?;
                let samples = start..(start + microbatch).min(n);
                let (outputs, tape) = outputs_of(samples.clone());
                let along = cotangent.clone().slice([samples, 0..cotangent.dims()[1]]);
                let mut gradients = (outputs * along).sum().backward();
                for (layer, (rule, rows)) in tape.keep(&mut gradients, &layers).into_iter().enumerate() {
                    let input = if c == 0 { rule.input() } else { None };
                    if of_group.len() == layer {
                        of_group.push(Kept { rule, rows: Vec::new(), inputs: Vec::new() });
                    }
                    of_group[layer].rows.push(rows);
                    of_group[layer].inputs.extend(input);
                }
            }
        }
        for kept in of_group {
            check()?;
            sum = sum + kept.gram();
        }
    }
    Ok(sum)
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

/// The kernel J Jᵀ `[C n, C n]` of the Jacobian of all outputs, row (c, i) at c·n + i; see [`gram_with`].
///
/// # Errors
/// The first error of `check`.
pub fn jacobian_gram<E>(
    network: &Network,
    theta: &Vector,
    buffers: &Vector,
    inputs: &Tensor<4>,
    chunks: GramChunks,
    check: &dyn Fn() -> Result<(), E>,
) -> Result<Tensor<2>, E> {
    let (n, outputs) = (inputs.dims()[0], network.outputs());
    let options = (&inputs.device().without_autodiff(), theta.dtype());
    let unit = |c: usize| Tensor::<2>::zeros([n, outputs], options).slice_fill([0..n, c..c + 1], 1.0);
    gram_with(network, theta, buffers, inputs, &(0..outputs).map(unit).collect::<Vec<_>>(), chunks, check)
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
