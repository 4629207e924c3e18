//! What `saltflat measure` prints: a row a number, with its error, its price and the bound that it is compared with.

use std::fmt::Write;

use saltflat_metrics::Samples;
use saltflat_train::{MeasuredLoss, Measurement, Plan, config::METRICS};
use serde_json::Value;

use crate::table::number;

/// The measured loss, and the table, a line a metric.
pub fn table(plan: &Plan, found: &Measurement) -> String {
    let mut rows: Vec<[String; 5]> = vec![["metric", "value", "probes", "gradients", "beside"].map(str::to_string)];
    for (group, names) in METRICS {
        let Some(cost) = found.costs.get(group) else { continue };
        let mut price = if cost.gradients > 0.0 { number(cost.gradients) } else { String::new() };
        // A momentum of its own has a name of its own.
        let others =
            found.metrics.keys().map(String::as_str).filter(|name| {
                group == "spectrum" && name.starts_with("regularizer_momentum_") && !names.contains(name)
            });
        for name in names.iter().copied().chain(others) {
            let Some(value) = found.metrics.get(name) else { continue };
            for (name, value) in cells(name, value) {
                let beside = beside(&name, plan, found);
                let probes =
                    value.get("probes").filter(|probes| probes.is_number()).map(Value::to_string).unwrap_or_default();
                let near_one = name.starts_with("sgd_growth");
                rows.push([name, shown(&value, near_one), probes, std::mem::take(&mut price), beside]);
            }
        }
    }
    let widths: Vec<usize> = (0..4).map(|c| rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0)).collect();
    let mut text = format!("measured loss: {}\n", MeasuredLoss::of(plan));
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

/// The lines of a metric: one, or one for each entry of a list or of a map of tensors.
fn cells(name: &str, value: &Value) -> Vec<(String, Value)> {
    match value {
        Value::Array(all) => all.iter().enumerate().map(|(i, value)| (format!("{name}[{i}]"), value.clone())).collect(),
        Value::Object(map) if name == "trace_hessian_by_tensor" => {
            map.iter().map(|(tensor, value)| (format!("  {tensor}"), value.clone())).collect()
        }
        other => vec![(name.into(), other.clone())],
    }
}

/// `value ± error`, or the reason why there is none.
fn shown(value: &Value, near_one: bool) -> String {
    let get = |key: &str| value.get(key).and_then(Value::as_f64);
    if let (Some(probes), Some(p)) = (value.get("probes").and_then(Value::as_array), value.get("dimension")) {
        return format!("{} probes in {p} dimensions (--json, --plots)", probes.len());
    }
    let Some(x) = get("value") else {
        return format!("- ({})", value.get("reason").and_then(Value::as_str).unwrap_or("no value"));
    };
    let mut text = match near_one {
        // Where SGD is stable four digits would say 1.0000.
        true if x < 1.0 && x > 0.99 => format!("1 - {:.1e}", 1.0 - x),
        _ => number(x),
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

/// The theoretical value or bound that a metric is compared with: one of the same samples, or with the number of its own.
fn beside(name: &str, plan: &Plan, found: &Measurement) -> String {
    let (lr, momentum) = (plan.config.optimizer.lr, plan.config.optimizer.momentum);
    let value = |name: &str| found.metrics.get(name)?.get("value")?.as_f64();
    let of = |text: &str, bound: Option<f64>| bound.map_or(String::new(), |bound| format!("{text} {}", number(bound)));
    let left_out = if momentum > 0.0 { " (momentum is left out)" } else { "" };
    let on = |samples: usize| match plan.train.len() {
        n if samples < n => format!(" on {samples} of {n} samples"),
        _ => String::new(),
    };
    match name {
        "trace_hessian" => match value("trace_from_noise_expected") {
            None => String::new(),
            expected => of("trace_from_noise_expected", expected) + &on(found.alignment_samples),
        },
        // Each bound is sufficient, so the lower one.
        "gram_frobenius" => ["wu_bound_frobenius", "wu_bound_frobenius_mu1"]
            .into_iter()
            .filter_map(|name| Some((name, value(name)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map_or(String::new(), |(name, bound)| of(&format!("unstable above {name}"), Some(bound))),
        "wu_growth_bound" => value(name).map_or(String::new(), |growth| {
            let samples = on(found.alignment_samples);
            match growth > 1.0 {
                true => format!("above 1: linearised SGD leaves{samples}"),
                false => format!("linearised SGD leaves if above 1{samples}"),
            }
        }),
        "top_eigenvalues[0]" => {
            let edge_name = if momentum > 0.0 { "2(1+momentum)/lr" } else { "2/lr" };
            format!("{edge_name} = {}", number(2.0 * (1.0 + momentum) / lr))
        }
        "gram_top_eigenvalue" => match value("dexter_bound") {
            None => String::new(),
            bound => of("diverges above dexter_bound", bound) + left_out,
        },
        "alpha" | "chi_min_over_mean" => "at most 1".into(),
        "sgd_growth" | "sgd_growth_bernoulli" => {
            format!("stable below 1{}", on(plan.config.metrics.alignment_samples()))
        }
        "sgd_critical_lr" | "sgd_critical_lr_bernoulli" | "gd_critical_lr" => {
            let side = match value(name) {
                Some(critical) if lr < critical => ", below it",
                Some(_) => ", above it",
                None => "",
            };
            let samples = on(plan.config.metrics.alignment_samples());
            format!("lr = {}{side}{samples}{left_out}", number(lr))
        }
        "batch_sharpness" => format!("2/lr = {}", number(2.0 / lr)),
        "trace_from_noise_expected" => match value("trace_hessian") {
            None => String::new(),
            trace => of("trace_hessian", trace) + &on(found.curvature_samples),
        },
        "regularizer" => of("three terms of its series:", value("regularizer_series")),
        _ => String::new(),
    }
}
