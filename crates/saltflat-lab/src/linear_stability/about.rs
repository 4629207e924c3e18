//! What the lab asks, and its figures.

use crate::About;

pub(super) const ABOUT: About = About {
    name: "linear-stability",
    title: "Linear stability of SGD and the coherence of Hessians",
    text: TEXT,
    source: "Dexter et al. 2024, figures 1 and 2",
    figures: FIGURES,
};

const TEXT: &str = "\
A minimum at 0 of n quadratic losses is stable for SGD or not: w ← (I − (η/B) Σ Hᵢ) w over the batch either falls or grows. \
The coherence σ of the Hessians Hᵢ says how alike they are. Theorem 1: E‖w‖ grows without bound if \
λ₁(H) > (σ/η)(n/B − 1)^(−1/2) or λ₁(H) > 2/η. Theorem 2: there are Hessians with λ₁(H) < (2σ/η)(σ + n/B − 1)⁻¹ for which \
E‖w‖² stays bounded. Between the two lines the theorems say nothing.

The Hessians here are Hᵢ = m e₁e₁ᵀ for the first σ samples and m times a coordinate of its own for each other, m = 2n/σ, so that \
λ₁(H) = 2 and the coherence is σ exactly. A cell is a batch size and a coherence or a learning rate. It diverges if the norm grows \
by 1000 in the majority of five repetitions; a repetition ends early where the norm has fallen or grown by 1000. \
Open in the paper, and our choice: the start (standard normal), the range of learning rates of figure 2, and the factor ½ in the \
loss. The paper writes the losses as wᵀHᵢw, whose gradient is 2Hᵢw; then gradient descent itself would diverge at η = 0.8. With \
½wᵀHᵢw the Hessians are Hᵢ, as the theorems need (`loss` chooses).

Theorem 1 is about the mean of the norm, theorem 2 about its mean square, a majority of repetitions about what is typical. We add \
the line that belongs to the latter: a coordinate shared by s samples is multiplied by 1 − (ηm/B) K at each step, K the number of \
its samples in the batch, so that almost every trajectory grows if E ln|1 − (ηm/B) K| > 0 for s = σ or s = 1 (the largest Lyapunov \
exponent). Its line is the largest batch size for which that is so.";

const FIGURES: &str = r#"
figure = [
    { kind = "phase", rows = true, x = "sigma", y = "batch_size", value = "diverged",
      lines = ["theorem_1_batch_size", "theorem_2_batch_size", "almost_sure_batch_size"],
      title = "Share of repetitions that diverged", caption = "As figure 1 of Dexter et al. 2024." },
    { kind = "phase", rows = true, x = "eta", y = "batch_size", value = "diverged",
      lines = ["theorem_1_batch_size", "theorem_2_batch_size", "almost_sure_batch_size"],
      title = "Share of repetitions that diverged",
      caption = "As figure 2 of Dexter et al. 2024, with equal ratios of the learning rate." },
]
"#;
