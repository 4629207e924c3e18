//! Per-sample gradients of a linear layer.

use burn::tensor::Tensor;
use saltflat_kernels::{gram, row_sums};

use crate::{PerSample, tape::times_tiled};

/// Of inputs of one position, the inner product of the gradients of samples i and j: (xᵢ·xⱼ + 1)(δᵢ·δⱼ), without the 1 if there is no bias.
pub(super) struct VectorRows {
    pub(super) input: Tensor<2>,
    pub(super) has_bias: bool,
}

impl PerSample for VectorRows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        delta.flatten(1, 3)
    }

    fn input(&self) -> Option<Tensor<4>> {
        let [n, inputs] = self.input.dims();
        Some(self.input.clone().reshape([n, inputs, 1, 1]))
    }

    fn gram(&self, delta: Tensor<2>, input: Option<Tensor<4>>) -> Tensor<2> {
        let input = input.map_or_else(|| self.input.clone(), |input| input.flatten(1, 3));
        let inputs = gram(input);
        let inputs = if self.has_bias { inputs.add_scalar(1.0) } else { inputs };
        times_tiled(gram(delta), inputs)
    }
}

/// Entries that a chunk of explicit rows or of products of positions may hold (32 MiB in f32).
const CHUNK: usize = 1 << 23;

/// With the inputs xᵢ `[inputs, positions]` and the cotangents δᵢ `[outputs, positions]` the gradient of sample i is δᵢ xᵢᵀ, and of the bias
/// Σ_t δᵢₜ. Inner products are made of these rows, or as Σ over pairs of positions of (δᵢₜ·δⱼₛ)(xᵢₜ·xⱼₛ), whichever costs less.
pub(super) struct PositionRows {
    /// `[batch, inputs, h, w]`.
    pub(super) input: Tensor<4>,
    pub(super) outputs: usize,
    pub(super) has_bias: bool,
}

impl PositionRows {
    /// True if a row is no longer than the cotangent, so that the rows are kept instead.
    fn keeps_rows(&self) -> bool {
        let [_, inputs, h, w] = self.input.dims();
        inputs <= h * w
    }

    /// Inner products through explicit rows, a chunk of outputs at a time; δ is `[cotangents, samples, outputs, positions]`, x
    /// `[samples, inputs, positions]`.
    fn gram_by_rows(delta: &Tensor<4>, input: &Tensor<3>) -> Tensor<2> {
        let [m, n, outputs, positions] = delta.dims();
        let inputs = input.dims()[1];
        let step = (CHUNK / (m * n * inputs)).clamp(1, outputs);
        let mut total = Tensor::zeros([m * n, m * n], (&delta.device(), delta.dtype()));
        for start in (0..outputs).step_by(step) {
            let end = (start + step).min(outputs);
            let rows = (0..m).map(|c| {
                let delta = delta.clone().slice([c..c + 1, 0..n, start..end, 0..positions]);
                let rows = delta.reshape([n, end - start, positions]).matmul(input.clone().swap_dims(1, 2));
                rows.reshape([n, (end - start) * inputs])
            });
            total = total + gram(Tensor::cat(rows.collect(), 0));
        }
        total
    }

    /// Inner products as sums over pairs of positions, some samples with one of their cotangents at a time.
    fn gram_by_positions(delta: &Tensor<4>, input: &Tensor<3>) -> Tensor<2> {
        let [m, n, outputs, positions] = delta.dims();
        let inputs = input.dims()[1];
        let all_inputs = input.clone().swap_dims(0, 1).reshape([inputs, n * positions]);
        let all_cotangents = delta.clone().permute([2, 0, 1, 3]).reshape([outputs, m * n * positions]);
        let step = (CHUNK / (m * n * positions * positions)).clamp(1, n);
        let mut of_cotangents = vec![Vec::new(); m];
        for start in (0..n).step_by(step) {
            let samples = start..(start + step).min(n);
            let count = samples.len();
            let mine = input.clone().slice([samples.clone(), 0..inputs, 0..positions]).swap_dims(1, 2);
            let of_inputs = mine.reshape([count * positions, inputs]).matmul(all_inputs.clone());
            let of_inputs = of_inputs.reshape([count * positions, 1, n * positions]);
            for (c, blocks) in of_cotangents.iter_mut().enumerate() {
                let mine = delta.clone().slice([c..c + 1, samples.clone(), 0..outputs, 0..positions]).swap_dims(2, 3);
                let products = mine.reshape([count * positions, outputs]).matmul(all_cotangents.clone());
                let products = products.reshape([count * positions, m, n * positions]) * of_inputs.clone();
                let over_one = row_sums(products.reshape([count * positions * m * n, positions]));
                blocks.push(over_one.reshape([count, positions, m * n]).sum_dim(1).reshape([count, m * n]));
            }
        }
        Tensor::cat(of_cotangents.concat(), 0)
    }

    /// Multiplications of the two forms: (by rows, by positions). The elementwise product of two position matrices moves
    /// memory and counts as eight.
    fn costs([m, n, outputs, positions]: [usize; 4], inputs: usize) -> (f64, f64) {
        let (t, d, o) = (positions as f64, inputs as f64, outputs as f64);
        let (samples, rows) = (n as f64, (m * n) as f64);
        (rows * t * d * o + rows * rows * d * o / 2.0, samples * samples * t * t * d + rows * rows * t * t * (o + 8.0))
    }
}

/// Σ over the positions of `[rows, channels, positions]`, `[rows, channels]`.
fn over_positions(x: Tensor<3>) -> Tensor<2> {
    let [rows, channels, _] = x.dims();
    row_sums(x.flatten(0, 1)).reshape([rows, channels])
}

impl PerSample for PositionRows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        if !self.keeps_rows() {
            return delta.flatten(1, 3);
        }
        let delta = delta.flatten::<3>(2, 3);
        let input = self.input.clone().flatten::<3>(2, 3);
        let rows = delta.clone().matmul(input.swap_dims(1, 2)).flatten(1, 2);
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
        let input = input.flatten::<3>(2, 3);
        let ([rows, _], [n, inputs, positions]) = (kept.dims(), input.dims());
        let of_bias =
            self.has_bias.then(|| gram(over_positions(kept.clone().reshape([rows, self.outputs, positions]))));
        let delta = kept.reshape([rows / n, n, self.outputs, positions]);
        let (by_rows, by_positions) = Self::costs(delta.dims(), inputs);
        let of_weight = match by_rows <= by_positions {
            true => Self::gram_by_rows(&delta, &input),
            false => Self::gram_by_positions(&delta, &input),
        };
        match of_bias {
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

    /// The two forms are the same number by two routes; the second case takes several blocks of samples, the third several of outputs.
    #[test]
    fn rows_and_positions_agree() {
        for [m, n, outputs, positions, inputs] in [[2, 5, 4, 3, 6], [2, 30, 3, 80, 4], [3, 60, 700, 2, 80]] {
            let (delta, input) = (random([m, n, outputs, positions], 0), random([n, inputs, positions], 1));
            let a = PositionRows::gram_by_rows(&delta, &input);
            let b = PositionRows::gram_by_positions(&delta, &input);
            let difference = (a.clone() - b).abs().max().into_scalar::<f64>();
            assert!(difference <= 1e-12 * a.abs().max().into_scalar::<f64>(), "{difference:e}");
        }
    }
}
