//! Phase diagrams whose cells are the measured rows of runs.

use std::{cmp::Ordering, collections::BTreeMap};

use crate::metric::words;
use crate::page::group::Group;
use crate::statistics::{extremes, median};
use crate::{Axis, PhaseDiagram, ReportError, Scale, Series, number};

/// A diagram with more cells is a mistake: a pixel is not a cell.
const MOST_CELLS: usize = 1_000_000;

/// Up to so many cells are given one by one in words.
const MOST_LISTED_CELLS: usize = 60;

/// The diagram of a group, and its numbers in words: a cell for each row that has the metrics x, y and value, the median if several
/// have the same x and y; and lines of metrics over x. `None` without such rows.
pub(super) fn diagram_of_rows(
    title: &str,
    group: &Group<'_>,
    [x_name, y_name, value_name]: [&str; 3],
    line_names: &[String],
    scale: Scale,
) -> Result<Option<(PhaseDiagram, Vec<String>)>, ReportError> {
    let mut cells: BTreeMap<(Number, Number), Vec<f64>> = BTreeMap::new();
    let mut lines: Vec<BTreeMap<Number, Vec<f64>>> = vec![BTreeMap::new(); line_names.len()];
    for (run, row) in group.counting().flat_map(|run| run.measurements.iter().map(move |row| (run, row))) {
        // Plus zero: −0 and 0 are one place.
        let of = |name: &str| run.value(row, name).filter(|v| v.is_finite()).map(|v| v + 0.0);
        let (Some(x), Some(y), Some(value)) = (of(x_name), of(y_name), of(value_name)) else { continue };
        cells.entry((Number(x), Number(y))).or_default().push(value);
        for (line, name) in lines.iter_mut().zip(line_names) {
            line.entry(Number(x)).or_default().extend(of(name));
        }
    }
    if cells.is_empty() {
        return Ok(None);
    }
    let (xs, ys) = (distinct(cells.keys().map(|key| key.0)), distinct(cells.keys().map(|key| key.1)));
    if xs.len().saturating_mul(ys.len()) > MOST_CELLS {
        let found = format!("{} x {}", xs.len(), ys.len());
        let reason =
            format!("{title}: expected at most {MOST_CELLS} cells, found {found} values of {x_name} and {y_name}");
        return Err(ReportError::Nothing { reason });
    }
    let at = |x: f64, y: f64| cells.get(&(Number(x), Number(y))).and_then(|values| median(values));
    let values: Vec<f64> =
        ys.iter().flat_map(|&y| xs.iter().map(move |&x| (x, y))).map(|(x, y)| at(x, y).unwrap_or(f64::NAN)).collect();
    let curves = lines.iter().zip(line_names).map(|(line, name)| {
        let points = line.iter().filter_map(|(x, values)| Some((x.0, median(values)?))).collect();
        Series::line(words(name), points)
    });
    let diagram = PhaseDiagram {
        title: title.into(),
        x: Axis::linear(words(x_name)),
        y: Axis::linear(words(y_name)),
        curves: curves.collect(),
        value_label: words(value_name).into(),
        scale,
        xs,
        ys,
        values,
        ..PhaseDiagram::default()
    };
    let numbers = in_words(&diagram, [x_name, y_name]);
    Ok(Some((diagram, numbers)))
}

/// Every cell if they are few, else how they spread; and where each line begins and ends.
fn in_words(diagram: &PhaseDiagram, [x, y]: [&str; 2]) -> Vec<String> {
    let PhaseDiagram { xs, ys, values, curves, .. } = diagram;
    let known: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    let mut sentences = match (extremes(&known), median(&known)) {
        (Some((low, high)), Some(middle)) if known.len() > MOST_LISTED_CELLS => {
            let mean = known.iter().sum::<f64>() / known.len() as f64;
            let [low, middle, high, mean] = [low, middle, high, mean].map(number);
            let (cells, columns, rows) = (known.len(), xs.len(), ys.len());
            vec![format!(
                "{cells} cells, {columns} of {x} by {rows} of {y}: from {low} to {high}, median {middle}, mean {mean}"
            )]
        }
        _ => cells_in_words([x, y], xs.len(), values, |column, row| [number(xs[column]), number(ys[row])]),
    };
    sentences.extend(curves.iter().filter_map(|curve| {
        let (first, last) = (curve.points.first()?, curve.points.last()?);
        let [x0, y0, x1, y1] = [first.0, first.1, last.0, last.1].map(number);
        Some(format!("{}: {y0} at {x} {x0}, {y1} at {x} {x1}", curve.label))
    }));
    sentences
}

/// Each cell that is not NaN, as `X 1, Y 2: 3`; an infinite one has diverged. `names` gives the names of a column and a row.
pub(super) fn cells_in_words(
    [x, y]: [&str; 2],
    columns: usize,
    values: &[f64],
    names: impl Fn(usize, usize) -> [String; 2],
) -> Vec<String> {
    let known = values.iter().enumerate().filter(|(_, value)| !value.is_nan());
    let cell = |(i, &value): (usize, &f64)| {
        let [at_x, at_y] = names(i % columns, i / columns);
        let value = if value == f64::INFINITY { "diverged".into() } else { number(value) };
        format!("{x} {at_x}, {y} {at_y}: {value}")
    };
    known.map(cell).collect()
}

/// A finite number as a key, in the order of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Number(f64);

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Each number once, in order.
fn distinct(numbers: impl Iterator<Item = Number>) -> Vec<f64> {
    let mut numbers: Vec<f64> = numbers.map(|n| n.0).collect();
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    numbers
}
