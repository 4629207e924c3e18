//! Inner products of per-sample gradients, without a matrix of size samples × parameters.

use std::ops::Range;

use burn::tensor::{Gradients, Tensor};
use saltflat_kernels::tap;

/// A layer's third rule: its part of the inner products of per-sample gradients.
///
/// Row (c, i) is the gradient, with respect to this layer's parameters, of ⟨cotangent c, network output⟩ for sample i.
pub trait PerSample {
    /// From the cotangent δ `[batch, channels, height, width]` at the layer's output, the smallest tensor from which
    /// [`gram`](Self::gram) can be computed, `[batch, k]`: either δ itself or the rows themselves.
    fn keep(&self, delta: Tensor<4>) -> Tensor<2>;

    /// The layer's input `[batch, …]`, if [`gram`](Self::gram) needs it beside what was kept.
    fn input(&self) -> Option<Tensor<4>> {
        None
    }

    /// Inner products of all rows, `[rows, rows]`, from what was kept, `[rows, k]`, and the [`input`](Self::input); rows =
    /// cotangents · samples. The samples may be those of several passes, one after the other.
    fn gram(&self, kept: Tensor<2>, _input: Option<Tensor<4>>) -> Tensor<2> {
        saltflat_kernels::gram(kept)
    }
}

/// The record of one forward pass: for each layer with parameters its rule and the zero leaf at its output.
#[derive(Default)]
pub struct Tape {
    entries: Vec<(Box<dyn PerSample>, Tensor<4>)>,
}

impl Tape {
    pub(crate) fn record(&mut self, output: Tensor<4>, rule: impl PerSample + 'static) -> Tensor<4> {
        let zero = Tensor::<4>::zeros([1; 4], (&output.device().without_autodiff(), output.dtype()));
        let leaf = zero.expand(output.dims()).autodiff().require_grad();
        self.entries.push((Box::new(rule), leaf.clone()));
        tap(output.autodiff(), leaf)
    }

    /// The rules of these layers, each with what it keeps of the cotangent at its output, after the backward pass.
    pub(crate) fn keep(self, gradients: &mut Gradients, layers: &Range<usize>) -> Vec<(Box<dyn PerSample>, Tensor<2>)> {
        let wanted = self.entries.into_iter().skip(layers.start).take(layers.len());
        wanted
            .map(|(rule, leaf)| {
                let delta = leaf.grad_remove(gradients).unwrap_or_else(|| leaf.clone().without_autodiff().zeros_like());
                let kept = rule.keep(delta);
                (rule, kept)
            })
            .collect()
    }

    /// For each layer, of the samples of this pass, the numbers that are kept of a cotangent, and of the input beside them.
    pub(crate) fn sizes(self) -> Vec<[usize; 2]> {
        let numbers = |(rule, leaf): (Box<dyn PerSample>, Tensor<4>)| {
            let input = rule.input().map_or(0, |input| input.shape().num_elements());
            [rule.keep(leaf.without_autodiff()).shape().num_elements(), input]
        };
        self.entries.into_iter().map(numbers).collect()
    }
}

/// Repeats an n × n matrix for every pair of m cotangents: `[m n, m n]` times `per_pair` `[n, n]`, entry by entry.
pub(crate) fn times_tiled(rows: Tensor<2>, per_pair: Tensor<2>) -> Tensor<2> {
    let [n, _] = per_pair.dims();
    let [all, _] = rows.dims();
    let m = all / n;
    let product = rows.reshape([m, n, m, n]) * per_pair.reshape([1, n, 1, n]);
    product.reshape([all, all])
}
