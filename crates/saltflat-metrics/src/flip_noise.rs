//! The noise of label flips in closed form.

use crate::{Estimate, Pairs};

/// Strength of the label-flip noise at θ, without drawing a label.
#[derive(Clone, Debug)]
pub struct FlipNoise {
    /// (1/n²) Σ tr(Jᵢᵀ(diag q − qqᵀ)Jᵢ): the expected ‖∇L̂ − ∇L̄‖² of a batch of all n samples whose labels are drawn from
    /// their targets q.
    pub flip_noise_sq: Estimate,
    /// n times it: equal to tr H at a minimum of the smoothed loss (Damian, Ma, Lee 2021, section 5.1). Its standard error
    /// is that of a mean over samples.
    pub trace_from_noise: Estimate,
}

/// From the inner products of the samples, where every output was measured; `smoothing` is that of the loss.
pub fn flip_noise(pairs: &Pairs, smoothing: f64) -> FlipNoise {
    let absent = |reason: &str| FlipNoise {
        flip_noise_sq: Estimate::absent(reason),
        trace_from_noise: Estimate::absent(reason),
    };
    let Some(exact) = &pairs.exact else { return absent("needs every output, and random sums of them were taken") };
    if smoothing == 0.0 {
        return absent("the labels are certain: neither noise nor loss.smoothing changes them");
    }
    let n = pairs.n as f64;
    let mean = Estimate { probes: None, ..Estimate::of_probes(&exact.flips) };
    FlipNoise {
        flip_noise_sq: Estimate {
            value: mean.value.map(|x| x / n),
            std_error: mean.std_error.map(|x| x / n),
            ..mean.clone()
        },
        trace_from_noise: mean,
    }
}
