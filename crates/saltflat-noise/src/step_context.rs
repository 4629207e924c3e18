//! The step that a draw is made for.

use saltflat_models::Vector;
use saltflat_random::{Key, Stream};

/// The step that a draw is made for: in which run, after how many steps, and how strong the noise is then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepContext {
    /// The run's seed.
    pub seed: u64,
    /// Number of steps before this one.
    pub step: u64,
    /// The noise's schedule: a factor on its probability or its σ.
    pub factor: f64,
    /// Which sequence of its random streams the noise draws from; 0 for a noise by itself, otherwise see
    /// [`substreams`](crate::substreams).
    pub substream: u32,
}

impl StepContext {
    /// The key of this step's draw.
    pub fn key(self, stream: Stream) -> Key {
        Key::new(self.seed, stream, self.step).substream(self.substream)
    }

    /// σ · factor, rounded as it is drawn with.
    pub fn scaled_sigma(self, sigma: f64) -> f32 {
        (sigma * self.factor) as f32
    }

    /// σ · factor · z with `n` independent standard normal numbers z; absent if σ · factor is 0.
    pub fn draw_normal(self, stream: Stream, sigma: f64, n: usize) -> Option<Vec<f32>> {
        let sigma = self.scaled_sigma(sigma);
        (sigma != 0.0).then(|| self.key(stream).normal(n).into_iter().map(|z| sigma * z).collect())
    }

    /// σ ξ with ξ ~ N(0, I) and one entry for each parameter: the noise that is added to the parameters after the update, without
    /// `factor`. Absent if σ is 0.
    pub fn draw_parameter_noise(self, sigma: f64, theta: &Vector) -> Option<Vector> {
        (sigma != 0.0).then(|| theta.normal_like(self.key(Stream::ParameterNoise)).scale(sigma))
    }
}
