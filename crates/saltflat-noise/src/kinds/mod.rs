//! The kinds of noise, one in each file.

mod diagonal;
mod geometry_aware;
mod isotropic;
mod isotropic_loss_scaled;
mod label_flip;
mod label_noise;
mod label_smoothing;
mod langevin;
mod logit_gaussian;
mod minibatch;
mod none;
mod parameter_gaussian;
mod reference;
mod sgd_covariance;

use saltflat_config::Listed;

use crate::keys::{NoiseKind, entry};

/// Exports the kinds of these files and lists them in [`NOISES`].
macro_rules! noises {
    ($($file:ident::$noise:ident),+ $(,)?) => {
        $(pub use $file::*;
        impl Listed for $noise {})+

        /// Every kind of noise, in the order in which a run adds them up: a kind is added at the end, since the place of a kind
        /// decides which [substreams](crate::substreams) it draws from.
        pub const NOISES: &[NoiseKind] = &[$(entry::<$noise>()),+];
    };
}

noises![
    none::NoNoise,
    label_flip::LabelFlip,
    label_smoothing::LabelSmoothing,
    label_noise::LabelNoise,
    logit_gaussian::LogitGaussian,
    sgd_covariance::SgdCovariance,
    minibatch::Minibatch,
    geometry_aware::GeometryAware,
    isotropic::Isotropic,
    diagonal::Diagonal,
    isotropic_loss_scaled::IsotropicLossScaled,
    parameter_gaussian::ParameterGaussian,
    langevin::Langevin,
];
