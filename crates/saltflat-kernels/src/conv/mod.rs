//! Convolutions, and inner products of their sample gradients.

mod batch_vectorized;
mod convolution;
mod nchwc;
mod patch_products;
mod planar;
mod select;
mod stride;
mod window;
mod winograd;

pub use self::{convolution::*, patch_products::*, window::Window};
