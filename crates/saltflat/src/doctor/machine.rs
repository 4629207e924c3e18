//! The program, the processor and the graphics adapters.

use saltflat_record::provenance;
use saltflat_train::{DeviceInfo, adapter_names};

use super::finding::{Finding, Findings};
use crate::{output::OutputError, train::features};

pub fn look(findings: &mut Findings, device: &DeviceInfo) -> Result<(), OutputError> {
    let from = provenance();
    let said =
        |key: &str| from.get(key).map_or("unknown".into(), |value| value.to_string().trim_matches('"').to_string());
    let features = features().join(", ");
    let build = format!(
        "version {}, revision {}, features: {}",
        said("version"),
        said("git_revision"),
        if features.is_empty() { "none" } else { &features }
    );
    findings.add(Finding::ok("program", build))?;
    findings.add(Finding::ok("processor", format!("{} threads{}", said("threads"), memory())))?;
    findings.add(match adapter_names() {
        None => Finding::note(
            "adapters",
            "this build has no GPU backend",
            "build with the feature wgpu (it is on unless --no-default-features was given)",
        ),
        Some(names) if names.is_empty() => Finding::note(
            "adapters",
            "none was found",
            "install a Vulkan driver of your card's maker and libvulkan1 (vulkaninfo --summary shows what the system sees); \
             Mesa's mesa-vulkan-drivers has a software one for tests",
        ),
        Some(names) => Finding::ok("adapters", names.join(", ")),
    })?;
    let driver = if device.driver.is_empty() { String::new() } else { format!(", driver {}", device.driver) };
    let chosen = format!("{} ({}){driver}: {}", device.name, device.backend, device.why);
    findings.add(match device.note() {
        None => Finding::ok("device", chosen),
        Some(note) => Finding::note("device", chosen, note),
    })
}

/// Memory of the machine, if the system tells it.
fn memory() -> String {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |name: &str| -> Option<u64> {
        text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
    };
    match (kib("MemTotal:"), kib("MemAvailable:")) {
        (Some(total), Some(free)) => format!(", {} MiB of memory, {} MiB available", total >> 10, free >> 10),
        _ => String::new(),
    }
}
