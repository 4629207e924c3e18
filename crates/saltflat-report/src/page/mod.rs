//! Writes pages: runs in, HTML out.

mod contents;
mod default_figures;
mod figures;
mod group;
mod html;

pub use contents::{AnyFigure, Drawing, Figure, Finding, Name, Page, Source};
pub use figures::{
    Bound, CommonKeys, Correlation, Curves, FIGURES, FinalValues, Phase, Reference, Samples, Spectra, parse_figures,
    read_figure,
};
pub use group::Group;
pub use html::html;
