//! Learned positional parameters.

use burn::tensor::Tensor;
use saltflat_config::Section;
use serde::Serialize;

use super::keys::distribution;
use crate::{
    Init, Jet, Layer, ModelError, Pass, PerSample,
    init::InitialValues,
    jet::{for_each_sample, sum},
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    layout::Slot,
    place::{Built, Place},
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
    /// Adds the tensor NAME `[1, positions, channels]`.
    pub fn new(place: &mut Place<'_>, [channels, positions]: [usize; 2], init: Init) -> Self {
        Self { table: place.parameter("", &[1, positions, channels], init), channels, positions }
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

/// How the table starts, unless a configuration says another: as in vision transformers.
const START: Init = Init::Normal { std: 0.02 };

/// The keys of positional parameters in a list of layers. Their tensor has the name of the item itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PositionConfig {
    /// How the parameters start.
    pub init: InitialValues,
}

impl LayerConfig for PositionConfig {
    fn name(&self) -> &'static str {
        "position"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let [channels, h, w] = place.input();
        let layer = Position::new(place, [channels, h * w], self.init.weight([1, 1]));
        Ok(Built::new(layer, place.input()))
    }
}

impl LayerKeys for PositionConfig {
    const NAMES: &'static [&'static str] = &["position"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, section: &mut Section) -> Self {
        Self { init: distribution(section, START) }
    }

    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("position", r#"["position"]"#)]
    }
}

/// The gradient of a sample is δ.
struct Rows;

impl PerSample for Rows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        delta.flatten(1, 3)
    }
}
