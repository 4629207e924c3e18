//! The figures of a page for which nobody chose any.

use super::contents::{AnyFigure, Page};
use super::figures::{Bound, Correlation, Curves, FinalValues, Spectra};
use crate::{Run, run::spectral_density};

impl Page {
    /// Figures for runs of which nothing is known: the course of flatness and test accuracy, their correlation, bounds and
    /// spectra, as far as they were measured.
    pub fn default_figures(&self) -> Vec<AnyFigure> {
        let known = self.metrics();
        let has = |name: &str| known.iter().any(|k| k == name);
        let mut figures: Vec<AnyFigure> = Vec::new();
        for name in ["trace_hessian", "test_accuracy", "loss", "noise_sq"].into_iter().filter(|n| has(n)) {
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
