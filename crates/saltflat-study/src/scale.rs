//! A scale of a study: overrides that make it smaller.

use std::collections::BTreeMap;

use saltflat_config::Section;
use toml::{Table, Value};

use crate::stage::read_seeds;

/// `[scale.NAME]`: overrides that make a study smaller.
#[derive(Clone, Debug, Default)]
pub struct ScaleOverrides {
    /// For every run; stronger than what a stage sets, weaker than its axes.
    pub base: Table,
    /// By the stages' names.
    pub stage: BTreeMap<String, StageOverrides>,
}

impl ScaleOverrides {
    pub(crate) fn read(mut section: Section) -> Self {
        let base = section.get("base").unwrap_or_default();
        let stage = section.map_of_sections("stage", StageOverrides::read);
        section.finish("a scale");
        Self { base, stage }
    }
}

/// What a scale changes in a stage.
#[derive(Clone, Debug, Default)]
pub struct StageOverrides {
    /// Instead of the stage's.
    pub seeds: Option<Vec<u64>>,
    /// Instead of the stage's; `{}` for none.
    pub require: Option<BTreeMap<String, f64>>,
    /// Stronger than the scale's base.
    pub set: Table,
    /// Values instead of those of the axis with this name; if its values are labelled settings, their labels, or others.
    pub axis: BTreeMap<String, Vec<Value>>,
}

impl StageOverrides {
    fn read(mut section: Section) -> Self {
        let has_require = section.has("require");
        let overrides = Self {
            seeds: read_seeds(&mut section),
            require: Some(section.map("require")).filter(|_| has_require),
            set: section.get("set").unwrap_or_default(),
            axis: section.map("axis"),
        };
        section.finish("a stage of a scale");
        overrides
    }
}
