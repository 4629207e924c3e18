//! The catalogue of metrics: everything that is to be known of a metric but how it is measured.
//!
//! A metric is one entry in `catalogue.rs`, and is recorded through its constant. The tables of `train` and `measure`, `watch`, pages and
//! files for TensorBoard read the catalogue.

mod catalogue;
mod entry;

pub use catalogue::*;
pub use entry::{Column, ColumnStyle, DependsOn, Format, Group, Metric, Origin, Reference, SampleSet, Shape};

/// Every metric, in the order in which tables and pages show them.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    GROUPS.iter().flat_map(|group| group.metrics).copied()
}

/// The groups with values of this origin.
pub fn groups_from(origin: Origin) -> impl Iterator<Item = &'static Group> {
    GROUPS.iter().copied().filter(move |group| group.origin == origin)
}

/// The metric of this name.
pub fn find(name: &str) -> Option<&'static Metric> {
    all().find(|metric| metric.name == name)
}

/// A metric in words, for axes and tables; without words its name.
pub fn words(name: &str) -> &str {
    find(name).map(|metric| metric.words).filter(|words| !words.is_empty()).unwrap_or(name)
}

/// The loss that values of a metric depend on. A metric that is not known depends on the measured one, so that it is not
/// compared with values under other losses.
pub fn depends_on(name: &str) -> DependsOn {
    find(name).map_or(DependsOn::MeasuredLoss, |metric| metric.depends_on)
}

/// The place of a metric among those that a reader looks for first, if it is one of them.
pub fn headline_rank(name: &str) -> Option<usize> {
    all().filter(|metric| metric.is_headline).position(|metric| metric.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_stands_once_and_an_unknown_one_depends_on_the_loss() {
        for metric in all() {
            assert_eq!(all().filter(|other| other.name == metric.name).count(), 1, "{}", metric.name);
        }
        let of = |names: &[&str]| names.iter().map(|name| depends_on(name)).collect::<Vec<_>>();
        assert_eq!(of(&["accuracy", "test_accuracy", "weight_norm"]), [DependsOn::NoLoss; 3]);
        let measured = ["trace_hessian", "mu", "trace_hessian_by_tensor.layers.0.bias"];
        assert_eq!(of(&measured), [DependsOn::MeasuredLoss; 3]);
        assert_eq!(of(&["running_loss", "a metric of tomorrow"]), [DependsOn::TrainingLoss, DependsOn::MeasuredLoss]);
    }
}
