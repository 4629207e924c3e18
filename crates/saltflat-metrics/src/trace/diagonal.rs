//! The diagonal of a symmetric matrix, and the sum of its squares.

use burn::tensor::Tensor;
use saltflat_models::Vector;

use crate::{Estimate, MetricError, Operator, error::read};

/// Groups of probes whose sums are kept, for the error of Σ Aᵢᵢ².
const GROUPS: usize = 32;
/// The fewest groups that are kept, however little memory there is.
const FEWEST: usize = 4;

/// The diagonal of A from m products w = A v with v uniform in {±1}ᵖ: the mean of d = v ⊙ w (Bekas, Kokiopoulou and Saad 2007, An
/// estimator for the diagonal of a matrix, whose denominator Σ v ⊙ v is m here). Unbiased; the variance of entry i of a probe is
/// Σ_{j≠i} Aᵢⱼ².
#[derive(Clone, Debug)]
pub struct DiagonalEstimate {
    /// Aᵢᵢ, in the layout of the space.
    pub values: Vector,
    /// The standard error of each; absent for a single probe.
    pub std_errors: Option<Vector>,
    /// Number of probes m.
    pub probes: usize,
    /// Σ Aᵢᵢ², from pairs of different probes a and b: Σ_{a≠b} d_a·d_b / (m(m − 1)), which is unbiased (the square of the mean is too
    /// large by the variance of the mean); it can be negative. The standard error is the jackknife's over at most 32 groups of probes.
    pub sum_of_squares: Estimate,
}

/// What is summed over the probes.
pub(super) struct DiagonalSums {
    /// Mean of d, and Σ (d − mean)² (Welford 1962: no difference of large numbers, which f32 would not bear).
    mean: Vector,
    spread: Vector,
    probes: usize,
    groups: Vec<Group>,
    most_groups: usize,
}

/// Σ d and Σ ‖d‖² over the probes of a group.
struct Group {
    sum: Vector,
    squares: f64,
    probes: usize,
}

impl DiagonalSums {
    /// Of no probe yet; `memory` bytes for the sums of groups.
    pub(super) fn new(operator: &dyn Operator, memory: usize) -> Self {
        let space = operator.space();
        let fits = memory / (space.len() * space.dtype().size()).max(1);
        Self {
            mean: space.zeros_like(),
            spread: space.zeros_like(),
            probes: 0,
            groups: Vec::new(),
            most_groups: fits.clamp(FEWEST, GROUPS),
        }
    }

    /// Takes in a probe: v, w = A v, and ‖w‖², which is ‖v ⊙ w‖².
    pub(super) fn add(&mut self, v: &Vector, w: &Vector, square: f64) {
        let d = v.zip(w, |v, w| v * w);
        let place = self.probes % self.most_groups;
        match self.groups.get_mut(place) {
            None => self.groups.push(Group { sum: d.clone(), squares: square, probes: 1 }),
            Some(group) => {
                group.sum = group.sum.plus(&d);
                group.squares += square;
                group.probes += 1;
            }
        }
        self.probes += 1;
        let before = d.plus_scaled(-1.0, &self.mean);
        self.mean = self.mean.plus_scaled(1.0 / self.probes as f64, &before);
        let after = d.plus_scaled(-1.0, &self.mean);
        self.spread = self.spread.plus(&before.zip(&after, |before, after| before * after));
    }

    pub(super) fn finish(self) -> Result<DiagonalEstimate, MetricError> {
        let m = self.probes as f64;
        let std_errors =
            (self.probes > 1).then(|| self.spread.map(|t| t.clamp_min(0.0).mul_scalar(1.0 / (m * (m - 1.0))).sqrt()));
        let sum_of_squares = self.sum_of_squares()?;
        Ok(DiagonalEstimate { values: self.mean, std_errors, probes: self.probes, sum_of_squares })
    }

    fn sum_of_squares(&self) -> Result<Estimate, MetricError> {
        let Some(total) = self.groups.iter().map(|group| group.sum.clone()).reduce(|sum, next| sum.plus(&next)) else {
            return Ok(Estimate::absent("0 probes were asked for"));
        };
        if self.probes < 2 {
            return Ok(Estimate::absent("needs at least 2 probes, got 1"));
        }
        let dots = self.groups.iter().flat_map(|group| [group.sum.dot(&total), group.sum.norm_squared()]).collect();
        let dots = read("the squared diagonal", Tensor::cat(dots, 0))?;
        let square: f64 = dots.iter().step_by(2).sum();
        let squares: f64 = self.groups.iter().map(|group| group.squares).sum();
        let of_pairs = |square: f64, squares: f64, probes: f64| (square - squares) / (probes * (probes - 1.0));
        let m = self.probes as f64;
        // Without the probes of one group, for each.
        let left_out = self.groups.iter().zip(dots.as_chunks::<2>().0).map(|(group, [with_total, own])| {
            of_pairs(square - 2.0 * with_total + own, squares - group.squares, m - group.probes as f64)
        });
        let values: Vec<f64> = left_out.collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() * (count - 1.0) / count;
        // Of two probes none is left for a pair.
        let error = Some(variance.sqrt()).filter(|_| self.probes > 2);
        Ok(Estimate::exact(of_pairs(square, squares, m)).with_std_error(error).with_probes(self.probes))
    }
}
