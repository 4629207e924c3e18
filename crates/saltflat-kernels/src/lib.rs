//! Convolution, group normalisation and the operations between them on CPU cores: faster than burn's own kernels, equal to them up to
//! rounding, and equal bits for any number of threads.
//!
//! The functions take any burn tensor. Tensors of the CPU backend in f32 and f64 ([`has_kernels`]) go through the kernels of this crate,
//! whose backward passes compute the gradients that are wanted and no others; all other tensors go through burn's operations. The
//! exceptions are those of group normalisation and [`sample_gradients`], which have kernels only. `SALTFLAT_KERNELS=burn` switches the
//! kernels off, for comparisons ([`SWITCH`]).
//!
//! Start with [`convolution`]. A program calls [`init_thread_pool`] once, before its first operation.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use saltflat_kernels::{Window, convolution, relu};
//!
//! let image = Tensor::<4>::ones([1, 1, 4, 4], &Device::flex());
//! let weight = Tensor::<4>::ones([1, 1, 3, 3], &Device::flex()).autodiff().require_grad();
//! let y = relu(convolution(image, weight.clone(), None, Window::three(1)));
//!
//! // The centre of the kernel reads each of the 16 pixels, a corner 9 of them.
//! let gradient = weight.grad(&y.sum().backward()).expect("a leaf of the graph");
//! assert_eq!(gradient.into_data().to_vec::<f32>().unwrap(), [9., 12., 9., 12., 16., 12., 9., 12., 9.]);
//! ```
//!
//! | Operations | |
//! | --- | --- |
//! | [`convolution`], [`sample_gradients`], [`patch_products`] | convolutions and their per-sample gradients |
//! | [`linear`] | linear layers |
//! | [`group_norm`], [`group_norm_first`], [`group_norm_second`] | group normalisation and its coefficients along directions |
//! | [`relu`], [`relu_backward`], [`add`], [`add_scaled`], [`tap`], [`sgd_step`] | every number by itself |
//! | [`shift`], [`scale`] and their coefficients, [`directions_to_batch`] | channels |
//! | [`mean_pool`], [`max_pool`] | windows of 2 × 2 |
//! | [`dot`], [`gram`], [`row_products`], [`row_sums`] | inner products |
//!
//! An operation is one file, with its public function, its kernels and its `Operation`, which gives the value and the backward pass.

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
