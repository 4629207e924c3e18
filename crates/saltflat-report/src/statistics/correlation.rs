//! Correlations of points, and running averages.

/// Pearson's correlation Σ (xᵢ − x̄)(yᵢ − ȳ) / √(Σ (xᵢ − x̄)² Σ (yᵢ − ȳ)²); `None` for fewer than three points or if
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
    use super::{super::Mean, *};

    fn close(a: Option<f64>, b: f64) {
        let a = a.unwrap();
        assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{a} {b}");
    }

    /// scripts/reference/report_statistics.py (scipy.stats, numpy).
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
