//! Every run of a group as a line of its own, their mean, and how it grows.

use super::sentences;
use crate::{Look, Series, page::Group, statistics::growth, with_error};

/// A faint line a run, without entries in the legend.
pub(super) fn thin(index: usize, curves: &[Vec<(f64, f64)>]) -> Vec<Series> {
    let line =
        |curve: &Vec<(f64, f64)>| Series { look: Look::Thin, group: Some(index), ..Series::line("", curve.clone()) };
    curves.iter().map(line).collect()
}

/// The values of all runs at each x that one of them has, in order.
pub(super) fn at_each_x(curves: &[Vec<(f64, f64)>]) -> Vec<(f64, Vec<f64>)> {
    let mut all = curves.concat();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.chunk_by(|a, b| a.0 == b.0).map(|same| (same[0].0, same.iter().map(|p| p.1).collect())).collect()
}

/// The mean over runs at each x that all of them have.
pub(super) fn mean_of(name: &str, index: usize, curves: &[Vec<(f64, f64)>]) -> Option<Series> {
    let whole = at_each_x(curves).into_iter().filter(|(_, ys)| ys.len() == curves.len());
    let points: Vec<(f64, f64)> = whole.map(|(x, ys)| (x, ys.iter().sum::<f64>() / ys.len() as f64)).collect();
    (!points.is_empty()).then(|| Series { group: Some(index), ..Series::line(name, points) })
}

/// What is said of runs that diverged or failed where the former count.
pub(super) fn diverged(groups: &[Group<'_>]) -> String {
    let count = |status: &str| groups.iter().flat_map(|g| &g.runs).filter(|run| run.status == status).count();
    let mut parts = Vec::new();
    if count("diverged") > 0 {
        parts.push(format!(
            "{} diverged and count as long as they are finite; the mean ends where the first of them does",
            count("diverged")
        ));
    }
    if count("failed") > 0 {
        parts.push(format!("Left out: {} failed", count("failed")));
    }
    sentences(&parts)
}

/// `NAME: from step 0 to 10 the mean over 200 runs grows by a factor of 1.42 a step (its logarithm by 0.351 ± 0.012)`; to where
/// all runs reach, if that is before the end of the window.
pub(super) fn growth_rate(name: &str, curves: &[Vec<(f64, f64)>], [from, to]: [f64; 2], over: &str) -> String {
    let reach = |curve: &Vec<(f64, f64)>| curve.iter().map(|p| p.0).filter(|&x| x <= to).fold(from, f64::max);
    let to = curves.iter().map(reach).fold(to, f64::min);
    match growth(curves, from, to) {
        Some(rate) => {
            let of_logarithm = with_error(rate.mean, rate.std_error);
            let factor = with_error(rate.mean.exp(), rate.std_error.map(|error| error * rate.mean.exp()));
            format!(
                "{name}: from {over} {from} to {to} the mean over {} runs grows by a factor of {factor} a {over} (its logarithm by \
                 {of_logarithm}; errors of a jackknife over the runs)",
                rate.n
            )
        }
        None => format!("{name}: no growth can be said from {over} {from} to {to}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_over_equal_x_also_between_whole_numbers() {
        let curves = [vec![(0.25, 1.0), (0.75, 5.0)], vec![(0.25, 2.0), (0.75, 3.0), (0.9, 7.0)]];
        assert_eq!(mean_of("flips", 0, &curves).unwrap().points, [(0.25, 1.5), (0.75, 4.0)]);
    }
}
