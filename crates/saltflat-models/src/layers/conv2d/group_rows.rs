//! Per-sample gradients of a convolution with any window and groups.

use std::ops::Range;

use burn::tensor::Tensor;
use saltflat_kernels::gram;

use super::rows::{CHUNK, joined, over_positions};
use crate::{PerSample, layers::SlidingWindow};

/// Per-sample gradients of a convolution with g groups: of group γ of sample i it is δᵢᵞ Uᵢᵞ `[outputs / g, d]`, with δᵢᵞ the cotangent at the
/// group's outputs and Uᵢᵞ `[positions, d]` its inputs, unfolded, d = inputs / g · kernel area.
pub(super) struct GroupRows {
    pub(super) input: Tensor<4>,
    pub(super) outputs: usize,
    pub(super) window: SlidingWindow,
    pub(super) groups: usize,
    pub(super) has_bias: bool,
}

impl GroupRows {
    /// Positions of the output.
    fn positions(&self) -> usize {
        let [_, _, h, w] = self.input.dims();
        self.window.output([h, w]).map_or(0, |[h, w]| h * w)
    }

    /// d = inputs / g · kernel area.
    fn depth(&self) -> usize {
        self.input.dims()[1] / self.groups * self.window.area()
    }

    /// True if a row is shorter than the cotangent, so that the rows are kept instead.
    fn keeps_rows(&self) -> bool {
        self.depth() <= self.positions()
    }

    /// The inputs of these groups of some samples, unfolded: `[batch, groups, positions, d]`, d in the order of the weight.
    fn unfolded(&self, input: &Tensor<4>, samples: Range<usize>, groups: Range<usize>) -> Tensor<4> {
        let [_, inputs, height, width] = input.dims();
        let of_group = inputs / self.groups;
        let (n, count) = (samples.len(), groups.len());
        let channels = groups.start * of_group..groups.end * of_group;
        let part = input.clone().slice([samples, channels, 0..height, 0..width]);
        self.window.unfold(part).reshape([n, count, self.depth(), self.positions()]).swap_dims(2, 3)
    }

    /// Inner products of explicit rows, of some outputs of some groups at a time, made from some samples at a time; the cotangents are
    /// `[m, batch, groups, outputs / groups, positions]`.
    fn gram_of_weight(&self, delta: Tensor<5>, input: &Tensor<4>) -> Tensor<2> {
        let [m, n, groups, outputs, positions] = delta.dims();
        let depth = self.depth();
        let at_a_time = (CHUNK / (m * n * depth).max(1)).clamp(1, groups);
        let step = (CHUNK / (m * n * depth * at_a_time).max(1)).clamp(1, outputs);
        let samples = (CHUNK / (at_a_time * positions * depth).max(1)).clamp(1, n);
        let mut total = Tensor::zeros([m * n, m * n], (&delta.device(), delta.dtype()));
        for group in (0..groups).step_by(at_a_time) {
            let of_groups = group..(group + at_a_time).min(groups);
            for start in (0..outputs).step_by(step) {
                let of_outputs = start..(start + step).min(outputs);
                let row = of_groups.len() * of_outputs.len() * depth;
                let of_samples = (0..n).step_by(samples).map(|first| {
                    let some = first..(first + samples).min(n);
                    let unfolded = self.unfolded(input, some.clone(), of_groups.clone());
                    let rows = (0..m).map(|c| {
                        let part = [c..c + 1, some.clone(), of_groups.clone(), of_outputs.clone(), 0..positions];
                        let delta = delta.clone().slice(part).squeeze_dim::<4>(0);
                        delta.matmul(unfolded.clone()).reshape([1, some.len(), row])
                    });
                    joined(rows.collect(), 0)
                });
                total = total + gram(joined(of_samples.collect(), 1).reshape([m * n, row]));
            }
        }
        total
    }
}

impl PerSample for GroupRows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        if !self.keeps_rows() {
            return delta.flatten(1, 3);
        }
        let (n, positions) = (delta.dims()[0], self.positions());
        let of_groups = delta.clone().reshape([n, self.groups, self.outputs / self.groups, positions]);
        let samples = (CHUNK / (self.groups * positions * self.depth()).max(1)).clamp(1, n.max(1));
        let of_samples = of_groups.split(samples, 0).into_iter().enumerate().map(|(i, delta)| {
            let some = i * samples..i * samples + delta.dims()[0];
            delta.matmul(self.unfolded(&self.input, some, 0..self.groups)).flatten(1, 3)
        });
        let rows = Tensor::cat(of_samples.collect(), 0);
        match self.has_bias {
            true => Tensor::cat(vec![rows, over_positions(delta.flatten(2, 3))], 1),
            false => rows,
        }
    }

    fn input(&self) -> Option<Tensor<4>> {
        (!self.keeps_rows()).then(|| self.input.clone())
    }

    fn gram(&self, kept: Tensor<2>, input: Option<Tensor<4>>) -> Tensor<2> {
        let Some(input) = input else { return gram(kept) };
        let ([rows, _], [n, _, _, _], positions) = (kept.dims(), input.dims(), self.positions());
        let of_groups = [rows / n, n, self.groups, self.outputs / self.groups, positions];
        let of_weight = self.gram_of_weight(kept.clone().reshape(of_groups), &input);
        match self.has_bias {
            true => of_weight + gram(over_positions(kept.reshape([rows, self.outputs, positions]))),
            false => of_weight,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};
    use saltflat_random::{Key, Stream};

    use super::*;

    fn random<const D: usize>(shape: [usize; D], part: u64) -> Tensor<D> {
        let values = Key::new(2, Stream::Probe, 0).part(part).normal(shape.iter().product());
        Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
    }

    /// Kept rows and rows made in chunks are the same number; the sizes take several chunks of samples and of groups.
    #[test]
    fn chunks_do_not_matter() {
        let window = SlidingWindow { kernel: [3, 3], stride: [1, 1], padding: [1, 1], dilation: [1, 1] };
        for (n, channels, outputs, side, groups) in [(3, 6, 12, 5, 3), (300, 48, 48, 24, 48)] {
            let input = random([n, channels, side, side], 0);
            let rows = GroupRows { input: input.clone(), outputs, window, groups, has_bias: false };
            let delta = random([n, outputs, side, side], 1);
            let expected = gram(rows.keep(delta.clone()));
            let of_groups = delta.reshape([1, n, groups, outputs / groups, side * side]);
            let found = rows.gram_of_weight(of_groups, &input);
            let difference = (found - expected.clone()).abs().max().into_scalar::<f64>();
            assert!(difference <= 1e-12 * expected.abs().max().into_scalar::<f64>(), "{groups} groups: {difference:e}");
        }
    }
}
