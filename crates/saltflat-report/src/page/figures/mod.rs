//! The kinds of figures. A kind is a file here and a name in the list [`FIGURES`].

mod axis_values;
mod bound;
mod captions;
mod common;
mod correlation;
mod curves;
mod final_values;
mod kind;
mod phase;
mod phase_rows;
mod samples;
mod spectra;
mod trajectories;

use std::path::Path;

use saltflat_config::{Kind, Listed, Problem, Problems, Section, parse};
use toml::Table;

use self::kind::FigureKind;
pub use self::{
    bound::Bound,
    common::CommonKeys,
    correlation::Correlation,
    curves::{Curves, Reference},
    final_values::FinalValues,
    phase::Phase,
    samples::Samples,
    spectra::Spectra,
};
use super::contents::AnyFigure;

macro_rules! figures {
    ($($kind:ident),* $(,)?) => {
        $(impl Listed for $kind {})*

        /// Every kind of figure: its name in TOML, an example, and how its table is read.
        pub const FIGURES: &[Kind<fn(&mut Section) -> AnyFigure>] = &[$(Kind {
            name: $kind::NAME,
            example: $kind::EXAMPLE,
            read: |section| $kind::read(section).into(),
        }),*];
    };
}

figures![Curves, Correlation, FinalValues, Bound, Spectra, Phase, Samples];

/// Reads the table of one figure, whose key `kind` names its kind.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_figure(table: Table) -> Result<AnyFigure, Vec<Problem>> {
    let problems = Problems::default();
    let figure = read(Section::root(table, Path::new(""), &problems));
    let found = problems.take();
    figure.filter(|_| found.is_empty()).ok_or(found)
}

/// Reads the `[[figure]]` tables of a text, as a study or a lab writes them.
///
/// # Errors
/// Everything that is wrong with them, or the text.
pub fn parse_figures(text: &str) -> Result<Vec<AnyFigure>, Vec<Problem>> {
    let problems = Problems::default();
    let mut root = Section::root(parse(text).map_err(|problem| vec![problem])?, Path::new(""), &problems);
    let tables = if root.has("figure") { root.tables("figure") } else { Vec::new() };
    let figures = tables.into_iter().filter_map(read).collect();
    root.finish("a list of figures");
    let found = problems.take();
    if found.is_empty() { Ok(figures) } else { Err(found) }
}

fn read(mut section: Section) -> Option<AnyFigure> {
    let kind = section.kind(FIGURES)?;
    let figure = (kind.read)(&mut section);
    section.finish_with(&format!("[[figure]] of kind {}", kind.name), kinds_with);
    Some(figure)
}

/// The kinds that have this key.
fn kinds_with(key: &str) -> Option<String> {
    let has = |kind: &&Kind<fn(&mut Section) -> AnyFigure>| Section::keys_of(kind.read).contains(&key);
    let kinds: Vec<&str> = FIGURES.iter().filter(has).map(|kind| kind.name).collect();
    (!kinds.is_empty()).then(|| kinds.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{super::contents::Name, *};

    #[test]
    fn every_name_of_a_figure() {
        let figure = |text: &str| read_figure(parse(text).expect("a table")).expect("a figure");
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
