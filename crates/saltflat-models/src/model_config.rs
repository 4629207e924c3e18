//! `[model]` of a configuration.

use saltflat_config::Section;
use serde::Serialize;

use crate::{
    architecture::AnyArchitecture,
    architectures::{ARCHITECTURES, LinearNet},
    init::Initialisation,
};

/// What a configuration says about its network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelConfig {
    /// The architecture, with its keys.
    #[serde(flatten)]
    pub architecture: AnyArchitecture,
    /// Number of outputs C; absent: as many as the data has classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outputs: Option<usize>,
}

impl ModelConfig {
    /// Reads `[model]`.
    pub fn read(mut section: Section) -> Self {
        let Some(kind) = section.kind(ARCHITECTURES) else {
            // Its keys cannot be judged without a kind; the problem is noted.
            let architecture = LinearNet { hidden: Vec::new(), init: Initialisation::Default }.into();
            return Self { architecture, outputs: None };
        };
        let outputs = section.count("outputs");
        let architecture = (kind.read)(&mut section);
        section.finish_with(&format!("[model] of kind {}", kind.name), kinds_with);
        Self { architecture, outputs }
    }
}

/// The kinds that have this key.
fn kinds_with(key: &str) -> Option<String> {
    let kinds = ARCHITECTURES.iter().filter(|kind| Section::keys_of(kind.read).contains(&key));
    let names: Vec<&str> = kinds.map(|kind| kind.name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
