//! Which tensors the kernels take.

use std::sync::LazyLock;

use burn::{
    backend::DispatchDevice,
    tensor::{DType, Tensor},
};

/// The environment variable that chooses the kernels: `own`, the default, or `burn`.
pub const SWITCH: &str = "SALTFLAT_KERNELS";

static SWITCHED_OFF: LazyLock<bool> = LazyLock::new(|| std::env::var(SWITCH).is_ok_and(|kernels| kernels == "burn"));

/// Checks the value of [`SWITCH`].
///
/// # Errors
/// If it is neither `own` nor `burn`: what was expected, and what is there.
pub fn check_switch() -> Result<(), String> {
    match std::env::var(SWITCH).as_deref() {
        Ok("own" | "burn") | Err(std::env::VarError::NotPresent) => Ok(()),
        Ok(other) => Err(format!("expected own or burn, got {other}")),
        Err(e) => Err(e.to_string()),
    }
}

/// True if this crate has kernels for such a tensor: on the CPU backend, of f32 or f64.
pub fn has_kernels<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device().without_autodiff();
    matches!(device.as_dispatch(), DispatchDevice::Flex(_))
        && matches!(x.dtype(), DType::F32 | DType::F64)
        && !*SWITCHED_OFF
}

/// True if this crate has kernels for such a tensor, and it does not belong to an autodiff graph.
pub(crate) fn has_untracked_kernels<const D: usize>(x: &Tensor<D>) -> bool {
    has_kernels(x) && !x.is_autodiff()
}
