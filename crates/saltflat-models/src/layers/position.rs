//! Learned positional parameters.

use burn::tensor::Tensor;

use super::case::{CASE_INIT, CASE_INPUT, LayerCase, LayerCases};
use crate::{
    Init, Jet, Layer, Layout, Pass, PerSample,
    jet::{for_each_sample, sum},
    layout::Slot,
};

/// y = x + p with p `[1, positions, channels]`: a vector of parameters is added at each position, as in Dosovitskiy et al. 2020,
/// arXiv 2010.11929.
///
/// Jet: ẏ = ẋ + v, ÿ = ẍ.
#[derive(Debug)]
pub struct Position {
    table: Slot,
    channels: usize,
    positions: usize,
}

impl Position {
    /// Adds the tensor NAME `[1, positions, channels]` to the layout.
    pub fn new(layout: &mut Layout, name: &str, [channels, positions]: [usize; 2], init: Init) -> Self {
        Self { table: layout.parameter(name, &[1, positions, channels], init), channels, positions }
    }
}

impl Layer for Position {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let [n, c, h, w] = x.value.dims();
        let shape = [1, self.positions, self.channels];
        // With the channels first, as activations have them.
        let image = |t: Tensor<3>| {
            let rows = t.dims()[0];
            t.swap_dims(1, 2).reshape([rows, c, h, w])
        };
        let value = x.value + image(pass.tensor(self.table, shape));
        let velocity = pass.velocity::<3>(self.table, shape).map(|v| for_each_sample(image(v), n));
        let value = pass.record(value, || Rows);
        Jet { value, first: sum(x.first, velocity), second: x.second }
    }
}

impl LayerCases for Position {
    fn cases() -> Vec<LayerCase> {
        let [channels, height, width] = CASE_INPUT;
        vec![LayerCase::new("position", move |layout| {
            Self::new(layout, "layer", [channels, height * width], CASE_INIT)
        })]
    }
}

/// The gradient of a sample is δ.
struct Rows;

impl PerSample for Rows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        delta.flatten(1, 3)
    }
}
