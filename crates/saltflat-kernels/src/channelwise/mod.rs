//! Offsets and factors of channels, their coefficients along directions, and sums over channels.

mod directions;
mod layout;
mod scale;
mod shift;

pub(crate) use self::layout::channel_sums;
pub use self::{directions::*, scale::*, shift::*};
