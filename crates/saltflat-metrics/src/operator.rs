//! Symmetric matrices that are known by their products.

use saltflat_models::Vector;

use crate::{Interrupt, MetricError, error::read};

/// A symmetric matrix A of size p × p, known by its products with vectors.
pub trait Operator {
    /// A vector of the space that A acts on: its layout, device and number type.
    fn space(&self) -> &Vector;

    /// The interrupt, which code that makes several products checks between them. A product checks it by itself.
    fn interrupt(&self) -> Interrupt<'_> {
        Interrupt::default()
    }

    /// A v.
    ///
    /// # Errors
    /// [`MetricError::Interrupted`].
    fn apply(&self, v: &Vector) -> Result<Vector, MetricError>;

    /// A v and, from the same pass over the samples, vᵀAv by microbatch.
    ///
    /// # Errors
    /// [`MetricError::Device`] if the numbers cannot be read, and [`MetricError::Interrupted`].
    fn apply_with_forms(&self, v: &Vector) -> Result<(Vector, QuadraticForms), MetricError> {
        let product = self.apply(v)?;
        let form = number(v.dot(&product))?;
        Ok((product, QuadraticForms { sizes: vec![1], by_batch: vec![vec![form]] }))
    }

    /// vᵀAv for each direction; cheaper than the product if the operator has a way without a backward pass.
    ///
    /// # Errors
    /// [`MetricError::Device`] if the numbers cannot be read, and [`MetricError::Interrupted`].
    fn forms(&self, directions: &[Vector]) -> Result<QuadraticForms, MetricError> {
        let forms = directions.iter().map(|v| Ok(vec![number(v.dot(&self.apply(v)?))?]));
        Ok(QuadraticForms { sizes: vec![1], by_batch: forms.collect::<Result<_, MetricError>>()? })
    }

    /// Products and quadratic forms so far.
    fn products(&self) -> usize;
}

/// vᵀAv for some directions, where A = Σ n_g A_g / n is a mean over microbatches of n_g samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuadraticForms {
    /// n_g.
    pub sizes: Vec<usize>,
    /// vᵀA_g v, `[directions][microbatches]`.
    pub by_batch: Vec<Vec<f64>>,
}

impl QuadraticForms {
    /// vᵀAv for each direction.
    pub fn values(&self) -> Vec<f64> {
        let n = self.sizes.iter().sum::<usize>() as f64;
        let mean =
            |row: &Vec<f64>| row.iter().zip(&self.sizes).map(|(form, &size)| form * size as f64).sum::<f64>() / n;
        self.by_batch.iter().map(mean).collect()
    }

    /// Appends the forms of further directions, over the same microbatches.
    pub fn extend(&mut self, other: Self) {
        self.sizes = other.sizes;
        self.by_batch.extend(other.by_batch);
    }

    /// Standard error of the mean of the forms over directions that comes from A being a mean over these n samples and not
    /// over all `population` they were drawn from: from the spread between microbatches,
    /// se² = (1 − n/N) · G/(G−1) · Σ (n_g/n)² (t_g − t)². The spread of the probes inflates it a little. Absent for fewer
    /// than two microbatches; 0 for the whole population.
    pub fn subset_error(&self, population: usize) -> Option<f64> {
        let n: usize = self.sizes.iter().sum();
        if n >= population {
            return Some(0.0);
        }
        let groups = self.sizes.len();
        if groups < 2 || self.by_batch.is_empty() {
            return None;
        }
        let directions = self.by_batch.len() as f64;
        let means: Vec<f64> =
            (0..groups).map(|g| self.by_batch.iter().map(|row| row[g]).sum::<f64>() / directions).collect();
        let weights: Vec<f64> = self.sizes.iter().map(|&size| size as f64 / n as f64).collect();
        let mean: f64 = means.iter().zip(&weights).map(|(t, w)| t * w).sum();
        let spread: f64 = means.iter().zip(&weights).map(|(t, w)| (w * (t - mean)).powi(2)).sum();
        let unseen = 1.0 - n as f64 / population as f64;
        Some((unseen * spread * groups as f64 / (groups as f64 - 1.0)).sqrt())
    }
}

/// The one number in a tensor.
pub(crate) fn number(tensor: burn::tensor::Tensor<1>) -> Result<f64, MetricError> {
    Ok(read("an inner product", tensor)?.first().copied().unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: two groups of 2 and 4 samples, forms 1 and 4 along one direction: mean (2 + 16)/6 = 3; spread
    /// (1/3 · −2)² + (2/3 · 1)² = 8/9; times 2, times 1 − 6/12: √(8/9).
    #[test]
    fn means_and_subset_errors_by_hand() {
        let forms = QuadraticForms { sizes: vec![2, 4], by_batch: vec![vec![1.0, 4.0]] };
        assert_eq!(forms.values(), [3.0]);
        let error = forms.subset_error(12).expect("two groups");
        assert!((error - (8.0_f64 / 9.0).sqrt()).abs() < 1e-15, "{error}");
        assert_eq!(forms.subset_error(6), Some(0.0));
        assert_eq!(QuadraticForms { sizes: vec![6], by_batch: vec![vec![1.0]] }.subset_error(12), None);
    }
}
