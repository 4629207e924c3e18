//! Inner products over pairs of samples, and how they are made on the host from a kernel of gradients that the device computed.

use burn::tensor::{DType, Tensor, TensorData};
use nalgebra::{DMatrix, DVector};
use saltflat_models::{Loss, LossKind};
use saltflat_random::Key;
use serde::Serialize;

use crate::{Interrupt, MetricError, Objective, Scoring, stability::RowGram};

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
    RandomSums(usize),
}

impl Outputs {
    /// Exact up to ten outputs, eight random sums beyond.
    pub fn suited_to(outputs: usize) -> Self {
        if outputs <= 10 { Self::Exact } else { Self::RandomSums(8) }
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

/// Outputs and targets of the samples, on the host in f64.
pub(super) struct Host<'a> {
    pub(super) objective: &'a Objective<'a>,
    pub(super) n: usize,
    pub(super) classes: usize,
    pub(super) outputs: Vec<f64>,
    pub(super) targets: Vec<f64>,
    pub(super) dtype: DType,
}

impl Host<'_> {
    fn of_sample<'b>(&self, values: &'b [f64], i: usize) -> &'b [f64] {
        &values[i * self.classes..(i + 1) * self.classes]
    }

    fn interrupt(&self) -> Interrupt<'_> {
        self.objective.interrupt
    }

    /// ∇_f ℓᵢ.
    fn residual(&self, i: usize) -> Vec<f64> {
        let loss = &self.objective.loss;
        loss.gradient_of_sample(self.of_sample(&self.outputs, i), self.of_sample(&self.targets, i))
    }

    /// M with Aᵢ = MᵀM.
    fn root(&self, i: usize) -> DMatrix<f64> {
        let root = self.objective.loss.hessian_root_of_sample(self.of_sample(&self.outputs, i));
        DMatrix::from_row_slice(self.classes, self.classes, &root)
    }

    /// What rounding of the outputs makes of a loss that is zero: ε² mean ‖f‖² for the square loss; for cross-entropy what
    /// is lost in taking off the floor.
    fn resolution(&self) -> f64 {
        let epsilon = if self.dtype == DType::F64 { 4.0 * f64::EPSILON } else { 4.0 * f64::from(f32::EPSILON) };
        match self.objective.loss.kind {
            LossKind::Square => epsilon.powi(2) * self.outputs.iter().map(|f| f * f).sum::<f64>() / self.n as f64,
            LossKind::CrossEntropy => 1e-15,
        }
    }

    fn empty(&self) -> Pairs {
        let (n, loss) = (self.n, &self.objective.loss);
        let floor = loss.floor(self.classes);
        let value =
            |i| loss.value_of_sample(self.of_sample(&self.outputs, i), self.of_sample(&self.targets, i)) - floor;
        Pairs {
            loss: *loss,
            scoring: self.objective.samples.scoring(),
            n,
            losses: (0..n).map(value).collect(),
            resolution: self.resolution(),
            traces: vec![0.0; n],
            blocks: vec![0.0; n * n],
            gradients: vec![0.0; n * n],
            mixed: vec![Vec::new(); n * n],
            exact: None,
        }
    }

    /// `kernel` `[C n, C n]` is J Jᵀ with row (c, i) at c·n + i.
    pub(super) fn exact(&self, kernel: &[f64]) -> Result<Pairs, MetricError> {
        let (n, classes) = (self.n, self.classes);
        let mut pairs = self.empty();
        let width = classes * n;
        let roots: Vec<_> = (0..n).map(|i| self.root(i)).collect();
        let residuals: Vec<_> = (0..n).map(|i| DVector::from_vec(self.residual(i))).collect();
        let mut gauss_newton = DMatrix::zeros(width, width);
        let mut flips = Vec::with_capacity(n);
        for i in 0..n {
            for j in 0..n {
                self.interrupt().check()?;
                let block = DMatrix::from_fn(classes, classes, |c, d| kernel[(c * n + i) * width + d * n + j]);
                let left = &roots[i] * &block;
                let rows = &left * roots[j].transpose();
                pairs.blocks[i * n + j] = rows.norm_squared();
                pairs.mixed[i * n + j] = (&left * &residuals[j]).as_slice().to_vec();
                pairs.gradients[i * n + j] = residuals[i].dot(&(&block * &residuals[j]));
                if i == j {
                    pairs.traces[i] = rows.trace();
                    let q = self.of_sample(&self.targets, i);
                    let diagonal: f64 = (0..classes).map(|c| q[c] * block[(c, c)]).sum();
                    let q = DVector::from_row_slice(q);
                    flips.push(diagonal - q.dot(&(&block * &q)));
                }
                gauss_newton.view_mut((i * classes, j * classes), (classes, classes)).copy_from(&rows);
            }
        }
        pairs.exact = Some(ExactRows { outputs: classes, gauss_newton, flips });
        Ok(pairs)
    }

    /// Cotangents `[n, C]` of the gradients gᵢ and of the random sums of rows.
    pub(super) fn cotangents(&self, draws: usize, key: Key, inputs: &Tensor<4>) -> Result<Vec<Tensor<2>>, MetricError> {
        let (n, classes) = (self.n, self.classes);
        let upload = |values: Vec<f64>| {
            Tensor::from_data(
                TensorData::new(values, [n, classes]),
                (&inputs.device().without_autodiff(), inputs.dtype()),
            )
        };
        let mut all = vec![upload((0..n).flat_map(|i| self.residual(i)).collect())];
        for draw in 0..draws {
            let signs = key.part(draw as u64).signs(n * classes);
            let sum = |i: usize| {
                let of_sample = signs[i * classes..(i + 1) * classes].iter().map(|&s| f64::from(s));
                let signs = DVector::from_iterator(classes, of_sample);
                (self.root(i).transpose() * signs).as_slice().to_vec()
            };
            let mut sums = Vec::with_capacity(n * classes);
            for i in 0..n {
                self.interrupt().check()?;
                sums.extend(sum(i));
            }
            all.push(upload(sums));
        }
        Ok(all)
    }

    /// `kernel` `[(1 + draws) n, …]` of the gradients and the random sums.
    pub(super) fn by_signs(&self, draws: usize, kernel: &[f64]) -> Result<Pairs, MetricError> {
        let n = self.n;
        let mut pairs = self.empty();
        let width = (1 + draws) * n;
        let at = |a: usize, i: usize, b: usize, j: usize| kernel[(a * n + i) * width + b * n + j];
        let all = draws as f64;
        for i in 0..n {
            for j in 0..n {
                self.interrupt().check()?;
                let mut sum = 0.0;
                for a in 1..=draws {
                    sum += (1..=draws).filter(|&b| b != a).map(|b| at(a, i, b, j).powi(2)).sum::<f64>();
                }
                pairs.blocks[i * n + j] = sum / (all * (all - 1.0));
                pairs.gradients[i * n + j] = at(0, i, 0, j);
                pairs.mixed[i * n + j] = (1..=draws).map(|a| at(a, i, 0, j) / all.sqrt()).collect();
            }
            pairs.traces[i] = (1..=draws).map(|a| at(a, i, a, i)).sum::<f64>() / all;
        }
        Ok(pairs)
    }
}
