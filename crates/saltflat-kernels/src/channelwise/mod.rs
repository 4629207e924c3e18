//! Offsets and factors of channels, their coefficients along directions, and sums over channels.

mod directions;
mod layout;
mod scale;
mod shift;
mod sums;

pub(crate) use self::sums::channel_sums;
pub use self::{
    directions::directions_to_batch,
    scale::{scale, scale_first, scale_second},
    shift::{shift, shift_first},
};
