//! Hutch++.

use saltflat_random::Key;

use super::options::{TraceEstimate, TraceOptions, probe};
use crate::{
    Estimate, MetricError, Operator,
    basis::{Basis, norm},
};

/// tr A = tr(QᵀAQ) + E uᵀAu with u = (I − QQᵀ)v, where Q is an orthonormal basis of A S for a random S: a third of the
/// products each for A S, for A Q and for the probes u (Meyer, Musco, Musco, Woodruff 2021, arXiv 2010.09649). With the same
/// products ‖A‖_F² = ‖AQ‖_F² + E‖Au‖². Unbiased; the standard error is that of the probes u, given Q. The variance falls as
/// 1/m² in the number m of products for any spectrum, and faster if the spectrum decays.
pub(super) fn estimate(
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
        });
    }
    let with_products = |estimate: Estimate| estimate.with_probes(used + traces.len());
    Ok(TraceEstimate {
        trace: with_products(Estimate::of_probes(&traces)),
        frobenius: with_products(Estimate::root_of_probes(&squares)),
        by_tensor: by_tensor.iter().map(|values| with_products(Estimate::of_probes(values))).collect(),
        forms: None,
    })
}
