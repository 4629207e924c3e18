//! Keys that have a number for each axis of an image.

use saltflat_config::{FromToml, Section};
use serde::{Serialize, Serializer};
use toml::Value;

/// The largest that is accepted.
const MOST: usize = 1 << 16;

/// `[height, width]`, in TOML one number for both or a list of both.
#[derive(Default)]
struct PerAxis([usize; 2]);

impl FromToml for PerAxis {
    const NAME: &'static str = "a whole number, or [height, width]";

    fn from_toml(value: &Value) -> Option<Self> {
        let of_both = usize::from_toml(value).map(|n| [n; 2]);
        of_both.or_else(|| Vec::<usize>::from_toml(value)?.try_into().ok()).map(Self)
    }
}

/// `[height, width]` of a key that may be absent, each at least `least`.
pub(super) fn per_axis(section: &mut Section, key: &'static str, least: usize) -> Option<[usize; 2]> {
    section.optional(key, &expected(least), holds(least)).map(|PerAxis(both)| both)
}

/// `[height, width]` of a key that must be there, each at least 1.
pub(super) fn required_per_axis(section: &mut Section, key: &'static str) -> [usize; 2] {
    section.required(key, &expected(1), holds(1)).0
}

fn expected(least: usize) -> String {
    format!("a whole number from {least} to {MOST}, or [height, width]")
}

fn holds(least: usize) -> impl Fn(&PerAxis) -> bool {
    move |PerAxis(both)| both.iter().all(|n| (least..=MOST).contains(n))
}

/// Writes one number if both are equal, else the list of both.
pub(super) fn write<S: Serializer>(both: &[usize; 2], serializer: S) -> Result<S::Ok, S::Error> {
    match both {
        [h, w] if h == w => h.serialize(serializer),
        both => both.serialize(serializer),
    }
}
