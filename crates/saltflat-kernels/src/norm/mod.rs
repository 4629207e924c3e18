//! Normalisation of groups of channels, and of the channels at every position: its value, and its coefficients along directions.

mod group_norm;
mod group_norm_first;
mod group_norm_second;
mod groups;
mod position_norm;
mod positions;

pub use self::{group_norm::*, group_norm_first::*, group_norm_second::*, position_norm::*};
