//! Group normalisation.

use saltflat_config::Section;
use serde::Serialize;

use super::{
    affine::Affine,
    keys::eps,
    normalise::{EPSILON, Standardise},
};
use crate::{
    Jet, Layer, ModelError, Pass,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
};

/// Normalises each sample over the positions and channels of a group, then γ x̂ + β: PyTorch's `nn.GroupNorm`, by default ε = 1e−5.
/// Wu and He 2018, arXiv 1803.08494.
#[derive(Debug)]
pub struct GroupNorm {
    groups: usize,
    eps: f64,
    affine: Affine,
}

impl GroupNorm {
    /// Adds `NAME.weight` and `NAME.bias` `[channels]`, if it is `affine`; `groups` divides `channels`.
    pub fn new(place: &mut Place<'_>, channels: usize, groups: usize, eps: f64, affine: bool) -> Self {
        Self { groups, eps, affine: Affine::new(place, &[channels], [affine; 2]) }
    }
}

impl Layer for GroupNorm {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        if let Some(y) = self.affine.group_norm(&x, self.groups, self.eps, pass) {
            return y;
        }
        let [_, c, h, w] = x.value.dims();
        let x = x.linear(|t| {
            let rows = t.dims()[0];
            t.reshape([rows, self.groups, c / self.groups * h * w])
        });
        let standardise = Standardise { dim: 2, eps: self.eps, centred: true };
        let x = standardise.forward(x, pass.second_order()).linear(|t| {
            let rows = t.dims()[0];
            t.reshape([rows, c, h, w])
        });
        self.affine.forward(x, pass)
    }

    fn assumption(&self, channels: usize) -> Option<String> {
        let size = channels / self.groups.max(1);
        Some(match self.groups {
            1 => format!("group norm with 1 group of {size} channels"),
            groups => format!("group norm with {groups} groups of {size} channels"),
        })
    }
}

/// The keys of group normalisation in a list of layers; `groups`, or `channels_per_group`, divides the channels of the input.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GroupNormConfig {
    /// The groups.
    #[serde(flatten)]
    pub groups: Groups,
    /// ε, which is added to the variance.
    pub eps: f64,
    /// True if a factor and an offset a channel follow.
    pub affine: bool,
}

impl GroupNormConfig {
    /// PyTorch's defaults with these groups.
    pub fn new(groups: Groups) -> Self {
        Self { groups, eps: EPSILON, affine: true }
    }
}

/// How many groups there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Groups {
    /// So many.
    #[serde(rename = "groups")]
    Number(usize),
    /// As many as make groups of so many channels.
    #[serde(rename = "channels_per_group")]
    Of(usize),
}

impl LayerConfig for GroupNormConfig {
    fn name(&self) -> &'static str {
        "group-norm"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let [channels, ..] = place.input();
        let (divisor, groups, words) = match self.groups {
            Groups::Number(groups) => (groups, groups, "groups"),
            Groups::Of(size) => (size, channels.checked_div(size).unwrap_or(0), "channels a group"),
        };
        if divisor == 0 || !channels.is_multiple_of(divisor) {
            return Err(place.error(format!("channels that {divisor} {words} divide")));
        }
        Ok(Built::new(GroupNorm::new(place, channels, groups, self.eps, self.affine), place.input()))
    }
}

impl LayerKeys for GroupNormConfig {
    const NAMES: &'static [&'static str] = &["group-norm"];
    const EXAMPLE: &'static str = "groups = 1";

    fn read(_: &str, section: &mut Section) -> Self {
        let groups = match (section.count("groups"), section.count("channels_per_group")) {
            (Some(groups), None) => Groups::Number(groups),
            (None, Some(size)) => Groups::Of(size),
            (both, _) => {
                if both.is_some() || !section.refused(&["groups", "channels_per_group"]) {
                    section.problem("groups", "expected one of groups and channels_per_group");
                }
                Groups::Number(1)
            }
        };
        Self { groups, eps: eps(section, EPSILON), affine: section.get("affine").unwrap_or(true) }
    }

    fn cases() -> Vec<LayerCase> {
        let case = |name, keys| LayerCase::new(name, format!("[{{ kind = \"group-norm\", {keys} }}]"));
        vec![
            case("group norm", "channels_per_group = 2"),
            case("group norm, one group", "groups = 1"),
            case("group norm, ε 0.1", "groups = 2, eps = 0.1"),
            case("group norm, not affine", "groups = 2, affine = false"),
        ]
    }
}
