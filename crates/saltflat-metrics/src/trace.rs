//! Trace and Frobenius norm of the Hessian by Hutchinson's estimator.

use burn::tensor::Tensor;
use saltflat_models::Vector;
use saltflat_random::Key;

use crate::{Estimate, MetricError, Objective, error::read, hessian_vector_product};

/// tr H and ‖H‖_F from the same probes.
#[derive(Clone, Debug)]
pub struct TraceEstimate {
    /// tr H, the mean of vᵀHv.
    pub trace: Estimate,
    /// ‖H‖_F, the root of the mean of ‖Hv‖², its error by the delta method.
    pub frobenius: Estimate,
    /// The trace of each tensor's diagonal block, the mean of v_t·(Hv)_t, in the layout's order; they sum to the trace.
    pub by_tensor: Vec<Estimate>,
}

/// tr H = E vᵀHv and ‖H‖_F² = E‖Hv‖² with v uniform in {±1}ᵖ (Hutchinson 1990), from `probes` Hessian-vector products.
/// Probe k is drawn under part k of `key`. Costs 8/3 gradients a probe.
///
/// # Errors
/// [`MetricError::Device`] where the products cannot be read.
pub fn trace(objective: &Objective<'_>, theta: &Vector, probes: usize, key: Key) -> Result<TraceEstimate, MetricError> {
    let mut by_tensor = vec![Vec::with_capacity(probes); theta.parts().len()];
    let (mut traces, mut squares) = (Vec::with_capacity(probes), Vec::with_capacity(probes));
    for k in 0..probes {
        let v = theta.signs_like(key.part(k as u64));
        let hv = hessian_vector_product(objective, theta, &v);
        let mut sums = read("the trace", Tensor::cat(vec![v.dots(&hv), hv.norm_squared()], 0))?;
        squares.extend(sums.pop());
        traces.push(sums.iter().sum());
        for (of_tensor, sum) in by_tensor.iter_mut().zip(sums) {
            of_tensor.push(sum);
        }
    }
    Ok(TraceEstimate {
        trace: Estimate::of_probes(&traces),
        frobenius: Estimate::root_of_probes(&squares),
        by_tensor: by_tensor.iter().map(|values| Estimate::of_probes(values)).collect(),
    })
}
