//! Inner products over pairs of samples.

use nalgebra::DMatrix;
use saltflat_models::{Loss, LossKind};
use serde::Serialize;

use crate::{Scoring, stability::RowGram};

/// Which rows G = (1/n) Σ rowsᵀ rows is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GramRows {
    /// ∂f_c(xᵢ)/∂θ: the square loss.
    Jacobian,
    /// Rows of Aᵢ^½ Jᵢ: cross-entropy.
    Ggn,
}

impl GramRows {
    /// Those of a loss.
    pub fn of(kind: LossKind) -> Self {
        match kind {
            LossKind::Square => Self::Jacobian,
            LossKind::CrossEntropy => Self::Ggn,
        }
    }
}

/// All C outputs of a sample, or random sums of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// Each output is a row: exact, at the cost of C gradients and inner products of n·C rows.
    Exact,
    /// This many independent sums of a sample's rows with random signs: r = Σ ±row_c. For two independent draws
    /// E(rᵢ·rⱼ)² = ‖rowsᵢ rowsⱼᵀ‖_F², so everything that α, β, μ are made of has an unbiased estimate, at the cost of so many
    /// gradients and one more.
    Signs(usize),
}

impl Outputs {
    /// Exact up to ten outputs, eight random sums beyond.
    pub fn suited_to(outputs: usize) -> Self {
        if outputs <= 10 { Self::Exact } else { Self::Signs(8) }
    }
}

/// Inner products of the rows and gradients of n samples.
pub struct Pairs {
    pub(crate) loss: Loss,
    /// What the targets are.
    pub(crate) scoring: Scoring,
    pub(crate) n: usize,
    /// Loss of each sample, less its smallest possible value.
    pub(crate) losses: Vec<f64>,
    /// A mean loss up to this is rounding: zero.
    pub(crate) resolution: f64,
    /// tr(rowsᵢ rowsᵢᵀ).
    pub(crate) traces: Vec<f64>,
    /// ‖rowsᵢ rowsⱼᵀ‖_F², `[n, n]`.
    pub(crate) blocks: Vec<f64>,
    /// gᵢ·gⱼ with gᵢ = ∇ℓᵢ, `[n, n]`.
    pub(crate) gradients: Vec<f64>,
    /// rowsᵢ gⱼ, `[n, n]` lists.
    pub(crate) mixed: Vec<Vec<f64>>,
    /// What needs every output: the inner products of the Gauss–Newton rows, and tr(Jᵢᵀ(diag q − qqᵀ)Jᵢ) of each sample.
    pub(crate) exact: Option<ExactRows>,
}

/// From the whole kernel J Jᵀ.
pub(crate) struct ExactRows {
    /// Rows of a sample.
    pub(crate) outputs: usize,
    /// ⟨row_ic, row_jd⟩ of the Gauss–Newton rows at (i·C + c, j·C + d).
    pub(crate) gauss_newton: DMatrix<f64>,
    /// tr(Jᵢᵀ(diag qᵢ − qᵢqᵢᵀ)Jᵢ), q the target.
    pub(crate) flips: Vec<f64>,
}

impl Pairs {
    /// Number of samples n.
    pub fn samples(&self) -> usize {
        self.n
    }

    /// Which rows G is made of.
    pub fn rows(&self) -> GramRows {
        GramRows::of(self.loss.kind)
    }

    /// Inner products of the Gauss–Newton rows, if every output was measured.
    pub fn row_gram(&self) -> Option<RowGram> {
        self.exact.as_ref().map(|exact| RowGram {
            samples: self.n,
            rows_per_sample: exact.outputs,
            matrix: exact.gauss_newton.clone(),
        })
    }
}
