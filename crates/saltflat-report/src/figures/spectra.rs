//! Spectral densities of the groups.

use saltflat_metrics::Spectrum;
use serde::Deserialize;

use super::{nothing, sentences};
use crate::{
    Mark, PlotError, Run, SpectralDensity, figure::Drawing, measured_loss::in_words, metric::words, number, page::Page,
    run::spectral_density as found_density, spectral_density, value,
};

/// Width of the Gaussian kernel, as a part of the range of eigenvalues.
const SMOOTHING: f64 = 0.01;
/// Points of the drawn density.
const POINTS: usize = 600;

/// The last spectral density of a run of each group, a figure each.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spectra {
    /// Only runs of this stage.
    #[serde(default)]
    pub stage: Option<String>,
    /// Only these groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Heading; the group follows.
    #[serde(default)]
    pub title: Option<String>,
    /// Goes before what is always said.
    #[serde(default)]
    pub caption: String,
}

impl Spectra {
    pub(crate) fn draw(&self, page: &Page) -> Result<Vec<Drawing>, PlotError> {
        let heading = self.title.as_deref().unwrap_or("Eigenvalues of the Hessian");
        let groups = page.selected(self.stage.as_deref(), &self.groups);
        let mut drawings = Vec::new();
        for group in &groups {
            let Some((run, row, found)) = group.counting().find_map(last) else { continue };
            let spectrum: Spectrum = serde_json::from_value(found.to_value()).map_err(|e| PlotError::Run {
                path: run.folder.join("metrics.jsonl"),
                reason: format!("spectral_density: {e}"),
            })?;
            let (low, high) = spectrum.range();
            let (steps, probes) = (spectrum.probes.first().map_or(0, |q| q.nodes.len()), spectrum.probes.len());
            let title = format!("{heading}: {}", group.name);
            let edge = run.value(row, "stability_edge");
            let dimension = spectrum.dimension as f64;
            let weighted = spectrum.probes.iter().flat_map(|q| q.nodes.iter().copied().zip(q.weights.iter().copied()));
            let nodes = weighted
                .map(|(x, w)| (x, w / (probes as f64 * dimension)))
                .chain(spectrum.deflated.iter().map(|&x| (x, 1.0 / dimension)));
            let how = format!(
                "{} parameters, {probes} probes of {steps} Lanczos steps, {} eigenvalues exactly",
                spectrum.dimension,
                spectrum.deflated.len()
            );
            let svg = spectral_density(&SpectralDensity {
                title: title.clone(),
                subtitle: how.clone(),
                curve: spectrum.density(SMOOTHING * (high - low).max(f64::MIN_POSITIVE), POINTS),
                nodes: nodes.collect(),
                edge: edge.map(|at| Mark { at, label: format!("2(1+β)/η = {}", number(at)) }),
            })?;
            let epoch = value(row, "epoch").map(number).unwrap_or_default();
            let mut numbers = vec![format!("From {} to {}, {how}", number(low), number(high))];
            numbers.extend(edge.map(|at| format!("{}: {}", words("stability_edge"), number(at))));
            let loss = in_words(&run.measured_loss(row));
            let of_run = format!("{} at epoch {epoch}, seed {}; loss: {loss}", run.name, run.seed);
            let caption = sentences(&[self.caption.clone(), of_run]);
            drawings.push(Drawing { title, svg, caption, numbers: sentences(&numbers) });
        }
        if drawings.is_empty() { Err(nothing(heading, "spectral_density", &groups)) } else { Ok(drawings) }
    }
}

/// The last spectral density of a run, with its row.
fn last(run: &Run) -> Option<(&Run, &crate::Row, crate::Field<'_>)> {
    let of_row = |row| Some((run, row, found_density(row)?));
    run.measurements.iter().rev().find_map(of_row)
}
