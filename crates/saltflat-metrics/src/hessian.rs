//! Products with the Hessian and with the Gauss–Newton matrix, never a difference quotient and never a p × p matrix.

use std::cell::Cell;

use burn::tensor::Tensor;
use saltflat_models::{Directions, Jet, Pass, Vector};

use crate::{Batch, Interrupt, MetricError, Objective, Operator, QuadraticForms, error::read, objective::add_to};

/// ∇L(θ), with the weight decay of the objective. Costs one gradient.
///
/// # Errors
/// [`MetricError::Interrupted`].
pub fn gradient(objective: &Objective<'_>, theta: &Vector) -> Result<Vector, MetricError> {
    let of_samples = objective.sum_of_gradients(theta, |theta, batch| {
        let outputs = objective.network.value(theta, objective.buffers, batch.inputs);
        Some(objective.loss.value(outputs, batch.targets))
    })?;
    Ok(with_decay(of_samples, objective.weight_decay, theta))
}

/// `sum` + w v; `sum` itself if w is 0.
fn with_decay(sum: Vector, weight_decay: f64, v: &Vector) -> Vector {
    if weight_decay == 0.0 { sum } else { sum.add_scaled(weight_decay, v) }
}

/// Which curvature matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curvature {
    /// H = ∇²L(θ).
    Hessian,
    /// GGN = (1/n) Σ Jᵢᵀ Aᵢ Jᵢ with Aᵢ = ∇²_f ℓᵢ.
    GaussNewton,
}

/// The Hessian or the Gauss–Newton matrix of an objective at θ, as an operator that counts its cost. Products are exact. With a weight decay w
/// of the objective it is that matrix plus w times the identity.
pub struct CurvatureOperator<'a> {
    objective: &'a Objective<'a>,
    theta: &'a Vector,
    curvature: Curvature,
    /// Directions of one pass of quadratic forms.
    directions_per_pass: usize,
    gradients: Cell<f64>,
    products: Cell<usize>,
}

/// Directions that share a pass of quadratic forms: of 1 + 4 K layer products the 1 is shared.
const DIRECTIONS_PER_PASS: usize = 4;

impl<'a> CurvatureOperator<'a> {
    /// The matrix at θ = `theta`.
    pub fn new(objective: &'a Objective<'a>, theta: &'a Vector, curvature: Curvature) -> Self {
        Self {
            objective,
            theta,
            curvature,
            directions_per_pass: DIRECTIONS_PER_PASS,
            gradients: Cell::new(0.0),
            products: Cell::new(0),
        }
    }

    /// Sets the number of directions that share a pass of [`forms`](Operator::forms); it changes time and memory, but no
    /// result.
    pub fn directions_per_pass(self, directions: usize) -> Self {
        Self { directions_per_pass: directions.max(1), ..self }
    }

    /// Cost so far, in gradients of the objective's n samples: 8/3 a product with H, 5/3 with the Gauss–Newton matrix,
    /// (1 + 4 K)/3 for K quadratic forms of H in one pass, (1 + 2 K)/3 of the Gauss–Newton matrix.
    pub fn gradients(&self) -> f64 {
        self.gradients.get()
    }

    fn count(&self, gradients: f64) {
        self.gradients.set(self.gradients.get() + gradients);
    }

    fn count_product(&self) {
        self.products.set(self.products.get() + 1);
        self.count(if self.curvature == Curvature::Hessian { 8.0 / 3.0 } else { 5.0 / 3.0 });
    }

    /// A microbatch's part of a product. Asks before every layer of the forward pass, which may take seconds, and before the
    /// backward pass.
    fn part(&self, batch: Batch, v: &Directions) -> Result<Vector, MetricError> {
        let leaves = self.theta.leaves();
        let term = self.term(&leaves, batch, v)?;
        self.objective.interrupt.check()?;
        Ok(match term {
            None => self.theta.zeros_like(),
            Some(term) => {
                // Not `div_scalar`: its backward pass rounds 1/n to f32.
                let mut gradients = term.sum().mul_scalar(1.0 / self.objective.len() as f64).backward();
                leaves.take_gradients(&mut gradients)
            }
        })
    }

    fn forms_of(&self, outputs: &Jet<2>, targets: Tensor<2>) -> Option<Tensor<2>> {
        match self.curvature {
            Curvature::Hessian => self.objective.loss.second(outputs, targets),
            Curvature::GaussNewton => self.objective.loss.gauss_newton(outputs),
        }
    }

    /// A product with the part of the weight decay.
    fn whole(&self, of_samples: Option<Vector>, v: &Vector) -> Vector {
        with_decay(of_samples.unwrap_or_else(|| self.theta.zeros_like()), self.objective.weight_decay, v)
    }

    /// Adds w ‖v‖² to the forms of each direction, `[directions][microbatches]`.
    fn add_decay(&self, by_batch: &mut [Vec<f64>], directions: &[Vector]) -> Result<(), MetricError> {
        let decay = self.objective.weight_decay;
        if decay == 0.0 {
            return Ok(());
        }
        let squares = Tensor::cat(directions.iter().map(Vector::norm_squared).collect(), 0);
        for (forms, square) in by_batch.iter_mut().zip(read("the length of a direction", squares)?) {
            forms.iter_mut().for_each(|form| *form += decay * square);
        }
        Ok(())
    }

    fn forward(&self, inputs: Tensor<4>, pass: &mut Pass<'_>) -> Result<Jet<2>, MetricError> {
        self.objective.network.forward_with(inputs, pass, &|| self.objective.interrupt.check())
    }

    /// What the backward pass of a product starts from, one number a sample.
    fn term(&self, theta: &Vector, batch: Batch, v: &Directions) -> Result<Option<Tensor<2>>, MetricError> {
        let (buffers, loss) = (self.objective.buffers, &self.objective.loss);
        Ok(match self.curvature {
            Curvature::Hessian => {
                let outputs = self.forward(batch.inputs, &mut Pass::jet(theta, buffers, v, 1))?;
                loss.first(&outputs, batch.targets)
            }
            Curvature::GaussNewton => {
                let still = theta.map(Tensor::without_autodiff);
                let jet = self.forward(batch.inputs.clone(), &mut Pass::jet(&still, buffers, v, 1))?;
                let Some(first) = jet.first else { return Ok(None) };
                let cotangent = loss.curvature_times(jet.value, first);
                let outputs = self.forward(batch.inputs, &mut Pass::value(theta, buffers))?.value;
                Some((outputs * cotangent.autodiff()).sum_dim(1))
            }
        })
    }
}

impl Operator for CurvatureOperator<'_> {
    fn space(&self) -> &Vector {
        self.theta
    }

    fn interrupt(&self) -> Interrupt<'_> {
        self.objective.interrupt
    }

    fn apply(&self, v: &Vector) -> Result<Vector, MetricError> {
        self.count_product();
        let direction = Directions::from(v);
        let mut sum = None;
        for batch in self.objective.batches() {
            add_to(&mut sum, self.part(batch?, &direction)?);
        }
        Ok(self.whole(sum, v))
    }

    fn apply_with_forms(&self, v: &Vector) -> Result<(Vector, QuadraticForms), MetricError> {
        self.count_product();
        let direction = Directions::from(v);
        let n = self.objective.len() as f64;
        let (mut sum, mut forms, mut sizes) = (None, Vec::new(), Vec::new());
        for batch in self.objective.batches() {
            let batch = batch?;
            let size = batch.inputs.dims()[0];
            let part = self.part(batch, &direction)?;
            forms.push(v.dot(&part).mul_scalar(n / size as f64));
            sizes.push(size);
            add_to(&mut sum, part);
        }
        let mut by_batch = vec![read("quadratic forms of the Hessian", Tensor::cat(forms, 0))?];
        self.add_decay(&mut by_batch, std::slice::from_ref(v))?;
        Ok((self.whole(sum, v), QuadraticForms { sizes, by_batch }))
    }

    fn forms(&self, directions: &[Vector]) -> Result<QuadraticForms, MetricError> {
        self.products.set(self.products.get() + directions.len());
        let order = if self.curvature == Curvature::Hessian { 2 } else { 1 };
        let mut forms = QuadraticForms::default();
        for chunk in directions.chunks(self.directions_per_pass) {
            self.count((1.0 + 2.0 * f64::from(order) * chunk.len() as f64) / 3.0);
            let stacked = Directions::new(chunk);
            let mut sums = Vec::new();
            let mut sizes = Vec::new();
            for batch in self.objective.batches() {
                let batch = batch?;
                let n = batch.inputs.dims()[0];
                let mut pass = Pass::jet(self.theta, self.objective.buffers, &stacked, order);
                let outputs = self.forward(batch.inputs, &mut pass)?;
                let of_samples = self.forms_of(&outputs, batch.targets).unwrap_or_else(|| {
                    Tensor::zeros([chunk.len() * n, 1], (&self.theta.parts()[0].device(), self.theta.dtype()))
                });
                sums.push(of_samples.reshape([chunk.len(), n]).mean_dim(1));
                sizes.push(n);
            }
            let batches = sums.len();
            // [K, microbatches]
            let read = read("quadratic forms of the Hessian", Tensor::cat(sums, 1))?;
            let mut of_chunk: Vec<Vec<f64>> = read.chunks(batches.max(1)).map(<[f64]>::to_vec).collect();
            self.add_decay(&mut of_chunk, chunk)?;
            forms.by_batch.extend(of_chunk);
            forms.sizes = sizes;
        }
        Ok(forms)
    }

    fn products(&self) -> usize {
        self.products.get()
    }
}
