//! Statistics over the seeds of a group and over the points of a trajectory.
//!
//! Values that are not finite are left out by the callers; what needs more values than there are is `None`.

/// The middle value, or the mean of the two middle ones.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => None,
        _ if n % 2 == 1 => Some(sorted[n / 2]),
        _ => Some(sorted[n / 2 - 1] / 2.0 + sorted[n / 2] / 2.0),
    }
}

/// Smallest and largest value.
pub fn extremes(values: &[f64]) -> Option<(f64, f64)> {
    let ends = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    (!values.is_empty()).then_some(ends)
}

/// A mean with its standard error, and how many values it is of.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Mean {
    /// (1/n) Σ xᵢ.
    pub mean: f64,
    /// √(Σ (xᵢ − mean)² / (n (n − 1))); `None` for a single value.
    pub std_error: Option<f64>,
    /// Number of values.
    pub n: usize,
}

impl Mean {
    /// Of values; `None` where there is none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let std_error = (n > 1).then(|| (squares / (n as f64 * (n as f64 - 1.0))).sqrt());
        Some(Self { mean, std_error, n })
    }

    /// Of the differences `first − second` of pairs, such as two groups at the same seeds.
    pub fn of_differences(pairs: &[(f64, f64)]) -> Option<Self> {
        Self::of(&pairs.iter().map(|(a, b)| a - b).collect::<Vec<_>>())
    }
}

/// Pearson's correlation Σ (xᵢ − x̄)(yᵢ − ȳ) / √(Σ (xᵢ − x̄)² Σ (yᵢ − ȳ)²); `None` for fewer than three points or where
/// one coordinate is constant.
pub fn pearson(points: &[(f64, f64)]) -> Option<f64> {
    if points.len() < 3 {
        return None;
    }
    let n = points.len() as f64;
    let (mx, my) = points.iter().fold((0.0, 0.0), |(a, b), p| (a + p.0 / n, b + p.1 / n));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in points.iter().map(|p| (p.0 - mx, p.1 - my)) {
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    let r = xy / (xx.sqrt() * yy.sqrt());
    r.is_finite().then(|| r.clamp(-1.0, 1.0))
}

/// Spearman's correlation: Pearson's of the ranks, ties at the mean of theirs.
pub fn spearman(points: &[(f64, f64)]) -> Option<f64> {
    let ranks = |of: fn(&(f64, f64)) -> f64| ranks(&points.iter().map(of).collect::<Vec<_>>());
    let ranked: Vec<(f64, f64)> = ranks(|p| p.0).into_iter().zip(ranks(|p| p.1)).collect();
    pearson(&ranked)
}

/// Ranks from 1; equal values share the mean of their ranks.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for ties in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = before as f64 + (ties.len() as f64 + 1.0) / 2.0;
        ties.iter().for_each(|&i| ranks[i] = rank);
        before += ties.len();
    }
    ranks
}

/// Centred running average: each value becomes the mean of the at most `window` values around it, `(window − 1) / 2`
/// before and `window / 2` after; fewer at the ends. A window of 0 or 1 changes nothing.
pub fn running_average(values: &[f64], window: usize) -> Vec<f64> {
    let window = window.max(1);
    let average = |i: usize| {
        let near = &values[i.saturating_sub((window - 1) / 2)..(i + window / 2 + 1).min(values.len())];
        near.iter().sum::<f64>() / near.len() as f64
    };
    (0..values.len()).map(average).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: Option<f64>, b: f64) {
        let a = a.unwrap();
        assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{a} {b}");
    }

    #[test]
    fn middles_and_ends() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!((median(&[]), extremes(&[]), Mean::of(&[])), (None, None, None));
        assert_eq!(extremes(&[3.0, -1.0, 2.0]), Some((-1.0, 3.0)));
    }

    /// Deviations of 1, 2, 3, 4 from 2.5 have the squares 2.25, 0.25, 0.25, 2.25: √(5 / (4 · 3)).
    #[test]
    fn the_error_of_a_mean() {
        let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!((mean.mean, mean.n), (2.5, 4));
        close(mean.std_error, (5.0f64 / 12.0).sqrt());
        assert_eq!(Mean::of(&[7.0]).unwrap().std_error, None);
        let difference = Mean::of_differences(&[(3.0, 1.0), (5.0, 2.0), (8.0, 4.0)]).unwrap();
        assert_eq!(difference.mean, 3.0);
        close(difference.std_error, 1.0 / 3f64.sqrt());
    }

    /// scripts/reference/statistics.py (scipy.stats, numpy).
    #[test]
    fn correlations_and_averages_are_those_of_scipy() {
        let points: Vec<(f64, f64)> = [1.0, 2.5, 2.5, 4.0, 7.0, -3.0, 0.5, 11.0]
            .into_iter()
            .zip([2.0, 1.0, 3.5, 3.5, 9.0, -8.0, 2.0, 5.0])
            .collect();
        close(pearson(&points), PEARSON);
        close(spearman(&points), SPEARMAN);
        let y: Vec<f64> = points.iter().map(|p| p.1).collect();
        for (window, expected) in [(3, AVERAGE_3), (4, AVERAGE_4)] {
            for (a, b) in running_average(&y, window).into_iter().zip(expected) {
                close(Some(a), b);
            }
        }
        assert_eq!(running_average(&y, 0), y);
        close(Mean::of(&y).unwrap().std_error, SEM);
    }

    const PEARSON: f64 = 0.7830727253369929;
    const SPEARMAN: f64 = 0.8545611491092097;
    const SEM: f64 = 1.7060815589280267;
    const AVERAGE_3: [f64; 8] =
        [1.5, 2.1666666666666665, 2.6666666666666665, 5.333333333333333, 1.5, 1.0, -0.3333333333333333, 3.5];
    const AVERAGE_4: [f64; 8] = [2.1666666666666665, 2.5, 4.25, 2.0, 1.625, 2.0, -0.3333333333333333, 3.5];

    #[test]
    fn what_has_no_correlation() {
        assert_eq!(pearson(&[(0.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(pearson(&[(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)]), None);
        assert_eq!(spearman(&[]), None);
        close(pearson(&[(0.0, 5.0), (1.0, 3.0), (2.0, 1.0)]), -1.0);
        close(spearman(&[(0.0, 1.0), (1.0, 10.0), (2.0, 1000.0)]), 1.0);
    }
}
