//! The page of a study.

use std::path::{Path, PathBuf};

use saltflat_study::StudyFolder;

pub fn check_figures(_figures: &[toml::Table], _file: &Path) -> anyhow::Result<()> {
    Ok(())
}

pub fn write(folder: &StudyFolder) -> anyhow::Result<PathBuf> {
    Ok(folder.root().join("report.html"))
}
