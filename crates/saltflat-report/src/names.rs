//! What a figure refers to by name, so that a name that is not there can be refused before anything is measured.

use crate::{Figure, Over};

/// A name in a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// A metric with one number in a row of a run.
    Metric(&'a str),
    /// A metric that is a list of numbers, one a sample.
    List(&'a str),
    /// A stage of the study.
    Stage(&'a str),
    /// A group of runs: its name, its labels or its stage.
    Group(&'a str),
    /// An axis of the study, or a key of the configuration.
    Axis(&'a str),
}

impl Figure {
    /// Everything that it refers to, with the key that does.
    pub fn names(&self) -> Vec<(&'static str, Name<'_>)> {
        let mut names = Vec::new();
        let (stage, groups) = match self {
            Figure::Curves(figure) => {
                names.push(("y", Name::Metric(&figure.y)));
                if let Over::Metric(x) = &figure.x {
                    names.push(("x", Name::Metric(x)));
                }
                if let Some(reference) = &figure.reference {
                    names.extend(reference.metric.iter().map(|name| ("reference.metric", Name::Metric(name))));
                    names.extend(reference.stage.iter().map(|name| ("reference.stage", Name::Stage(name))));
                    names.extend(reference.group.iter().map(|name| ("reference.group", Name::Group(name))));
                }
                (&figure.stage, &figure.groups)
            }
            Figure::Correlation(figure) => {
                names.extend([("x", Name::Metric(&figure.x)), ("y", Name::Metric(&figure.y))]);
                (&figure.stage, &figure.groups)
            }
            Figure::Final(figure) => {
                names.push(("y", Name::Metric(&figure.y)));
                names.extend(figure.x.iter().map(|name| ("x", Name::Axis(name))));
                (&figure.stage, &figure.groups)
            }
            Figure::Bound(figure) => {
                names.push(("measured", Name::Metric(&figure.measured)));
                names.extend(figure.bounds.iter().map(|name| ("bounds", Name::Metric(name))));
                (&figure.stage, &figure.groups)
            }
            Figure::Spectrum(figure) => (&figure.stage, &figure.groups),
            Figure::Phase(figure) => {
                let of_axis = if figure.rows { Name::Metric } else { Name::Axis };
                names.extend([("x", of_axis(&figure.x)), ("y", of_axis(&figure.y))]);
                // The share of runs that diverged is no metric.
                if figure.rows || figure.value != "status" {
                    names.push(("value", Name::Metric(&figure.value)));
                }
                names.extend(figure.lines.iter().map(|name| ("lines", Name::Metric(name))));
                (&figure.stage, &figure.groups)
            }
            Figure::Samples(figure) => {
                names.push(("y", Name::List(&figure.y)));
                (&figure.stage, &figure.groups)
            }
        };
        names.extend(stage.iter().map(|name| ("stage", Name::Stage(name))));
        names.extend(groups.iter().map(|name| ("groups", Name::Group(name))));
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_figure() {
        let figure = |text: &str| toml::from_str::<Figure>(text).expect("a figure");
        let curves = "kind = 'curves'\ny = 'a'\nx = 'b'\nstage = 'c'\ngroups = ['d', 'e']\nreference = { stage = 'f', group = 'g', metric = 'h' }";
        assert_eq!(
            figure(curves).names(),
            [
                ("y", Name::Metric("a")),
                ("x", Name::Metric("b")),
                ("reference.metric", Name::Metric("h")),
                ("reference.stage", Name::Stage("f")),
                ("reference.group", Name::Group("g")),
                ("stage", Name::Stage("c")),
                ("groups", Name::Group("d")),
                ("groups", Name::Group("e")),
            ]
        );
        assert_eq!(figure("kind = 'curves'\ny = 'a'\nx = 'step'").names(), [("y", Name::Metric("a"))]);
        let bound = figure("kind = 'bound'\nmeasured = 'a'\nbounds = ['b', 'c']");
        let metrics = [("measured", Name::Metric("a")), ("bounds", Name::Metric("b")), ("bounds", Name::Metric("c"))];
        assert_eq!(bound.names(), metrics);
        let phase = figure("kind = 'phase'\nx = 'a'\ny = 'b'\nvalue = 'status'");
        assert_eq!(phase.names(), [("x", Name::Axis("a")), ("y", Name::Axis("b"))]);
        let rows = figure("kind = 'phase'\nrows = true\nx = 'a'\ny = 'b'\nvalue = 'c'\nlines = ['d']");
        let metrics = [("x", "a"), ("y", "b"), ("value", "c"), ("lines", "d")];
        assert_eq!(rows.names(), metrics.map(|(key, name)| (key, Name::Metric(name))));
    }
}
