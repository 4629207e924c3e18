//! Settings of the trajectories.

use saltflat_config::Section;
use serde::Serialize;

use super::world::period;
use crate::{About, Scale, Settings, settings::read_seeds};

/// Functions a step; a step is not interrupted.
const MOST_DRAWN: u64 = 1000;

/// Lab `cycling`: (x, y) goes round the unit circle under minibatch SGD, and under no noise that is coupled to a potential.
/// The paper gives none of the settings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cycling {
    /// Learning rate η.
    pub lr: f64,
    /// Functions a step, drawn with replacement.
    pub batch_size: u64,
    /// Steps of a trajectory.
    pub steps: u64,
    /// Trajectories of each noise.
    pub seeds: u64,
    /// Steps over which the moving averages of zᵢ² run, a multiple of `every`.
    pub average: u64,
    /// Steps from row to row.
    pub every: u64,
}

impl Settings for Cycling {
    const ABOUT: About = About {
        name: "cycling",
        title: "Minibatch SGD can cycle",
        text: "Thirteen functions of θ = (x, y, z₁, …, z₄) with labels 0 and the loss ½fᵢ². The minima are the unit circle at z = 0, where \
            L = 4/13: two functions of each pair ask for z = ±1. Drawing one of them makes zᵢ oscillate, and that pushes (x, y) towards \
            smaller curvature along zᵢ. The zᵢ that oscillates most changes along the circle, so that the push never ends: there is \
            no fixed potential.\n\n\
            The paper gives no learning rate, batch size or length. Ours: one function a step and a small learning rate η. With zᵢ² at \
            its stationary mean the angle turns by 2π in 79.5 B/η² steps, and wanders by less the smaller η is.\n\n\
            For comparison: label noise on the full gradient, one label a step disturbed by ±σ, with σ² = 6/11 so that the covariances \
            of both noises have one trace on the circle; and no noise.",
        source: "Damian, Ma, Lee 2021, appendix F.2, figure 5",
        figures: r#"
figure = [
    { kind = "curves", y = "angle", x = "step", title = "Angle of (x, y), in turns" },
    { kind = "curves", y = "x", x = "step", groups = ["minibatch"], title = "x over time" },
    { kind = "curves", y = "y", x = "step", groups = ["minibatch"], title = "y over time" },
    { kind = "curves", y = "z1_sq", x = "step", groups = ["minibatch"], title = "Moving average of z₁²" },
    { kind = "curves", y = "z2_sq", x = "step", groups = ["minibatch"], title = "Moving average of z₂²" },
    { kind = "curves", y = "z3_sq", x = "step", groups = ["minibatch"], title = "Moving average of z₃²" },
    { kind = "curves", y = "z4_sq", x = "step", groups = ["minibatch"], title = "Moving average of z₄²" },
]
"#,
    };

    fn at(scale: Scale) -> Self {
        let (lr, steps, every) = match scale {
            Scale::Smoke => (0.05, 160_000, 500),
            Scale::Small => (0.02, 1_000_000, 2_500),
            Scale::Paper => (0.005, 16_000_000, 20_000),
        };
        Self { lr, batch_size: 1, steps, seeds: 5, average: 10 * every, every }
    }

    fn read(&mut self, section: &mut Section) {
        // The largest ‖∇fᵢ‖² on the circle is 4.
        let expected = "a number above 0 and below 0.5, where the step of one function is stable";
        section.update("lr", &mut self.lr, expected, |lr| *lr > 0.0 && *lr < 0.5);
        let expected = format!("a whole number from 1 to {MOST_DRAWN}");
        section.update("batch_size", &mut self.batch_size, &expected, |size| (1..=MOST_DRAWN).contains(size));
        section.update("steps", &mut self.steps, "a whole number above 0", |steps| *steps > 0);
        let steps = self.steps;
        let expected = format!("a whole number from 1 to steps = {steps}");
        section.update("every", &mut self.every, &expected, |every| (1..=steps).contains(every));
        let every = self.every;
        let is_multiple = |average: &u64| *average > 0 && average.is_multiple_of(every);
        section.update("average", &mut self.average, &format!("a multiple of every = {every}"), is_multiple);
        read_seeds(section, &mut self.seeds);
    }
}

impl Cycling {
    /// Steps of a turn for small η.
    pub(super) fn predicted_period(&self) -> f64 {
        period() * self.batch_size as f64 / self.lr.powi(2)
    }
}
