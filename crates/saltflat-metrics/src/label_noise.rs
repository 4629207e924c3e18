//! The noise of drawn labels, and the points at which its strength is tr H.
//!
//! A step draws the target q̂ᵢ of each of its B samples, with the mean qᵢ and the covariance Cᵢ. Both losses have the
//! output gradient φ(f) − q̂ with φ = softmax (cross-entropy) or the identity (square loss), linear in the target, so at
//! one θ the gradients of the drawn and of the expected loss differ by
//!
//! ξ = ∇L̂ − ∇L̄ = (1/B) Σᵢ Jᵢᵀ(qᵢ − q̂ᵢ), B E‖ξ‖² = N, N = (1/n) Σᵢ tr(Jᵢᵀ Cᵢ Jᵢ)
//!
//! in the mean over batches. At a minimum of the expected loss that fits every sample, φ(fᵢ) = qᵢ, the output gradients vanish
//! and with them the part of the Hessian that holds second derivatives of f: tr H = (1/n) Σᵢ tr(Jᵢᵀ Aᵢ Jᵢ) with Aᵢ = ∇²_f ℓᵢ. So
//! N is a multiple of tr H there exactly if Cᵢ is one of Aᵢ:
//!
//! | loss | drawn target | Cᵢ | Aᵢ at the minimum | tr H |
//! | --- | --- | --- | --- | --- |
//! | cross-entropy | a class, by flips of any kind with mean q | diag q − qqᵀ | diag q − qqᵀ | N (Damian, Ma, Lee 2021, section 5.1) |
//! | square | a real number plus noise of variance σ² | σ² I | I | N/σ² (their algorithm 1) |
//! | square | a class, as a unit vector | diag q − qqᵀ | I | no multiple of N |
//!
//! The last row has no estimate of tr H: diag q − qqᵀ has different eigenvalues (0 along the vector of ones, among them), so N
//! weighs the directions of the outputs in another way than tr JᵢᵀJᵢ does. With two classes the first row is the logistic
//! loss of table 1 of that paper, where σ² = α = p(1−p). For its other losses of one output and labels ±1 tr H is
//! (α/σ²) N; none of them is a loss here.
//!
//! Away from such a minimum N differs from tr H, which is no error. Three things set the sampled N apart from the measured
//! Hessian: batch normalisation takes the statistics of each batch in a step and the running ones in a measurement; steps
//! see augmented images; and the mean over an epoch's steps is one over as many θ.

use saltflat_models::LossKind;

use crate::{Estimate, Pairs, Scoring, mean_and_error};

/// Why the flip noise does not estimate the trace, with the square loss.
pub const FLIPS_WITH_SQUARE_LOSS: &str =
    "for the square loss the trace of the covariance of flipped labels is no multiple of tr H";

/// Strength of the label noise at θ, in closed form, without drawing a label.
#[derive(Clone, Debug)]
pub struct ExpectedLabelNoise {
    /// (1/n) · mean of tr(Jᵢᵀ(diag q − qqᵀ)Jᵢ): the expected ‖∇L̂ − ∇L̄‖² of a batch of all n training samples whose labels
    /// are drawn from their targets q, for either loss; the mean is over the samples that were measured.
    pub flip_noise_sq: Estimate,
    /// The expectation of [`NoiseStrength`](crate::NoiseStrength) at this θ: (1/n) Σ tr(Jᵢᵀ(diag q − qqᵀ)Jᵢ) for cross-entropy with
    /// smoothed targets q; (1/n) Σ tr(JᵢᵀJᵢ) for the square loss with real targets, whatever the σ of the noise on
    /// them. It is tr H at a minimum of the loss that fits every sample. Its standard error is that of a mean over samples.
    pub trace_from_noise_expected: Estimate,
}

impl ExpectedLabelNoise {
    /// No value, and why.
    pub fn absent(reason: &str) -> Self {
        Self { flip_noise_sq: Estimate::absent(reason), trace_from_noise_expected: Estimate::absent(reason) }
    }
}

/// From the inner products of some of n = `training_samples` samples.
pub fn expected_label_noise(pairs: &Pairs, training_samples: usize) -> ExpectedLabelNoise {
    match pairs.scoring {
        Scoring::Class => of_flips(pairs, training_samples as f64),
        Scoring::Binary | Scoring::None => ExpectedLabelNoise {
            flip_noise_sq: Estimate::absent("the targets are not classes"),
            trace_from_noise_expected: match pairs.loss.kind {
                LossKind::Square => over_samples(&pairs.traces),
                LossKind::CrossEntropy => Estimate::absent("the targets are not classes"),
            },
        },
    }
}

fn of_flips(pairs: &Pairs, n: f64) -> ExpectedLabelNoise {
    let flips = match &pairs.exact {
        _ if pairs.loss.smoothing == 0.0 => Err("the measured loss has no smoothing, so its labels are certain"),
        None => Err("needs every output, and random sums of them were taken"),
        Some(exact) => Ok(over_samples(&exact.flips)),
    };
    ExpectedLabelNoise {
        flip_noise_sq: match &flips {
            Ok(mean) => mean.clone().over(n),
            Err(reason) => Estimate::absent(*reason),
        },
        trace_from_noise_expected: match (pairs.loss.kind, flips) {
            (LossKind::Square, _) => Estimate::absent(FLIPS_WITH_SQUARE_LOSS),
            (LossKind::CrossEntropy, Ok(mean)) => mean,
            (LossKind::CrossEntropy, Err(reason)) => Estimate::absent(reason),
        },
    }
}

/// A mean over samples with its standard error; samples are no probes.
fn over_samples(values: &[f64]) -> Estimate {
    let (mean, error) = mean_and_error(values);
    Estimate::exact(mean).with_std_error(error)
}
