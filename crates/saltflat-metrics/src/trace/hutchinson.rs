//! Hutchinson's estimator.

use saltflat_random::Key;

use super::options::{TraceEstimate, TraceOptions, probe};
use crate::{Estimate, Forms, MetricError, Operator};

/// Quadratic forms drawn in one go: they share a pass, and are held in memory together. A divisor of 16, the first look.
const AT_ONCE: usize = 4;

/// tr A = E vᵀAv and ‖A‖_F² = E‖Av‖² with v uniform in {±1}ᵖ (Hutchinson 1990), from products. The variance of a probe is
/// 2(‖A‖_F² − Σ Aᵢᵢ²).
pub(super) fn by_products(
    operator: &dyn Operator,
    options: &TraceOptions,
    key: Key,
) -> Result<TraceEstimate, MetricError> {
    let mut by_tensor = vec![Vec::new(); operator.space().parts().len()];
    let (mut traces, mut squares, mut forms) = (Vec::new(), Vec::new(), Forms::default());
    for k in 0..options.probes {
        let v = operator.space().signs_like(key.part(k as u64));
        let (w, of_batches) = operator.apply_with_forms(&v)?;
        forms.extend(of_batches);
        let (of_tensors, square) = probe(&v, &w)?;
        squares.push(square);
        traces.push(of_tensors.iter().sum());
        by_tensor.iter_mut().zip(of_tensors).for_each(|(all, x)| all.push(x));
        if options.is_met(&Estimate::of_probes(&traces)) {
            break;
        }
    }
    Ok(TraceEstimate {
        trace: Estimate::of_probes(&traces),
        frobenius: Estimate::root_of_probes(&squares),
        by_tensor: by_tensor.iter().map(|values| Estimate::of_probes(values)).collect(),
        forms: Some(forms),
    })
}

/// tr A = E vᵀAv from quadratic forms alone.
pub(super) fn by_forms(
    operator: &dyn Operator,
    options: &TraceOptions,
    key: Key,
) -> Result<TraceEstimate, MetricError> {
    let mut forms = Forms::default();
    let mut done = 0;
    while done < options.probes {
        let end = (done + AT_ONCE).min(options.probes);
        let directions: Vec<_> = (done..end).map(|k| operator.space().signs_like(key.part(k as u64))).collect();
        forms.extend(operator.forms(&directions)?);
        done = end;
        if options.is_met(&Estimate::of_probes(&forms.values())) {
            break;
        }
    }
    Ok(TraceEstimate {
        trace: Estimate::of_probes(&forms.values()),
        frobenius: Estimate::absent("only quadratic forms were taken"),
        by_tensor: Vec::new(),
        forms: Some(forms),
    })
}
