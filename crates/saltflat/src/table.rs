//! Tables of numbers on stdout: the epochs of a run, and what `saltflat measure` prints.

use std::fmt::Write;

use saltflat_metrics::Samples;
use saltflat_record::metric::{self, Column, ColumnStyle, Format, Group, Metric, Origin, Reference, SampleSet, Shape};
pub use saltflat_report::four_digits as number;
use saltflat_train::{Measurement, MeasurementRow, Plan, config::MeasuredSplit};
use serde_json::Value;

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

pub fn length(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

/// The measured loss, and the table, a line a metric.
pub fn of_measurement(plan: &Plan, found: &Measurement) -> String {
    let mut rows: Vec<[String; 5]> = vec![["metric", "value", "probes", "gradients", "beside"].map(str::to_string)];
    for group in metric::groups_from(Origin::Measurement) {
        let Some(cost) = found.costs.get(group.name) else { continue };
        let mut price = if cost.gradients > 0.0 { number(cost.gradients) } else { String::new() };
        for (metric, name) in names(group, found) {
            let Some(value) = found.metrics.get(name) else { continue };
            let compared = metric.reference.filter(|kind| is_compared(metric, *kind, plan));
            let mut reference = compared.map(|kind| reference(kind, value, plan, found)).unwrap_or_default();
            if metric.shape == Shape::ByTensor && value.is_object() {
                let heading = [name.into(), String::new(), String::new(), std::mem::take(&mut price), String::new()];
                rows.push(heading);
            }
            for (name, value) in cells(metric, name, value) {
                let probes = value.get("probes").filter(|probes| probes.is_number());
                let probes = probes.map(Value::to_string).unwrap_or_default();
                let text = value_text(&value, metric.format);
                rows.push([name, text, probes, std::mem::take(&mut price), std::mem::take(&mut reference)]);
            }
        }
    }
    let widths: Vec<usize> = (0..4).map(|c| rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0)).collect();
    let mut text = format!("measured loss: {}\n", plan.recorded_loss());
    for row in &rows {
        let mut line = String::new();
        for (c, cell) in row.iter().enumerate() {
            let pad = widths.get(c).map_or(0, |width| width - cell.chars().count());
            match c {
                0 => line.extend([cell.as_str(), &" ".repeat(pad)]),
                4 => line.extend(["  ", cell]),
                _ => line.extend(["  ", &" ".repeat(pad), cell]),
            }
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// The metrics of a group and the names under which they were found, those for other values of a parameter last.
fn names<'a>(group: &'static Group, found: &'a Measurement) -> Vec<(&'static Metric, &'a str)> {
    let mut names: Vec<(&'static Metric, &str)> = group.selectable().map(|metric| (metric, metric.name)).collect();
    for (metric, prefix) in group.selectable().filter_map(|metric| Some((metric, metric.prefix?))) {
        let others = found.metrics.keys().filter(|name| name.starts_with(prefix) && *name != metric.name);
        names.extend(others.map(|name| (metric, name.as_str())));
    }
    names
}

/// The lines of a metric: one, or one for each entry of a list or of a map of tensors.
fn cells(metric: &Metric, name: &str, value: &Value) -> Vec<(String, Value)> {
    match value {
        Value::Array(all) => all.iter().enumerate().map(|(i, value)| (format!("{name}[{i}]"), value.clone())).collect(),
        Value::Object(map) if metric.shape == Shape::ByTensor => {
            map.iter().map(|(tensor, value)| (format!("  {tensor}"), value.clone())).collect()
        }
        other => vec![(name.into(), other.clone())],
    }
}

/// `value ± error`, or the reason why there is none.
fn value_text(value: &Value, format: Format) -> String {
    let get = |key: &str| value.get(key).and_then(Value::as_f64);
    if let (Some(probes), Some(p)) = (value.get("probes").and_then(Value::as_array), value.get("dimension")) {
        return format!("{} probes in {p} dimensions (--json, --plots)", probes.len());
    }
    let Some(x) = get("value") else {
        return format!("- ({})", value.get("reason").and_then(Value::as_str).unwrap_or("no value"));
    };
    let mut text = match format {
        Format::NearOne if x < 1.0 && x > 0.99 => format!("1 - {:.1e}", 1.0 - x),
        Format::NearOne | Format::Number => number(x),
    };
    if let Some(error) = get("std_error") {
        let _ = write!(text, " ± {}", number(error));
    }
    if let Some(error) = get("subset_error") {
        let together = get("std_error").unwrap_or(0.0).hypot(error);
        let _ = write!(text, " ± {} of the subset, {} together", number(error), number(together));
    }
    if let Some(residual) = get("residual") {
        let _ = write!(
            text,
            " (residual {residual:.0e}{})",
            match value.get("converged").and_then(Value::as_bool) {
                Some(false) => ", not converged",
                _ => "",
            }
        );
    }
    text
}

/// True unless the measured samples are others than those of the training steps, which the bound is about.
fn is_compared(metric: &Metric, reference: Reference, plan: &Plan) -> bool {
    let is_bound = match reference {
        Reference::UnstableAbove(_)
        | Reference::DivergesAbove(_)
        | Reference::TwoOverLr
        | Reference::EdgeOfStability
        | Reference::StableBelowOne
        | Reference::UnstableAboveOne
        | Reference::LearningRate => true,
        Reference::Value(..) | Reference::AtMostOne => false,
    };
    plan.measured_split() == MeasuredSplit::Train || !is_bound && !metric.is_of_training
}

/// The theoretical value or bound that a metric with this value is compared with, and on which samples if not on all.
fn reference(kind: Reference, value: &Value, plan: &Plan, found: &Measurement) -> String {
    let (lr, momentum) = (plan.config.optimizer.lr, plan.config.optimizer.momentum);
    let value = value.get("value").and_then(Value::as_f64);
    let value_of = |metric: &Metric| found.metrics.get(metric.name)?.get("value")?.as_f64();
    let left_out = match (momentum > 0.0, plan.config.optimizer.weight_decay > 0.0) {
        (false, false) => "",
        (true, false) => " (momentum is left out)",
        (false, true) => " (weight decay is left out)",
        (true, true) => " (momentum and weight decay are left out)",
    };
    let on = |samples: usize| match plan.measured_samples().len() {
        n if samples < n => format!(" on {samples} of {n} samples"),
        _ => String::new(),
    };
    let on_set = |set: SampleSet| match set {
        SampleSet::Curvature => on(found.curvature_samples),
        SampleSet::Alignment => on(found.alignment_samples),
    };
    let on_one_subset = || on(plan.config.metrics.alignment_samples());
    let text = match kind {
        Reference::Value(words, other, set) => {
            value_of(other).map(|other| format!("{words} {}{}", number(other), set.map(on_set).unwrap_or_default()))
        }
        Reference::UnstableAbove(bounds) => bounds
            .iter()
            .filter_map(|bound| Some((bound.name, value_of(bound)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(name, bound)| format!("unstable above {name} {}", number(bound))),
        Reference::DivergesAbove(bound) => {
            value_of(bound).map(|value| format!("diverges above {} {}{left_out}", bound.name, number(value)))
        }
        Reference::TwoOverLr => Some(format!("2/lr = {}", number(2.0 / lr))),
        Reference::EdgeOfStability => {
            let edge = if momentum > 0.0 { "2(1+momentum)/lr" } else { "2/lr" };
            Some(format!("{edge} = {}", number(2.0 * (1.0 + momentum) / lr)))
        }
        Reference::AtMostOne => Some("at most 1".into()),
        Reference::StableBelowOne => Some(format!("stable below 1{}", on_one_subset())),
        Reference::UnstableAboveOne => value.map(|growth| {
            let text = match growth > 1.0 {
                true => "above 1: linearised SGD leaves",
                false => "linearised SGD leaves if above 1",
            };
            format!("{text}{}", on_set(SampleSet::Alignment))
        }),
        Reference::LearningRate => {
            let side = match value {
                Some(critical) if lr < critical => ", below it",
                Some(_) => ", above it",
                None => "",
            };
            Some(format!("lr = {}{side}{}{left_out}", number(lr), on_one_subset()))
        }
    };
    text.unwrap_or_default()
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
