//! Settings of the walks. The paper gives no numbers here: all are ours.

use saltflat_config::Section;
use serde::Serialize;

use super::about::ABOUT;
use crate::{About, Scale, Settings, settings::read_seeds};

/// Settings of the lab `random-walk`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RandomWalk {
    /// Learning rate η, below 1 so that walks with parameter-dependent noise stay above 0.
    pub eta: f64,
    /// Steps.
    pub steps: u64,
    /// Walkers of a trial; coordinates of points, if the noise ties them together.
    pub walkers: usize,
    /// Coordinates that share their variance in the comparison of d dimensions; divides the number of walkers.
    pub dimension: usize,
    /// Rows of a trial beside that of the start, at equal distances.
    pub rows: u64,
    /// Seeds 0, 1, ….
    pub seeds: u64,
}

impl Settings for RandomWalk {
    const ABOUT: About = ABOUT;

    fn at(scale: Scale) -> Self {
        let (steps, walkers) = match scale {
            Scale::Smoke => (1000, 1000),
            Scale::Small => (4000, 4000),
            Scale::Paper => (10_000, 10_000),
        };
        Self { eta: 0.1, steps, walkers, dimension: 100, rows: 100, seeds: 5 }
    }

    fn read(&mut self, section: &mut Section) {
        section.update("eta", &mut self.eta, "a number between 0 and 1, both left out", |eta| *eta > 0.0 && *eta < 1.0);
        section.update("steps", &mut self.steps, "a whole number above 0", |steps| *steps > 0);
        let expected = format!("a whole number from 2 to {MOST_WALKERS}");
        section.update("walkers", &mut self.walkers, &expected, |walkers| (2..=MOST_WALKERS).contains(walkers));
        let (steps, walkers) = (self.steps, self.walkers);
        let divides = |dimension: &usize| *dimension > 0 && walkers.is_multiple_of(*dimension);
        let expected = format!("a whole number that divides walkers = {walkers}");
        section.update("dimension", &mut self.dimension, &expected, divides);
        let expected = format!("a whole number from 1 to steps = {steps}");
        section.update("rows", &mut self.rows, &expected, |rows| (1..=steps).contains(rows));
        read_seeds(section, &mut self.seeds);
    }
}

/// Positions are held in memory.
const MOST_WALKERS: usize = 10_000_000;
