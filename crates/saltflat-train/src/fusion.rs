//! Which fused kernels a GPU may use.

use std::sync::OnceLock;

#[cfg(feature = "fusion")]
use burn_cubecl::fusion::{BUILTIN_NAMES, remove};

use crate::TrainError;

/// The environment variable that chooses: `on`, `off`, or `all`.
const SWITCH: &str = "SALTFLAT_FUSION";

/// What burn offers, in burn-cubecl 0.22.1. A reduction fused with what is broadcast from it gives wrong numbers there: the trace of a
/// network with group norm was 1936 instead of −9.1 when autotuning chose it, which depends on how busy the machine is
/// (docs/upstream/fused-reduce-broadcast.md).
const FAULTY: [&str; 1] = ["ReduceBroadcasted"];

/// Takes the faulty ones out, or all of them; must come before the first tensor on a GPU.
pub(crate) fn disable_faulty_fusions() -> Result<(), TrainError> {
    static DISABLED: OnceLock<Result<(), String>> = OnceLock::new();
    let asked = std::env::var(SWITCH).unwrap_or_else(|_| "on".into());
    let kernels: &[&str] = match asked.as_str() {
        "on" => &FAULTY,
        "off" => &BUILTIN_NAMES,
        "all" => &[],
        _ => {
            let reason = format!("expected on, off or all, got {asked}");
            return Err(TrainError::Option { option: SWITCH, reason });
        }
    };
    let disabled =
        DISABLED.get_or_init(|| kernels.iter().try_for_each(|kernel| remove(kernel).map_err(|e| e.to_string())));
    disabled.clone().map_err(TrainError::Training)
}

/// A build without fusion has nothing to remove.
#[cfg(not(feature = "fusion"))]
const BUILTIN_NAMES: [&str; 0] = [];

#[cfg(not(feature = "fusion"))]
fn remove(_kernel: &str) -> Result<(), std::convert::Infallible> {
    Ok(())
}
