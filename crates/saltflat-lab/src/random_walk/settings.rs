//! What the walks are made of. The paper gives no numbers here: all are ours.

use serde::{Deserialize, Serialize};

use crate::{Scale, Settings};

/// Settings of the lab `random-walk`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomWalk {
    /// Learning rate η, below 1 so that walks with parameter-dependent noise stay above 0.
    pub eta: f64,
    /// Steps.
    pub steps: u64,
    /// Walkers of a trial; coordinates, where the noise ties them together.
    pub walkers: usize,
    /// Coordinates that share their variance in the comparison of d dimensions; divides the number of walkers.
    pub dimension: usize,
    /// Rows of a trial beside that of the start, at equal distances.
    pub rows: u64,
    /// Seeds 0, 1, ….
    pub seeds: u64,
}

impl Settings for RandomWalk {
    const LAB: &'static str = "random-walk";

    fn at(scale: Scale) -> Self {
        let (steps, walkers) = match scale {
            Scale::Smoke => (1000, 1000),
            Scale::Small => (4000, 4000),
            Scale::Paper => (10_000, 10_000),
        };
        Self { eta: 0.1, steps, walkers, dimension: 100, rows: 100, seeds: 5 }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut expect = |fine: bool, key: &str, expected: &str, found: String| {
            if !fine {
                problems.push(format!("{key}: expected {expected}, found {found}"));
            }
        };
        let eta = self.eta > 0.0 && self.eta < 1.0;
        expect(eta, "eta", "a number between 0 and 1, both left out", self.eta.to_string());
        expect(self.steps > 0, "steps", "a whole number above 0", self.steps.to_string());
        let walkers = (2..=MOST_WALKERS).contains(&self.walkers);
        expect(walkers, "walkers", &format!("a whole number from 2 to {MOST_WALKERS}"), self.walkers.to_string());
        let divides = self.dimension > 0 && self.walkers.is_multiple_of(self.dimension);
        let expected = format!("a whole number that divides walkers = {}", self.walkers);
        expect(divides, "dimension", &expected, self.dimension.to_string());
        let rows = format!("a whole number from 1 to steps = {}", self.steps);
        expect((1..=self.steps).contains(&self.rows), "rows", &rows, self.rows.to_string());
        expect(self.seeds > 0, "seeds", "a whole number above 0", self.seeds.to_string());
        problems
    }
}

/// Positions are held in memory.
const MOST_WALKERS: usize = 10_000_000;
