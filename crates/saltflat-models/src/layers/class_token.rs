//! A learned token before all others.

use burn::tensor::Tensor;

use super::case::{CASE_INIT, CASE_INPUT, LayerCase, LayerCases};
use crate::{Init, Jet, Layer, Layout, Pass, PerSample, jet::for_each_sample, layout::Slot};

/// A learned token e `[channels]` before those of the input: `[batch, channels, h, w]` to `[batch, channels, 1 + h·w, 1]`, as in Dosovitskiy et
/// al. 2020, arXiv 2010.11929.
///
/// Jet: (v, ẋ) and (0, ẍ).
#[derive(Debug)]
pub struct ClassToken {
    token: Slot,
    channels: usize,
}

impl ClassToken {
    /// Adds the tensor NAME `[1, 1, channels]` to the layout.
    pub fn new(layout: &mut Layout, name: &str, channels: usize, init: Init) -> Self {
        Self { token: layout.parameter(name, &[1, 1, channels], init), channels }
    }
}

impl Layer for ClassToken {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let [n, c, h, w] = x.value.dims();
        let shape = [1, self.channels, 1, 1];
        let zeros = |rows: usize, tokens: usize| {
            Tensor::<4>::zeros([rows, c, tokens, 1], (&x.value.device().without_autodiff(), x.value.dtype()))
        };
        let before = |token: Tensor<4>, rest: Tensor<4>| {
            let rows = rest.dims()[0];
            Tensor::cat(vec![token, rest.reshape([rows, c, h * w, 1])], 2)
        };
        let value = before(for_each_sample(pass.tensor::<4>(self.token, shape), n), x.value.clone());
        let first = match (pass.velocity::<4>(self.token, shape), x.first) {
            (None, None) => None,
            (Some(v), None) => {
                let rows = v.dims()[0] * n;
                Some(before(for_each_sample(v, n), zeros(rows, h * w)))
            }
            (None, Some(t)) => Some(before(zeros(t.dims()[0], 1), t)),
            (Some(v), Some(t)) => Some(before(for_each_sample(v, n), t)),
        };
        let second = x.second.map(|t| before(zeros(t.dims()[0], 1), t));
        let value = pass.record(value, || Rows);
        Jet { value, first, second }
    }
}

impl LayerCases for ClassToken {
    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("class token", |layout| Self::new(layout, "layer", CASE_INPUT[0], CASE_INIT))]
    }
}

/// The gradient of a sample: δ at the first token.
struct Rows;

impl PerSample for Rows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        let [n, c, ..] = delta.dims();
        delta.slice([0..n, 0..c, 0..1]).reshape([n, c])
    }
}
