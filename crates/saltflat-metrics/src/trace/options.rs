//! What the estimators of a trace take and give.

use burn::tensor::Tensor;
use saltflat_models::Vector;
use serde::Serialize;

use super::diagonal::DiagonalEstimate;
use crate::{Estimate, MetricError, Operator, QuadraticForms, error::read};

/// How the trace is estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceMethod {
    /// The mean of vᵀAv: the cheapest probe, and the right choice for a flat spectrum or few probes.
    #[default]
    Hutchinson,
    /// A sketch of A's range exactly, the rest by probes: for a spectrum that decays.
    #[serde(rename = "hutch++")]
    HutchPlusPlus,
    /// Every product serves as sketch and as probe: the smallest variance if the spectrum decays fast.
    #[serde(rename = "xtrace")]
    XTrace,
}

impl TraceMethod {
    /// All of them, with their names in configurations.
    pub const ALL: [(&str, Self); 3] =
        [("hutchinson", Self::Hutchinson), ("hutch++", Self::HutchPlusPlus), ("xtrace", Self::XTrace)];
}

/// What is estimated, and how well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TraceOptions {
    /// The estimator.
    pub method: TraceMethod,
    /// Products, or quadratic forms, at most.
    pub probes: usize,
    /// Stops sooner, if the standard error of the trace is at most this times the trace. It is looked at after 16, 32,
    /// 64 … probes only, so that it is not met by the luck of many looks; two means that happen to be close never stop it.
    pub tolerance: Option<f64>,
    /// Also ‖A‖_F, which needs products; without it the trace takes quadratic forms, at half the cost.
    pub frobenius: bool,
    /// Also the diagonal of A, from the same probes; Hutchinson's estimator alone has it, and takes products for it.
    pub diagonal: bool,
    /// Bytes that a sketch, or the sums for the error of Σ Aᵢᵢ², may take.
    pub memory: usize,
}

impl TraceOptions {
    /// Hutchinson with so many probes, with the Frobenius norm.
    pub fn hutchinson(probes: usize) -> Self {
        Self {
            method: TraceMethod::Hutchinson,
            probes,
            tolerance: None,
            frobenius: true,
            diagonal: false,
            memory: 1 << 30,
        }
    }

    /// Vectors of A's space that a sketch may hold, twice: the sketch and its image.
    pub(super) fn sketch(&self, operator: &dyn Operator) -> usize {
        let bytes = 2 * operator.space().len() * operator.space().dtype().size();
        (self.memory / bytes.max(1)).max(1)
    }

    /// True if the error is small enough, if this is a number of probes at which it is looked at.
    pub(super) fn is_met(&self, trace: &Estimate) -> bool {
        let looks =
            trace.probes.is_some_and(|probes| probes >= 16 && (probes / 16).is_power_of_two() && probes % 16 == 0);
        match (self.tolerance, trace.value, trace.std_error) {
            (Some(tolerance), Some(value), Some(error)) => looks && error <= tolerance * value.abs(),
            _ => false,
        }
    }
}

/// tr A and ‖A‖_F from the same probes.
#[derive(Clone, Debug)]
pub struct TraceEstimate {
    /// tr A.
    pub trace: Estimate,
    /// ‖A‖_F, its error by the delta method; absent if it was not asked for.
    pub frobenius: Estimate,
    /// The trace of each tensor's diagonal block, in the layout's order; they sum to the trace. Empty if only quadratic
    /// forms were taken, and for XTrace.
    pub by_tensor: Vec<Estimate>,
    /// The probes' quadratic forms by microbatch, from which the error of a subset of the data follows
    /// ([`QuadraticForms::subset_error`]); Hutchinson's estimator alone has them.
    pub forms: Option<QuadraticForms>,
    /// The diagonal of A, if it was asked for and the estimator has it.
    pub diagonal: Option<DiagonalEstimate>,
}

impl TraceEstimate {
    pub(super) fn absent(reason: &str) -> Self {
        let none = || Estimate::absent(reason);
        Self { trace: none(), frobenius: none(), by_tensor: Vec::new(), forms: None, diagonal: None }
    }
}

/// v_t·w_t of each tensor and ‖w‖², of v and w = A v, in one read.
pub(super) fn probe(v: &Vector, w: &Vector) -> Result<(Vec<f64>, f64), MetricError> {
    let both = Tensor::cat(vec![v.dots(w), w.norm_squared()], 0);
    let mut sums = read("the trace", both)?;
    let square = sums.pop().unwrap_or(f64::NAN);
    Ok((sums, square))
}
