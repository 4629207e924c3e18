//! Trace, eigenvalues and spectrum of the Hessian.

use saltflat_metrics::{
    Curvature, CurvatureOperator, Eigenvalue, Estimate, LanczosOptions, MetricError, Operator, Spectrum,
    SpectrumOptions, TraceOptions, lanczos, regularizer, spectrum, trace,
};
use saltflat_models::Vector;
use saltflat_random::Stream;
use serde_json::{Map, Value, json};

use super::{Cost, Work};
use crate::{
    TrainError,
    config::{SpectrumConfig, TraceConfig},
};

/// β of the second regularizer that is always reported.
const MOMENTUM: f64 = 0.9;

impl Work<'_> {
    fn operator(&self, curvature: Curvature) -> CurvatureOperator<'_> {
        CurvatureOperator::new(&self.subset, self.point.theta, curvature).together(self.memory.together)
    }

    fn options(&self, config: &TraceConfig) -> TraceOptions {
        TraceOptions {
            method: config.method,
            probes: config.probes,
            tolerance: config.tolerance,
            frobenius: config.frobenius,
            memory: self.memory.vectors,
        }
    }

    pub(super) fn trace(&mut self) -> Result<Cost, TrainError> {
        let Some(config) = &self.config.trace else { return Ok(Cost::default()) };
        let operator = self.operator(Curvature::Hessian);
        let mut found = trace(&operator, &self.options(config), self.key(Stream::Probe))?;
        let cost = cost(&operator);
        if self.subset.len() < self.train.len() {
            let error = found.forms.as_ref().and_then(|forms| forms.subset_error(self.train.len()));
            found.trace = found.trace.with_subset_error(error);
        }
        self.put("trace_hessian", &found.trace);
        if config.frobenius {
            self.put("hessian_frobenius", &found.frobenius);
        }
        if !found.by_tensor.is_empty() {
            let specs = &self.plan.network.layout().parameters;
            let by_tensor: Map<String, Value> = specs
                .iter()
                .zip(&found.by_tensor)
                .map(|(spec, estimate)| (spec.name.clone(), json!(estimate)))
                .collect();
            self.put("trace_hessian_by_tensor", by_tensor);
        }
        Ok(cost)
    }

    pub(super) fn gauss_newton(&mut self) -> Result<Cost, TrainError> {
        let Some(config) = &self.config.gauss_newton else { return Ok(Cost::default()) };
        let operator = self.operator(Curvature::GaussNewton);
        let found = trace(&operator, &self.options(config), self.key(Stream::Probe))?;
        let cost = cost(&operator);
        self.put("trace_ggn", &found.trace);
        if config.frobenius {
            self.put("ggn_frobenius", &found.frobenius);
        }
        Ok(cost)
    }

    pub(super) fn eigenvalues(&mut self, warm: &mut Vec<Vector>) -> Result<Cost, TrainError> {
        let Some(config) = &self.config.eigenvalues else { return Ok(Cost::default()) };
        let options = LanczosOptions {
            largest: config.largest,
            smallest: config.smallest,
            tolerance: config.tolerance,
            products: config.products,
            memory: self.memory.vectors,
        };
        let operator = self.operator(Curvature::Hessian);
        let found = match lanczos(&operator, &options, warm, self.key(Stream::Eigenvalue)) {
            Ok(found) => found,
            Err(error) => {
                let reason = error.absence()?;
                let cost = cost(&operator);
                self.put("top_eigenvalues", [Estimate::absent(&reason)]);
                if config.smallest > 0 {
                    self.put("min_eigenvalue", Estimate::absent(reason));
                }
                warm.clear();
                return Ok(cost);
            }
        };
        let cost = cost(&operator);
        self.largest = found.largest.first().map(|eigenvalue| eigenvalue.value);
        self.put("top_eigenvalues", &found.largest);
        if let Some(smallest) = found.smallest.first() {
            self.put("min_eigenvalue", smallest);
        }
        *warm = found.largest_vectors;
        Ok(cost)
    }

    pub(super) fn spectrum(&mut self, warm: &mut Vec<Vector>) -> Result<Cost, TrainError> {
        let Some(config) = &self.config.spectrum else { return Ok(Cost::default()) };
        let operator = self.operator(Curvature::Hessian);
        let (lr, momentum) = (self.plan.config.optimizer.lr, self.plan.config.optimizer.momentum);
        let momenta = [MOMENTUM, momentum].into_iter().filter(|beta| *beta > 0.0);
        let name = |beta: f64| format!("regularizer_momentum_{beta}");
        let found = match self.deflated_spectrum(config, &operator, warm) {
            Ok(found) => found,
            Err(error) => {
                let reason = error.absence()?;
                let cost = cost(&operator);
                let names = ["regularizer", "regularizer_series", "regularizer_per_curvature", "spectral_density"];
                for name in names.map(String::from).into_iter().chain(momenta.map(name)) {
                    self.put(&name, Estimate::absent(&reason));
                }
                warm.clear();
                return Ok(cost);
            }
        };
        let cost = cost(&operator);
        let largest = self.largest.unwrap_or(f64::NEG_INFINITY);
        let plain = regularizer(&found, largest, lr, 0.0);
        self.put("regularizer", &plain.value);
        self.put("regularizer_series", &plain.series);
        for beta in momenta {
            let of_momentum = regularizer(&found, largest, lr, beta);
            self.put(&name(beta), &of_momentum.value);
        }
        let of_run = regularizer(&found, largest, lr, momentum);
        self.put("regularizer_per_curvature", self.per_curvature(of_run.value));
        self.put("spectral_density", found);
        Ok(cost)
    }

    /// The spectrum, and its eigenvectors that converged in `warm`.
    fn deflated_spectrum(
        &self,
        config: &SpectrumConfig,
        operator: &CurvatureOperator<'_>,
        warm: &mut Vec<Vector>,
    ) -> Result<Spectrum, MetricError> {
        let mut deflated: Vec<(f64, Vector)> = Vec::new();
        if config.deflate > 0 {
            let options = LanczosOptions {
                largest: config.deflate,
                smallest: 0,
                memory: self.memory.vectors,
                ..LanczosOptions::default()
            };
            let found = lanczos(operator, &options, warm, self.key(Stream::Eigenvalue))?;
            let converged =
                |(eigenvalue, vector): (Eigenvalue, Vector)| eigenvalue.converged.then_some((eigenvalue.value, vector));
            deflated = found.largest.into_iter().zip(found.largest_vectors).filter_map(converged).collect();
        }
        let options = SpectrumOptions { probes: config.probes, steps: config.steps, memory: self.memory.vectors };
        let found = spectrum(operator, &options, &deflated, self.key(Stream::Spectrum))?;
        *warm = deflated.into_iter().map(|(_, vector)| vector).collect();
        Ok(found)
    }
}

/// What the operator was asked for.
fn cost(operator: &CurvatureOperator<'_>) -> Cost {
    Cost { gradients: operator.gradients(), products: operator.products(), ..Cost::default() }
}
