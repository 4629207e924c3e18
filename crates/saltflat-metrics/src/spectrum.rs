//! Spectral density and traces of matrix functions by stochastic Lanczos quadrature.

use nalgebra::DMatrix;
use saltflat_models::Vector;
use saltflat_random::Key;
use serde::{Deserialize, Serialize};

use crate::{
    Estimate, MetricError, Operator,
    basis::{Basis, eigen, norm},
};

/// Gauss quadrature of one probe u: uᵀf(A)u ≈ Σ wⱼ f(θⱼ), exact for polynomials of degree below twice the number of nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quadrature {
    /// θⱼ: Ritz values.
    pub nodes: Vec<f64>,
    /// wⱼ; they sum to ‖u‖².
    pub weights: Vec<f64>,
}

/// The spectrum of A as a measure: some eigenvalues exactly, the rest by quadratures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    /// p, the number of eigenvalues.
    pub dimension: usize,
    /// Eigenvalues whose vectors were taken out of the probes.
    pub deflated: Vec<f64>,
    /// One a probe.
    pub probes: Vec<Quadrature>,
}

/// What the quadrature costs: `probes · steps` products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpectrumOptions {
    /// Random probes.
    pub probes: usize,
    /// Lanczos steps of a probe.
    pub steps: usize,
    /// Bytes that the Lanczos basis may take; fewer steps are made if it does not fit.
    pub memory: usize,
}

impl Default for SpectrumOptions {
    fn default() -> Self {
        Self { probes: 8, steps: 60, memory: 1 << 30 }
    }
}

/// Stochastic Lanczos quadrature (Ubaru, Chen, Saad 2017; Ghorbani, Krishnan, Xiao 2019, arXiv 1901.10159) with full
/// reorthogonalisation. Probes are uniform in {±1}ᵖ; `deflated` eigenpairs are taken out of them and stand in the spectrum
/// exactly, which takes their part out of the variance.
///
/// # Errors
/// [`MetricError::Device`] if inner products cannot be read, [`MetricError::Interrupted`], and [`MetricError::NotFinite`] if
/// a product overflows.
///
/// ```
/// # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/support/least_squares.rs")); }
/// # use support::LeastSquares;
/// use saltflat_metrics::{Curvature, CurvatureOperator, SpectrumOptions, regularizer, spectrum};
/// use saltflat_random::{Key, Stream};
///
/// // The square loss of w·x on the inputs (1, 0) and (0, 2): H = diag(1, 4)/2.
/// let model = LeastSquares::new(&[[1.0, 0.0], [0.0, 2.0]], &[0.0, 0.0]);
/// let objective = model.objective();
/// let hessian = CurvatureOperator::new(&objective, &model.weights, Curvature::Hessian);
/// let found = spectrum(&hessian, &SpectrumOptions::default(), &[], Key::new(1, Stream::Spectrum, 0))?;
/// // tr exp(-H).
/// let heat = found.trace_of(|x| (-x).exp()).value.unwrap();
/// assert!((heat - ((-0.5_f64).exp() + (-2.0_f64).exp())).abs() < 1e-9);
/// // The implicit regularizer of label noise at η = 0.1, -(1/2η) Σ log(1 - ηλ/2).
/// let penalty = regularizer(&found, 2.0, 0.1, 0.0).value.value.unwrap();
/// assert!((penalty + (0.975_f64.ln() + 0.9_f64.ln()) / 0.2).abs() < 1e-9);
/// # Ok::<(), saltflat_metrics::MetricError>(())
/// ```
pub fn spectrum(
    operator: &dyn Operator,
    options: &SpectrumOptions,
    deflated: &[(f64, Vector)],
    key: Key,
) -> Result<Spectrum, MetricError> {
    let space = operator.space();
    let (mut values, mut eigenvectors) = (Vec::new(), Basis::new(space, operator.interrupt()));
    for (value, vector) in deflated {
        let (rest, _) = eigenvectors.remove(Basis::regroup(vector))?;
        let left = norm(&rest)?;
        if left > 0.5 {
            eigenvectors.push(&rest.scale(1.0 / left));
            values.push(*value);
        }
    }
    let fits = options.memory / (space.len() * space.dtype().size()).max(1);
    let steps = options.steps.min(fits.max(2)).min(space.len().saturating_sub(eigenvectors.len()));
    let mut probes = Vec::new();
    for k in 0..options.probes {
        let v = Basis::regroup(&space.signs_like(key.part(k as u64)));
        let (start, _) = eigenvectors.remove(v)?;
        probes.push(quadrature(operator, &eigenvectors, start, steps)?);
    }
    Ok(Spectrum { dimension: space.len(), deflated: values, probes })
}

/// Lanczos from `start`, in the complement of `outside`.
fn quadrature(
    operator: &dyn Operator,
    outside: &Basis<'_>,
    start: Vector,
    steps: usize,
) -> Result<Quadrature, MetricError> {
    let size = norm(&start)?;
    if steps == 0 || size <= 0.0 {
        return Ok(Quadrature { nodes: Vec::new(), weights: Vec::new() });
    }
    let mut basis = Basis::new(operator.space(), operator.interrupt());
    let (mut diagonal, mut beside) = (Vec::new(), Vec::new());
    basis.push(&start.scale(1.0 / size));
    let mut largest: f64 = 0.0;
    for step in 0..steps {
        let product = operator.apply(&basis.vector(step))?;
        let (rest, _) = outside.remove(Basis::regroup(&product))?;
        let (rest, coefficients) = basis.remove(rest)?;
        diagonal.push(coefficients[step]);
        let beta = norm(&rest)?;
        largest = largest.max(coefficients[step].abs()).max(beta);
        let epsilon = if operator.space().dtype() == burn::tensor::DType::F64 { 1e-12 } else { 1e-6 };
        if step + 1 == steps || beta <= epsilon * largest {
            break;
        }
        beside.push(beta);
        basis.push(&rest.scale(1.0 / beta));
    }
    let m = diagonal.len();
    let tridiagonal = DMatrix::from_fn(m, m, |i, j| match i.abs_diff(j) {
        0 => diagonal[i],
        1 => beside[i.min(j)],
        _ => 0.0,
    });
    let (nodes, vectors) = eigen(tridiagonal, operator.interrupt())?;
    let weights = vectors.row(0).iter().map(|x| size * size * x.powi(2)).rev().collect();
    Ok(Quadrature { nodes: nodes.into_iter().rev().collect(), weights })
}

impl Spectrum {
    /// tr f(A) with its standard error over the probes.
    pub fn trace_of(&self, f: impl Fn(f64) -> f64) -> Estimate {
        let exact: f64 = self.deflated.iter().map(|&value| f(value)).sum();
        let of_probe = |q: &Quadrature| exact + q.nodes.iter().zip(&q.weights).map(|(&x, w)| w * f(x)).sum::<f64>();
        let values: Vec<f64> = self.probes.iter().map(of_probe).collect();
        match values.len() {
            0 => Estimate::absent("0 probes were asked for"),
            _ => Estimate::of_probes(&values),
        }
    }

    /// Smallest and largest value that was found.
    pub fn range(&self) -> (f64, f64) {
        let all = self.deflated.iter().chain(self.probes.iter().flat_map(|q| &q.nodes));
        all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)))
    }

    /// (t, φ(t)) at `points` equally spaced t: φ the density of the eigenvalues (it integrates to 1) smoothed with a
    /// Gaussian of standard deviation `width`.
    pub fn density(&self, width: f64, points: usize) -> Vec<(f64, f64)> {
        let (low, high) = self.range();
        if low.is_nan() || low > high || points < 2 || width.is_nan() || width <= 0.0 {
            return Vec::new();
        }
        let (low, high) = (low - 4.0 * width, high + 4.0 * width);
        let kernel = |x: f64| (-0.5 * (x / width).powi(2)).exp() / (width * (2.0 * std::f64::consts::PI).sqrt());
        // The probes' weights sum to the number of eigenvalues that are left on average only.
        let total: f64 = self.probes.iter().flat_map(|q| &q.weights).sum();
        let share = (self.dimension - self.deflated.len().min(self.dimension)) as f64
            / (self.dimension as f64 * total.max(f64::MIN_POSITIVE));
        (0..points)
            .map(|i| {
                let t = low + (high - low) * i as f64 / (points - 1) as f64;
                let exact: f64 = self.deflated.iter().map(|&x| kernel(t - x)).sum::<f64>() / self.dimension as f64;
                let rest: f64 = self
                    .probes
                    .iter()
                    .flat_map(|q| q.nodes.iter().zip(&q.weights))
                    .map(|(&x, w)| w * kernel(t - x))
                    .sum();
                (t, exact + share * rest)
            })
            .collect()
    }
}
