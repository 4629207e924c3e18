//! Pooling over windows of 2 × 2.

mod max_pool;
mod mean_pool;
mod planes;

pub use self::{max_pool::*, mean_pool::*};
