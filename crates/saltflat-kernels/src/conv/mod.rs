//! Convolutions, and inner products of their sample gradients.

mod batch_vectorized;
mod convolution;
mod nchwc;
mod patch_products;
mod planar;
mod sample_gradients;
mod select;
mod stride;
mod window;
mod winograd;

pub use self::{
    convolution::convolution, patch_products::patch_products, sample_gradients::sample_gradients, window::Window,
};
