//! What the catalogue says of a metric.

/// A number, or a list of numbers, that rows of `metrics.jsonl` hold under a name. Only the catalogue makes one, so a name that is not
/// in it cannot be recorded.
#[derive(Debug)]
#[non_exhaustive]
pub struct Metric {
    /// The name in `metrics.jsonl`, in figures and on the command line.
    pub name: &'static str,
    /// In words for headings and axes; empty if the name itself stands there.
    pub words: &'static str,
    /// The loss that its values depend on.
    pub depends_on: DependsOn,
    /// What a row holds under the name.
    pub shape: Shape,
    /// How a table of one measurement prints its value.
    pub format: Format,
    /// True for what a reader of a page looks for first.
    pub is_headline: bool,
    /// True if `watch` shows it.
    pub is_watched: bool,
    /// True if the end of a run compares its first and its last value.
    pub is_in_summary: bool,
    /// Its column in the table of epochs.
    pub column: Option<Column>,
    /// The theoretical value or bound that it is compared with.
    pub reference: Option<Reference>,
    /// True if it is a property of the training steps, which draw their batches from the training samples: it has no value on others.
    pub is_of_training: bool,
    /// The part of the name before the value of a parameter, if there is a metric of this kind for every value.
    pub prefix: Option<&'static str>,
}

/// What a metric is a property of, besides the weights and the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependsOn {
    /// The loss of the measurement: curvature, gradients, bounds on them.
    MeasuredLoss,
    /// The loss of the training steps.
    TrainingLoss,
    /// No loss: accuracies, the norm of the weights, settings, the strength of the added noise.
    NoLoss,
}

/// What a row holds under the name of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A number, an estimate with its error, a list of estimates, or an object of its own.
    Single,
    /// A list of numbers, one a sample, if the configuration asks for it.
    PerSample,
    /// An estimate for each tensor of the network, by its name.
    ByTensor,
}

/// How a table prints a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Four significant digits.
    Number,
    /// Just below 1 as the distance from it, `1 - 2.3e-5`, since four digits would say 1.0000.
    NearOne,
}

/// A column of the table of epochs.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its head.
    pub head: &'static str,
    /// Characters.
    pub width: usize,
    /// How its values are printed.
    pub style: ColumnStyle,
}

/// How the table of epochs prints a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnStyle {
    /// Four significant digits.
    Number,
    /// A share, in percent.
    Percent,
    /// With its standard error.
    WithError,
}

/// Samples that a metric is measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleSet {
    /// Those of the curvature.
    Curvature,
    /// Those of the alignment, all subsets together.
    Alignment,
}

/// The theoretical value or bound that a metric is compared with.
#[derive(Debug, Clone, Copy)]
pub enum Reference {
    /// The value of another metric, after these words, and the samples that it was measured on.
    Value(&'static str, &'static Metric, Option<SampleSet>),
    /// A sufficient condition for instability: the lowest of these bounds.
    UnstableAbove(&'static [&'static Metric]),
    /// A bound above which SGD without momentum diverges.
    DivergesAbove(&'static Metric),
    /// 2/η.
    TwoOverLr,
    /// 2(1+β)/η of the largest value of a list.
    EdgeOfStability,
    /// 1, which it cannot exceed.
    AtMostOne,
    /// 1, below which SGD is stable.
    StableBelowOne,
    /// 1, above which SGD is unstable; below it nothing is known.
    UnstableAboveOne,
    /// η: SGD without momentum is stable if η is below the value.
    LearningRate,
}

/// Where the values of a group of metrics come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A measurement at a point.
    Measurement,
    /// The training steps before a measurement.
    Steps,
    /// The row of an epoch.
    EpochRow,
    /// The configuration of a run, in figures.
    Figure,
    /// Anything else in rows that a page shows.
    Row,
}

/// Metrics that are measured together.
#[derive(Debug)]
#[non_exhaustive]
pub struct Group {
    /// The name of their table in `[metrics]`, if they are measured.
    pub name: &'static str,
    /// Where the values come from.
    pub origin: Origin,
    /// In the order in which they are measured.
    pub metrics: &'static [&'static Metric],
}

impl Metric {
    pub(super) const fn new(name: &'static str, words: &'static str, depends_on: DependsOn) -> Self {
        Self {
            name,
            words,
            depends_on,
            shape: Shape::Single,
            format: Format::Number,
            is_headline: false,
            is_watched: false,
            is_in_summary: false,
            column: None,
            reference: None,
            is_of_training: false,
            prefix: None,
        }
    }

    /// The name for a value of the parameter of a metric that has one.
    pub fn name_at(&self, parameter: f64) -> String {
        format!("{}{parameter}", self.prefix.unwrap_or(self.name))
    }
}

impl Group {
    /// The metrics that can be asked for by name: all but those of which every sample has one.
    pub fn selectable(&self) -> impl Iterator<Item = &'static Metric> {
        self.metrics.iter().copied().filter(|metric| metric.shape != Shape::PerSample)
    }
}
