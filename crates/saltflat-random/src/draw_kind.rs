//! Kinds of numbers that are drawn for tensors.

#[cfg(feature = "gpu")]
use crate::box_muller::BLOCK;

/// A kind of numbers that is drawn for tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum DrawKind {
    /// Standard normal.
    Normal,
    /// −1 or +1.
    Signs,
    /// Uniform on [0, 1).
    Uniform,
}

impl DrawKind {
    /// Numbers that one block of ChaCha gives.
    #[cfg(feature = "gpu")]
    pub(crate) fn numbers_per_block(self) -> u32 {
        match self {
            Self::Normal | Self::Uniform => BLOCK as u32,
            Self::Signs => BLOCK as u32 * u32::BITS,
        }
    }
}
