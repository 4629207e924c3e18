//! What the lab asks, and its figures.

use crate::About;

pub(super) const ABOUT: About = About {
    name: "coupling",
    title: "Label noise follows gradient descent on L + λR",
    text: "Lemma 1: SGD with label noise from a minimiser θ* stays near Φ_k(θ*) + ξ_k, where Φ_k is k steps of gradient descent on L + λR \
        with R = −(1/2η) tr log(I − (η/2)∇²L) and λ = ησ²/B, and ξ is the Ornstein–Uhlenbeck process ξ ← (I − ηG(θ*))ξ + ε* of the \
        same draws. Here all three are run side by side, with exact derivatives, on fᵢ(θ) = ⟨θ∘θ, xᵢ⟩ with fewer samples than \
        parameters. What is left, r = θ − ξ − Φ, should be of the order λ^¾ (δ = ½) while ‖ξ‖ is of the order λ^½.\n\n\
        A coupling lasts window/(η√λ) steps, which is the lemma's longest up to constants and logarithms. Then the next begins as in Lemma 2: θ* \
        becomes Φ, and Φ starts anew at θ − ξ. A trajectory lasts horizon/(ηλ) steps, in which R can fall by an amount that does not \
        shrink with λ. λ varies through η, with sampled batches as in Algorithm 1, and through σ at one large η, with every \
        sample once a step: there minibatch noise would not become small beside the label noise, as η does not.\n\n\
        The model, its size and every setting are ours. Inputs are normal, scaled so that the largest eigenvalue at the start is 1; \
        the start has entries uniform in (½, 1½) and labels that it fits exactly. Each seed has its own data.",
    source: "Damian, Ma, Lee 2021, Lemma 1, Lemma 2 and Propositions 2 and 4",
    figures: r#"
figure = [
    { kind = "final", y = "first_r_max", x = "lambda", log = true, log_x = true,
      title = "Largest error ‖θ − ξ − Φ‖ in the first coupling" },
    { kind = "final", y = "first_xi_max", x = "lambda", log = true, log_x = true,
      title = "Largest ‖ξ‖ in the first coupling" },
    { kind = "curves", y = "regularizer_ratio", x = "time", title = "R at θ − ξ over R at the start",
      caption = "Time is ηλ times the step." },
    { kind = "curves", y = "descent_ratio", x = "time",
      title = "R along gradient descent on L + λR over R at the start", caption = "Time is ηλ times the step." },
]
"#,
};
