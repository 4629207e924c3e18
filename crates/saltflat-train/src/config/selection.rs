//! Which metrics are measured, by their names.

use std::path::Path;

use super::{MetricsConfig, TraceConfig, metrics};
use saltflat_config::{Problems, Section, nearest};

/// The metrics of the group `stability`, in the order in which they are measured.
pub(crate) const STABILITY: [&str; 9] = [
    "gram_top_eigenvalue",
    "coherence",
    "dexter_bound",
    "dexter_convergence_bound",
    "gd_critical_lr",
    "sgd_growth",
    "sgd_critical_lr",
    "sgd_growth_bernoulli",
    "sgd_critical_lr_bernoulli",
];

/// The groups and the metrics that each gives, in the order in which they are measured.
pub const METRICS: [(&str, &[&str]); 8] = [
    (
        "evaluate",
        &[
            "loss",
            "accuracy",
            "test_loss",
            "test_accuracy",
            "grad_norm",
            "weight_norm",
            "effective_regularization",
            "regularization_per_curvature",
        ],
    ),
    ("trace", &["trace_hessian", "hessian_frobenius", "trace_hessian_by_tensor"]),
    ("gauss_newton", &["trace_ggn", "ggn_frobenius"]),
    ("eigenvalues", &["top_eigenvalues", "min_eigenvalue"]),
    (
        "spectrum",
        &[
            "spectral_density",
            "regularizer",
            "regularizer_series",
            "regularizer_momentum_0.9",
            "regularizer_per_curvature",
        ],
    ),
    (
        "alignment",
        &[
            "trace_gram",
            "gram_frobenius",
            "trace_noise",
            "noise_frobenius",
            "trace_gram_noise",
            "alpha",
            "beta",
            "mu",
            "mu1",
            "mu2",
            "chi_min_over_mean",
            "wu_bound_frobenius",
            "wu_bound_frobenius_mu1",
            "wu_growth_bound",
            "flip_noise_sq",
            "trace_from_noise_expected",
            "noise_top_eigenvalues",
        ],
    ),
    ("stability", &STABILITY),
    ("sharpness", &["batch_sharpness", "gradient_snr", "sharpness_along_gradient", "sharpness_along_update"]),
];

/// Metrics that the steps before a measurement give, in training alone.
pub const OF_STEPS: [&str; 1] = ["trace_from_noise"];

/// Metrics that are a list of numbers, one a sample, where a configuration asks for them.
pub const LISTS: [&str; 1] = ["feature_norms"];

impl MetricsConfig {
    /// Only the groups of these names, each the name of a group or of a metric, or `all`. A group that was off gets its
    /// defaults; where neither ‖H‖_F nor the traces by tensor are asked for, the trace takes quadratic forms.
    ///
    /// # Errors
    /// A sentence about the first name that is not known, with the nearest that is.
    pub fn only(&self, names: &[&str]) -> Result<Self, String> {
        let all = || METRICS.iter().flat_map(|(group, metrics)| std::iter::once(group).chain(*metrics).copied());
        let mut on = Vec::new();
        for name in names {
            match METRICS.iter().find(|(group, metrics)| group == name || metrics.contains(name)) {
                Some((group, _)) => on.push(*group),
                None if *name == "all" => on.extend(METRICS.iter().map(|(group, _)| *group)),
                None => {
                    let hint = match nearest(name, &all().collect::<Vec<_>>()) {
                        Some(name) => format!("; did you mean {name}?"),
                        None => format!("; there are all, {}", all().collect::<Vec<_>>().join(", ")),
                    };
                    return Err(format!("{name} is not a metric{hint}"));
                }
            }
        }
        let default = |key: &'static str| {
            let problems = Problems::default();
            let table = toml::Table::from_iter([(key.to_string(), toml::Value::Boolean(true))]);
            metrics::read(Section::root(table, Path::new(""), &problems))
        };
        let is_on = |group: &str| on.contains(&group);
        let trace = self.trace.clone().or_else(|| default("trace").trace).filter(|_| is_on("trace"));
        let wants_products =
            names.iter().any(|name| METRICS[1].1[1..].contains(name) || ["trace", "all"].contains(name));
        Ok(Self {
            evaluate: is_on("evaluate"),
            trace: trace.map(|trace| TraceConfig { frobenius: trace.frobenius && wants_products, ..trace }),
            gauss_newton: match names.contains(&"ggn_frobenius") {
                _ if !is_on("gauss_newton") => None,
                frobenius => {
                    let config = self.gauss_newton.clone().or_else(|| default("gauss_newton").gauss_newton);
                    config.map(|config| TraceConfig { frobenius: frobenius || config.frobenius, ..config })
                }
            },
            eigenvalues: self
                .eigenvalues
                .clone()
                .or_else(|| default("eigenvalues").eigenvalues)
                .filter(|_| is_on("eigenvalues")),
            spectrum: self.spectrum.clone().or_else(|| default("spectrum").spectrum).filter(|_| is_on("spectrum")),
            alignment: self.alignment.clone().or_else(|| default("alignment").alignment).filter(|_| is_on("alignment")),
            stability: self.stability.clone().or_else(|| default("stability").stability).filter(|_| is_on("stability")),
            sharpness: self.sharpness.clone().or_else(|| default("sharpness").sharpness).filter(|_| is_on("sharpness")),
            noise_strength: None,
            ..self.clone()
        })
    }
}
