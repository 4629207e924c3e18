//! What the lab asks, and its figures.

use crate::About;

pub(super) const ABOUT: About = About {
    name: "quadratic",
    title: "Label noise finds the sparse truth, Gaussian noise does not",
    text: TEXT,
    source: "HaoChen, Wei, Lee, Ma 2021, figure 1 (right)",
    figures: FIGURES,
};

const TEXT: &str = "\
The model is f(x; v) = ⟨v∘v, x⟩ with x ~ N(0, I), labels from a sparse v⋆ (five ones among a hundred entries), fewer samples than \
dimensions, and the start v = (1, …, 1). The loss of a sample is ¼ (f − y)², so that a step is that of equation 1.

HaoChen, Wei, Lee and Ma (2021) report that gradient descent fits the data and is far from v⋆; that noise of minibatches or on \
labels, added to the full gradient, leads to v⋆; and that Gaussian noise does not, however strong. Gaussian noise runs four \
times as long, drawn on the same axis. Of its strengths 0.01 is that of the published code; the text of the paper names none.

Training error: mean of (f(xᵢ) − yᵢ)². Test error: ‖v∘v − v⋆∘v⋆‖², the mean of (f(x) − y)² over fresh samples.";

const FIGURES: &str = r#"
figure = [
    { kind = "curves", y = "test_error", x = "share", log = true,
      title = "Test error (HaoChen et al. 2021, figure 1, right)" },
    { kind = "curves", y = "train_error", x = "share", log = true },
    { kind = "final", y = "test_error", log = true },
]
"#;
