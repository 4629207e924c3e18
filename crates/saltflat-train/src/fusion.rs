//! Which fused kernels a GPU may use.

use std::sync::OnceLock;

use crate::TrainError;

/// The environment variable that chooses: `on`, `off`, or `all`.
const SWITCH: &str = "SALTFLAT_FUSION";

/// What burn offers, in burn-cubecl 0.22.1. A reduction fused with what is broadcast from it gives wrong numbers there: the trace of a
/// network with group norm was 1936 instead of −9.1 where autotuning chose it, which depends on how busy the machine is
/// (docs/upstream/fused-reduce-broadcast.md).
const WRONG: [&str; 1] = ["ReduceBroadcasted"];

/// Takes the wrong ones out, or all of them; must come before the first tensor on a GPU.
///
/// # Errors
/// [`TrainError::Option`] where the switch has another value, [`TrainError::Training`] where it comes too late.
pub(crate) fn settle() -> Result<(), TrainError> {
    static SETTLED: OnceLock<Result<(), String>> = OnceLock::new();
    let asked = std::env::var(SWITCH).unwrap_or_else(|_| "on".into());
    let kernels: &[&str] = match asked.as_str() {
        "on" => &WRONG,
        "off" => &all(),
        "all" => &[],
        _ => {
            let reason = format!("expected on, off or all, got {asked}");
            return Err(TrainError::Option { option: SWITCH, reason });
        }
    };
    let settled = SETTLED.get_or_init(|| kernels.iter().try_for_each(|kernel| remove(kernel)));
    settled.clone().map_err(TrainError::Training)
}

#[cfg(feature = "fusion")]
fn all() -> [&'static str; 5] {
    burn_cubecl::fusion::BUILTIN_NAMES
}

#[cfg(not(feature = "fusion"))]
fn all() -> [&'static str; 0] {
    []
}

#[cfg(feature = "fusion")]
fn remove(kernel: &str) -> Result<(), String> {
    burn_cubecl::fusion::remove(kernel).map_err(|e| e.to_string())
}

#[cfg(not(feature = "fusion"))]
fn remove(_kernel: &str) -> Result<(), String> {
    Ok(())
}
