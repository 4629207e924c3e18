//! Elementwise operations, each in one pass over memory.

mod add;
mod relu;
mod sgd_step;
mod update;

pub(crate) use self::add::add_repeated;
pub use self::{add::*, relu::*, sgd_step::*};
