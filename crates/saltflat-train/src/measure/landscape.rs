//! The noise of the gradients and what it says of stability.

use std::sync::Arc;

use saltflat_metrics::{
    Alignment, Estimate, ExpectedLabelNoise, GramRows, Outputs, Pairs, Samples, expected_label_noise, feature_norms,
    noise_eigenvalues, sharpness,
    stability::{
        LinearDynamics, Sampling, Solver, StabilityError, coherence, dexter_convergence_bound, dexter_divergence_bound,
        gram_eigenvalues,
    },
    wu_bound, wu_bound_mu1, wu_growth_bound,
};
use saltflat_random::Stream;

use super::{Cost, Work, disjoint_subsets};
use crate::{TrainError, config::STABILITY};

/// Eigenvalues of the noise covariance that are reported.
const NOISE_EIGENVALUES: usize = 5;

/// Rows beyond which the eigenvalues of a Gram matrix would take minutes.
const ROWS: usize = 3000;

impl Work<'_> {
    /// Inner products on disjoint subsets, measured once for alignment and stability.
    fn pairs(&mut self) -> Result<Cost, TrainError> {
        if !self.pairs.is_empty() {
            return Ok(Cost::default());
        }
        let config = self.config.alignment.as_ref();
        let (samples, count) = (self.config.alignment_samples(), config.map_or(1, |config| config.subsets));
        let classes = self.plan.network.outputs();
        let outputs = match config.and_then(|config| config.signs) {
            Some(draws) => Outputs::Signs(draws),
            None => Outputs::suited_to(classes),
        };
        let mut gradients = 0.0;
        for subset in disjoint_subsets(&self.train, self.plan, samples, count) {
            let key = self.key(Stream::OutputSigns);
            subset.interrupt.check()?;
            let pairs = Pairs::measure(&subset, self.point.theta, outputs, self.memory.cotangents, key)?;
            self.pairs.push(pairs.into_result());
            self.found.alignment_samples += subset.len();
            gradients += match outputs {
                Outputs::Exact => classes as f64,
                Outputs::Signs(draws) => draws as f64 + 1.0,
            };
        }
        Ok(Cost { gradients, ..Cost::default() })
    }

    pub(super) fn alignment(&mut self) -> Result<Cost, TrainError> {
        let cost = self.pairs()?;
        let rows = GramRows::of(self.plan.measured_loss().kind);
        let of_subset = |pairs: &Result<Pairs, String>| match pairs {
            Ok(pairs) => Alignment::new(pairs),
            Err(reason) => Alignment::absent(rows, 0, reason),
        };
        let all: Vec<_> = self.pairs.iter().map(of_subset).collect();
        let found = Alignment::mean(&all).unwrap_or_else(|| Alignment::absent(rows, 0, "there is no sample"));
        for (name, estimate) in found.named() {
            self.put(name, estimate);
        }
        if self.config.alignment.as_ref().is_some_and(|config| config.feature_norms) {
            let norms: Result<Vec<Vec<f64>>, _> = self.pairs.iter().flatten().map(feature_norms).collect();
            match norms {
                Ok(norms) => self.put("feature_norms", norms.concat()),
                Err(error) => self.put("feature_norms", Estimate::absent(error.absence()?)),
            }
        }
        let optimizer = &self.plan.config.optimizer;
        let (n, batch) = (self.plan.train.len(), self.plan.batch_size);
        let (lr, momentum) = (optimizer.lr, optimizer.momentum);
        self.put("wu_bound_frobenius", wu_bound(&found.mu, n, batch, lr));
        self.put("wu_bound_frobenius_mu1", wu_bound_mu1(&found.mu1, n, batch, lr, momentum));
        self.put("wu_growth_bound", wu_growth_bound(&found, n, batch, lr));
        let of_subset = |pairs: &Result<Pairs, String>| match pairs {
            Ok(pairs) => expected_label_noise(pairs, n),
            Err(reason) => ExpectedLabelNoise::absent(reason),
        };
        let noise: Vec<_> = self.pairs.iter().map(of_subset).collect();
        let squares: Vec<_> = noise.iter().map(|noise| &noise.flip_noise_sq).collect();
        let traces: Vec<_> = noise.iter().map(|noise| &noise.trace_from_noise_expected).collect();
        self.put("flip_noise_sq", Estimate::of_subsets(&squares));
        self.put("trace_from_noise_expected", Estimate::of_subsets(&traces));
        if let Some(Ok(pairs)) = self.pairs.first()
            && pairs.samples() <= ROWS
        {
            let eigenvalues = match noise_eigenvalues(pairs, NOISE_EIGENVALUES, self.train.interrupt) {
                Ok(eigenvalues) => eigenvalues.into_iter().map(Estimate::exact).collect(),
                Err(error) => vec![Estimate::absent(error.absence()?)],
            };
            self.put("noise_top_eigenvalues", eigenvalues);
        }
        Ok(cost)
    }

    pub(super) fn stability(&mut self) -> Result<Cost, TrainError> {
        let cost = self.pairs()?;
        let gram = match self.pairs.first() {
            Some(Ok(pairs)) => {
                pairs.row_gram().ok_or("needs every output; set metrics.alignment.signs to nothing".into())
            }
            Some(Err(reason)) => Err(reason.clone()),
            None => Err("there is no sample".into()),
        };
        let gram = gram.and_then(|gram| match gram.matrix.nrows() {
            rows if rows > ROWS => {
                Err(format!("{rows} rows are too many, at most {ROWS}: use fewer alignment samples"))
            }
            _ => Ok(gram),
        });
        let gram = match gram {
            Ok(gram) => gram,
            Err(reason) => {
                STABILITY.iter().for_each(|name| self.put(name, Estimate::absent(&reason)));
                return Ok(cost);
            }
        };
        let (lr, batch, n) = (self.plan.config.optimizer.lr, self.plan.batch_size, self.plan.train.len());
        let estimate = |found: Result<f64, StabilityError>| match found {
            Ok(value) => Estimate::exact(value),
            Err(reason) => Estimate::absent(reason.to_string()),
        };
        // None of these can ask whether it is to be given up: each runs in a thread of its own, while this one asks.
        let (interrupt, gram) = (self.train.interrupt, Arc::new(gram));
        let shared = || Arc::clone(&gram);
        let of_sigma = shared();
        let sigma = interrupt.run(move || coherence(&of_sigma))?.map(|found| found.sigma);
        let m = gram.samples;
        let bound = |bound: fn(f64, usize, usize, f64) -> Result<f64, StabilityError>| {
            // σ grows with the number of samples in a way that some of them do not tell: no bound follows from a part.
            if m < n {
                return Err(StabilityError::Subset { measured: m, samples: n });
            }
            bound(sigma.clone()?, n, batch, lr)
        };
        let (divergence, convergence) = (bound(dexter_divergence_bound), bound(dexter_convergence_bound));
        let of_eigenvalues = shared();
        let eigenvalues = interrupt.run(move || gram_eigenvalues(&of_eigenvalues))?;
        let values = [
            estimate(eigenvalues.map(|values| values[0])),
            estimate(sigma.clone()),
            estimate(divergence),
            estimate(convergence),
        ];
        for (name, value) in STABILITY.iter().zip(values) {
            self.put(name, value);
        }
        let precision = if self.plan.dtype == burn::tensor::DType::F64 { 1e-12 } else { 1e-6 };
        let of_dynamics = shared();
        let dynamics = interrupt.run(move || LinearDynamics::new(&of_dynamics, precision).map(Arc::new))?;
        self.put(STABILITY[4], estimate(dynamics.clone().map(|dynamics| dynamics.gd_critical_lr())));
        for (sampling, names) in [(Sampling::WithoutReplacement, [5, 6]), (Sampling::Bernoulli, [7, 8])] {
            let dynamics = dynamics.clone();
            let found =
                interrupt.run(move || dynamics?.stability(lr, sampling.noise(n, batch)?, &Solver::default()))?;
            let values = match found {
                Ok(found) if found.converged => [Estimate::exact(found.growth), Estimate::exact(found.critical_lr)],
                Ok(_) => [(); 2].map(|()| Estimate::absent("the power iteration did not converge")),
                Err(reason) => [(); 2].map(|()| Estimate::absent(reason.to_string())),
            };
            for (name, value) in names.into_iter().zip(values) {
                self.put(STABILITY[name], value);
            }
        }
        Ok(cost)
    }

    pub(super) fn sharpness(&mut self) -> Result<Cost, TrainError> {
        let Some(config) = &self.config.sharpness else { return Ok(Cost::default()) };
        let key = self.key(Stream::BatchSample);
        let (n, batch) = (self.plan.train.len(), self.plan.batch_size);
        let found = sharpness(&self.subset, self.point.theta, self.point.update, n, batch, config.batches, key)?;
        for (name, estimate) in [
            ("batch_sharpness", &found.batch_sharpness),
            ("gradient_snr", &found.gradient_snr),
            ("sharpness_along_gradient", &found.along_gradient),
            ("sharpness_along_update", &found.along_update),
        ] {
            self.put(name, estimate);
        }
        let of_batches = config.batches as f64 * self.plan.batch_size as f64 * (1.0 + 5.0 / 3.0);
        let gradients = 1.0 + 10.0 / 3.0 + of_batches / self.subset.len().max(1) as f64;
        Ok(Cost { gradients, products: config.batches + 2, ..Cost::default() })
    }
}
