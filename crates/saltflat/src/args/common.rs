//! What several commands take, and values of arguments: from a text to what it says.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use saltflat_lab::Scale;
use saltflat_record::{FolderError, is_control, read_text};
use saltflat_train::{
    DeviceChoice, TrainError,
    config::{Config, Purpose},
};

/// What every command that reads a configuration takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Replace a key of the configuration, such as metrics.trace.method=xtrace; may be given several times
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,

    /// auto, gpu, gpu:N, cuda, cuda:N, cpu, or a part of an adapter's name
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,

    /// Where mnist, cifar10 and other official datasets lie [default: SALTFLAT_DATA, or the user's folder that `saltflat data path` prints]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

impl Common {
    /// The configuration in this file, read for one purpose.
    pub fn read(&self, path: &Path, purpose: Purpose) -> Result<Config, TrainError> {
        self.read_with(path, purpose, &[])
    }

    /// [`read`](Self::read) with more keys replaced.
    pub fn read_with(&self, path: &Path, purpose: Purpose, more: &[(String, String)]) -> Result<Config, TrainError> {
        if let Some(reason) = folder_instead_of_file(path) {
            return Err(TrainError::NotFound(FolderError::new(path, reason)));
        }
        let text = read_text(path).map_err(|e| TrainError::NotFound(FolderError::new(path, e)))?;
        let mut config = Config::read_as(&text, path, &[&self.set, more].concat(), purpose)?;
        config.data.data_dir.clone_from(&self.data_dir);
        Ok(config)
    }
}

/// What a folder is that stands where a configuration is expected, and what its user may have meant.
fn folder_instead_of_file(path: &Path) -> Option<String> {
    let shown = path.display();
    match path.is_dir() {
        false => None,
        true if path.join("manifest.json").is_file() => {
            Some(format!("is the folder of a study, expected a configuration; saltflat study {shown} goes on with it"))
        }
        true if path.join("config.toml").is_file() => Some(format!(
            "is the folder of a run, expected a configuration: that of the run is {}; saltflat train --resume {shown} goes on with it",
            path.join("config.toml").display()
        )),
        true => Some("is a folder, expected a configuration (TOML)".into()),
    }
}

/// A number of samples; `all` is the largest number.
pub fn count(text: &str) -> Result<usize, String> {
    match (text, text.parse()) {
        ("all", _) => Ok(usize::MAX),
        (_, Ok(n)) if n > 0 => Ok(n),
        _ => Err(format!("expected all or a whole number above 0, got {text}")),
    }
}

/// A size as MiB.
pub fn mebibytes(text: &str) -> Result<usize, String> {
    let units = [("GiB", 1024.0), ("MiB", 1.0), ("G", 1024.0), ("M", 1.0)];
    let found =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.trim().parse::<f64>().ok()?, factor)));
    match found {
        Some((number, factor)) if number * factor >= 1.0 && number.is_finite() => Ok((number * factor) as usize),
        _ => Err(format!("expected a size of at least 1MiB, such as 512MiB or 4GiB, got {text}")),
    }
}

/// The text of a device, as a run is given it.
pub fn device(text: &str) -> Result<String, String> {
    if text.contains(is_control) {
        return Err("expected a device without control characters".into());
    }
    text.parse::<DeviceChoice>().map(|_| text.into())
}

/// A time as hours, minutes and seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a time above 0, such as 90m, 2h or 1h30m, got {text}");
    let mut seconds = 0.0;
    for part in text.split_inclusive(['h', 'm', 's']) {
        let unit = [('h', 3600.0), ('m', 60.0), ('s', 1.0)].into_iter();
        let found =
            unit.filter_map(|(unit, factor)| Some((part.strip_suffix(unit)?.trim().parse::<f64>().ok()?, factor)));
        let (number, factor) = found.into_iter().next().ok_or_else(wrong)?;
        seconds += if number >= 0.0 { number * factor } else { f64::NAN };
    }
    Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero()).ok_or_else(wrong)
}

/// A lab's scale.
pub fn scale(text: &str) -> Result<Scale, String> {
    let found = Scale::ALL.into_iter().find(|(name, _)| *name == text);
    found
        .map(|(_, scale)| scale)
        .ok_or_else(|| format!("expected {}, got {text}", Scale::ALL.map(|(name, _)| name).join(", ")))
}

/// `SECTION.KEY=VALUE`.
pub fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("expected SECTION.KEY=VALUE, got {text}"))?;
    Ok((key.trim().into(), value.trim().into()))
}

/// `OLD=NEW`.
pub fn old_new(text: &str) -> Result<(String, String), String> {
    let (old, new) = text.split_once('=').ok_or_else(|| format!("expected OLD=NEW, got {text}"))?;
    Ok((old.trim().into(), new.trim().into()))
}

/// A whole number above 0.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| format!("expected a whole number above 0, got {text}"))
}
