//! Loss slices, and what is drawn of a measurement.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use saltflat_metrics::{
    Curvature, CurvatureOperator, Direction, LanczosOptions, Objective, Spectrum, Statistics, filter_normalised,
    lanczos, plane, slice,
};
use saltflat_random::{Key, Stream};
use saltflat_report::{
    ContourSlice, LossSlice, Series, SpectralDensity, VerticalLine, contour, slice as loss_line, spectral_density,
};
use saltflat_train::{MeasurementPoint, Memory, Plan, TrainError, config::MeasuredSplit, curvature_subset, load_start};
use serde_json::{Map, Value, json};

use crate::{
    args::{MeasureArgs, SliceStatistics},
    table::number,
};

/// Points along a direction, and along each of two: at every point of a line or a plane the loss is measured.
const MOST_POINTS: [usize; 2] = [100_000, 1000];

/// True for a direction that is the way to other weights, and not one of those with a name.
pub fn leads_to_weights(direction: &str) -> bool {
    !matches!(direction, "random" | "eigenvector")
}

/// The loss along one or two directions, as `loss_slice` of the JSON: `directions`, `steps`, and `loss`, a list along one
/// direction, a list of rows over a plane (a row for each step along the second). Of a network with buffers `buffers` says what they are:
/// `held`, `interpolated` between the weights, or `recomputed` at each point.
pub fn measure(args: &MeasureArgs, plan: &Plan, point: MeasurementPoint<'_>) -> Result<Value, TrainError> {
    let failed = |option: &'static str, reason: String| TrainError::Option { option, reason };
    if args.slice.len() > 2 {
        return Err(failed("--slice", format!("expected one direction or two, got {}", args.slice.len())));
    }
    if let [first, second] = args.slice.as_slice()
        && leads_to_weights(first)
        && fs::canonicalize(first).is_ok_and(|path| fs::canonicalize(second).is_ok_and(|other| path == other))
    {
        return Err(failed("--slice", format!("expected two directions that differ, got {first} twice")));
    }
    let most = MOST_POINTS[args.slice.len().saturating_sub(1)];
    if !(2..=most).contains(&args.slice_points) {
        return Err(failed(
            "--slice-points",
            format!("expected at least 2 and at most {most}, got {}", args.slice_points),
        ));
    }
    if !(args.slice_range > 0.0 && args.slice_range.is_finite()) {
        return Err(failed("--slice-range", format!("expected a number above 0, got {}", args.slice_range)));
    }
    let statistics = match args.slice_statistics {
        SliceStatistics::Recompute if plan.measured_split() == MeasuredSplit::Test => {
            let reason = "expected interpolate on test samples, since statistics are recomputed on training samples, got recompute";
            return Err(failed("--slice-statistics", reason.into()));
        }
        SliceStatistics::Interpolate => Statistics::Interpolated,
        SliceStatistics::Recompute if plan.network.couples_samples() => {
            Statistics::Recomputed { batch: plan.batch_size }
        }
        SliceStatistics::Recompute => {
            let reason = "expected interpolate, since the network has no batch normalisation, got recompute".into();
            return Err(failed("--slice-statistics", reason));
        }
    };
    let memory = Memory::new(plan, &plan.config.metrics);
    let (samples, loss) = (plan.measured_samples(), plan.measured_loss());
    let all = Objective::on_all(&plan.network, point.buffers, loss, &samples, memory.microbatch)
        .with_weight_decay(plan.measured_weight_decay());
    let objective = curvature_subset(&all, plan, plan.config.metrics.samples);
    let mut directions: Vec<Direction> = Vec::new();
    let eigenvectors = args.slice.iter().filter(|name| *name == "eigenvector").count();
    let mut top = match eigenvectors {
        0 => Vec::new(),
        count => {
            let operator = CurvatureOperator::new(&objective, point.theta, Curvature::Hessian);
            let options =
                LanczosOptions { largest: count, smallest: 0, memory: memory.vectors, ..LanczosOptions::default() };
            let key = Key::new(plan.config.run.seed, Stream::Eigenvalue, 0);
            lanczos(&operator, &options, &[], key)?.largest_vectors
        }
    }
    .into_iter();
    for (i, name) in args.slice.iter().enumerate() {
        let key = Key::new(plan.config.run.seed, Stream::Slice, i as u64);
        directions.push(match name.as_str() {
            "random" => Direction::of_parameters(filter_normalised(plan.network.layout(), point.theta, key)?),
            "eigenvector" => Direction::of_parameters(
                top.next().ok_or_else(|| failed("--slice", "there are fewer eigenvectors than asked for".into()))?,
            ),
            path => {
                let (theta, buffers) = load_start(Path::new(path), plan)?;
                Direction::between([point.theta, point.buffers], [&theta, &buffers])
            }
        });
    }
    let last = (args.slice_points - 1) as f64;
    let steps: Vec<f64> = (0..args.slice_points).map(|i| args.slice_range * (2.0 * i as f64 / last - 1.0)).collect();
    let loss = match directions.as_slice() {
        [d] => json!(slice(&objective, point.theta, d, &steps, statistics)?),
        [d, e] => json!(plane(&objective, point.theta, [d, e], [&steps, &steps], statistics)?),
        _ => Value::Null,
    };
    let is_finite = match &loss {
        Value::Array(rows) => rows.iter().all(|row| match row {
            Value::Array(row) => row.iter().all(Value::is_number),
            value => value.is_number(),
        }),
        _ => true,
    };
    let mut found = json!({ "directions": args.slice, "steps": steps, "loss": loss, "samples": objective.len() });
    if !is_finite {
        found["reason"] = "where the loss is null it is not finite: overflow".into();
    }
    if !plan.network.layout().buffers.is_empty() {
        found["buffers"] = json!(match statistics {
            Statistics::Recomputed { .. } => "recomputed",
            Statistics::Interpolated if directions.iter().any(Direction::moves_buffers) => "interpolated",
            Statistics::Interpolated => "held",
        });
    }
    Ok(found)
}

/// Draws what of the metrics can be drawn; returns the files.
pub fn draw(folder: &Path, plan: &Plan, metrics: &Map<String, Value>) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut files = Vec::new();
    let figures = [
        (
            "spectral_density",
            metrics
                .get("spectral_density")
                .filter(|value| value.get("dimension").is_some())
                .map(|value| density(plan, value)),
        ),
        ("loss_slice", metrics.get("loss_slice").map(|value| loss(plan, value))),
    ];
    for (name, figure) in figures {
        let Some(figure) = figure else { continue };
        let path = folder.join(name).with_extension("svg");
        saltflat_record::write(&path, figure.with_context(|| name.to_string())?.as_bytes())?;
        files.push(path);
    }
    anyhow::ensure!(
        !files.is_empty(),
        "--plots: nothing was measured that can be drawn; expected spectrum among --metrics, or --slice"
    );
    Ok(files)
}

const POINTS: usize = 1000;

fn density(plan: &Plan, value: &Value) -> anyhow::Result<String> {
    let spectrum: Spectrum = serde_json::from_value(value.clone())?;
    let optimizer = &plan.config.optimizer;
    let edge = 2.0 * (1.0 + optimizer.momentum) / optimizer.lr;
    let name = if optimizer.momentum > 0.0 { "2(1+β)/η" } else { "2/η" };
    // The edge is that of the training loss.
    let mark = match plan.measured_split() {
        MeasuredSplit::Train => Some(VerticalLine { at: edge, label: format!("{name} = {}", number(edge)) }),
        MeasuredSplit::Test => None,
    };
    Ok(spectral_density(&SpectralDensity::of(&spectrum, "Eigenvalues of the Hessian", POINTS, mark))?)
}

fn loss(plan: &Plan, value: &Value) -> anyhow::Result<String> {
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().into_iter().flatten().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
    };
    let names: Vec<String> = value["directions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|name| axis(name.as_str().unwrap_or_default()))
        .collect();
    let steps = numbers(&value["steps"]);
    let buffers = value["buffers"].as_str().map_or(String::new(), |what| match plan.network.couples_samples() {
        true => format!(", running statistics {what}"),
        false => format!(", buffers {what}"),
    });
    let subtitle = format!("{}, {} samples{buffers}", plan.config.run.name, value["samples"]);
    Ok(match names.as_slice() {
        [x] => loss_line(&LossSlice {
            title: "Loss along a direction".into(),
            subtitle,
            direction: format!("step along {x}"),
            curves: vec![Series::line("", steps.iter().copied().zip(numbers(&value["loss"])).collect())],
            ..LossSlice::default()
        })?,
        [x, y] => contour(&ContourSlice {
            title: "Loss on a plane".into(),
            subtitle,
            x_label: format!("step along {x}"),
            y_label: format!("step along {y}"),
            value_label: "loss".into(),
            xs: steps.clone(),
            ys: steps,
            values: value["loss"].as_array().into_iter().flatten().flat_map(numbers).collect(),
            ..ContourSlice::default()
        })?,
        _ => anyhow::bail!("a slice has one direction or two"),
    })
}

fn axis(name: &str) -> String {
    match name {
        "random" => "a filter-normalised random direction".into(),
        "eigenvector" => "an eigenvector of the Hessian".into(),
        path => format!("the way to {path}"),
    }
}
