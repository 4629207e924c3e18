//! How the kinds of noise are read from a configuration.

use std::ops::{Deref, DerefMut};

use saltflat_config::{FromToml, Kind, Listed, Problem, Problems, Section, parse};
use serde::Serialize;

use crate::noise::{AnyNoise, Noise};

/// What the key `strength`, E‖ξ‖² of a step's noise ξ in the gradient, does to a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// It is refused: nothing is drawn that could be scaled.
    Refused,
    /// The noise is scaled to it.
    Accepted,
    /// The noise is scaled to it, in place of the key with this name, which does nothing else than to scale it.
    Replaces(&'static str),
}

/// A kind of noise that configurations can name.
pub trait NoiseKeys: Noise + Serialize + Listed + Sized {
    /// Its name, as in [`NoiseProperties`](crate::NoiseProperties).
    const NAME: &'static str;
    /// The keys of a small valid configuration in TOML, without `kind`.
    const EXAMPLE: &'static str;
    /// What the key `strength` does to it.
    const STRENGTH: Strength;
    /// True if `like` of an isotropic or diagonal noise can name it: a draw of it at the targets or outputs is a gradient noise.
    const IS_REFERENCE: bool;

    /// Reads its keys.
    fn read(section: &mut NoiseSection<'_>) -> Self;
}

/// How a kind is read.
#[derive(Clone, Copy, Debug)]
pub struct NoiseReader {
    /// What `strength` does to it.
    pub strength: Strength,
    /// True if `like` of an isotropic or diagonal noise can name it.
    pub is_reference: bool,
    read: fn(&mut NoiseSection<'_>) -> AnyNoise,
}

/// An entry in the list of the kinds.
pub type NoiseKind = Kind<NoiseReader>;

/// The entry of a kind.
pub(crate) const fn entry<N: NoiseKeys>() -> NoiseKind {
    let read = |section: &mut NoiseSection<'_>| N::read(section).into();
    let read = NoiseReader { strength: N::STRENGTH, is_reference: N::IS_REFERENCE, read };
    Kind { name: N::NAME, example: N::EXAMPLE, read }
}

impl NoiseReader {
    /// Reads the keys of the kind. `has_strength` says that `strength` is given, so that a key that it replaces must be absent;
    /// `kinds` are those that a reference can be of.
    pub fn read(&self, section: &mut Section, has_strength: bool, kinds: &[NoiseKind]) -> AnyNoise {
        let replaced = match self.strength {
            Strength::Replaces(key) if has_strength => Some(key),
            Strength::Replaces(_) | Strength::Accepted | Strength::Refused => None,
        };
        (self.read)(&mut NoiseSection { section, replaced, kinds })
    }
}

/// The example of a kind.
///
/// # Errors
/// What is wrong with it.
pub fn example(kind: &NoiseKind, kinds: &[NoiseKind]) -> Result<AnyNoise, Vec<Problem>> {
    let problems = Problems::default();
    let table = parse(kind.example).map_err(|problem| vec![problem])?;
    let mut section = Section::root(table, "".as_ref(), &problems);
    let noise = kind.read.read(&mut section, false, kinds);
    section.finish(kind.name);
    let problems = problems.take();
    if problems.is_empty() { Ok(noise) } else { Err(problems) }
}

/// The table of a noise while it is read: a [`Section`], and the bounds that several kinds share.
#[derive(Debug)]
pub struct NoiseSection<'a> {
    section: &'a mut Section,
    /// The key in whose place `strength` is given.
    replaced: Option<&'static str>,
    /// The kinds that a reference can be of.
    pub(crate) kinds: &'a [NoiseKind],
}

impl Deref for NoiseSection<'_> {
    type Target = Section;

    fn deref(&self) -> &Section {
        self.section
    }
}

impl DerefMut for NoiseSection<'_> {
    fn deref_mut(&mut self) -> &mut Section {
        self.section
    }
}

impl NoiseSection<'_> {
    /// `probability`, in [0, 1].
    pub fn probability(&mut self) -> f64 {
        self.section.required("probability", "a number in [0, 1]", |x| (0.0..=1.0).contains(x))
    }

    /// `sigma`, at least 0.
    pub fn sigma(&mut self) -> f64 {
        self.required_scale("sigma", "a number, not negative", |x: &f64| x.is_finite() && *x >= 0.0)
    }

    /// `batch_size`, at least 1.
    pub fn batch_size(&mut self) -> usize {
        self.required_scale("batch_size", "a whole number above 0", |n| *n > 0)
    }

    /// A key that must be there, unless `strength` [replaces](Strength::Replaces) it, and only scales the noise: it is 1 then.
    pub fn required_scale<T: FromToml + Default + From<u8>>(
        &mut self,
        key: &'static str,
        expected: &str,
        holds: impl Fn(&T) -> bool,
    ) -> T {
        match self.is_replaced(key) {
            true => T::from(1u8),
            false => self.section.required(key, expected, holds),
        }
    }

    /// As [`required_scale`](Self::required_scale), of a key that may be absent and is 1 then.
    pub fn optional_scale<T: FromToml + From<u8>>(
        &mut self,
        key: &'static str,
        expected: &str,
        holds: impl Fn(&T) -> bool,
    ) -> T {
        let given = if self.is_replaced(key) { None } else { self.section.optional(key, expected, holds) };
        given.unwrap_or(T::from(1u8))
    }

    /// True if `strength` is given in the place of this key, which is refused then.
    fn is_replaced(&mut self, key: &'static str) -> bool {
        let is_replaced = self.replaced == Some(key);
        if is_replaced && self.section.value(key).is_some() {
            self.section.problem(key, "expected nothing beside noise.strength, which says how strong the noise is");
        }
        is_replaced
    }
}
