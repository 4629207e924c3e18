//! The table of epochs on stdout.

use saltflat_train::MeasurementRow;

/// One column: its head, the metric, and how wide.
struct Column {
    head: &'static str,
    metric: &'static str,
    width: usize,
    style: Style,
}

#[derive(Clone, Copy)]
enum Style {
    Number,
    Percent,
    WithError,
}

const COLUMNS: [Column; 9] = [
    Column { head: "loss", metric: "loss", width: 9, style: Style::Number },
    Column { head: "acc %", metric: "accuracy", width: 6, style: Style::Percent },
    Column { head: "test %", metric: "test_accuracy", width: 6, style: Style::Percent },
    Column { head: "tr H", metric: "trace_hessian", width: 17, style: Style::WithError },
    Column { head: "|H|_F", metric: "hessian_frobenius", width: 17, style: Style::WithError },
    Column { head: "tr from noise", metric: "trace_from_noise", width: 17, style: Style::WithError },
    Column { head: "alpha", metric: "alpha", width: 7, style: Style::Number },
    Column { head: "beta", metric: "beta", width: 8, style: Style::Number },
    Column { head: "mu", metric: "mu", width: 8, style: Style::Number },
];

/// Which columns a run has, from its first measurement.
pub struct Table {
    columns: Vec<&'static Column>,
}

impl Table {
    /// The columns for which this measurement has an entry.
    pub fn new(first: &MeasurementRow) -> Self {
        Self { columns: COLUMNS.iter().filter(|column| first.metrics.contains_key(column.metric)).collect() }
    }

    /// The line with the names.
    pub fn head(&self) -> String {
        let cells = self.columns.iter().map(|c| format!("{:>width$}", c.head, width = c.width));
        format!("{:>5}  {}", "epoch", cells.collect::<Vec<_>>().join("  "))
    }

    /// One measurement; an absent value is a dash.
    pub fn line(&self, row: &MeasurementRow) -> String {
        let cells = self.columns.iter().map(|c| format!("{:>width$}", c.cell(row), width = c.width));
        format!("{:>5}  {}", row.epoch, cells.collect::<Vec<_>>().join("  "))
    }
}

impl Column {
    fn cell(&self, row: &MeasurementRow) -> String {
        let Some(value) = row.value(self.metric) else { return "-".into() };
        match (self.style, row.std_error(self.metric)) {
            (Style::Percent, _) => format!("{:.1}", 100.0 * value),
            (Style::WithError, Some(error)) => format!("{} ± {}", number(value), number(error)),
            _ => number(value),
        }
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
