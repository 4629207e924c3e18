//! Random tensors, and how far apart two are.

use burn::tensor::{DType, Device, Tensor, TensorData};
use saltflat_random::{Key, Stream};

/// Standard normal entries of one seed and part, on the CPU.
pub fn normal<const D: usize>(shape: [usize; D], part: u64, dtype: DType) -> Tensor<D> {
    let values = Key::new(7, Stream::Probe, 0).part(part).normal(shape.iter().product());
    Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), dtype))
}

/// As [`normal`], a leaf of an autodiff graph.
pub fn leaf<const D: usize>(shape: [usize; D], part: u64, dtype: DType) -> Tensor<D> {
    normal(shape, part, dtype).autodiff().require_grad()
}

/// max |a − b| / max |b|; equal shapes are asserted.
#[allow(dead_code)] // Not every test that takes this module compares so.
pub fn difference<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f64 {
    assert_eq!(a.dims(), b.dims());
    let (a, b) = (numbers(a), numbers(b));
    let largest = b.iter().fold(f64::MIN_POSITIVE, |m, b| m.max(b.abs()));
    a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / largest
}

/// Its entries.
pub fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.without_autodiff().into_data().convert::<f64>().try_into_vec().expect("converted")
}
