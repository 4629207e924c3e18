//! The figures of a page, as a study names them.

use serde::Deserialize;

use crate::{
    PlotError, Scale,
    figures::{Bound, Correlation, Curves, Final, Phase, Samples, Spectra},
    page::Page,
};

/// A figure of a page; `kind` says which in TOML.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Figure {
    /// A metric over epochs or steps, a line a group.
    Curves(Curves),
    /// One metric against another along the trajectories.
    Correlation(Correlation),
    /// The last value of a metric over an axis or over the groups.
    Final(Final),
    /// A measured quantity against theoretical bounds.
    Bound(Bound),
    /// Spectral densities, one a group.
    Spectrum(Spectra),
    /// A cell for each pair of values of two axes, of runs or of their rows.
    Phase(Phase),
    /// A list of numbers, one a sample, in order of size.
    Samples(Samples),
}

/// A figure that was drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// What is shown.
    pub title: String,
    /// The figure.
    pub svg: String,
    /// What to know when reading it: number of runs, what is left out, correlations.
    pub caption: String,
    /// The numbers in words, for those who cannot see it.
    pub numbers: String,
}

impl Figure {
    /// Draws it from the runs of a page; spectra, bounds and diagrams of rows may be several.
    ///
    /// # Errors
    /// [`PlotError::Nothing`] where no run holds what it shows, and what the drawing says.
    pub fn draw(&self, page: &Page) -> Result<Vec<Drawing>, PlotError> {
        match self {
            Figure::Curves(figure) => figure.draw(page).map(|d| vec![d]),
            Figure::Correlation(figure) => figure.draw(page).map(|d| vec![d]),
            Figure::Final(figure) => figure.draw(page).map(|d| vec![d]),
            Figure::Bound(figure) => figure.draw(page),
            Figure::Spectrum(figure) => figure.draw(page),
            Figure::Samples(figure) => figure.draw(page).map(|d| vec![d]),
            Figure::Phase(figure) => figure.draw(page),
        }
    }

    /// A metric over epochs.
    pub fn curves(y: &str) -> Self {
        Figure::Curves(Curves { y: y.into(), ..Curves::default() })
    }

    /// One metric against another.
    pub fn correlation(x: &str, y: &str) -> Self {
        Figure::Correlation(Correlation { x: x.into(), y: y.into(), ..Correlation::default() })
    }

    /// The last values of a metric over the groups.
    pub fn finals(y: &str) -> Self {
        Figure::Final(Final { y: y.into(), ..Final::default() })
    }

    /// A measured quantity against bounds.
    pub fn bound(measured: &str, bounds: &[&str]) -> Self {
        let bounds = bounds.iter().map(ToString::to_string).collect();
        Figure::Bound(Bound { measured: measured.into(), bounds, ..Bound::default() })
    }

    /// Spectral densities.
    pub fn spectrum() -> Self {
        Figure::Spectrum(Spectra::default())
    }
}

/// A logarithmic scale, if so.
pub(crate) fn scale(log: bool) -> Scale {
    if log { Scale::Log } else { Scale::Linear }
}
