//! Loss and accuracy of both splits, norms of gradient and weights, and the strength of the implicit regularization.

use std::time::Instant;

use saltflat_metrics::{
    Estimate, LabelNoiseScale, MetricError, Objective, effective_regularization, evaluate, gradient, norm,
};
use saltflat_record::metric::{self, Group, Metric};

use super::{
    context::{Cost, MeasurementContext, MetricGroup},
    sizes::MeasurementSizes,
};

/// `metrics.evaluate`, which has no keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evaluate;

impl MetricGroup for Evaluate {
    fn group(&self) -> &'static Group {
        &metric::EVALUATE
    }

    fn cost(&self, sizes: &MeasurementSizes) -> f64 {
        (sizes.train + sizes.test) as f64 / 3.0 + sizes.subset as f64
    }

    fn samples(&self, sizes: &MeasurementSizes) -> usize {
        sizes.train.max(sizes.test)
    }

    fn repetitions(&self) -> usize {
        1
    }

    fn with_repetitions(&self, _count: usize) -> Box<dyn MetricGroup> {
        Box::new(*self)
    }

    fn measure(&self, context: &mut MeasurementContext<'_>) -> Result<Cost, MetricError> {
        let train = first(&context.train, context.sizes.train);
        let mut evaluated = train.len();
        put_evaluation(context, &train, &metric::LOSS, &metric::ACCURACY)?;
        if let Some(test) = &context.test {
            let test = first(test, context.sizes.test);
            evaluated += test.len();
            put_evaluation(context, &test, &metric::TEST_LOSS, &metric::TEST_ACCURACY)?;
        }
        let clock = Instant::now();
        let gradient = gradient(&context.subset, context.point.theta)?;
        context.put(&metric::GRAD_NORM, Estimate::exact(norm(&gradient)?));
        context.put(&metric::WEIGHT_NORM, Estimate::exact(norm(context.point.theta)?));
        put_regularization(context);
        let of_gradient = Cost { seconds: clock.elapsed().as_secs_f64(), gradients: 1.0, products: 0 };
        context.found.costs.insert("gradient", of_gradient);
        let gradients = evaluated as f64 / 3.0 / context.subset.len().max(1) as f64 + 1.0;
        Ok(Cost { gradients, ..Cost::default() })
    }
}

/// The objective on its first samples.
fn first<'a>(objective: &Objective<'a>, count: usize) -> Objective<'a> {
    objective.on(objective.indices[..count].to_vec())
}

fn put_evaluation(
    context: &mut MeasurementContext<'_>,
    objective: &Objective<'_>,
    loss: &Metric,
    accuracy: &Metric,
) -> Result<(), MetricError> {
    let found = evaluate(objective, context.point.theta)?;
    context.put(loss, Estimate::exact(found.loss));
    if let Some(value) = found.accuracy {
        context.put(accuracy, Estimate::exact(value));
    }
    Ok(())
}

/// λ and λ/α. They are settings of the training, on the trained loss, whatever is measured.
fn put_regularization(context: &mut MeasurementContext<'_>) {
    let (training, batch_size) = (context.training.clone(), context.sizes.batch_size);
    let lambda = |strength: fn(LabelNoiseScale) -> Result<f64, String>| {
        let strength = training.label_noise.clone().and_then(strength);
        effective_regularization(strength, training.lr, batch_size, training.momentum)
    };
    context.put(&metric::EFFECTIVE_REGULARIZATION, lambda(LabelNoiseScale::variance));
    context.put(&metric::REGULARIZATION_PER_CURVATURE, lambda(LabelNoiseScale::ratio));
}
