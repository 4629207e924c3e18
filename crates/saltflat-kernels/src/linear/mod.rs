//! Linear layers, and the matrix products that they are made of.

mod layer;
mod product;

pub use self::layer::*;
