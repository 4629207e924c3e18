//! Operations on every number by itself, each in one pass over memory.

mod add_scaled;
mod relu;
mod sgd_step;
mod tap;
mod update;

pub(crate) use self::add_scaled::add_repeated;
pub use self::{
    add_scaled::{add, add_scaled},
    relu::{relu, relu_backward},
    sgd_step::sgd_step,
    tap::tap,
};
