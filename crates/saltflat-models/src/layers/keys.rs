//! Keys that several layers have.

use saltflat_config::Section;

/// `outputs`, units or channels.
pub(super) fn outputs(section: &mut Section) -> usize {
    section.required("outputs", "a whole number above 0", |n: &usize| *n > 0)
}
