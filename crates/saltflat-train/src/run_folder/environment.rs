//! The environment of a run's process.

use std::env;

use saltflat_record::{DataFile, Environment, RunEnvironment};

use crate::{DeviceInfo, Plan};

/// What the numbers depend on beside the configuration.
pub(super) fn environment(plan: &Plan, device: &DeviceInfo, features: &[&str]) -> Environment {
    let datasets =
        plan.sources.iter().map(|(file, sha256)| DataFile { file: Some(file.clone()), sha256: Some(sha256.clone()) });
    Environment::new(&RunEnvironment {
        backend: device.backend,
        device: &device.name,
        driver: &device.driver,
        software_adapter: device.software,
        device_choice: &device.why,
        features,
        autotune_level: env::var("CUBECL_AUTOTUNE_LEVEL").ok(),
        fusion: env::var("SALTFLAT_FUSION").ok(),
        kernels: env::var(saltflat_kernels::SWITCH).ok(),
        threads: saltflat_kernels::thread_count(),
        precision: plan.precision(),
        deterministic: match device.backend {
            "flex" => "equal seeds give equal bits",
            _ => "reductions on a GPU may use atomics: equal seeds agree up to rounding",
        },
        parameters: plan.network.layout().len(),
        datasets: datasets.collect(),
    })
}
