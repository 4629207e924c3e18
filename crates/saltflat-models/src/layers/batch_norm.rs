//! Batch normalisation.

use burn::tensor::{FloatDType, Tensor};
use saltflat_config::Section;
use serde::Serialize;

use super::{
    affine::Affine,
    keys::eps,
    normalise::{EPSILON, Standardise},
};
use crate::{
    Init, Jet, Layer, ModelError, Pass,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    layout::Slot,
    pass::Mode,
    place::{Built, Place},
};

/// Part of the old running statistic that a training step replaces, unless a configuration says another: PyTorch's `momentum`.
const MOMENTUM: f64 = 0.1;

/// Normalises each channel over the batch and the positions, then γ x̂ + β: PyTorch's `nn.BatchNorm2d`, by default ε = 1e−5 and
/// momentum 0.1. A training step uses the batch's statistics and moves the running ones; every measurement uses the
/// running ones, so that the loss is a function of the parameters and a sample alone.
#[derive(Debug)]
pub struct BatchNorm {
    channels: usize,
    eps: f64,
    momentum: f64,
    affine: Affine,
    mean: Slot,
    variance: Slot,
}

impl BatchNorm {
    /// Adds the buffers `NAME.running_mean` and `NAME.running_var`, and `NAME.weight` and `NAME.bias`, if it is `affine`. `momentum` is the part
    /// of the running statistics that a training step replaces.
    pub fn new(place: &mut Place<'_>, channels: usize, eps: f64, momentum: f64, affine: bool) -> Self {
        let affine = Affine::new(place, &[channels], [affine; 2]);
        let mean = place.buffer("running_mean", &[channels], Init::Constant(0.0));
        let variance = place.buffer("running_var", &[channels], Init::Constant(1.0));
        Self { channels, eps, momentum, affine, mean, variance }
    }

    /// Moves the running statistics towards those of the batch `[1, channels, batch · positions]`; the variance is the
    /// unbiased one.
    fn update(&self, x: Tensor<3>, pass: &mut Pass<'_>) {
        // In the number type of what is stored, also if the pass is of half precision.
        let stored = pass.tensor::<1>(self.mean, [self.channels]).dtype();
        let x = x.without_autodiff().cast(FloatDType::from(stored));
        let rate = pass.rate.unwrap_or(self.momentum);
        let [_, channels, count] = x.dims();
        let mean = x.clone().mean_dim(2);
        let variance = (x - mean.clone()).square().sum_dim(2).div_scalar((count.max(2) - 1) as f64);
        for (slot, batch) in [(self.mean, mean), (self.variance, variance)] {
            let old = pass.tensor::<1>(slot, [channels]);
            pass.update(slot, old.mul_scalar(1.0 - rate) + batch.reshape([channels]).mul_scalar(rate));
        }
    }
}

impl Layer for BatchNorm {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let [n, c, h, w] = x.value.dims();
        let x = match pass.mode {
            Mode::Train => {
                let x = x.linear(|t| {
                    let directions = t.dims()[0] / n;
                    t.reshape([directions, n, c, h * w]).swap_dims(1, 2).reshape([directions, c, n * h * w])
                });
                self.update(x.value.clone(), pass);
                let standardise = Standardise { dim: 2, eps: self.eps, centred: true };
                standardise.forward(x, pass.second_order()).linear(|t| {
                    let directions = t.dims()[0];
                    t.reshape([directions, c, n, h * w]).swap_dims(1, 2).reshape([directions * n, c, h, w])
                })
            }
            Mode::Measure => {
                let shape = [1, self.channels, 1, 1];
                let mean = pass.tensor::<4>(self.mean, shape);
                let scale = pass.tensor::<4>(self.variance, shape).add_scalar(self.eps).sqrt().recip();
                let centred = Jet { value: x.value - mean, ..x };
                centred.linear(|t| t * scale.clone())
            }
        };
        self.affine.forward(x, pass)
    }

    fn couples_samples(&self) -> bool {
        true
    }
}

/// The keys of batch normalisation in a list of layers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BatchNormConfig {
    /// ε, which is added to the variance.
    pub eps: f64,
    /// Part of the running statistics that a training step replaces.
    pub momentum: f64,
    /// True if a factor and an offset a channel follow.
    pub affine: bool,
}

/// PyTorch's.
impl Default for BatchNormConfig {
    fn default() -> Self {
        Self { eps: EPSILON, momentum: MOMENTUM, affine: true }
    }
}

impl LayerConfig for BatchNormConfig {
    fn name(&self) -> &'static str {
        "batch-norm"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let [channels, ..] = place.input();
        Ok(Built::new(BatchNorm::new(place, channels, self.eps, self.momentum, self.affine), place.input()))
    }
}

impl LayerKeys for BatchNormConfig {
    const NAMES: &'static [&'static str] = &["batch-norm"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, section: &mut Section) -> Self {
        let momentum = section.optional("momentum", "a number from 0 to 1", |x: &f64| (0.0..=1.0).contains(x));
        Self {
            eps: eps(section, EPSILON),
            momentum: momentum.unwrap_or(MOMENTUM),
            affine: section.get("affine").unwrap_or(true),
        }
    }

    fn cases() -> Vec<LayerCase> {
        vec![
            LayerCase::new("batch norm", r#"["batch-norm"]"#),
            LayerCase::new(
                "batch norm, ε 0.1, not affine",
                r#"[{ kind = "batch-norm", eps = 0.1, momentum = 0.3, affine = false }]"#,
            ),
        ]
    }
}
