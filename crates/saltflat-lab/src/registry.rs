//! The labs by their names.

use crate::{
    Lab, LabError, Scale, Settings, binary_losses::BinaryLosses, coupling::Coupling, cycling::Cycling,
    linear_stability::LinearStability, quadratic::Quadratic, random_walk::RandomWalk, read, regularizer::Regularizer,
};

/// Makes a lab from its settings.
type Make = fn(Scale, &[(String, String)]) -> Result<Box<dyn Lab>, LabError>;

/// Every lab: its name, and what makes it.
pub const LABS: [(&str, Make); 7] = [
    (Quadratic::LAB, make::<Quadratic>),
    (RandomWalk::LAB, make::<RandomWalk>),
    (LinearStability::LAB, make::<LinearStability>),
    (Regularizer::LAB, make::<Regularizer>),
    (BinaryLosses::LAB, make::<BinaryLosses>),
    (Cycling::LAB, make::<Cycling>),
    (Coupling::LAB, make::<Coupling>),
];

fn make<S: Settings + Lab + 'static>(scale: Scale, changes: &[(String, String)]) -> Result<Box<dyn Lab>, LabError> {
    Ok(Box::new(read::<S>(scale, changes)?))
}

/// The lab of this name at a scale, with some of its settings changed.
///
/// # Errors
/// [`LabError::Unknown`], and what [`read`] says.
pub fn lab(name: &str, scale: Scale, changes: &[(String, String)]) -> Result<Box<dyn Lab>, LabError> {
    match LABS.iter().find(|(known, _)| *known == name) {
        Some((_, make)) => make(scale, changes),
        None => Err(LabError::Unknown { name: name.into(), known: LABS.iter().map(|(name, _)| *name).collect() }),
    }
}
