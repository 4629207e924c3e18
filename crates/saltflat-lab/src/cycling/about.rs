//! What the lab asks, and its figures.

use crate::About;

pub(super) const ABOUT: About = About {
    name: "cycling",
    title: "Minibatch SGD can cycle",
    text: "Thirteen functions of θ = (x, y, z₁, …, z₄) with labels 0 and the loss ½fᵢ². The minima are the unit circle at z = 0, where \
        L = 4/13: two functions of each pair ask for z = ±1. Drawing one of them makes zᵢ oscillate, and that pushes (x, y) towards \
        smaller curvature along zᵢ. The zᵢ that oscillates most changes along the circle, so that the push never ends: there is \
        no fixed potential.\n\n\
        The paper gives no learning rate, batch size or length. Ours: one function a step and a small learning rate η. With zᵢ² at \
        its stationary mean the angle turns by 2π in 79.5 B/η² steps, and wanders by less the smaller η is.\n\n\
        For comparison: label noise on the full gradient, one label a step disturbed by ±σ, with σ² = 6/11 so that the covariances \
        of both noises have one trace on the circle; and no noise.",
    source: "Damian, Ma, Lee 2021, appendix F.2, figure 5",
    figures: r#"
figure = [
    { kind = "curves", y = "angle", x = "step", title = "Angle of (x, y), in turns" },
    { kind = "curves", y = "x", x = "step", groups = ["minibatch"], title = "x over time" },
    { kind = "curves", y = "y", x = "step", groups = ["minibatch"], title = "y over time" },
    { kind = "curves", y = "z1_sq", x = "step", groups = ["minibatch"], title = "Moving average of z₁²" },
    { kind = "curves", y = "z2_sq", x = "step", groups = ["minibatch"], title = "Moving average of z₂²" },
    { kind = "curves", y = "z3_sq", x = "step", groups = ["minibatch"], title = "Moving average of z₃²" },
    { kind = "curves", y = "z4_sq", x = "step", groups = ["minibatch"], title = "Moving average of z₄²" },
]
"#,
};
