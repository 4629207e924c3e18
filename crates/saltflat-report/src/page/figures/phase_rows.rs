//! Phase diagrams whose cells are the measured rows of runs.

use super::run_values::at_each_x;
use crate::metric::words;
use crate::page::contents::Group;
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
    let mut found: Vec<(f64, f64, f64)> = Vec::new();
    let mut lines: Vec<Vec<(f64, f64)>> = vec![Vec::new(); line_names.len()];
    for (run, row) in group.counting().flat_map(|run| run.measurements.iter().map(move |row| (run, row))) {
        // Plus zero: −0 and 0 are one place.
        let of = |name: &str| run.value(row, name).filter(|v| v.is_finite()).map(|v| v + 0.0);
        let (Some(x), Some(y), Some(value)) = (of(x_name), of(y_name), of(value_name)) else { continue };
        found.push((x, y, value));
        for (line, name) in lines.iter_mut().zip(line_names) {
            line.extend(of(name).map(|value| (x, value)));
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    let (xs, ys) = (distinct(found.iter().map(|point| point.0)), distinct(found.iter().map(|point| point.1)));
    if xs.len().saturating_mul(ys.len()) > MOST_CELLS {
        let found = format!("{} x {}", xs.len(), ys.len());
        let reason =
            format!("{title}: expected at most {MOST_CELLS} cells, found {found} values of {x_name} and {y_name}");
        return Err(ReportError::Nothing { reason });
    }
    let index = |line: &[f64], value: f64| line.partition_point(|known| *known < value);
    let mut cells = vec![Vec::new(); xs.len() * ys.len()];
    for (x, y, value) in found {
        cells[index(&ys, y) * xs.len() + index(&xs, x)].push(value);
    }
    let values = cells.iter().map(|values| median(values).unwrap_or(f64::NAN)).collect();
    let curves = lines.into_iter().zip(line_names).map(|(line, name)| {
        let points = at_each_x(&[line]).iter().filter_map(|(x, values)| Some((*x, median(values)?))).collect();
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

fn distinct(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    numbers
}
