//! Trace and Frobenius norm of the Hessian and of the Gauss–Newton matrix.

use saltflat_config::Section;
use saltflat_metrics::{Curvature, Estimate, MetricError, TraceMethod, TraceOptions, trace};
use saltflat_random::Stream;
use saltflat_record::metric::{self, Group, Metric};
use serde::Serialize;

use super::{
    context::{Cost, MeasurementContext, MetricGroup},
    sizes::MeasurementSizes,
};

/// `metrics.trace` and `metrics.gauss_newton`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceConfig {
    /// The matrix whose trace is estimated.
    #[serde(skip)]
    pub curvature: Curvature,
    /// `hutchinson`, `hutch++` or `xtrace`; default hutchinson.
    pub method: TraceMethod,
    /// Products at most; default 16.
    pub probes: usize,
    /// Stops sooner, at this relative standard error.
    pub tolerance: Option<f64>,
    /// Also the Frobenius norm, and of H the traces by tensor; default true for H, false for the Gauss–Newton matrix.
    pub frobenius: bool,
    /// Of H also its diagonal from the same probes, Σ Hᵢᵢ², and the traces by tensor; hutchinson alone has the diagonal; default false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub diagonal: bool,
    /// In multiples of the section's schedule; default 1.
    pub every: u64,
}

impl TraceConfig {
    pub(crate) fn read(section: &mut Section, curvature: Curvature) -> Self {
        let method = section.choice("method", &TraceMethod::ALL).unwrap_or_default();
        let diagonal = match curvature {
            Curvature::Hessian => section.get("diagonal").unwrap_or(false),
            Curvature::GaussNewton => false,
        };
        if diagonal && method != TraceMethod::Hutchinson {
            section.problem("diagonal", "expected false, or method = \"hutchinson\", whose probes it takes, got true");
        }
        Self {
            curvature,
            method,
            probes: section.count("probes").unwrap_or(16),
            tolerance: section.optional("tolerance", "a number in (0, 1)", |x: &f64| *x > 0.0 && *x < 1.0),
            frobenius: section.get("frobenius").unwrap_or(curvature == Curvature::Hessian),
            diagonal,
            every: section.count("every").unwrap_or(1),
        }
    }

    fn metrics(&self) -> [&'static Metric; 2] {
        match self.curvature {
            Curvature::Hessian => [&metric::TRACE_HESSIAN, &metric::HESSIAN_FROBENIUS],
            Curvature::GaussNewton => [&metric::TRACE_GGN, &metric::GGN_FROBENIUS],
        }
    }
}

impl MetricGroup for TraceConfig {
    fn group(&self) -> &'static Group {
        match self.curvature {
            Curvature::Hessian => &metric::TRACE,
            Curvature::GaussNewton => &metric::GAUSS_NEWTON,
        }
    }

    /// Of H only quadratic forms are taken unless a metric is asked for that needs products; the diagonal is there if the configuration or
    /// its name asks for it.
    fn select(&mut self, is_asked: &dyn Fn(&str) -> bool) {
        self.diagonal |= self.curvature == Curvature::Hessian && is_asked(metric::HESSIAN_DIAGONAL_SQ.name);
        self.frobenius = match self.curvature {
            Curvature::Hessian => {
                let needs = [metric::TRACE.name, metric::HESSIAN_FROBENIUS.name, metric::TRACE_HESSIAN_BY_TENSOR.name];
                self.frobenius && needs.into_iter().any(is_asked)
            }
            Curvature::GaussNewton => self.frobenius || is_asked(metric::GGN_FROBENIUS.name),
        };
    }

    fn cost(&self, sizes: &MeasurementSizes) -> f64 {
        let [product, form] = match self.curvature {
            Curvature::Hessian => [8.0, 4.25],
            Curvature::GaussNewton => [5.0, 2.25],
        };
        self.probes as f64 * if self.frobenius || self.diagonal { product } else { form } / 3.0 * sizes.subset as f64
    }

    /// With so many probes that an estimator of several parts has some for each, and passes of several directions are full.
    fn repetitions(&self) -> usize {
        self.probes
    }

    fn with_repetitions(&self, count: usize) -> Box<dyn MetricGroup> {
        Box::new(Self { probes: self.probes.min(count.max(4)), ..self.clone() })
    }

    fn measure(&self, context: &mut MeasurementContext<'_>) -> Result<Cost, MetricError> {
        let options = TraceOptions {
            method: self.method,
            probes: self.probes,
            tolerance: self.tolerance,
            frobenius: self.frobenius,
            diagonal: self.diagonal,
            memory: context.memory.vectors,
        };
        let operator = context.operator(self.curvature);
        let mut found = trace(&operator, &options, context.key(Stream::Probe))?;
        let cost = Cost::of(&operator);
        let is_hessian = self.curvature == Curvature::Hessian;
        if is_hessian && context.subset.len() < context.all.len() {
            let error = found.forms.as_ref().and_then(|forms| forms.subset_error(context.all.len()));
            found.trace = found.trace.with_subset_error(error);
        }
        let [trace, frobenius] = self.metrics();
        context.put(trace, &found.trace);
        if self.frobenius {
            context.put(frobenius, &found.frobenius);
        }
        if is_hessian && !found.by_tensor.is_empty() {
            context.put_by_tensor(&metric::TRACE_HESSIAN_BY_TENSOR, &found.by_tensor);
        }
        if self.diagonal {
            let absent = || match &found.trace.reason {
                Some(reason) => Estimate::absent(reason),
                None => Estimate::absent("metrics.trace.method is not hutchinson, whose probes the diagonal takes"),
            };
            let sum = found.diagonal.as_ref().map_or_else(absent, |diagonal| diagonal.sum_of_squares.clone());
            context.put(&metric::HESSIAN_DIAGONAL_SQ, sum);
            context.found.vectors.diagonal = found.diagonal;
        }
        Ok(cost)
    }
}
