//! Hutchinson's estimator, and Hutch++.

use saltflat_random::Key;

use super::{
    diagonal::DiagonalSums,
    options::{TraceEstimate, TraceOptions, probe},
};
use crate::{
    Estimate, MetricError, Operator, QuadraticForms,
    basis::{Basis, norm},
};

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
    let (mut traces, mut squares, mut forms) = (Vec::new(), Vec::new(), QuadraticForms::default());
    let mut diagonal = options.diagonal.then(|| DiagonalSums::new(operator, options.memory));
    for k in 0..options.probes {
        let v = operator.space().signs_like(key.part(k as u64));
        let (w, of_batches) = operator.apply_with_forms(&v)?;
        forms.extend(of_batches);
        let (of_tensors, square) = probe(&v, &w)?;
        if let Some(diagonal) = &mut diagonal {
            diagonal.add(&v, &w, square);
        }
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
        diagonal: diagonal.map(DiagonalSums::finish).transpose()?,
    })
}

/// tr A = E vᵀAv from quadratic forms alone.
pub(super) fn by_forms(
    operator: &dyn Operator,
    options: &TraceOptions,
    key: Key,
) -> Result<TraceEstimate, MetricError> {
    let mut forms = QuadraticForms::default();
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
        diagonal: None,
    })
}

/// tr A = tr(QᵀAQ) + E uᵀAu with u = (I − QQᵀ)v, where Q is an orthonormal basis of A S for a random S: a third of the
/// products each for A S, for A Q and for the probes u (Meyer, Musco, Musco, Woodruff 2021, arXiv 2010.09649). With the same
/// products ‖A‖_F² = ‖AQ‖_F² + E‖Au‖². Unbiased; the standard error is that of the probes u, given Q. The variance falls as
/// 1/m² in the number m of products for any spectrum, and faster if the spectrum decays.
pub(super) fn hutch_plus_plus(
    operator: &dyn Operator,
    options: &TraceOptions,
    key: Key,
) -> Result<TraceEstimate, MetricError> {
    let space = operator.space();
    let rank = (options.probes / 3).min(options.sketch(operator)).min(space.len());
    let mut basis = Basis::new(space, operator.interrupt());
    for k in 0..rank {
        let v = space.signs_like(key.part(k as u64));
        let image = operator.apply(&v)?;
        let size = norm(&image)?;
        let (rest, _) = basis.remove(Basis::regroup(&image))?;
        let left = norm(&rest)?;
        if left > 1e-5 * size {
            basis.push(&rest.scale(1.0 / left));
        }
    }
    let mut known = vec![0.0; space.parts().len()];
    let mut known_square = 0.0;
    for i in 0..basis.len() {
        let q = basis.vector(i);
        let (of_tensors, square) = probe(&q, &operator.apply(&q)?)?;
        known_square += square;
        known.iter_mut().zip(of_tensors).for_each(|(sum, x)| *sum += x);
    }
    let used = rank + basis.len();
    let mut by_tensor: Vec<Vec<f64>> = vec![Vec::new(); known.len()];
    let (mut traces, mut squares) = (Vec::new(), Vec::new());
    let complete = basis.len() >= space.len();
    let probes = if complete { 0 } else { options.probes.saturating_sub(used).max(2) };
    for k in 0..probes {
        let v = space.signs_like(key.part((rank + k) as u64));
        let (rest, _) = basis.remove(Basis::regroup(&v))?;
        let u = basis.restore(&rest);
        let (of_tensors, square) = probe(&u, &operator.apply(&u)?)?;
        squares.push(known_square + square);
        traces.push(known.iter().sum::<f64>() + of_tensors.iter().sum::<f64>());
        by_tensor.iter_mut().zip(of_tensors).zip(&known).for_each(|((all, x), known)| all.push(known + x));
        if options.is_met(&Estimate::of_probes(&traces)) {
            break;
        }
    }
    if complete {
        let exact = |x: f64| Estimate::exact(x).with_probes(used).with_std_error(Some(0.0));
        return Ok(TraceEstimate {
            trace: exact(known.iter().sum()),
            frobenius: exact(known_square.sqrt()),
            by_tensor: known.into_iter().map(exact).collect(),
            forms: None,
            diagonal: None,
        });
    }
    let with_products = |estimate: Estimate| estimate.with_probes(used + traces.len());
    Ok(TraceEstimate {
        trace: with_products(Estimate::of_probes(&traces)),
        frobenius: with_products(Estimate::root_of_probes(&squares)),
        by_tensor: by_tensor.iter().map(|values| with_products(Estimate::of_probes(values))).collect(),
        forms: None,
        diagonal: None,
    })
}
