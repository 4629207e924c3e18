//! The table of epochs on stdout.

use saltflat_record::metric::{self, Column, ColumnStyle, Metric};
use saltflat_train::MeasurementRow;

/// Which columns a run has, from its first measurement.
pub struct Table {
    columns: Vec<(&'static Metric, Column)>,
}

impl Table {
    /// The columns for which this measurement has an entry.
    pub fn new(first: &MeasurementRow) -> Self {
        let measured = metric::all().filter(|metric| first.metrics.contains_key(metric.name));
        Self { columns: measured.filter_map(|metric| Some((metric, metric.column?))).collect() }
    }

    /// The line with the names.
    pub fn head(&self) -> String {
        self.row("epoch", |_, column| column.head.into())
    }

    /// One measurement; an absent value is a dash.
    pub fn line(&self, row: &MeasurementRow) -> String {
        self.row(&row.epoch.to_string(), |metric, column| {
            let Some(value) = row.value(metric.name) else { return "-".into() };
            match (column.style, row.std_error(metric.name)) {
                (ColumnStyle::Percent, _) => format!("{:.1}", 100.0 * value),
                (ColumnStyle::WithError, Some(error)) => format!("{} ± {}", number(value), number(error)),
                (ColumnStyle::Number | ColumnStyle::WithError, _) => number(value),
            }
        })
    }

    fn row(&self, epoch: &str, cell: impl Fn(&Metric, &Column) -> String) -> String {
        let cells = self.columns.iter().map(|(metric, column)| {
            let width = column.width;
            format!("{:>width$}", cell(metric, column))
        });
        format!("{epoch:>5}  {}", cells.collect::<Vec<_>>().join("  "))
    }
}

/// Four digits that count, in as few characters as they need.
pub fn number(x: f64) -> String {
    let size = x.abs();
    match size {
        0.0 => "0".into(),
        _ if (1e-3..1e5).contains(&size) => {
            let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
            format!("{x:.decimals$}")
        }
        _ => format!("{x:.2e}"),
    }
}

/// A time in words.
pub fn length(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        for (x, text) in [
            (0.0, "0"),
            (1.23456, "1.235"),
            (-123.456, "-123.5"),
            (12345.6, "12346"),
            (0.0123456, "0.01235"),
            (1.5e-7, "1.50e-7"),
        ] {
            assert_eq!(number(x), text);
        }
    }
}
