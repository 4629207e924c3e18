//! Two-dimensional convolution.

use burn::tensor::{Slice, Tensor, ops::PadMode};
use saltflat_config::Section;
pub use saltflat_kernels::Window;
use saltflat_kernels::{
    add_scaled, convolution, directions_to_batch, gram, has_kernels, patch_products, row_sums, sample_gradients,
};
use serde::Serialize;

use super::keys::outputs;
use crate::{
    Init, Jet, Layer, ModelError, Pass, PerSample,
    init::InitialValues,
    jet::sum,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    layout::Slot,
    place::{Built, Place},
};

/// y = W ∗ x + b with W `[outputs, inputs, kernel, kernel]`, PyTorch's `nn.Conv2d`.
///
/// Jet: ẏ = W ∗ ẋ + V ∗ x + v_b, ÿ = W ∗ ẍ + 2 V ∗ ẋ. With K directions W ∗ ẋ is one product of K times the batch, V ∗ x one
/// of K times the channels.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d {
    weight: Slot,
    bias: Option<Slot>,
    inputs: usize,
    outputs: usize,
    window: Window,
}

impl Conv2d {
    /// Adds `NAME.weight` and, if `bias` gives its initial distribution, `NAME.bias`.
    pub fn new(
        place: &mut Place<'_>,
        [inputs, outputs]: [usize; 2],
        window: Window,
        weight: Init,
        bias: Option<Init>,
    ) -> Self {
        let shape = [outputs, inputs, window.kernel, window.kernel];
        let weight = place.parameter("weight", &shape, weight);
        let bias = bias.map(|init| place.parameter("bias", &[outputs], init));
        Self { weight, bias, inputs, outputs, window }
    }
}

impl Layer for Conv2d {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let shape = [self.outputs, self.inputs, self.window.kernel, self.window.kernel];
        let conv = |x: Tensor<4>, w: Tensor<4>, b| convolution(x, w, b, self.window);
        let weight = pass.tensor::<4>(self.weight, shape);
        let bias = self.bias.map(|slot| pass.tensor::<1>(slot, [self.outputs]));
        let v_weight = pass.velocity::<4>(self.weight, shape);
        let v_bias = self.bias.and_then(|slot| pass.velocity::<1>(slot, [self.outputs]));
        let directions = v_weight.as_ref().map_or(1, |v| v.dims()[0] / self.outputs);

        let value = conv(x.value.clone(), weight.clone(), bias);
        let second = if pass.second_order() {
            let curved = x.second.map(|t| conv(t, weight.clone(), None));
            let crossed = x.first.clone().zip(v_weight.clone()).map(|(t, v)| {
                let of_direction = t.chunk(directions, 0).into_iter().zip(v.chunk(directions, 0));
                Tensor::cat(of_direction.map(|(t, v)| conv(t, v, None)).collect(), 0)
            });
            match (curved, crossed) {
                (Some(curved), Some(crossed)) => Some(add_scaled(curved, 2.0, crossed)),
                (None, crossed) => crossed.map(|t| t.mul_scalar(2.0)),
                (curved, None) => curved,
            }
        } else {
            None
        };
        let of_velocity = v_weight.map(|v| directions_to_batch(conv(x.value.clone(), v, v_bias), directions));
        let first = sum(x.first.map(|t| conv(t, weight, None)), of_velocity);
        let rows = || Rows { input: x.value.without_autodiff(), layer: *self };
        let value = pass.record(value, rows);
        Jet { value, first, second }
    }
}

/// The keys of a convolution in a list of layers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Conv2dConfig {
    /// Output channels.
    pub outputs: usize,
    /// Input channels, if they are to be checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<usize>,
    /// Side of the kernel.
    pub kernel: usize,
    /// Step between two positions.
    pub stride: usize,
    /// Zeros added on every side.
    pub padding: usize,
    /// True if there is a bias.
    pub bias: bool,
    /// How the weight starts.
    pub weight_init: InitialValues,
    /// How the bias starts.
    pub bias_init: InitialValues,
}

impl Conv2dConfig {
    /// A convolution with this window and these initial distributions; without a bias if there is none for it.
    pub fn new(outputs: usize, window: Window, weight: Init, bias: Option<Init>) -> Self {
        let of = InitialValues::Distribution;
        Self {
            outputs,
            inputs: None,
            kernel: window.kernel,
            stride: window.stride,
            padding: window.padding,
            bias: bias.is_some(),
            weight_init: of(weight),
            bias_init: bias.map_or_else(InitialValues::default, of),
        }
    }
}

impl LayerConfig for Conv2dConfig {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let ([inputs, h, w], outputs) = (place.input(), self.outputs);
        let window = Window { kernel: self.kernel, stride: self.stride, padding: self.padding };
        if let Some(expected) = self.inputs.filter(|expected| *expected != inputs) {
            return Err(place.error(format!("{expected} channels")));
        }
        if window.kernel > h.min(w).saturating_add(window.padding.saturating_mul(2)) {
            return Err(place.error(format!("images of at least {0} × {0} pixels with the padding", window.kernel)));
        }
        let area = window.kernel.saturating_mul(window.kernel);
        let fans = [inputs.saturating_mul(area), outputs.saturating_mul(area)];
        let bias = self.bias.then(|| self.bias_init.bias(fans));
        let layer = Conv2d::new(place, [inputs, outputs], window, self.weight_init.weight(fans), bias);
        Ok(Built::new(layer, [outputs, window.output(h), window.output(w)]))
    }
}

impl LayerKeys for Conv2dConfig {
    const NAMES: &'static [&'static str] = &["conv2d"];
    const EXAMPLE: &'static str = "outputs = 3\nkernel = 3\npadding = 1";

    fn read(_: &str, section: &mut Section) -> Self {
        Self {
            outputs: outputs(section),
            inputs: section.count("inputs"),
            kernel: section.required("kernel", "a whole number above 0", |n: &usize| *n > 0),
            stride: section.count("stride").unwrap_or(1),
            padding: section.optional("padding", "a whole number up to 65536", |n: &usize| *n <= 1 << 16).unwrap_or(0),
            bias: section.get("bias").unwrap_or(true),
            weight_init: InitialValues::read(section, "weight_init").unwrap_or_default(),
            bias_init: InitialValues::read(section, "bias_init").unwrap_or_default(),
        }
    }

    fn cases() -> Vec<LayerCase> {
        let conv = |keys: &str| {
            format!(
                "{{ kind = \"conv2d\", outputs = 3, weight_init = {{ normal = 0.4 }}, bias_init = {{ normal = 0.4 }}, {keys} }}"
            )
        };
        let case = |name, keys| LayerCase::new(name, format!("[{}]", conv(keys)));
        vec![
            case("conv 3×3", "kernel = 3, padding = 1, bias = false"),
            case("conv 3×3, stride 2, bias", "kernel = 3, padding = 1, stride = 2"),
            case("conv 1×1, stride 2", "kernel = 1, stride = 2"),
            case("conv 5×5, bias", "kernel = 5, padding = 2"),
            // Of few pixels, so that the inner products are made of positions.
            LayerCase::new(
                "conv of pooled images",
                format!("[\"avg-pool\", \"avg-pool\", {}]", conv("kernel = 3, padding = 1")),
            ),
        ]
    }
}

/// Per-sample gradients of a convolution, from the unfolded input Uᵢ `[positions, d]`, d = inputs · kernel²: the
/// gradient of sample i is δᵢ Uᵢ `[outputs, d]`.
struct Rows {
    input: Tensor<4>,
    layer: Conv2d,
}

/// Entries that a chunk of explicit rows, of an unfolded input or of position products may hold (32 MiB in f32).
const CHUNK: usize = 1 << 23;

impl Rows {
    fn positions(&self) -> [usize; 2] {
        let [_, _, h, w] = self.input.dims();
        [self.layer.window.output(h), self.layer.window.output(w)]
    }

    /// d = inputs · kernel².
    fn depth(&self) -> usize {
        self.layer.inputs * self.layer.window.kernel.pow(2)
    }

    /// True if a row is shorter than the cotangent, so that the rows are kept instead.
    fn keeps_rows(&self) -> bool {
        let [h, w] = self.positions();
        self.depth() <= h * w
    }

    /// An input unfolded, `[batch, positions, d]`, d in the order of the weight.
    fn unfolded(&self, input: Tensor<4>) -> Tensor<3> {
        let Window { kernel, stride, padding } = self.layer.window;
        let [n, c, _, _] = input.dims();
        let [h, w] = self.positions();
        let padded = match padding {
            0 => input,
            p => input.pad((p, p, p, p), PadMode::Constant(0.0)),
        };
        let cut = |start: usize, out: usize| {
            Slice::new(start as isize, Some((start + (out - 1) * stride + 1) as isize), stride as isize)
        };
        let columns = (0..kernel * kernel).map(|k| {
            padded
                .clone()
                .slice([Slice::from(0..n), Slice::from(0..c), cut(k / kernel, h), cut(k % kernel, w)])
                .reshape([n, c, 1, h * w])
        });
        Tensor::cat(columns.collect(), 2).reshape([n, self.depth(), h * w]).swap_dims(1, 2)
    }

    /// What makes the rows of these samples for a range of output channels, `[batch, channels · d]`, from their cotangents
    /// `[batch, channels, positions]`. If the input has to be unfolded for that, it is once.
    fn explicit(&self, input: Tensor<4>) -> impl Fn(Tensor<3>) -> Tensor<2> {
        let (window, [h, w]) = (self.layer.window, self.positions());
        let unfolded = (!has_kernels(&input)).then(|| self.unfolded(input.clone()));
        move |delta| match &unfolded {
            Some(unfolded) => delta.matmul(unfolded.clone()).flatten(1, 2),
            None => {
                let [n, channels, _] = delta.dims();
                sample_gradients(input.clone(), delta.reshape([n, channels, h, w]), window)
            }
        }
    }

    /// Inner products through explicit rows, a chunk of output channels at a time, made from a chunk of samples at a time.
    fn gram_by_rows(&self, delta: Tensor<4>, input: &Tensor<4>) -> Tensor<2> {
        let [m, n, outputs, positions] = delta.dims();
        let step = (CHUNK / (m * n * self.depth())).clamp(1, outputs);
        let samples = (CHUNK / (positions * self.depth())).clamp(1, n);
        let mut total = Tensor::zeros([m * n, m * n], (&delta.device(), delta.dtype()));
        for start in (0..outputs).step_by(step) {
            let channels = (start + step).min(outputs) - start;
            let of_samples = input.clone().split(samples, 0).into_iter().enumerate().map(|(i, input)| {
                let first = i * samples;
                let count = input.dims()[0];
                let explicit = self.explicit(input);
                let rows = (0..m).map(|c| {
                    let delta =
                        delta.clone().slice([c..c + 1, first..first + count, start..start + channels, 0..positions]);
                    let rows = explicit(delta.reshape([count, channels, positions]));
                    rows.reshape([1, count, channels * self.depth()])
                });
                joined(rows.collect(), 0)
            });
            let rows = joined(of_samples.collect(), 1).reshape([m * n, channels * self.depth()]);
            total = total + gram(rows);
        }
        total
    }

    /// Inner products as Σ over pairs of positions of (δᵢₜ·δⱼₛ)(uᵢₜ·uⱼₛ), the second of which are sums of inner products of pixels; some samples
    /// with one of their cotangents at a time.
    fn gram_by_positions(&self, delta: Tensor<4>, input: Tensor<4>) -> Tensor<2> {
        let [m, n, outputs, positions] = delta.dims();
        let [_, channels, height, width] = input.dims();
        let pixels = height * width;
        let input = input.reshape([n, channels, pixels]);
        let all_pixels = input.clone().permute([1, 2, 0]).reshape([channels, pixels * n]);
        let all_cotangents = delta.clone().permute([2, 3, 0, 1]).reshape([outputs, positions * m * n]);
        let step = (CHUNK / (n * pixels * pixels).max(m * n * positions * positions)).clamp(1, n);
        let mut of_cotangents = vec![Vec::new(); m];
        for start in (0..n).step_by(step) {
            let samples = start..(start + step).min(n);
            let count = samples.len();
            let mine = input.clone().slice([samples.clone(), 0..channels, 0..pixels]).swap_dims(1, 2);
            let of_pixels = mine.reshape([count * pixels, channels]).matmul(all_pixels.clone());
            for (c, blocks) in of_cotangents.iter_mut().enumerate() {
                let mine = delta.clone().slice([c..c + 1, samples.clone(), 0..outputs, 0..positions]).swap_dims(2, 3);
                let of_positions = mine.reshape([count * positions, outputs]).matmul(all_cotangents.clone());
                blocks.push(patch_products(of_pixels.clone(), of_positions, self.layer.window, [height, width]));
            }
        }
        Tensor::cat(of_cotangents.concat(), 0)
    }

    /// Multiplications of the two forms: (by rows, by positions). The elementwise product of two position matrices moves
    /// memory and counts as eight.
    fn costs(&self, m: usize, n: usize) -> (f64, f64) {
        let ([h, w], [_, channels, height, width]) = (self.positions(), self.input.dims());
        let (t, d, o) = ((h * w) as f64, self.depth() as f64, self.layer.outputs as f64);
        let (pairs, rows) = ((n * height * width) as f64, (m * n) as f64);
        (
            rows * t * d * o + rows * rows * d * o / 2.0,
            pairs * pairs * channels as f64 + rows * rows * t * t * (o + 8.0),
        )
    }
}

/// Σ over the last dimension, `[rows, channels]`.
fn over_positions(x: Tensor<3>) -> Tensor<2> {
    let [rows, channels, _] = x.dims();
    row_sums(x.flatten(0, 1)).reshape([rows, channels])
}

/// One after the other along a dimension; a single one as it is.
fn joined(mut parts: Vec<Tensor<3>>, dim: usize) -> Tensor<3> {
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, dim) }
}

impl PerSample for Rows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        if !self.keeps_rows() {
            return delta.flatten(1, 3);
        }
        let delta = delta.flatten::<3>(2, 3);
        let rows = self.explicit(self.input.clone())(delta.clone());
        match self.layer.bias {
            Some(_) => Tensor::cat(vec![rows, over_positions(delta)], 1),
            None => rows,
        }
    }

    fn input(&self) -> Option<Tensor<4>> {
        (!self.keeps_rows()).then(|| self.input.clone())
    }

    fn gram(&self, kept: Tensor<2>, input: Option<Tensor<4>>) -> Tensor<2> {
        let Some(input) = input else { return gram(kept) };
        let [rows, _] = kept.dims();
        let n = input.dims()[0];
        let [h, w] = self.positions();
        let of_bias = |_| gram(over_positions(kept.clone().reshape([rows, self.layer.outputs, h * w])));
        let bias = self.layer.bias.map(of_bias);
        let delta = kept.reshape([rows / n, n, self.layer.outputs, h * w]);
        let (by_rows, by_positions) = self.costs(rows / n, n);
        let of_weight = match by_rows <= by_positions {
            true => self.gram_by_rows(delta, &input),
            false => self.gram_by_positions(delta, input),
        };
        match bias {
            Some(of_bias) => of_weight + of_bias,
            None => of_weight,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};
    use saltflat_random::{Key, Stream};

    use super::*;

    fn random<const D: usize>(shape: [usize; D], part: u64) -> Tensor<D> {
        let values = Key::new(1, Stream::Probe, 0).part(part).normal(shape.iter().product());
        Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
    }

    /// The two forms are the same number by two routes; the last case takes several blocks of samples.
    #[test]
    fn rows_and_positions_agree() {
        for (window, side, n) in
            [(Window::three(1), 5, 5), (Window::three(2), 7, 5), (Window::one(2), 6, 5), (Window::three(1), 12, 30)]
        {
            let layer = Conv2d { weight: Slot::Parameter(0), bias: None, inputs: 3, outputs: 4, window };
            let rows = Rows { input: random([n, 3, side, side], 0), layer };
            let out = window.output(side);
            let delta = random([2, n, 4, out * out], 1);
            let a = rows.gram_by_rows(delta.clone(), &rows.input);
            let difference =
                (a.clone() - rows.gram_by_positions(delta, rows.input.clone())).abs().max().into_scalar::<f64>();
            assert!(difference <= 1e-12 * a.abs().max().into_scalar::<f64>(), "{window:?}: {difference:e}");
        }
    }
}
