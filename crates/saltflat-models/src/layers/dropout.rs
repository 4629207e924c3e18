//! Dropout.

use burn::tensor::{DType, FloatDType, Tensor};
use saltflat_config::Section;
use serde::Serialize;

use crate::{
    Jet, Layer, ModelError, Pass,
    jet::for_each_direction,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
};

/// In a training step y = m x / (1 − p) with m 0 with probability p and else 1, independently for every entry of every sample: PyTorch's
/// `nn.Dropout`. Everywhere else y = x: a measurement has no dropout.
///
/// The m of a step are a function of the run's seed, the step, the place of the layer in the forward pass, the sample's place in the batch and
/// the entry. So every pass of a step has the same: those of all microbatches, of the noise, of a second point (SAM), and both coefficients of a
/// jet. A resumed run draws what it would have drawn.
///
/// What is measured on the steps themselves is about the network with the step's m: the strength of the noise ‖ξ‖², of a given strength or as it
/// is reported. An estimate of tr H from the label noise of the steps would be about another function than the other metrics, and is not
/// made.
///
/// Source: Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// p, from 0 to below 1.
    pub probability: f64,
}

/// Numbers that a draw can be, in a unit interval: the multiples of its inverse.
const STEPS: f64 = (1 << 24) as f64;

impl Layer for Dropout {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let Some((key, first)) = pass.next_dropout() else { return x };
        let [n, c, h, w] = x.value.dims();
        let size = c * h * w;
        let like = Tensor::<1>::empty([n * size], (&x.value.device().without_autodiff(), DType::F32));
        // A multiple of the draws' step, so that the comparison is exact in f32.
        let threshold = (self.probability * STEPS).ceil() / STEPS;
        let kept = key.uniform_like(first * size, &like).greater_equal_scalar(threshold).float();
        let kept = kept.cast(FloatDType::from(x.value.dtype())).mul_scalar(1.0 / (1.0 - self.probability));
        let kept = kept.reshape([n, c, h, w]);
        x.linear(|t| for_each_direction(&kept, &t) * t)
    }

    fn is_random(&self) -> bool {
        true
    }
}

/// The keys of dropout in a list of layers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DropoutConfig {
    /// p, with which an entry is set to 0.
    pub probability: f64,
}

impl LayerConfig for DropoutConfig {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let Self { probability } = *self;
        match (0.0..1.0).contains(&probability) {
            true => Ok(Built::new(Dropout { probability }, place.input())),
            false => Err(place.error_of("a probability from 0 to below 1", probability)),
        }
    }
}

impl LayerKeys for DropoutConfig {
    const NAMES: &'static [&'static str] = &["dropout"];
    const EXAMPLE: &'static str = "probability = 0.2";

    fn read(_: &str, section: &mut Section) -> Self {
        let probability =
            section.optional("probability", "a number from 0 to below 1", |p: &f64| (0.0..1.0).contains(p));
        Self { probability: probability.unwrap_or(0.5) }
    }

    fn cases() -> Vec<LayerCase> {
        let after_conv = r#"[{ kind = "conv2d", outputs = 3, kernel = 3 }, { kind = "dropout", probability = 0.2 }, "silu", "dropout"]"#;
        vec![LayerCase::new("dropout", r#"["dropout"]"#), LayerCase::new("two dropouts, one within", after_conv)]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use saltflat_random::{Key, Stream};

    use super::*;
    use crate::Vector;

    const P: f64 = 0.3;

    fn key(step: u64) -> Key {
        Key::new(5, Stream::Dropout, step)
    }

    /// Dropout of ones: what each entry of samples from `first` on is multiplied with.
    fn factors(layers: &[Dropout], key: Key, first: usize, samples: usize, dtype: DType) -> Vec<Vec<f64>> {
        let empty = Vector::default();
        let mut pass = Pass::value(&empty, &empty).training_with(key, first);
        let ones = || Jet::constant(Tensor::ones([samples, 5, 100, 20], (&Device::flex(), dtype)));
        let run = |layer: &Dropout| layer.forward(ones(), &mut pass).value.try_into_vec_as::<f64>().expect("numbers");
        layers.iter().map(run).collect()
    }

    /// 0 with probability p, else 1/(1 − p): mean 1 and variance p/(1 − p) within 4 standard errors, and neighbours, samples, layers and steps are
    /// uncorrelated.
    #[test]
    fn draws_have_the_stated_distribution() {
        let layers = [Dropout { probability: P }; 2];
        let [a, b]: [Vec<f64>; 2] = factors(&layers, key(0), 0, 40, DType::F64).try_into().expect("two layers");
        let n = a.len() as f64;
        assert!(a.iter().all(|m| *m == 0.0 || *m == 1.0 / (1.0 - P)));
        let variance = P / (1.0 - P);
        let mean = a.iter().sum::<f64>() / n;
        assert!((mean - 1.0).abs() < 4.0 * (variance / n).sqrt(), "mean {mean}");
        // m takes two values: (m − 1)² is 1 with probability p, else (p/(1 − p))².
        let spread = (1.0 - variance.powi(2)).abs() * (P * (1.0 - P)).sqrt();
        let square = a.iter().map(|m| (m - 1.0).powi(2)).sum::<f64>() / n;
        assert!((square - variance).abs() < 4.0 * spread / n.sqrt(), "variance {square}");
        let other_step = factors(&layers[..1], key(1), 0, 40, DType::F64).remove(0);
        for (name, other) in
            [("layer", &b[..]), ("step", &other_step), ("neighbour", &a[1..]), ("sample", &a[10_000..])]
        {
            let products = a.iter().zip(other).map(|(x, y)| (x - 1.0) * (y - 1.0));
            let correlation = products.sum::<f64>() / other.len() as f64 / variance;
            assert!(correlation.abs() < 4.0 / (other.len() as f64).sqrt(), "{name}: {correlation}");
        }
    }

    /// The draws of a sample do not depend on the samples that are in the pass with it, nor on the number type.
    #[test]
    fn draws_are_those_of_the_sample() {
        let layers = [Dropout { probability: P }; 2];
        let whole = factors(&layers, key(3), 0, 12, DType::F64);
        for (first, samples) in [(0, 4), (4, 7), (11, 1)] {
            for dtype in [DType::F64, DType::F32] {
                let part = factors(&layers, key(3), first, samples, dtype);
                for (part, whole) in part.iter().zip(&whole) {
                    let whole = whole[first * 10_000..(first + samples) * 10_000].iter();
                    assert!(part.iter().zip(whole).all(|(a, b)| (*a == 0.0) == (*b == 0.0)), "{first} {dtype:?}");
                }
            }
        }
    }

    /// p = 0 keeps everything, and takes its own part of the draw as any other.
    #[test]
    fn nothing_is_dropped_with_probability_0() {
        let [none, some] = [Dropout { probability: 0.0 }, Dropout { probability: P }];
        let both = factors(&[none, some], key(0), 0, 2, DType::F64);
        assert!(both[0].iter().all(|m| *m == 1.0));
        assert_eq!(both[1], factors(&[some, some], key(0), 0, 2, DType::F64)[1]);
    }

    /// Without a key, as in every measurement, it is the identity.
    #[test]
    fn measurements_have_no_dropout() {
        let empty = Vector::default();
        let x = Tensor::<4>::ones([2, 3, 4, 5], &Device::flex());
        for mut pass in [Pass::value(&empty, &empty), Pass::value(&empty, &empty).training()] {
            let y = Dropout { probability: P }.forward(Jet::constant(x.clone()), &mut pass).value;
            assert!((y - x.clone()).abs().max().into_scalar::<f32>() == 0.0);
        }
    }
}
