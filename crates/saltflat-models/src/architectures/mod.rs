//! Architectures, one in each file, with PyTorch's names for their tensors.

mod layers;
mod lenet;
mod linear_net;
mod mlp;
mod random_features;
mod resnet;
mod resnet_fixup;
mod style;
mod vgg;

pub use style::Norm;

use saltflat_config::Listed;

use crate::architecture::{ArchitectureKind, entry};

/// Exports the architectures of these files and lists them in [`ARCHITECTURES`].
macro_rules! architectures {
    ($($file:ident::$architecture:ident),+ $(,)?) => {
        $(pub use $file::*;
        impl Listed for $architecture {})+

        /// Every architecture, in the order in which messages name them.
        pub const ARCHITECTURES: &[ArchitectureKind] = &[$(entry::<$architecture>()),+];
    };
}

architectures![
    mlp::Mlp,
    lenet::Lenet,
    vgg::Vgg,
    resnet::Resnet,
    resnet_fixup::ResnetFixup,
    linear_net::LinearNet,
    random_features::RandomFeatures,
    layers::LayerList,
];
