//! A line that a curve is compared with: a number, a metric, or an expression over keys of the configuration.

use saltflat_config::Section;
use saltflat_record::metric::{self, Reference};
use toml::Value;

use super::expression::Expression;
use crate::metric::words;
use crate::{CurveAxis, Row, Run, number};

/// A line to compare a curve with.
#[derive(Debug, Clone, PartialEq)]
pub enum Level {
    /// A number.
    Constant(f64),
    /// The values of a metric, such as a bound or `stability_edge`, which is 2(1 + β)/η.
    Metric(String),
    /// An expression over keys of a run's configuration.
    Expression(Expression),
}

impl Level {
    /// Reads the list of a key; a problem is noted in the section. `None` if the key is absent.
    pub(super) fn read_list(section: &mut Section, key: &'static str) -> Option<Vec<Self>> {
        let Value::Array(list) = section.value(key)? else {
            section.problem(key, "expected a list of numbers, metrics and expressions such as \"2(1+momentum)/lr\"");
            return None;
        };
        let mut levels = Vec::new();
        for item in &list {
            match Self::parse(item) {
                Ok(level) => levels.push(level),
                Err(problem) => section.problem(key, problem),
            }
        }
        Some(levels)
    }

    fn parse(item: &Value) -> Result<Self, String> {
        match item {
            Value::Integer(whole) => Ok(Self::Constant(*whole as f64)),
            Value::Float(number) if number.is_finite() => Ok(Self::Constant(*number)),
            Value::String(text) if is_name(text) => Ok(Self::Metric(text.clone())),
            Value::String(text) => Expression::parse(text).map(Self::Expression),
            other => Err(format!(
                "expected a finite number, the name of a metric or an expression such as \"2(1+momentum)/lr\", got {other}"
            )),
        }
    }

    /// The lines of a metric for which nobody chose any: the bounds that the catalogue compares it with, as far as they hold for the runs.
    pub(super) fn of_metric(name: &str, has_momentum: bool) -> Vec<Self> {
        let metric = |metric: &metric::Metric| Self::Metric(metric.name.into());
        match metric::find(name).and_then(|found| found.reference) {
            Some(Reference::EdgeOfStability) => vec![metric(&metric::STABILITY_EDGE)],
            Some(Reference::UnstableAbove(bounds)) => bounds.iter().map(|bound| metric(bound)).collect(),
            Some(Reference::DivergesAbove(_)) if has_momentum => Vec::new(),
            Some(Reference::DivergesAbove(bound)) => vec![metric(bound)],
            Some(Reference::TwoOverLr) => Expression::parse("2/lr").map(Self::Expression).into_iter().collect(),
            Some(Reference::AtMostOne | Reference::StableBelowOne | Reference::UnstableAboveOne) => {
                vec![Self::Constant(1.0)]
            }
            // These are estimates of the same value, or hold for SGD without momentum only.
            Some(Reference::Value(..) | Reference::LearningRate) | None => Vec::new(),
        }
    }

    /// What the legend calls it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Constant(value) => number(*value),
            Self::Metric(name) => words(name).into(),
            Self::Expression(expression) => expression.text.clone(),
        }
    }

    /// Its values for a run beside the curve of the metric `y`.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn values(&self, run: &Run, y: &str, over: &CurveAxis) -> Result<Vec<(f64, f64)>, String> {
        let beside = |value: &dyn Fn(&Row) -> Result<f64, String>| {
            let places = run.rows_with(y).filter_map(|row| Some((run.value(row, over.name())?, row)));
            places.map(|(x, row)| Ok((x, value(row)?))).collect()
        };
        match self {
            Self::Constant(value) => beside(&|_| Ok(*value)),
            Self::Metric(name) => {
                let points = run.curve(name, over.clone());
                if points.is_empty() { Err(format!("no row holds {name}")) } else { Ok(points) }
            }
            Self::Expression(expression) => beside(&|row| expression.value(run, row)),
        }
    }
}

/// Whether a text is the name of a metric and no expression.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2(1 + β)/η at the learning rates 0.5 and 0.25 of a schedule, with β = 0.5; before the first epoch that of the configuration, 1.
    #[test]
    fn an_expression_follows_the_schedule() {
        let row = |text: &str| serde_json::from_str::<Row>(text).unwrap();
        let run = Run {
            config: toml::from_str("[optimizer]\nlr = 1.0\nmomentum = 0.5").unwrap(),
            epochs: vec![row(r#"{"epoch":1,"lr":0.5}"#), row(r#"{"epoch":2,"lr":0.25}"#)],
            measurements: (0..3)
                .map(|i| row(&format!(r#"{{"epoch":{i},"metrics":{{"loss":{{"value":1}}}}}}"#)))
                .collect(),
            ..Run::default()
        };
        let levels = [Level::Metric("stability_edge".into()), Level::parse(&"2(1+momentum)/lr".into()).unwrap()];
        for level in levels {
            let found = level.values(&run, "loss", &CurveAxis::Epoch);
            assert_eq!(found, Ok(vec![(0.0, 3.0), (1.0, 6.0), (2.0, 12.0)]), "{level:?}");
        }
    }
}
