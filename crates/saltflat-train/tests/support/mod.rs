//! A small configuration, and how it reads with some keys replaced.

use std::path::Path;

use saltflat_train::config::Config;

const BASE: &str = r#"
[data]
kind = "mnist-1k"
[model]
kind = "mlp"
hidden = [8]
[loss]
kind = "cross_entropy"
[optimizer]
lr = 0.1
batch_size = 50
[train]
epochs = 3
"#;

/// The configuration of `/base/run.toml`, or the whole message.
pub fn read(overrides: &[(&str, &str)]) -> Result<Config, String> {
    let overrides: Vec<_> = overrides.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Config::read(BASE, Path::new("/base/run.toml"), &overrides).map_err(|e| e.to_string())
}
