//! The runs of a page for other programs.

use std::collections::{BTreeMap, BTreeSet};

use csv::Writer;
use serde_json::{Value, json};

use crate::{DependsOn, Field, Page, Row, Run, depends_on, measured_loss::in_words, std_error, value};

/// Columns behind those of the labels' axes.
const COLUMNS: [&str; 13] = [
    "seed",
    "kind",
    "epoch",
    "step",
    "metric",
    "value",
    "std_error",
    "probes",
    "measured_loss",
    "n",
    "low_95",
    "high_95",
    "p",
];

/// Every value of every run, one a line: `run, stage`, a column for each axis of the labels, then `seed, kind, epoch, step, metric,
/// value, std_error, probes, measured_loss, n, low_95, high_95, p, reason`. Lists and maps of estimates are one line an entry
/// (`top_eigenvalues.0`); an absent value is an empty field, with its reason in the last one. Numbers are written so that they
/// read back the same; a text that a spreadsheet would take for a formula begins with an apostrophe.
///
/// With a baseline, lines of the kind `difference` follow, one a group and metric: the mean difference of the last values, paired
/// by seed, with its standard error, number of pairs, 95 % interval and p value, or the reason why there is none.
pub fn csv(page: &Page) -> String {
    let axes: BTreeSet<&String> = page.runs.iter().flat_map(|run| run.labels.keys()).collect();
    let mut head = vec!["run".to_string(), "stage".to_string()];
    head.extend(axes.iter().map(|axis| (*axis).clone()));
    head.extend(COLUMNS.map(String::from));
    head.push("reason".into());
    let mut writer = Writer::from_writer(Vec::new());
    write_row(&mut writer, &head);
    let labels = |labels: &BTreeMap<String, String>| -> Vec<String> {
        axes.iter().map(|axis| labels.get(*axis).cloned().unwrap_or_default()).collect()
    };
    let empty = String::new;
    for run in &page.runs {
        for row in run.epochs.iter().chain(&run.measurements) {
            for [metric, value, error, probes, reason] in values(row) {
                let mut fields = vec![run.name.clone(), run.stage.clone().unwrap_or_default()];
                fields.extend(labels(&run.labels));
                fields.push(run.seed.to_string());
                fields.extend(["kind", "epoch", "step"].map(|key| plain(row.get(key))));
                let loss = run.loss_of(row, &metric).map_or(empty(), |loss| in_words(&loss));
                fields.extend([metric, value, error, probes, loss]);
                fields.extend([empty(), empty(), empty(), empty(), reason]);
                write_row(&mut writer, &fields);
            }
        }
    }
    for group in page.summary() {
        for (metric, difference) in &group.differences {
            let mut fields = vec![group.group.clone(), group.stage.clone().unwrap_or_default()];
            fields.extend(labels(&group.labels));
            fields.extend([empty(), "difference".into(), empty(), empty(), metric.clone()]);
            let number = |x: Option<f64>| x.map_or(empty(), |x| x.to_string());
            let found = difference.value();
            fields.extend([number(found.map(|d| d.mean)), number(found.and_then(|d| d.std_error)), empty()]);
            let loss = if depends_on(metric) == DependsOn::MeasuredLoss { &group.measured_loss_in_words } else { "" };
            fields.push(loss.to_string());
            fields.push(found.map_or(empty(), |d| d.n.to_string()));
            let [low, high] = found.and_then(|d| d.interval_95).map_or([None; 2], |ends| ends.map(Some));
            fields.extend([low, high, found.and_then(|d| d.p)].map(number));
            fields.push(difference.reason().unwrap_or_default().to_string());
            write_row(&mut writer, &fields);
        }
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// Metric, value, standard error, probes and the reason of an absent value, of all that a row holds.
fn values(row: &Row) -> Vec<[String; 5]> {
    let estimate = |name: String, entry: Field<'_>| {
        if entry.as_f64().is_some() {
            return Some([name, plain(Some(entry)), String::new(), String::new(), String::new()]);
        }
        entry.get("value")?;
        let [value, error, probes, reason] =
            ["value", "std_error", "probes", "reason"].map(|key| plain(entry.get(key)));
        Some([name, value, error, probes, reason])
    };
    let metrics = row.get("metrics").filter(|metrics| metrics.is_object()).unwrap_or(row.all());
    let mut found = Vec::new();
    for (name, entry) in metrics.entries().filter(|(name, _)| !["kind", "epoch", "step"].contains(name)) {
        match estimate(name.into(), entry) {
            Some(cells) => found.push(cells),
            None => {
                let items = entry.items().enumerate();
                found.extend(items.filter_map(|(i, e)| estimate(format!("{name}.{i}"), e)));
                let estimates = entry.entries().filter(|(_, e)| e.is_object());
                found.extend(estimates.filter_map(|(inner, e)| estimate(format!("{name}.{inner}"), e)));
            }
        }
    }
    found
}

/// A value as a field; null and absent are empty.
fn plain(value: Option<Field<'_>>) -> String {
    match value.filter(|value| !value.is_list() && !value.is_object()).map(Field::to_value) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    }
}

/// Writes a row whose fields no spreadsheet takes for formulas: a text that begins like one gets an apostrophe before it, as OWASP
/// advises against CSV injection. Numbers, also negative ones, stay as they are.
fn write_row(writer: &mut Writer<Vec<u8>>, fields: &[String]) {
    let is_formula =
        |field: &str| field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && field.parse::<f64>().is_err();
    let safe = fields.iter().map(|field| if is_formula(field) { format!("'{field}") } else { field.clone() });
    // Only a file could fail, and rows of different lengths, of which there are none.
    let _ = writer.write_record(safe);
}

/// The summary: title, what it is made from, notes, baseline, every group with its labels, statuses, measured loss, last values and
/// differences, the findings, and every run with its last values.
pub fn json(page: &Page) -> Value {
    let metrics = page.metrics();
    let last = |run: &Run| -> serde_json::Map<String, Value> {
        let of = |name: &String| {
            let row = run.measurements.iter().chain(&run.epochs).rev().find(|row| value(row, name).is_some());
            let row = run.measurements.iter().rev().find(|row| value(row, name).is_some()).or(row)?;
            let entry = json!({"value": value(row, name), "std_error": std_error(row, name), "epoch": row.get("epoch").map(Field::to_value)});
            Some((name.clone(), entry))
        };
        metrics.iter().filter_map(of).collect()
    };
    let run = |run: &Run| {
        json!({
            "run": run.name, "folder": run.folder.display().to_string(), "stage": run.stage, "labels": run.labels,
            "group": run.group(), "seed": run.seed, "status": run.status, "reason": run.reason,
            "measured_loss": run.measurements.last().map(|row| in_words(&run.measured_loss(row))), "finals": last(run),
        })
    };
    json!({
        "schema": 1,
        "title": page.title,
        "made_from": page.source,
        "notes": page.notes,
        "baseline": page.baseline,
        "groups": page.summary(),
        "findings": page.findings,
        "runs": page.runs.iter().map(run).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fields: &[String]) -> String {
        let mut writer = Writer::from_writer(Vec::new());
        write_row(&mut writer, fields);
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    }

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let fields = ["a", "b,c", "d\"e", ""].map(String::from);
        assert_eq!(line(&fields), "a,\"b,c\",\"d\"\"e\",\n");
    }

    /// The characters of OWASP's page on CSV injection; what is a number is none, and stays one.
    #[test]
    fn no_field_is_a_formula() {
        for text in ["=1+1", "+a", "-a", "@SUM(A1)", "=HYPERLINK(\"x\",\"y\")", "\tx", "\rx", "-1+2"] {
            let written = line(&[text.to_string()]);
            let field = written.trim_end_matches('\n').trim_matches('"').replace("\"\"", "\"");
            assert_eq!(field, format!("'{text}"));
        }
        let numbers = ["-0.5", "-1e-9", "+2", "0.1", "-3", "a=1", ""].map(String::from);
        assert_eq!(line(&numbers), "-0.5,-1e-9,+2,0.1,-3,a=1,\n");
    }

    #[test]
    fn a_row_is_a_line_an_estimate() {
        let row: Row = serde_json::from_str(
            r#"{"kind":"measurement","step":4,"metrics":{"trace_hessian":{"value":0.1,"std_error":0.01,"probes":16},
            "mu":{"value":null,"reason":"none"},"top_eigenvalues":[{"value":3.0},{"value":2.0}],
            "spectral_density":{"deflated":[1.0],"dimension":3},"t":{"a.b":{"value":5}}}}"#,
        )
        .unwrap();
        let lines: Vec<String> = values(&row).iter().map(|cells| cells.join(" ")).collect();
        let expected = [
            "mu    none",
            "t.a.b 5   ",
            "top_eigenvalues.0 3.0   ",
            "top_eigenvalues.1 2.0   ",
            "trace_hessian 0.1 0.01 16 ",
        ];
        assert_eq!(lines, expected);
    }
}
