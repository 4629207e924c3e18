//! The kinds of noise; those that share their code share a file.

mod isotropic;
mod label_flip;
mod label_noise;
mod logit_gaussian;
mod loss_scaled;
mod minibatch;
mod none;
mod parameter_gaussian;

use saltflat_config::Listed;

use crate::keys::{NoiseKind, entry};

/// Exports the kinds of these files and lists them in [`NOISES`].
macro_rules! noises {
    ($($file:ident::$noise:ident),+ $(,)?) => {
        // A file with two kinds is exported twice.
        $(#[allow(unused_imports)]
        pub use $file::*;
        impl Listed for $noise {})+

        /// Every kind of noise, in the order in which a run adds them up: a kind is added at the end, since the place of a kind
        /// decides which [substreams](crate::substreams) it draws from.
        pub const NOISES: &[NoiseKind] = &[$(entry::<$noise>()),+];
    };
}

noises![
    none::NoNoise,
    label_flip::LabelFlip,
    label_flip::LabelSmoothing,
    label_noise::LabelNoise,
    logit_gaussian::LogitGaussian,
    minibatch::SgdCovariance,
    minibatch::Minibatch,
    loss_scaled::GeometryAware,
    isotropic::Isotropic,
    isotropic::Diagonal,
    loss_scaled::IsotropicLossScaled,
    parameter_gaussian::ParameterGaussian,
    parameter_gaussian::Langevin,
];
