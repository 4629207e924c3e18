//! Values of arguments: from a text to what it says.

use std::{str::FromStr, time::Duration};

use saltflat_lab::Scale;
use saltflat_record::is_control;
use saltflat_train::DeviceChoice;

/// A number of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    All,
    Some(usize),
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            _ => match text.parse() {
                Ok(n) if n > 0 => Ok(Self::Some(n)),
                _ => Err(format!("expected all or a whole number above 0, got {text}")),
            },
        }
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

/// A whole number above 0.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| format!("expected a whole number above 0, got {text}"))
}
