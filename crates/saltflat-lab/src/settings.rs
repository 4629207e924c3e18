//! From a scale and changes to the settings of a lab.

use std::path::Path;

use saltflat_config::{Listed, Problems, Section, named_enum, set};
use serde::Serialize;
use toml::Table;

use crate::LabError;

named_enum! {
    /// How large a lab is.
    #[derive(Default)]
    pub enum Scale {
        /// Seconds: to see that it runs.
        Smoke = "smoke",
        /// A minute or so on two cores.
        Small = "small",
        /// As in the paper.
        #[default]
        Paper = "paper",
    }
}

/// What a lab is.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its name on the command line: words with hyphens.
    pub name: &'static str,
    /// Heading of its page.
    pub title: &'static str,
    /// The question and the method, in paragraphs with an empty line between them.
    pub text: &'static str,
    /// Paper and figure: `HaoChen et al. 2021, figure 1 (right)`.
    pub source: &'static str,
    /// Its figures as the key `figure` of a study, a list of tables.
    pub figures: &'static str,
}

/// The settings of a lab: a struct whose fields are the keys.
pub trait Settings: Listed + Serialize {
    /// What the lab is.
    const ABOUT: About;

    /// The settings of a scale.
    fn at(scale: Scale) -> Self;

    /// Replaces the settings by the values in `section`, each with the type and the bounds of its key.
    fn read(&mut self, section: &mut Section);
}

/// What a lab is, and its settings: what every lab has by its [`Settings`].
pub trait Described {
    /// What it is.
    fn about(&self) -> About;

    /// Its settings, all of them.
    fn settings(&self) -> Table;
}

impl<S: Settings> Described for S {
    fn about(&self) -> About {
        S::ABOUT
    }

    fn settings(&self) -> Table {
        Table::try_from(self).unwrap_or_default()
    }
}

/// Seeds that a lab may have: every one is a trial of each series, and all are listed before the first runs.
const MOST_SEEDS: u64 = 100_000;

/// Reads `seeds`, the number of trials of each series.
pub(crate) fn read_seeds(section: &mut Section, seeds: &mut u64) {
    let is_possible = |n: &u64| (1..=MOST_SEEDS).contains(n);
    section.update("seeds", seeds, &format!("a whole number from 1 to {MOST_SEEDS}"), is_possible);
}

/// Whether no value is there twice.
pub(crate) fn are_distinct<T: PartialEq>(values: &[T]) -> bool {
    values.iter().enumerate().all(|(i, value)| !values[..i].contains(value))
}

/// Whether a number is above 0 and finite.
pub(crate) fn is_positive(x: &f64) -> bool {
    *x > 0.0 && x.is_finite()
}

/// The settings of a scale with some keys replaced by values in the notation of TOML (a word without quotes is a text).
///
/// # Errors
/// [`LabError::Settings`] with everything that is wrong: unknown keys, values of another type or out of bounds.
pub fn read<S: Settings>(scale: Scale, changes: &[(String, String)]) -> Result<S, LabError> {
    let problems = Problems::default();
    let mut settings = S::at(scale);
    let mut table = Table::try_from(&settings).unwrap_or_default();
    for (key, text) in changes {
        if let Err(problem) = set(&mut table, key, text) {
            problems.push(problem);
        }
    }
    // Also defaults are checked, as bounds of one key depend on others.
    let mut section = Section::root(table, Path::new(""), &problems);
    settings.read(&mut section);
    section.finish(S::ABOUT.name);
    match problems.take() {
        none if none.is_empty() => Ok(settings),
        problems => Err(LabError::Settings { lab: S::ABOUT.name, problems }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quadratic::{LabelNoise, Quadratic};

    fn with(changes: &[(&str, &str)]) -> Result<Quadratic, String> {
        let changes: Vec<(String, String)> =
            changes.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        read::<Quadratic>(Scale::Smoke, &changes).map_err(|e| e.to_string())
    }

    #[test]
    fn changes_take_the_type_that_stands_there() {
        let settings =
            with(&[("lr", "1"), ("decay_at", "[5]"), ("gaussian_sigmas", "[1, 0.5]"), ("label_noise", "gaussian")])
                .unwrap();
        let expected = Quadratic {
            lr: 1.0,
            decay_at: vec![5],
            gaussian_sigmas: vec![1.0, 0.5],
            label_noise: LabelNoise::Gaussian,
            ..Quadratic::at(Scale::Smoke)
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn everything_that_is_wrong_is_said_with_its_key() {
        let error = with(&[("lr", "fast"), ("sample", "3"), ("seeds", "1.5"), ("decay_at", "3")]).unwrap_err();
        for part in [
            "quadratic: 4 problems",
            "lr: expected a number above 0, got \"fast\"",
            "sample: is not a key; did you mean samples?",
            "seeds: expected a whole number from 1 to 100000, got 1.5",
            "decay_at: expected a list of steps, got 3",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let error = with(&[("steps", "9223372036854775808")]).unwrap_err();
        assert!(error.contains("steps: expected a whole number of at most 9223372036854775807"), "{error}");
        for (key, value) in [
            ("samples", "100"),
            ("samples", "0"),
            ("lr", "-1"),
            ("lr", "nan"),
            ("delta", "-0.5"),
            ("gaussian_sigmas", "[0.1, -1.0]"),
            ("langevin_inverse_temperatures", "[0]"),
            ("seeds", "0"),
            ("seeds", "-3"),
            ("seeds", "1000000000000"),
            ("steps", "0"),
            ("rows", "0"),
            ("ones", "101"),
            ("start", "inf"),
            ("noises", "[\"salt\"]"),
            ("shapes", "[\"round\"]"),
            ("label_noise", "uniform"),
        ] {
            let error = with(&[(key, value)]).unwrap_err();
            assert!(error.starts_with(&format!("quadratic: {key}")), "{key} {value}: {error}");
        }
        let changes = [("loss".to_string(), "cubic".to_string())];
        let error = read::<crate::linear_stability::LinearStability>(Scale::Smoke, &changes).unwrap_err().to_string();
        assert!(error.starts_with("linear-stability: loss: expected one of half-quadratic, quadratic, got"), "{error}");
        let nothing = with(&[("noises", "[]"), ("gaussian_sigmas", "[]"), ("langevin_inverse_temperatures", "[]")]);
        assert!(nothing.unwrap_err().contains("noises: expected at least one"));
    }
}
