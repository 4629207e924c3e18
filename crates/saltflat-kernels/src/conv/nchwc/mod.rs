//! Convolutions of all sizes, with the channels innermost.

mod correlate;
mod layout;
mod weight_gradient;

pub(super) use self::{correlate::correlate, layout::Nchwc, weight_gradient::weight_gradient};
