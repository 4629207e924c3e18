//! The program, the processor, the graphics adapters, where runs are written, and the datasets.

use std::{fs, path::Path};

use saltflat_data::{DATASETS, DataConfig, Dataset, Storage};
use saltflat_record::provenance;
use saltflat_train::{DeviceInfo, adapter_names};

use super::finding::{Finding, Findings};
use crate::{args::DoctorArgs, dry_run::proc_bytes, output::OutputError, version::build_features};

pub fn look(findings: &mut Findings, device: &DeviceInfo) -> Result<(), OutputError> {
    let from = provenance();
    let said =
        |key: &str| from.get(key).map_or("unknown".into(), |value| value.to_string().trim_matches('"').to_string());
    let features = build_features().join(", ");
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

fn memory() -> String {
    match ["MemTotal:", "MemAvailable:"].map(|key| proc_bytes("/proc/meminfo", key)) {
        [Some(total), Some(free)] => format!(", {} MiB of memory, {} MiB available", total >> 20, free >> 20),
        _ => String::new(),
    }
}

/// Less room than this is worth a word: a ResNet-18's checkpoint with its momentum takes 90 MB.
const ROOM: u64 = 2 << 30;

pub fn look_at_storage(findings: &mut Findings, args: &DoctorArgs) -> Result<(), OutputError> {
    findings.add(write_access(&args.out))?;
    if let Some(finding) = room(&args.out) {
        findings.add(finding)?;
    }
    for dataset in DATASETS.iter().filter(|dataset| !matches!(dataset.storage, Storage::Generated(_))) {
        findings.add(look_at(dataset, args))?;
    }
    Ok(())
}

/// The folder itself, or the nearest one above it that there is.
fn existing(folder: &Path) -> &Path {
    let above = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    if above.as_os_str().is_empty() { Path::new(".") } else { above }
}

fn write_access(folder: &Path) -> Finding {
    let place = existing(folder).join(format!(".saltflat-doctor-{}", std::process::id()));
    let tried = saltflat_record::write(&place, b"doctor\n");
    let _ = fs::remove_file(&place);
    let check = format!("write access to {}", folder.display());
    match tried {
        Ok(()) => Finding::ok(check, "a file was written, flushed and renamed"),
        Err(error) => Finding::failed(check, error.to_string(), "name another folder with --out"),
    }
}

#[cfg(unix)]
fn room(folder: &Path) -> Option<Finding> {
    let found = nix::sys::statvfs::statvfs(existing(folder)).ok()?;
    let free = found.blocks_available() as u64 * found.fragment_size() as u64;
    let (check, text) = (format!("room for {}", folder.display()), format!("{} MiB are free", free >> 20));
    Some(match free < ROOM {
        false => Finding::ok(check, text),
        true => Finding::note(
            check,
            text,
            "checkpoints: train.checkpoint.keep = 2 keeps two; a full disk ends a run, which resumes",
        ),
    })
}

#[cfg(not(unix))]
fn room(_folder: &Path) -> Option<Finding> {
    None
}

fn look_at(dataset: &'static Dataset, args: &DoctorArgs) -> Finding {
    let mut config = DataConfig::new(dataset);
    config.data_dir.clone_from(&args.data_dir);
    let check = format!("dataset {}", dataset.name);
    match saltflat_data::load(&config) {
        Ok(splits) => {
            let test = splits.test.as_ref().map_or(0, saltflat_data::Examples::len);
            Finding::ok(check, format!("{} training and {test} test samples, checksums hold", splits.train.len()))
        }
        Err(error) if error.is_missing() => Finding::note(check, "is not there", error.to_string()),
        Err(error) => Finding::failed(check, error.to_string(), "the file is damaged: fetch it again"),
    }
}
