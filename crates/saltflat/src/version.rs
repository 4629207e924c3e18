//! What `--version` says.

use std::sync::LazyLock;

use saltflat_record::GIT_REVISION;

/// The version of burn that the workspace asks for.
const BURN: &str = "0.22.1";

/// Version, revision, features and burn's version, a line each.
pub fn long_version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let features = build_features().join(", ");
        let features = if features.is_empty() { "none" } else { &features };
        format!("{}\nrevision: {GIT_REVISION}\nfeatures: {features}\nburn: {BURN}", env!("CARGO_PKG_VERSION"))
    });
    &TEXT
}

/// The features of this build, also for `env.json`.
pub fn build_features() -> Vec<&'static str> {
    let all = [
        ("wgpu", cfg!(feature = "wgpu")),
        ("spirv", cfg!(feature = "spirv")),
        ("cuda", cfg!(feature = "cuda")),
        ("fusion", cfg!(feature = "fusion")),
        ("autotune", cfg!(feature = "autotune")),
        ("autotune-cache", cfg!(feature = "autotune-cache")),
    ];
    all.into_iter().filter_map(|(name, on)| on.then_some(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_burn_is_the_pinned_one() {
        let workspace: toml::Table = include_str!("../../../Cargo.toml").parse().unwrap();
        let burn = &workspace["workspace"]["dependencies"]["burn"]["version"];
        assert_eq!(burn.as_str(), Some(format!("={BURN}").as_str()));
    }
}
