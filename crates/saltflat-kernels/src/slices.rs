//! Runs kernels, which are generic in the number type, on tensors.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::TensorData,
};

/// Evaluates the body with the entries of tensors as slices of f32 or f64, under the names of the tensors, and makes a tensor of the given
/// shape from the `Vec` that it returns.
macro_rules! kernel {
    ([$($x:ident),*] -> $shape:expr, $body:expr) => {{
        let shape: burn::tensor::Shape = $shape;
        $(let $x = $x.to_contiguous();)*
        macro_rules! with {
            ($real:ty) => {{
                $(let $x = $x.as_slice::<$real>().expect("contiguous, of one number type");)*
                burn::backend::flex::FlexTensor::from_data(burn::tensor::TensorData::new($body, shape))
            }};
        }
        match [$($x.dtype()),*][0] {
            burn::tensor::DType::F32 => with!(f32),
            _ => with!(f64),
        }
    }};
}

/// Runs the body with the entries of tensors as slices, as [`kernel`], the first one's to be overwritten: in place if no other tensor
/// shares its memory, else in a copy. Returns the first tensor.
macro_rules! in_place {
    ($y:ident, [$($x:ident),*], $body:expr) => {{
        $(let $x = $x.to_contiguous();)*
        let mut tensor = $crate::slices::writable($y);
        macro_rules! with {
            ($real:ty) => {{
                $(let $x = $x.as_slice::<$real>().expect("contiguous, of one number type");)*
                let $y = tensor.storage_mut::<$real>();
                $body
            }};
        }
        match tensor.dtype() {
            burn::tensor::DType::F32 => with!(f32),
            _ => with!(f64),
        }
        tensor
    }};
}

pub(crate) use {in_place, kernel};

/// A tensor with the same entries that may be overwritten: itself if no other tensor shares its memory, else a copy.
pub(crate) fn writable(x: FlexTensor) -> FlexTensor {
    let whole = |x: &FlexTensor| x.is_contiguous() && x.bytes().len() == x.shape().num_elements() * x.dtype().size();
    match x.is_unique() && whole(&x) {
        true => x,
        false => {
            let x = x.to_contiguous();
            let (shape, dtype) = (x.shape(), x.dtype());
            match (x.as_slice::<f32>(), x.as_slice::<f64>()) {
                (Some(values), _) => FlexTensor::from_data(TensorData::new(values.to_vec(), shape)),
                (_, Some(values)) => FlexTensor::from_data(TensorData::new(values.to_vec(), shape)),
                _ => unreachable!("{dtype:?} has no kernels"),
            }
        }
    }
}
