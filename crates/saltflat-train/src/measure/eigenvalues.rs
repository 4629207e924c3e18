//! Eigenvalues at both ends of the spectrum of the Hessian.

use saltflat_config::Section;
use saltflat_metrics::{Curvature, DiagonalBlock, Estimate, LanczosOptions, MetricError, lanczos};
use saltflat_random::Stream;
use saltflat_record::metric::{self, Group};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    context::{Cost, MeasurementContext, MetricGroup},
    sizes::{LANCZOS_PRODUCTS, MeasurementSizes},
};

/// `metrics.eigenvalues`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EigenvaluesConfig {
    /// How many of the largest; default 5.
    pub largest: usize,
    /// How many of the smallest; default 1.
    pub smallest: usize,
    /// Residual, relative to the largest |λ|; default 1e-3.
    pub tolerance: f64,
    /// Products at most; default 300.
    pub products: usize,
    /// Also the largest eigenvalue of the diagonal block of each parameter tensor, a search of its own with as many products at most;
    /// default false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_tensor: bool,
    /// In multiples of the section's schedule; default 1.
    pub every: u64,
}

impl EigenvaluesConfig {
    pub(crate) fn read(section: &mut Section) -> Self {
        let default = LanczosOptions::default();
        let tolerance = section.optional("tolerance", "a number in (0, 1)", |x: &f64| *x > 0.0 && *x < 1.0);
        Self {
            largest: section.count("largest").unwrap_or(default.largest),
            smallest: section.get("smallest").unwrap_or(default.smallest),
            tolerance: tolerance.unwrap_or(default.tolerance),
            products: section.count("products").unwrap_or(default.products),
            by_tensor: section.get("by_tensor").unwrap_or(false),
            every: section.count("every").unwrap_or(1),
        }
    }

    fn count(&self) -> usize {
        self.largest.saturating_add(self.smallest)
    }

    /// Products of the search, a guess.
    fn expected_products(&self) -> usize {
        LANCZOS_PRODUCTS.saturating_mul(self.count()).min(self.products)
    }

    /// The largest eigenvalue of each tensor's block. Tensor t draws under substream t + 1; the search on the whole space has 0.
    fn by_tensor(&self, context: &MeasurementContext<'_>) -> Result<(Vec<Value>, Cost), MetricError> {
        let options = LanczosOptions {
            largest: 1,
            smallest: 0,
            tolerance: self.tolerance,
            products: self.products,
            memory: context.memory.vectors,
        };
        let operator = context.operator(Curvature::Hessian);
        let of_block = |(block, tensor): (&DiagonalBlock<'_>, u32)| {
            let key = context.key(Stream::Eigenvalue).substream(tensor);
            let none = || Estimate::absent("the tensor has no entries");
            match lanczos(block, &options, &[], key) {
                Ok(found) => Ok(found.largest.first().map_or_else(|| json!(none()), |found| json!(found))),
                Err(error) => Ok(json!(Estimate::absent(error.absence()?))),
            }
        };
        let found: Result<Vec<Value>, MetricError> =
            DiagonalBlock::all(&operator).iter().zip(1..).map(of_block).collect();
        Ok((found?, Cost::of(&operator)))
    }
}

impl MetricGroup for EigenvaluesConfig {
    fn group(&self) -> &'static Group {
        &metric::EIGENVALUES
    }

    fn select(&mut self, is_asked: &dyn Fn(&str) -> bool) {
        self.by_tensor |= is_asked(metric::TOP_EIGENVALUE_BY_TENSOR.name);
    }

    fn cost(&self, sizes: &MeasurementSizes) -> f64 {
        let of_tensor = if self.by_tensor { (2 * LANCZOS_PRODUCTS).min(self.products) } else { 0 };
        let products = self.expected_products().saturating_add(of_tensor.saturating_mul(sizes.tensors));
        products as f64 * 8.0 / 3.0 * sizes.subset as f64
    }

    fn repetitions(&self) -> usize {
        self.expected_products()
    }

    fn with_repetitions(&self, count: usize) -> Box<dyn MetricGroup> {
        Box::new(Self { products: self.products.min(count.max(self.count())), ..self.clone() })
    }

    fn measure(&self, context: &mut MeasurementContext<'_>) -> Result<Cost, MetricError> {
        let options = LanczosOptions {
            largest: self.largest,
            smallest: self.smallest,
            tolerance: self.tolerance,
            products: self.products,
            memory: context.memory.vectors,
        };
        let operator = context.operator(Curvature::Hessian);
        let found = lanczos(&operator, &options, &context.eigenvectors, context.key(Stream::Eigenvalue));
        let mut cost = Cost::of(&operator);
        match found {
            Ok(found) => {
                context.largest = found.largest.first().map(|eigenvalue| eigenvalue.value);
                context.put(&metric::TOP_EIGENVALUES, &found.largest);
                if let Some(smallest) = found.smallest.first() {
                    context.put(&metric::MIN_EIGENVALUE, smallest);
                }
                context.found.vectors.eigenpairs =
                    found.largest.into_iter().zip(found.largest_vectors.iter().cloned()).collect();
                context.eigenvectors = found.largest_vectors;
            }
            Err(error) => {
                let reason = error.absence()?;
                context.put(&metric::TOP_EIGENVALUES, [Estimate::absent(&reason)]);
                if self.smallest > 0 {
                    context.put(&metric::MIN_EIGENVALUE, Estimate::absent(reason));
                }
                context.eigenvectors.clear();
            }
        }
        if self.by_tensor {
            let (found, more) = self.by_tensor(context)?;
            context.put_by_tensor(&metric::TOP_EIGENVALUE_BY_TENSOR, &found);
            cost.gradients += more.gradients;
            cost.products += more.products;
        }
        Ok(cost)
    }
}
