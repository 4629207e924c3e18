//! Convolutions of stride 1 with few channels: positions innermost, as they lie in the images.
//!
//! Padded rows lie one after the other, so an entry of the kernel is a shift of the whole image, the same for every position; what
//! is computed between two rows is dropped. A tile of M outputs and V vectors of positions stays in registers while inputs and
//! kernel entries pass; for the gradient with respect to the weight, M outputs and the K entries of a row of the kernel.

mod correlate;
mod layout;
mod weight_gradient;

pub(super) use self::{correlate::correlate, weight_gradient::weight_gradient};
