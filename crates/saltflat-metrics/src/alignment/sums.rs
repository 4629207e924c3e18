//! The quantities of the alignment on all samples, and on all but one.

use crate::Pairs;

/// The quantities in the order of the fields of [`Alignment`](super::Alignment); NaN if one is a division by zero, infinite if a number on
/// the way to it overflowed.
pub(super) type Values = [f64; 12];

pub(super) struct Sums {
    loss: f64,
    traces: f64,
    /// Σⱼ of blocks, for each i.
    blocks: Vec<f64>,
    /// Σⱼ gᵢ·gⱼ and Σⱼ (gᵢ·gⱼ)², for each i.
    gradients: Vec<f64>,
    gradient_squares: Vec<f64>,
    /// Σⱼ rowsᵢ gⱼ, and Σ‖rowsᵢ gⱼ‖² over a row and over a column.
    mixed: Vec<Vec<f64>>,
    mixed_rows: Vec<f64>,
    mixed_columns: Vec<f64>,
}

impl Sums {
    pub(super) fn new(pairs: &Pairs) -> Self {
        let n = pairs.n;
        let square = |h: &Vec<f64>| h.iter().map(|x| x * x).sum::<f64>();
        let width = pairs.mixed.first().map_or(0, Vec::len);
        let mixed = |row: &[Vec<f64>]| (0..width).map(|c| row.iter().map(|h| h[c]).sum()).collect();
        Self {
            loss: pairs.losses.iter().sum(),
            traces: pairs.traces.iter().sum(),
            blocks: pairs.blocks.chunks(n).map(|row| row.iter().sum()).collect(),
            gradients: pairs.gradients.chunks(n).map(|row| row.iter().sum()).collect(),
            gradient_squares: pairs.gradients.chunks(n).map(|row| row.iter().map(|x| x * x).sum()).collect(),
            mixed: pairs.mixed.chunks(n).map(mixed).collect(),
            mixed_rows: pairs.mixed.chunks(n).map(|row| row.iter().map(square).sum()).collect(),
            mixed_columns: (0..n).map(|j| (0..n).map(|i| square(&pairs.mixed[i * n + j])).sum()).collect(),
        }
    }

    pub(super) fn values(&self, pairs: &Pairs, without: Option<usize>) -> Values {
        let all = pairs.n;
        let kept = |i: &usize| Some(*i) != without;
        let n = (all - usize::from(without.is_some())) as f64;
        let at = |i: usize, j: usize| i * all + j;
        // A sum over i and j: the whole less row and column `without`, which meet at their corner.
        let pairwise = |rows: &[f64], columns: &[f64], corner: &dyn Fn(usize) -> f64| {
            let total: f64 = rows.iter().sum();
            without.map_or(total, |k| total - rows[k] - columns[k] + corner(k))
        };
        let single = |total: f64, values: &dyn Fn(usize) -> f64| without.map_or(total, |k| total - values(k));
        let squared = |h: &[f64]| h.iter().map(|x| x * x).sum::<f64>();

        let loss = single(self.loss, &|k| pairs.losses[k]) / n;
        let loss = if loss <= pairs.resolution { 0.0 } else { loss };
        let trace_gram = single(self.traces, &|k| pairs.traces[k]) / n;
        let gram_square = pairwise(&self.blocks, &self.blocks, &|k| pairs.blocks[at(k, k)]) / (n * n);
        let gram_frobenius = not_negative(gram_square).sqrt();

        let second_moment =
            single((0..all).map(|i| pairs.gradients[at(i, i)]).sum(), &|k| pairs.gradients[at(k, k)]) / n;
        let row = |i: usize| self.gradients[i] - without.map_or(0.0, |k| pairs.gradients[at(i, k)]);
        let rows: Vec<f64> = (0..all).filter(kept).map(row).collect();
        let mean_square = rows.iter().sum::<f64>() / (n * n); // ‖ḡ‖²
        let squares = pairwise(&self.gradient_squares, &self.gradient_squares, &|k| pairs.gradients[at(k, k)].powi(2));
        let noise_square = squares - 2.0 / n * rows.iter().map(|r| r * r).sum::<f64>() + (mean_square * n).powi(2);
        let noise_frobenius = not_negative(noise_square).sqrt() / n;

        let mixed_squares = pairwise(&self.mixed_rows, &self.mixed_columns, &|k| squared(&pairs.mixed[at(k, k)]));
        let of_mean = |i: usize| match without {
            None => squared(&self.mixed[i]),
            Some(k) => self.mixed[i].iter().zip(&pairs.mixed[at(i, k)]).map(|(sum, h)| (sum - h).powi(2)).sum(),
        };
        let of_mean = (0..all).filter(kept).map(of_mean).sum::<f64>() / n.powi(3);
        let uncentred = mixed_squares / (n * n);
        let centred = uncentred - of_mean;

        let chi = |i: usize| (self.blocks[i] - without.map_or(0.0, |k| pairs.blocks[at(i, k)])) / n;
        let chi: Vec<f64> = (0..all).filter(kept).map(chi).collect();
        let chi_min = chi.iter().copied().fold(f64::INFINITY, f64::min);

        let ratio = |top: f64, bottom: f64| match (top.is_finite() && bottom.is_finite(), bottom > 0.0) {
            (false, _) => f64::INFINITY,
            (true, true) => top / bottom,
            (true, false) => f64::NAN,
        };
        let scaled = |trace: f64| ratio(trace, 2.0 * loss * gram_square);
        [
            trace_gram,
            gram_frobenius,
            second_moment - mean_square,
            noise_frobenius,
            centred,
            ratio(centred, gram_frobenius * noise_frobenius),
            ratio(noise_frobenius, 2.0 * loss * gram_frobenius),
            scaled(centred),
            scaled(uncentred),
            scaled(of_mean),
            ratio(chi_min, chi.iter().sum::<f64>() / n),
            ratio(centred, 2.0 * loss),
        ]
    }
}

/// What rounding has made negative is 0; what is no number stays none.
fn not_negative(x: f64) -> f64 {
    if x < 0.0 { 0.0 } else { x }
}

#[cfg(test)]
mod tests {
    use saltflat_models::{Loss, LossKind};

    use super::*;
    use crate::Scoring;

    /// Sums without a sample are those of the samples that are left.
    #[test]
    fn leaving_one_out_is_measuring_the_others() {
        let n = 5;
        let number = |i: usize, j: usize| ((7 * i + 3 * j) as f64).sin() + ((7 * j + 3 * i) as f64).sin();
        let of = |kept: &[usize]| Pairs {
            loss: Loss { kind: LossKind::CrossEntropy, smoothing: 0.0 },
            scoring: Scoring::Class,
            n: kept.len(),
            resolution: 0.0,
            losses: kept.iter().map(|&i| 1.0 + 0.1 * i as f64).collect(),
            traces: kept.iter().map(|&i| 2.0 + (i as f64).cos()).collect(),
            blocks: kept.iter().flat_map(|&i| kept.iter().map(move |&j| number(i, j).powi(2))).collect(),
            gradients: kept
                .iter()
                .flat_map(|&i| kept.iter().map(move |&j| number(i, j) + f64::from(u8::from(i == j)) * 4.0))
                .collect(),
            mixed: kept
                .iter()
                .flat_map(|&i| kept.iter().map(move |&j| vec![number(i, j), (i as f64 - 2.0 * j as f64).cos()]))
                .collect(),
            exact: None,
        };
        let all = of(&(0..n).collect::<Vec<_>>());
        let sums = Sums::new(&all);
        for k in 0..n {
            let left = of(&(0..n).filter(|&i| i != k).collect::<Vec<_>>());
            let expected = Sums::new(&left).values(&left, None);
            for (found, expected) in sums.values(&all, Some(k)).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12 * expected.abs().max(1.0), "{found} {expected}");
            }
        }
    }
}
