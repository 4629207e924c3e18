//! What is measured at the end of an epoch.

use saltflat_metrics::{Estimate, NoiseStrength, Objective, Samples, alignment, evaluate, gradient, trace, wu_bound};
use saltflat_models::Vector;
use saltflat_random::{Key, Stream};
use serde_json::{Map, Value, json};

use crate::{MeasurementRow, Plan, Split, TrainError};

/// Subset on which curvature is measured, and on which the alignment is.
const CURVATURE_SUBSET: u64 = 0;
const ALIGNMENT_SUBSET: u64 = 1;

/// Measures everything that the plan's configuration asks for at this point. Draws come from streams of their own, so the
/// training is the same with and without.
///
/// # Errors
/// Where the device fails.
pub(crate) fn measure(
    plan: &Plan,
    theta: &Vector,
    buffers: &Vector,
    epoch: u64,
    step: u64,
    strength: &mut NoiseStrength,
) -> Result<MeasurementRow, TrainError> {
    let config = &plan.config.metrics;
    let mut metrics = Map::new();
    let mut put = |name: &str, estimate: Estimate| {
        metrics.insert(name.into(), json!(estimate));
    };
    let objective = |split| Objective::on_all(&plan.network, buffers, plan.loss, split, config.microbatch);
    let train = objective(&plan.train);
    if config.evaluate {
        let splits: [(&str, Option<&Split>); 2] = [("", Some(&plan.train)), ("test_", plan.test.as_ref())];
        for (prefix, split) in splits {
            let Some(split) = split else { continue };
            let found = evaluate(&objective(split), theta)?;
            put(&format!("{prefix}loss"), Estimate::exact(found.loss));
            if let Some(accuracy) = found.accuracy {
                put(&format!("{prefix}accuracy"), Estimate::exact(accuracy));
            }
        }
        let subset = on_subset(&train, plan, config.samples, CURVATURE_SUBSET);
        let squares = [gradient(&subset, theta), theta.clone()].map(|v| v.norm_squared());
        for (name, square) in ["grad_norm", "weight_norm"].into_iter().zip(squares) {
            let square = square.try_into_scalar::<f64>().map_err(|e| TrainError::Training(e.to_string()))?;
            put(name, Estimate::exact(square.sqrt()));
        }
    }
    if let Some(trace_config) = &config.trace {
        let subset = on_subset(&train, plan, config.samples, CURVATURE_SUBSET);
        let key = Key::new(plan.config.run.seed, Stream::Probe, step);
        let found = trace(&subset, theta, trace_config.probes, key)?;
        put("trace_hessian", found.trace);
        put("hessian_frobenius", found.frobenius);
        let specs = &plan.network.layout().parameters;
        let by_tensor: Map<String, Value> =
            specs.iter().zip(&found.by_tensor).map(|(spec, estimate)| (spec.name.clone(), json!(estimate))).collect();
        metrics.insert("trace_hessian_by_tensor".into(), by_tensor.into());
    }
    let mut put = |name: &str, estimate: Estimate| {
        metrics.insert(name.into(), json!(estimate));
    };
    if config.noise_strength.is_some() {
        let estimate = match plan.config.noise.noise().randomises_targets() {
            false => Estimate::absent("the noise does not change the labels"),
            true if step == 0 => Estimate::absent("no step has been made yet"),
            true => strength.take()?,
        };
        put("trace_from_noise", estimate);
    }
    if let Some(alignment_config) = &config.alignment {
        let subset = on_subset(&train, plan, Some(alignment_config.samples), ALIGNMENT_SUBSET);
        let found = alignment(&subset, theta)?;
        let bound = wu_bound(&found.mu, plan.batch_size, plan.config.optimizer.lr);
        for (name, estimate) in [
            ("gram_frobenius", found.gram_frobenius),
            ("noise_frobenius", found.noise_frobenius),
            ("trace_gram", found.trace_gram),
            ("trace_noise", found.trace_noise),
            ("trace_gram_noise", found.trace_gram_noise),
            ("alpha", found.alpha),
            ("beta", found.beta),
            ("mu", found.mu),
            ("mu1", found.mu1),
            ("mu2", found.mu2),
            ("chi_min_over_mean", found.chi_min_over_mean),
            ("wu_bound_frobenius", bound),
        ] {
            put(name, estimate);
        }
    }
    let n = plan.train.len();
    Ok(MeasurementRow {
        epoch,
        step,
        curvature_samples: config.samples.unwrap_or(n).min(n),
        alignment_samples: config.alignment.as_ref().map_or(0, |alignment| alignment.samples.min(n)),
        metrics,
    })
}

/// The objective on a random subset of this size, the same at every measurement; on all samples where there are no more.
fn on_subset<'a>(objective: &Objective<'a>, plan: &Plan, size: Option<usize>, subset: u64) -> Objective<'a> {
    let n = plan.train.len();
    let size = size.unwrap_or(n).min(n);
    let mut indices = match size < n {
        true => Key::new(plan.config.run.seed, Stream::Subset, subset).permutation(n),
        false => (0..n as u32).collect(),
    };
    indices.truncate(size);
    objective.on(indices)
}

/// What one measurement costs, in gradients of one sample. A forward pass is a third, a Hessian-vector product 8/3, the
/// alignment a gradient for each output (its inner products not counted).
pub fn measurement_cost(plan: &Plan) -> f64 {
    let config = &plan.config.metrics;
    let (n, test) = (plan.train.len() as f64, plan.test.as_ref().map_or(0, Samples::len) as f64);
    let subset = config.samples.map_or(n, |samples| (samples as f64).min(n));
    let evaluate = if config.evaluate { (n + test) / 3.0 + subset } else { 0.0 };
    let trace = config.trace.as_ref().map_or(0.0, |trace| trace.probes as f64 * 8.0 / 3.0 * subset);
    let alignment = config.alignment.as_ref().map_or(0.0, |a| plan.network.outputs() as f64 * a.samples as f64);
    let strength = match &config.noise_strength {
        Some(strength) if plan.config.noise.noise().randomises_targets() => n / strength.every_steps.max(1) as f64,
        _ => 0.0,
    };
    evaluate + trace + alignment + strength
}
