//! Writes pages: runs in, HTML out.

mod contents;
mod figures;
mod html;

pub use contents::*;
pub use figures::*;
pub use html::html;
