//! Settings of the walks. The paper gives no numbers here: all are ours.

use saltflat_config::Section;
use serde::Serialize;

use crate::{About, Scale, Settings, settings::read_seeds};

/// Settings of the lab `random-walk`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThrowawayLab {
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

impl Settings for ThrowawayLab {
    const ABOUT: About = About {
        name: "throwaway",
        title: "Random walks with parameter-dependent noise",
        text: TEXT,
        source: "HaoChen et al. 2021, section 3.1, equations 5 and 6",
        figures: FIGURES,
    };

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

const TEXT: &str = "\
Both walks start at v = 1 and have no drift. In v ← v + ηξv with ξ = ±1 the noise depends on the parameter, as label noise does; \
v ← v + ηξ with a normal ξ is Brownian motion, as spherical noise gives it. Their mean stays 1 and their variance grows. But \
the first is caught at 0: E ln(1 ± η) = ½ ln(1 − η²) < 0, so that almost every walker shrinks while a few rare ones hold up the \
mean. The paper shows it by a concave potential, E√v, which falls at each step by the factor (√(1+η) + √(1−η))/2.

In d dimensions, d such walks in parallel have noise of variance η²vₖ² in coordinate k, each its own. The third walk gives all \
coordinates of a point the same variance, the mean η²‖v‖²/d of these, so that ‖v‖ grows alike: then nothing is caught at 0. \
(The paper names η²‖v‖² per coordinate, which is the same walk at η√d.)

The numbers are ours: the paper gives none. Many walkers are made at once, and what is said of the mean and of √v is tested early, \
as long as the closed form says that walkers like the typical ones make it up: later a sample of any size misses those that do.";

const FIGURES: &str = r#"
figure = [
    { kind = "curves", x = "step", y = "median_abs", log = true, title = "Median of |v|" },
    { kind = "curves", x = "step", y = "share_near_zero", title = "Share of walkers with |v| below 0.001" },
    { kind = "curves", x = "step", y = "mean", groups = ["parameter-dependent", "brownian"],
      title = "Mean of v over the walkers",
      caption = "The mean over all walks that could be made is 1. That of a sample with parameter-dependent noise falls, because the walkers that hold it up become too rare." },
    { kind = "curves", x = "step", y = "mean_sqrt", log = true, title = "Potential: mean of √v" },
    { kind = "curves", x = "step", y = "variance", log = true, title = "Variance over the walkers" },
]
"#;
