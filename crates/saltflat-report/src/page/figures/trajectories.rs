//! The runs of a group as lines, and how their mean grows.

use crate::page::group::Group;
use crate::statistics::{extremes, growth, median};
use crate::{Look, Series, Spread, with_error};

/// A faint line a run, without entries in the legend.
pub(super) fn faint_lines(group: &Group<'_>, curves: &[Vec<(f64, f64)>]) -> Vec<Series> {
    let line = |curve: &Vec<(f64, f64)>| Series {
        look: Look::Thin,
        group: Some(group.index),
        ..Series::line("", curve.clone())
    };
    curves.iter().map(line).collect()
}

/// The values of all runs at each x that one of them has, in order.
fn at_each_x(curves: &[Vec<(f64, f64)>]) -> Vec<(f64, Vec<f64>)> {
    let mut all = curves.concat();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.chunk_by(|a, b| a.0 == b.0).map(|same| (same[0].0, same.iter().map(|p| p.1).collect())).collect()
}

/// The mean over runs at each x that all of them have.
pub(super) fn mean_line(group: &Group<'_>, curves: &[Vec<(f64, f64)>]) -> Option<Series> {
    let whole = at_each_x(curves).into_iter().filter(|(_, ys)| ys.len() == curves.len());
    let points: Vec<(f64, f64)> = whole.map(|(x, ys)| (x, ys.iter().sum::<f64>() / ys.len() as f64)).collect();
    (!points.is_empty()).then(|| Series { group: Some(group.index), ..Series::line(&group.name, points) })
}

/// The median over runs at each x, with a band if there are several.
pub(super) fn median_line(group: &Group<'_>, curves: &[Vec<(f64, f64)>]) -> Option<Series> {
    let (mut points, mut band) = (Vec::new(), Vec::new());
    for (x, ys) in at_each_x(curves) {
        points.extend(median(&ys).map(|middle| (x, middle)));
        band.extend(extremes(&ys));
    }
    let spread = if curves.len() > 1 { Spread::Band(band) } else { Spread::None };
    (!points.is_empty()).then(|| Series { spread, group: Some(group.index), ..Series::line(&group.name, points) })
}

/// `NAME: from step 0 to 10 the mean over 200 runs grows by a factor of 1.42 a step (its logarithm by 0.351 ± 0.012)`; to where
/// all runs reach, if that is before the end of the window.
pub(super) fn growth_in_words(name: &str, curves: &[Vec<(f64, f64)>], [from, to]: [f64; 2], over: &str) -> String {
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

    fn group() -> Group<'static> {
        Group { name: "flips".into(), index: 0, runs: Vec::new() }
    }

    #[test]
    fn means_are_over_equal_x_also_between_whole_numbers() {
        let curves = [vec![(0.25, 1.0), (0.75, 5.0)], vec![(0.25, 2.0), (0.75, 3.0), (0.9, 7.0)]];
        assert_eq!(mean_line(&group(), &curves).unwrap().points, [(0.25, 1.5), (0.75, 4.0)]);
    }

    #[test]
    fn seeds_meet_at_equal_x_and_only_there() {
        let curves = [vec![(0.25, 1.0), (0.75, 5.0)], vec![(0.75, 3.0), (0.25, 2.0)], vec![(0.25, 9.0)]];
        let series = median_line(&group(), &curves).unwrap();
        assert_eq!(series.points, [(0.25, 2.0), (0.75, 4.0)]);
        assert_eq!(series.spread, Spread::Band(vec![(1.0, 9.0), (3.0, 5.0)]));
        assert!(median_line(&group(), &[Vec::new()]).is_none());
    }
}
