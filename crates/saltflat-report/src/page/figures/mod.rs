//! The kinds of figures, and those of a page for which nobody chose any. A kind is a file here and a name in the list [`FIGURES`].

mod bound;
mod common;
mod compared;
mod correlation;
mod curves;
mod expression;
mod final_values;
mod level;
mod phase;
mod phase_rows;
mod run_values;
mod samples;
mod spectra;

use std::path::Path;

use saltflat_config::{Kind, Listed, Problem, Problems, Section, parse};
use toml::Table;

pub use self::common::CommonKeys;
use self::common::FigureKind;
pub use self::{expression::Expression, level::Level};
use super::contents::{AnyFigure, Page};
use crate::Run;
use crate::run::spectral_density;

macro_rules! figures {
    ($($file:ident::$kind:ident),* $(,)?) => {
        $(pub use $file::*;
        impl Listed for $kind {})*

        /// Every kind of figure: its name in TOML, an example, and how its table is read.
        pub const FIGURES: &[Kind<fn(&mut Section) -> AnyFigure>] = &[$(Kind {
            name: $kind::NAME,
            example: $kind::EXAMPLE,
            read: |section| $kind::read(section).into(),
        }),*];
    };
}

figures![
    curves::Curves,
    correlation::Correlation,
    final_values::FinalValues,
    bound::Bound,
    spectra::Spectra,
    phase::Phase,
    samples::Samples,
];

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

impl Page {
    /// Figures for runs of which nothing is known: the course of flatness and test accuracy, their correlation, bounds and
    /// spectra, as far as they were measured.
    pub fn default_figures(&self) -> Vec<AnyFigure> {
        let known = self.metrics();
        let has = |name: &str| known.iter().any(|k| k == name);
        let mut figures: Vec<AnyFigure> = Vec::new();
        for name in
            ["trace_hessian", "top_eigenvalues", "test_accuracy", "loss", "noise_sq"].into_iter().filter(|n| has(n))
        {
            figures.push(Curves::new(name).into());
        }
        if !has("loss") && has("running_loss") {
            figures.push(Curves::new("running_loss").into());
        }
        if has("trace_hessian") && has("test_accuracy") {
            figures.push(Correlation::new("trace_hessian", "test_accuracy").into());
        }
        if has("trace_hessian") && self.groups().len() > 1 {
            figures.push(FinalValues::new("trace_hessian").into());
        }
        // Each bound beside what was measured on its own samples.
        let bounds: [(&str, &[&str]); 2] = [
            ("gram_frobenius", &["wu_bound_frobenius", "wu_bound_frobenius_mu1"]),
            ("gram_top_eigenvalue", &["dexter_bound"]),
        ];
        for (measured, bounds) in bounds {
            let bounds: Vec<&str> = bounds.iter().copied().filter(|bound| has(bound)).collect();
            if has(measured) && !bounds.is_empty() {
                figures.push(Bound::new(measured, &bounds).into());
            }
        }
        if has("top_eigenvalues") {
            figures.push(Bound::new("top_eigenvalues", &["stability_edge"]).into());
        }
        let spectra = |run: &Run| run.measurements.iter().any(|row| spectral_density(row).is_some());
        if self.runs.iter().any(spectra) {
            figures.push(Spectra::default().into());
        }
        figures
    }
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
