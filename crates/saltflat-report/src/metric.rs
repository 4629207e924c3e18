//! The metrics that a page knows by name: their words, and the loss that they depend on.

/// What a metric is a property of, besides the weights and the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependsOn {
    /// The loss of the measurement: curvature, gradients, bounds on them. Also every metric that is not known here.
    MeasuredLoss,
    /// The loss of the training steps.
    TrainingLoss,
    /// No loss: accuracies, the norm of the weights, settings, the strength of the added noise.
    NoLoss,
}

use DependsOn::{MeasuredLoss, NoLoss, TrainingLoss};

/// Name, words for headings and axes (empty: the name itself), and the loss that its values depend on.
const METRICS: [(&str, &str, DependsOn); 49] = [
    ("loss", "training loss", MeasuredLoss),
    ("accuracy", "training accuracy", NoLoss),
    ("test_loss", "test loss", MeasuredLoss),
    ("test_accuracy", "test accuracy", NoLoss),
    ("grad_norm", "gradient norm", MeasuredLoss),
    ("weight_norm", "weight norm", NoLoss),
    ("trace_hessian", "trace of the Hessian", MeasuredLoss),
    ("hessian_frobenius", "Frobenius norm of the Hessian", MeasuredLoss),
    ("top_eigenvalues", "largest eigenvalue", MeasuredLoss),
    ("min_eigenvalue", "smallest eigenvalue", MeasuredLoss),
    ("trace_ggn", "trace of the Gauss–Newton matrix", MeasuredLoss),
    ("trace_from_noise", "trace from noise", MeasuredLoss),
    ("trace_from_noise_expected", "expected trace from noise", MeasuredLoss),
    ("regularizer", "regularizer R(θ)", MeasuredLoss),
    ("regularizer_per_curvature", "regularizer R(θ) of the loss's α", MeasuredLoss),
    ("effective_regularization", "effective regularization λ = ησ²/(B(1−β))", NoLoss),
    ("regularization_per_curvature", "effective regularization λ/α", NoLoss),
    ("running_loss", "running loss", TrainingLoss),
    ("running_accuracy", "running accuracy", NoLoss),
    ("noise_sq", "squared noise, achieved", NoLoss),
    ("noise_sq_target", "squared noise, target", NoLoss),
    ("noise_steps", "", NoLoss),
    ("wu_bound_frobenius", "Wu bound √(B/μ · (n−1)/(n−B))/η", MeasuredLoss),
    ("wu_bound_frobenius_mu1", "Wu bound from μ₁", MeasuredLoss),
    ("wu_growth_bound", "lower bound γ₀ of the growth a step", MeasuredLoss),
    ("dexter_bound", "Dexter bound (σ/η)(n/B − 1)^(−1/2)", MeasuredLoss),
    ("stability_edge", "edge of stability 2(1+β)/η", NoLoss),
    ("gram_frobenius", "Frobenius norm of the Gram matrix", MeasuredLoss),
    ("gram_top_eigenvalue", "largest eigenvalue of the Gram matrix", MeasuredLoss),
    ("feature_norms", "relative feature norm", MeasuredLoss),
    ("chi_min_over_mean", "least relative feature norm γ", MeasuredLoss),
    ("lr", "learning rate", NoLoss),
    ("epoch", "", NoLoss),
    ("step", "", NoLoss),
    ("status", "", NoLoss),
    ("seconds", "", NoLoss),
    ("curvature_samples", "", NoLoss),
    ("alignment_samples", "", NoLoss),
    ("eta_l", "ηl", MeasuredLoss),
    ("train_error", "training error", MeasuredLoss),
    ("test_error", "test error", MeasuredLoss),
    ("eta", "learning rate η", NoLoss),
    ("batch_size", "batch size B", NoLoss),
    ("diverged", "share that diverged", NoLoss),
    ("sigma", "", NoLoss),
    ("theorem_1_batch_size", "theorem 1: below it diverges", MeasuredLoss),
    ("theorem_2_batch_size", "theorem 2: above it bounded", MeasuredLoss),
    ("mean_square_batch_size", "mean square: grows below it", MeasuredLoss),
    ("almost_sure_batch_size", "typical trajectory: grows up to it", MeasuredLoss),
];

/// What a reader looks for first.
pub(crate) const HEADLINE: [&str; 9] = [
    "loss",
    "accuracy",
    "test_accuracy",
    "trace_hessian",
    "hessian_frobenius",
    "top_eigenvalues",
    "trace_from_noise",
    "noise_sq",
    "noise_sq_target",
];

fn known(metric: &str) -> Option<&'static (&'static str, &'static str, DependsOn)> {
    METRICS.iter().find(|(name, ..)| *name == metric)
}

/// A metric in words, for axes and tables; without words its name.
pub(crate) fn words(metric: &str) -> &str {
    known(metric).map(|(_, words, _)| *words).filter(|words| !words.is_empty()).unwrap_or(metric)
}

/// The loss that values of a metric depend on. A metric that is not known depends on the measured one, so that it is not
/// compared where that would be wrong.
pub fn depends_on(metric: &str) -> DependsOn {
    known(metric).map_or(MeasuredLoss, |(.., loss)| *loss)
}

/// Words as a heading; a bare name stays as it is.
pub(crate) fn heading(words: String) -> String {
    let mut heading = words;
    let first = heading.split(' ').next().unwrap_or_default().len();
    if !heading[..first].contains('_')
        && let Some(letter) = heading.get_mut(..1)
    {
        letter.make_ascii_uppercase();
    }
    heading
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_stands_once_and_an_unknown_one_depends_on_the_loss() {
        for (i, (name, ..)) in METRICS.iter().enumerate() {
            assert_eq!(METRICS.iter().position(|(other, ..)| other == name), Some(i), "{name}");
        }
        assert!(HEADLINE.iter().all(|name| known(name).is_some()));
        let of = |names: &[&str]| names.iter().map(|name| depends_on(name)).collect::<Vec<_>>();
        assert_eq!(of(&["accuracy", "test_accuracy", "weight_norm"]), [NoLoss; 3]);
        assert_eq!(of(&["trace_hessian", "mu", "trace_hessian_by_tensor.layers.0.bias"]), [MeasuredLoss; 3]);
        assert_eq!(of(&["running_loss", "a metric of tomorrow"]), [TrainingLoss, MeasuredLoss]);
    }
}
