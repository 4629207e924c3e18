//! What the options of `measure` make of `[metrics]`.

use saltflat_metrics::{Samples, TraceMethod};
use saltflat_record::metric;
use saltflat_train::{
    Plan, TrainError,
    config::{MeasuredSplit, MetricsConfig},
};

use crate::args::MeasureArgs;

/// What the options make of `[metrics]`.
pub fn selected_metrics(args: &MeasureArgs, plan: &Plan) -> Result<MetricsConfig, TrainError> {
    let (n, split) = (plan.measured_samples().len(), plan.measured_split());
    let failed = |option: &'static str, reason: String| TrainError::Option { option, reason };
    let names: Vec<&str> = args.metrics.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).collect();
    let is_of_training = |name: &&str| metric::find(name).is_some_and(|metric| metric.is_of_training);
    if let (MeasuredSplit::Test, Some(name)) = (split, names.iter().copied().find(is_of_training)) {
        let reason = format!(
            "{name} is of the training steps, whose batches are training samples: expected a metric of any samples, or --split train"
        );
        return Err(failed("--metrics", reason));
    }
    let mut config = match names.as_slice() {
        [] if !args.metrics.is_empty() => return Err(failed("--metrics", "expected names, got nothing".into())),
        [] if args.check || !args.slice.is_empty() => plan.config.metrics.only(&[]),
        [] => {
            // What the configuration asks for, and what else says how stable the point is.
            let mut on: Vec<&str> = plan.config.metrics.groups();
            on.extend([metric::EIGENVALUES.name, metric::STABILITY.name]);
            plan.config.metrics.only(&on)
        }
        names => plan.config.metrics.only(names),
    }
    .map_err(|reason| failed("--metrics", reason))?;
    if let Some(probes) = args.probes {
        if probes == 0 {
            return Err(failed("--probes", "expected at least 1, got 0".into()));
        }
        for trace in config.trace.iter_mut().chain(&mut config.gauss_newton) {
            trace.probes = probes;
        }
        if let Some(spectrum) = &mut config.spectrum {
            spectrum.probes = probes;
        }
    }
    if let Some(tolerance) = args.tolerance {
        if !(tolerance > 0.0 && tolerance < 1.0) {
            return Err(failed("--tolerance", format!("expected a number in (0, 1), got {tolerance}")));
        }
        for trace in config.trace.iter_mut().chain(&mut config.gauss_newton) {
            trace.tolerance = Some(tolerance);
        }
    }
    let count = |option: &'static str, count: Option<usize>| match count {
        Some(usize::MAX) => Ok(Some(n)),
        Some(samples) if samples > n => Err(failed(
            option,
            format!("expected at most {n}, the number of {} samples, or all, got {samples}", split.in_words()),
        )),
        other => Ok(other),
    };
    if let Some(samples) = count("--samples", args.samples)? {
        config.samples = (samples < n).then_some(samples);
    }
    if let Some(samples) = count("--alignment-samples", args.alignment_samples)? {
        match (&mut config.alignment, &config.stability) {
            (Some(alignment), _) => alignment.samples = samples,
            (None, None) => {}
            (None, Some(_)) => {
                return Err(failed("--alignment-samples", "expected alignment among the metrics".into()));
            }
        }
    }
    if let Some(limit) = args.memory_limit {
        config.memory_limit = limit;
    }
    if args.vectors.is_some() {
        let trace = config.trace.as_mut().filter(|trace| trace.method == TraceMethod::Hutchinson);
        if trace.is_none() && config.eigenvalues.is_none() {
            let reason =
                "expected trace (by hutchinson) or eigenvalues among the metrics, whose vectors it writes, got neither";
            return Err(failed("--vectors", reason.into()));
        }
        if let Some(trace) = trace {
            trace.diagonal = true;
        }
    }
    Ok(config)
}
