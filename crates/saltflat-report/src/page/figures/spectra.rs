//! Spectral densities of the groups.

use saltflat_config::Section;
use saltflat_metrics::Spectrum;

use super::common::{CommonKeys, FigureKind, no_data, sentences};
use crate::measured_loss::in_words;
use crate::metric::words;
use crate::page::contents::{Drawing, Figure, Name, Page};
use crate::run::spectral_density as found_density;
use crate::{Field, ReportError, Row, Run, SpectralDensity, VerticalLine, number, spectral_density, value};

/// Width of the Gaussian kernel, as a part of the range of eigenvalues.
const SMOOTHING: f64 = 0.01;
const POINTS: usize = 600;

/// The last spectral density of a run of each group, a figure each.
#[derive(Debug, Clone, Default)]
pub struct Spectra {
    /// The keys of every kind. The name of the group follows the title.
    pub common: CommonKeys,
}

impl FigureKind for Spectra {
    const NAME: &'static str = "spectrum";
    const EXAMPLE: &'static str = "";

    fn read(section: &mut Section) -> Self {
        Self { common: CommonKeys::read(section) }
    }
}

impl Figure for Spectra {
    fn draw(&self, page: &Page) -> Result<Vec<Drawing>, ReportError> {
        let heading = self.common.title_or(|| "Eigenvalues of the Hessian".into());
        let groups = self.common.select(page);
        let mut drawings = Vec::new();
        for group in &groups {
            let Some((run, row, found)) = group.counting().find_map(last) else { continue };
            let spectrum: Spectrum = serde_json::from_value(found.to_value()).map_err(|e| ReportError::Run {
                path: run.folder.join("metrics.jsonl"),
                reason: format!("spectral_density: {e}"),
            })?;
            let title = format!("{heading}: {}", group.name);
            let edge = run.value(row, "stability_edge");
            let mark = edge.map(|at| VerticalLine { at, label: format!("2(1+β)/η = {}", number(at)) });
            let density = SpectralDensity::of(&spectrum, &title, POINTS, mark);
            let ((low, high), how) = (spectrum.range(), &density.subtitle);
            let svg = spectral_density(&density)?;
            let epoch = value(row, "epoch").map(number).unwrap_or_default();
            let mut numbers = vec![format!("From {} to {}, {how}", number(low), number(high))];
            numbers.extend(edge.map(|at| format!("{}: {}", words("stability_edge"), number(at))));
            let loss = in_words(&run.measured_loss(row));
            let of_run = format!("{} at epoch {epoch}, seed {}; loss: {loss}", run.name, run.seed);
            let caption = self.common.caption(&[of_run]);
            drawings.push(Drawing { title, svg, caption, numbers: sentences(&numbers) });
        }
        if drawings.is_empty() { Err(no_data(&heading, "spectral_density", &groups)) } else { Ok(drawings) }
    }

    fn names(&self) -> Vec<(&'static str, Name<'_>)> {
        self.common.with_names(Vec::new())
    }
}

impl SpectralDensity {
    /// That of a measured spectrum, smoothed and at so many points.
    pub fn of(spectrum: &Spectrum, title: &str, points: usize, edge: Option<VerticalLine>) -> Self {
        let Spectrum { dimension, deflated, probes } = spectrum;
        let (low, high) = spectrum.range();
        let steps = probes.iter().map(|q| q.nodes.len()).max().unwrap_or(0);
        let weighted = probes.iter().flat_map(|q| q.nodes.iter().zip(&q.weights));
        let nodes = weighted.map(|(&x, w)| (x, w / (probes.len() as f64 * *dimension as f64)));
        Self {
            title: title.into(),
            subtitle: format!(
                "{dimension} parameters, {} probes of {steps} Lanczos steps, {} eigenvalues exactly",
                probes.len(),
                deflated.len()
            ),
            curve: spectrum.density(SMOOTHING * (high - low).max(f64::MIN_POSITIVE), points),
            nodes: nodes.chain(deflated.iter().map(|&x| (x, 1.0 / *dimension as f64))).collect(),
            edge,
        }
    }
}

/// The last spectral density of a run, with its row.
fn last(run: &Run) -> Option<(&Run, &Row, Field<'_>)> {
    let of_row = |row| Some((run, row, found_density(row)?));
    run.measurements.iter().rev().find_map(of_row)
}
