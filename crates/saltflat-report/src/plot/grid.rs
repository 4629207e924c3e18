//! The grid of a figure over two axes.

use super::error::PlotError;

/// Checks that there is one value for each of at least `least` x `least` pairs of positions, and that these increase.
pub(crate) fn check_grid(
    title: &str,
    [xs, ys]: [&[f64]; 2],
    values: usize,
    least: usize,
    is_position: fn(f64) -> bool,
) -> Result<(), PlotError> {
    let (columns, rows) = (xs.len(), ys.len());
    if columns < least || rows < least || columns.checked_mul(rows) != Some(values) {
        return Err(PlotError::Grid { title: title.into(), columns, rows, values });
    }
    for (axis, line) in [("x", xs), ("y", ys)] {
        let fits = |i: usize| is_position(line[i]) && (i == 0 || line[i] > line[i - 1]);
        if let Some(index) = (0..line.len()).find(|&i| !fits(i)) {
            return Err(PlotError::GridLine { title: title.into(), axis, found: line[index].to_string(), index });
        }
    }
    Ok(())
}
