//! Inner products, of which Gram matrices of sample gradients are made. None of them has a backward pass.

mod dot;
mod matrix;
mod rows;

pub use self::{
    dot::dot,
    matrix::gram,
    rows::{row_products, row_sums},
};
