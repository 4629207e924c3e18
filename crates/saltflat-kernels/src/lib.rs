#![doc = include_str!("../README.md")]

mod buffer;
mod channelwise;
mod conv;
mod gram;
mod linear;
mod norm;
mod operation;
mod pointwise;
mod pool;
mod reduce;
mod simd;
mod slices;
mod switch;
mod tasks;
mod threads;
mod tile;

pub use self::{
    channelwise::*,
    conv::*,
    gram::*,
    linear::*,
    norm::*,
    pointwise::*,
    pool::*,
    switch::{SWITCH, check_switch, has_kernels},
    threads::{init_thread_pool, start_threads, thread_count, with_threads},
};
