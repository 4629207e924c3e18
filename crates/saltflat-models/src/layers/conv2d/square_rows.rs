//! Per-sample gradients of a convolution that `saltflat-kernels` has.

use burn::tensor::Tensor;
use saltflat_kernels::{Window, gram, has_kernels, patch_products, sample_gradients};

use super::rows::{CHUNK, joined, over_positions};
use crate::{PerSample, layers::SlidingWindow};

/// Per-sample gradients of a convolution of one group with a square window, from the unfolded input Uᵢ `[positions, d]`, d = inputs · kernel²: the
/// gradient of sample i is δᵢ Uᵢ `[outputs, d]`.
pub(in crate::layers) struct SquareRows {
    pub(in crate::layers) input: Tensor<4>,
    pub(in crate::layers) outputs: usize,
    pub(in crate::layers) window: Window,
    pub(in crate::layers) has_bias: bool,
}

impl SquareRows {
    fn positions(&self) -> [usize; 2] {
        let [_, _, h, w] = self.input.dims();
        [self.window.output(h), self.window.output(w)]
    }

    /// d = inputs · kernel².
    fn depth(&self) -> usize {
        self.input.dims()[1] * self.window.kernel.pow(2)
    }

    /// True if a row is shorter than the cotangent, so that the rows are kept instead.
    fn keeps_rows(&self) -> bool {
        let [h, w] = self.positions();
        self.depth() <= h * w
    }

    /// An input unfolded, `[batch, positions, d]`, d in the order of the weight.
    fn unfolded(&self, input: Tensor<4>) -> Tensor<3> {
        let ([n, _, _, _], [h, w]) = (input.dims(), self.positions());
        SlidingWindow::from(self.window).unfold(input).reshape([n, self.depth(), h * w]).swap_dims(1, 2)
    }

    /// What makes the rows of these samples for a range of output channels, `[batch, channels · d]`, from their cotangents
    /// `[batch, channels, positions]`. If the input has to be unfolded for that, it is once.
    fn explicit(&self, input: Tensor<4>) -> impl Fn(Tensor<3>) -> Tensor<2> {
        let (window, [h, w]) = (self.window, self.positions());
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
                blocks.push(patch_products(of_pixels.clone(), of_positions, self.window, [height, width]));
            }
        }
        Tensor::cat(of_cotangents.concat(), 0)
    }

    /// Multiplications of the two forms: (by rows, by positions). The elementwise product of two position matrices moves
    /// memory and counts as eight.
    fn costs(&self, m: usize, n: usize) -> (f64, f64) {
        let ([h, w], [_, channels, height, width]) = (self.positions(), self.input.dims());
        let (t, d, o) = ((h * w) as f64, self.depth() as f64, self.outputs as f64);
        let (pairs, rows) = ((n * height * width) as f64, (m * n) as f64);
        (
            rows * t * d * o + rows * rows * d * o / 2.0,
            pairs * pairs * channels as f64 + rows * rows * t * t * (o + 8.0),
        )
    }
}

impl PerSample for SquareRows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        if !self.keeps_rows() {
            return delta.flatten(1, 3);
        }
        let delta = delta.flatten::<3>(2, 3);
        let rows = self.explicit(self.input.clone())(delta.clone());
        match self.has_bias {
            true => Tensor::cat(vec![rows, over_positions(delta)], 1),
            false => rows,
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
        let of_bias = || gram(over_positions(kept.clone().reshape([rows, self.outputs, h * w])));
        let bias = self.has_bias.then(of_bias);
        let delta = kept.reshape([rows / n, n, self.outputs, h * w]);
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
            let rows = SquareRows { input: random([n, 3, side, side], 0), outputs: 4, window, has_bias: false };
            let out = window.output(side);
            let delta = random([2, n, 4, out * out], 1);
            let a = rows.gram_by_rows(delta.clone(), &rows.input);
            let difference =
                (a.clone() - rows.gram_by_positions(delta, rows.input.clone())).abs().max().into_scalar::<f64>();
            assert!(difference <= 1e-12 * a.abs().max().into_scalar::<f64>(), "{window:?}: {difference:e}");
        }
    }
}
