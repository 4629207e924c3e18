//! `[metrics]`, and which metrics are measured, by their names.

use std::path::Path;

use saltflat_config::{Problems, Section, nearest};
use saltflat_metrics::Curvature;
use saltflat_record::metric::{self, Group, Origin};
use serde::{Serialize, Serializer};
use toml::Table;

use super::{MeasuredLossConfig, optimizer::read_measured_loss};
use crate::measure::{
    AlignmentConfig, EigenvaluesConfig, Evaluate, MeasuredSplit, MetricGroup, PairsOptions, SharpnessConfig,
    SpectrumConfig, StabilityConfig, TraceConfig,
};

/// `metrics.noise_strength`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoiseStrengthConfig {
    /// Measures every so many steps of an epoch that ends with a measurement; each costs one more gradient; default 1.
    pub every_steps: u64,
}

/// The section, from the list of its groups: a field, the type of its table, whether it is on unless switched off, and what reads the
/// table.
macro_rules! metrics_config {
    ($($(#[$doc:meta])* $group:ident: $config:ty, $default:literal, $read:expr;)*) => {
        /// `[metrics]`: what is measured, and when. `evaluate`, `trace`, `alignment` and `noise_strength` are on unless switched off
        /// (`trace = false`), the other groups are off unless asked for (`spectrum = true`, or a table); `enabled = false` is for
        /// none at all.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        pub struct MetricsConfig {
            /// A measurement every so many epochs; default 1. A group may have a schedule of its own, in multiples of these.
            pub every_epochs: u64,
            /// A measurement every so many steps instead.
            pub every_steps: Option<u64>,
            /// Also at the start and at the end, wherever that is; default true.
            pub at_ends: bool,
            /// The loss that everything here is measured on, whatever the run trains on; absent: the trained one.
            pub loss: Option<MeasuredLossConfig>,
            /// `train` or `test`: the samples that everything but loss and accuracy, which are of both, is measured on; default train. On
            /// test samples the metrics of the training steps have no value.
            #[serde(skip_serializing_if = "MeasuredSplit::is_train")]
            pub split: MeasuredSplit,
            /// Samples of that split on which curvature and gradient norm are measured; absent: all.
            pub samples: Option<usize>,
            /// Samples of one forward pass at most; default 500, and fewer if `memory_limit` asks for it. Bounds the memory,
            /// changes nothing else.
            pub microbatch: usize,
            /// MiB that a measurement may take beside model and data; default 2048.
            pub memory_limit: usize,
            /// In training, also files of the diagonal (`metrics.trace.diagonal`) and of the eigenvectors (`metrics.eigenvalues`) of H, in
            /// `vectors/` of the run folder, a folder a measurement; default false.
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            pub vectors: bool,
            /// Loss and accuracy of both splits, gradient and weight norm; default true.
            pub evaluate: bool,
            $($(#[$doc])* #[serde(serialize_with = "or_false")] pub $group: Option<$config>,)*
            /// trace_from_noise, of the steps between two measurements.
            #[serde(serialize_with = "or_false")]
            pub noise_strength: Option<NoiseStrengthConfig>,
        }

        impl MetricsConfig {
            fn read_keys(section: &mut Section) -> Self {
                let other_loss = section.has("loss");
                let loss = read_measured_loss(section.section("loss"));
                Self {
                    every_epochs: section.count("every_epochs").unwrap_or(1),
                    every_steps: section.count("every_steps"),
                    at_ends: section.get("at_ends").unwrap_or(true),
                    loss: other_loss.then_some(loss),
                    split: section.choice("split", &MeasuredSplit::ALL).unwrap_or(MeasuredSplit::Train),
                    samples: section.count("samples"),
                    microbatch: section.count("microbatch").unwrap_or(500),
                    memory_limit: section.count("memory_limit").unwrap_or(2048),
                    vectors: section.get("vectors").unwrap_or(false),
                    evaluate: section.get("evaluate").unwrap_or(true),
                    $($group: switch(section, stringify!($group), $default, $read),)*
                    noise_strength: switch(section, "noise_strength", true, |table| NoiseStrengthConfig {
                        every_steps: table.count("every_steps").unwrap_or(1),
                    }),
                }
            }

            /// The groups that are on, in the order in which they are measured, and at every how many measurements each is.
            pub(crate) fn schedule(&self) -> impl Iterator<Item = (&dyn MetricGroup, u64)> {
                let evaluate = self.evaluate.then_some((&Evaluate as &dyn MetricGroup, 1));
                let others = [$(self.$group.as_ref().map(|group| (group as &dyn MetricGroup, group.every.max(1)))),*];
                evaluate.into_iter().chain(others.into_iter().flatten())
            }

            /// Switches groups on, with their defaults if they were off, for which `is_on` is true, and off for which it is not;
            /// `change` may change their settings.
            pub(super) fn switch_groups(
                &mut self,
                is_on: &dyn Fn(&dyn MetricGroup) -> bool,
                change: &dyn Fn(&mut dyn MetricGroup),
            ) {
                self.evaluate = is_on(&Evaluate);
                $(
                    let default = || Some(defaults($read));
                    self.$group = self.$group.take().or_else(default).filter(|group| is_on(group));
                    self.$group.iter_mut().for_each(|group| change(group));
                )*
                self.noise_strength = None;
            }

            /// What is due at measurement number `index` (0 is the first): the groups whose `every` divides it.
            pub(crate) fn due(&self, index: u64) -> Self {
                let mut due = self.clone();
                $(due.$group.take_if(|group| !index.is_multiple_of(group.every.max(1)));)*
                due
            }
        }
    };
}

metrics_config! {
    /// tr H and ‖H‖_F.
    trace: TraceConfig, true, |table| TraceConfig::read(table, Curvature::Hessian);
    /// tr GGN.
    gauss_newton: TraceConfig, false, |table| TraceConfig::read(table, Curvature::GaussNewton);
    /// Both ends of the spectrum of H.
    eigenvalues: EigenvaluesConfig, false, EigenvaluesConfig::read;
    /// Spectral density and the implicit regularizer.
    spectrum: SpectrumConfig, false, SpectrumConfig::read;
    /// α, β, μ and what they are made of.
    alignment: AlignmentConfig, true, AlignmentConfig::read;
    /// Coherence, the Dexter bounds, and the exact linear stability of SGD, on the alignment's samples.
    stability: StabilityConfig, false, StabilityConfig::read;
    /// Curvature along gradients and updates.
    sharpness: SharpnessConfig, false, SharpnessConfig::read;
}

/// The value, or `false` if there is none.
fn or_false<T: Serialize, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => value.serialize(serializer),
        None => serializer.serialize_bool(false),
    }
}

/// The table of a group that is on.
fn switch<T>(section: &mut Section, key: &'static str, default: bool, read: fn(&mut Section) -> T) -> Option<T> {
    let mut table = section.switch(key, default)?;
    let config = read(&mut table);
    table.finish(&format!("metrics.{key}"));
    Some(config)
}

/// What an empty table says.
fn defaults<T>(read: fn(&mut Section) -> T) -> T {
    read(&mut Section::root(Table::new(), Path::new(""), &Problems::default()))
}

impl MetricsConfig {
    /// The groups that are on, in the order in which they are measured.
    pub(crate) fn measured_groups(&self) -> impl Iterator<Item = &dyn MetricGroup> {
        self.schedule().map(|(group, _)| group)
    }

    /// True if anything is measured.
    pub fn is_on(&self) -> bool {
        self.noise_strength.is_some() || self.measured_groups().next().is_some()
    }

    /// Samples of one subset of the alignment; the stability takes as many if that is off.
    pub fn alignment_samples(&self) -> usize {
        self.alignment.as_ref().map_or(PairsOptions::default().samples, |alignment| alignment.samples)
    }

    /// Names of the groups that are on, in the order in which they are measured; the noise strength is measured in training
    /// only.
    pub fn groups(&self) -> Vec<&'static str> {
        self.measured_groups().map(|group| group.group().name).collect()
    }
}

pub(super) fn read(mut section: Section) -> MetricsConfig {
    let enabled = section.get("enabled").unwrap_or(true);
    let mut config = MetricsConfig::read_keys(&mut section);
    if !enabled {
        config.switch_groups(&|_| false, &|_| ());
    }
    let has_vectors = config.eigenvalues.is_some() || config.trace.as_ref().is_some_and(|trace| trace.diagonal);
    if enabled && config.vectors && !has_vectors {
        let text =
            "expected false, or metrics.eigenvalues or metrics.trace.diagonal on, whose vectors are written, got true";
        section.problem("vectors", text);
    }
    section.finish("[metrics]");
    config
}

impl MetricsConfig {
    /// Only the groups of these names, each the name of a group or of a metric, or `all`. A group that was off gets its
    /// defaults; if neither ‖H‖_F nor the traces by tensor are asked for, the trace takes quadratic forms.
    ///
    /// # Errors
    /// A sentence about the first name that is not known, with the nearest that is.
    pub fn only(&self, names: &[&str]) -> Result<Self, String> {
        let names_of =
            |group: &'static Group| std::iter::once(group.name).chain(group.selectable().map(|metric| metric.name));
        let known: Vec<&str> = metric::groups_from(Origin::Measurement).flat_map(names_of).collect();
        if let Some(name) = names.iter().find(|name| **name != "all" && !known.contains(name)) {
            let hint = match nearest(name, &known) {
                Some(near) => format!("; did you mean {near}?"),
                None => format!("; there are all, {}", known.join(", ")),
            };
            return Err(format!("{name} is not a metric{hint}"));
        }
        // `all` asks for every group, but for none of the metrics that a group gives only if they are asked for.
        let groups = || metric::groups_from(Origin::Measurement).map(|group| group.name);
        let is_asked =
            |name: &str| names.contains(&name) || names.contains(&"all") && groups().any(|group| group == name);
        let mut only = self.clone();
        only.switch_groups(&|group| names_of(group.group()).any(is_asked), &|group| group.select(&is_asked));
        Ok(only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every group of the catalogue that is measured has its entry in the list, in the same order.
    #[test]
    fn the_groups_are_those_of_the_catalogue() {
        let empty = Section::root(Table::new(), Path::new(""), &Problems::default());
        let all = read(empty).only(&["all"]).expect("all is a name");
        let expected: Vec<&str> = metric::groups_from(Origin::Measurement).map(|group| group.name).collect();
        assert_eq!(all.groups(), expected);
    }
}
