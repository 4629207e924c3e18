//! Group normalisation: its value, and its coefficients along directions.

mod group_norm;
mod group_norm_first;
mod group_norm_second;
mod groups;

pub use self::{group_norm::*, group_norm_first::*, group_norm_second::*};
