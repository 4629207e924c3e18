//! Keys that several layers have.

use saltflat_config::{Section, named_enum};

use crate::{init::InitialValues, layout::Init, place::Place};

/// `outputs`, units or channels.
pub(super) fn outputs(section: &mut Section) -> usize {
    section.required("outputs", "a whole number above 0", |n: &usize| *n > 0)
}

/// `eps`, ε of a normalisation.
pub(super) fn eps(section: &mut Section, default: f64) -> f64 {
    section.optional("eps", "a number above 0", |x: &f64| *x > 0.0 && x.is_finite()).unwrap_or(default)
}

/// `affine` and `bias` of a normalisation, true if they are absent; without factors there are no offsets.
pub(super) fn affine_and_bias(section: &mut Section) -> [bool; 2] {
    let (affine, bias) = (section.get("affine").unwrap_or(true), section.get("bias"));
    if bias == Some(true) && !affine {
        section.problem("bias", "expected false for a normalisation that is not affine, got true");
    }
    [affine, bias.unwrap_or(affine)]
}

/// `init`, the distribution of a tensor that has no fans.
pub(super) fn distribution(section: &mut Section, default: Init) -> InitialValues {
    match InitialValues::read(section, "init") {
        Some(InitialValues::Scheme(scheme)) => {
            let text = "expected a number, or one of { normal = STD }, { uniform = BOUND }, { constant = C }, as these parameters have no fans";
            section.problem("init", format!("{text}, got \"{}\"", scheme.name()));
            InitialValues::Distribution(default)
        }
        Some(found) => found,
        None => InitialValues::Distribution(default),
    }
}

named_enum! {
    /// For what a layer has a parameter of its own.
    #[derive(Default)]
    pub enum Per {
        /// One for everything.
        #[default]
        All = "all",
        /// One for each channel.
        Channel = "channel",
    }
}

impl Per {
    /// `per`.
    pub(super) fn read(section: &mut Section) -> Self {
        section.choice("per", &Self::ALL).unwrap_or_default()
    }

    /// The number of parameters at this place.
    pub(super) fn count(self, place: &Place<'_>) -> usize {
        match self {
            Self::All => 1,
            Self::Channel => place.input()[0],
        }
    }
}

/// `heads` of attention.
pub(super) fn heads(section: &mut Section) -> usize {
    section.required("heads", "a whole number above 0", |n: &usize| *n > 0)
}
