//! Inner products, of which Gram matrices of sample gradients are made. None of them has a backward pass.

mod inner;
mod matrix;

pub use self::{inner::*, matrix::*};
