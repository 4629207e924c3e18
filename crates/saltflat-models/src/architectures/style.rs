//! What several architectures share: their layers' initialisation and normalisation, and the keys that choose them.

use saltflat_config::{Section, named_enum};

use crate::layers::{Activation, BatchNormConfig, Conv2dConfig, GroupNormConfig, Groups, LinearConfig, Window};
use crate::{Initialisation, Item, ModelError, limits::require_positive};

named_enum! {
    /// Which normalisation follows a convolution.
    #[derive(Default)]
    pub enum Norm {
        /// None; the convolution has a bias.
        #[default]
        None = "none",
        /// Group normalisation.
        Group = "group",
        /// Batch normalisation: the samples of a batch depend on each other, so metrics that need per-sample gradients refuse.
        Batch = "batch",
    }
}

/// What the layers of one architecture share: how they start, and the normalisation.
pub(super) struct Style {
    pub(super) init: Initialisation,
    pub(super) activation: Activation,
    pub(super) norm: Norm,
    pub(super) channels_per_group: usize,
}

impl Style {
    pub(super) fn plain(init: Initialisation, activation: Activation) -> Self {
        Self { init, activation, norm: Norm::None, channels_per_group: 1 }
    }

    /// A fully connected layer with this name.
    pub(super) fn linear(&self, name: &str, [inputs, outputs]: [usize; 2]) -> Item {
        let (weight, bias) = self.init.of([inputs, outputs], self.activation);
        Item::from(LinearConfig::new(outputs, weight, Some(bias))).named(name)
    }

    /// A convolution with this name, with a bias if `bias`.
    pub(super) fn conv(&self, name: &str, [inputs, outputs]: [usize; 2], window: Window, bias: bool) -> Item {
        let area = window.kernel.pow(2);
        let (weight, bias_init) = self.init.of([inputs * area, outputs * area], self.activation);
        Item::from(Conv2dConfig::new(outputs, window, weight, bias.then_some(bias_init))).named(name)
    }

    /// The normalisation, if any, of `channels` channels under this name.
    pub(super) fn norm(&self, name: &str, channels: usize) -> Result<Option<Item>, ModelError> {
        Ok(match self.norm {
            Norm::None => None,
            Norm::Batch => Some(Item::from(BatchNormConfig::default()).named(name)),
            Norm::Group => {
                let size = require_positive("model.channels_per_group", self.channels_per_group)?;
                if !channels.is_multiple_of(size) {
                    let expected = format!("a divisor of every width of the network, among them {channels}");
                    return Err(ModelError::config("model.channels_per_group", expected, size));
                }
                Some(Item::from(GroupNormConfig::new(Groups::Of(size))).named(name))
            }
        })
    }
}

pub(super) fn optional_hidden(section: &mut Section) -> Option<Vec<usize>> {
    section.optional("hidden", WIDTHS, are_positive)
}

pub(super) fn hidden(section: &mut Section) -> Vec<usize> {
    section.required("hidden", WIDTHS, are_positive)
}

/// What a list of widths or of numbers of blocks has to be.
pub(super) const WIDTHS: &str = "a list of whole numbers above 0";

#[allow(clippy::ptr_arg)] // The type that is read.
pub(super) fn are_positive(all: &Vec<usize>) -> bool {
    all.iter().all(|n| *n > 0)
}

/// `width`, the channels of the first layers.
pub(super) fn width(section: &mut Section, default: usize) -> usize {
    section.count("width").unwrap_or(default)
}

pub(super) fn norm(section: &mut Section) -> Option<Norm> {
    section.choice("norm", &Norm::ALL)
}

pub(super) fn channels_per_group(section: &mut Section) -> usize {
    section.count("channels_per_group").unwrap_or(32)
}

pub(super) fn activation(section: &mut Section) -> Activation {
    section.choice("activation", &Activation::ALL).unwrap_or_default()
}

pub(super) fn init(section: &mut Section) -> Initialisation {
    section.choice("init", &Initialisation::ALL).unwrap_or_default()
}
