//! The labs by their names.

use saltflat_config::Listed;

use crate::{
    LabError,
    lab::Lab,
    settings::{Scale, Settings, read},
};

/// Makes a lab from its settings, see [`read`].
pub type ReadLab = fn(Scale, &[(String, String)]) -> Result<Box<dyn Lab>, LabError>;

/// An entry in the list of labs.
#[derive(Clone, Copy, Debug)]
pub struct LabKind {
    /// Its name.
    pub name: &'static str,
    /// Makes the lab.
    pub read: ReadLab,
}

macro_rules! labs {
    ($($module:ident :: $Lab:ident),+ $(,)?) => {
        $(impl Listed for crate::$module::$Lab {})+

        /// Every lab.
        pub const LABS: &[LabKind] = &[$(kind::<crate::$module::$Lab>()),+];
    };
}

labs![
    quadratic::Quadratic,
    random_walk::RandomWalk,
    linear_stability::LinearStability,
    regularizer::Regularizer,
    binary_losses::BinaryLosses,
    cycling::Cycling,
    coupling::Coupling,
];

const fn kind<L: Settings + Lab + 'static>() -> LabKind {
    LabKind { name: L::ABOUT.name, read: |scale, changes| Ok(Box::new(read::<L>(scale, changes)?)) }
}

/// The lab of this name at a scale, with some of its settings changed.
///
/// # Errors
/// [`LabError::Unknown`], and what [`read`] says.
pub fn lab(name: &str, scale: Scale, changes: &[(String, String)]) -> Result<Box<dyn Lab>, LabError> {
    match LABS.iter().find(|kind| kind.name == name) {
        Some(kind) => (kind.read)(scale, changes),
        None => Err(LabError::Unknown { name: name.into(), known: LABS.iter().map(|kind| kind.name).collect() }),
    }
}
