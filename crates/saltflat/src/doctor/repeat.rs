//! Two equal runs, bit for bit, and the memory of a long one.

use std::{env, fs, path::Path, process::Command};

use anyhow::{Context, bail};
use burn::tensor::DType;
use saltflat_train::{
    DeviceInfo, Plan, TrainError, Trainer,
    config::{Config, Purpose},
};

use super::finding::{Finding, Findings};
use crate::{args::DoctorArgs, dry_run::resident, faults::caught};

const RUN: &str = "[data]\nkind = \"mnist-1k\"\nlimit = 200\ntest_limit = 50\n[model]\nkind = \"lenet\"\nwidth = 4\n[loss]\n\
                   kind = \"cross_entropy\"\n[noise]\nkind = \"label-flip\"\nprobability = 0.2\n[optimizer]\nlr = 0.05\n\
                   momentum = 0.9\nbatch_size = 25\n[train]\nepochs = 2\n[metrics]\nevery_epochs = 2\n\
                   trace = { probes = 2 }\nalignment = { samples = 5 }\n";

/// Steps between which memory is compared; the first ones fill the pools.
const STEPS: [u64; 2] = [100, 600];

pub fn look(findings: &mut Findings, args: &DoctorArgs, device: &DeviceInfo) -> anyhow::Result<()> {
    findings.wait_for("two equal runs, and 600 steps");
    findings.add(match equal_runs(args) {
        Ok(equal) => told(equal, device),
        Err(error) => {
            Finding::failed("two equal runs", format!("{error:#}"), "see what saltflat train says on this device")
        }
    })?;
    let growth = caught(|| growth(device));
    findings.add(match growth {
        Err(error) => Finding::failed("memory", error.to_string(), "see what saltflat train says on this device"),
        Ok(all) => {
            let found: Vec<String> = all
                .iter()
                .map(|(name, [from, to])| format!("{name} {:.1} -> {:.1} MiB", mebibytes(*from), mebibytes(*to)))
                .collect();
            let found = format!("from step {} to {}: {}", STEPS[0], STEPS[1], found.join(", "));
            // A page more or less is no leak.
            let grows = |[from, to]: [u64; 2]| to > from + from / 20 + (8 << 20);
            match all.iter().any(|(_, sizes)| grows(*sizes)) {
                false => Finding::ok("memory", found),
                true => Finding::failed(
                    "memory",
                    found,
                    "a run of days may end for want of memory: use --time-limit and --resume, and report it",
                ),
            }
        }
    })?;
    Ok(())
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn told(equal: bool, device: &DeviceInfo) -> Finding {
    let check = "two equal runs";
    match (equal, device.backend) {
        (true, "flex") => Finding::ok(check, "the same bits, as is promised on a CPU for any number of threads"),
        (false, "flex") => Finding::failed(check, "different bits", "equal bits are promised on a CPU: report it"),
        (true, _) => Finding::ok(check, "the same bits; on a GPU that is not promised"),
        (false, _) => Finding::note(
            check,
            "different bits; on a GPU equal seeds agree up to rounding only",
            "compare runs over seeds, as studies do; autotuning chooses kernels by their time, so a build without it repeats \
             itself better",
        ),
    }
}

/// True if two processes with the same configuration leave the same rows and weights.
fn equal_runs(args: &DoctorArgs) -> anyhow::Result<bool> {
    let place = env::temp_dir().join(format!("saltflat-doctor-{}", std::process::id()));
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    let result = (|| {
        fs::write(place.join("run.toml"), RUN)?;
        let mut kept = Vec::new();
        for name in ["one", "other"] {
            let mut command = Command::new(env::current_exe()?);
            command.args(["train", "run.toml", "--out", name, "--device", &args.device.to_string()]);
            let output = command.current_dir(&place).output()?;
            if !output.status.success() {
                bail!("a run failed: {}", String::from_utf8_lossy(&output.stderr).trim());
            }
            kept.push((fs::read(place.join(name).join("metrics.jsonl"))?, fs::read(last_weights(&place.join(name))?)?));
        }
        Ok(kept[0] == kept[1])
    })();
    let _ = fs::remove_dir_all(&place);
    result
}

fn last_weights(run: &Path) -> anyhow::Result<std::path::PathBuf> {
    let folder = run.join("checkpoints");
    let paths = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let weights = paths.filter(|path| {
        path.extension().is_some_and(|e| e == "safetensors") && !path.to_string_lossy().contains(".state.")
    });
    weights.max().with_context(|| format!("{} holds no weights", folder.display()))
}

/// What the device's pool and the process hold after some steps and after many.
fn growth(device: &DeviceInfo) -> Result<Vec<(&'static str, [u64; 2])>, TrainError> {
    let set = [("metrics.enabled".to_string(), "false".to_string()), ("train.epochs".to_string(), "1000".to_string())];
    let config = Config::read_as(RUN, Path::new("doctor"), &set, Purpose::Train)?;
    let plan = Plan::new(config, &device.device, DType::F32)?;
    let mut trainer = Trainer::new(&plan, Trainer::random_start(&plan));
    let mut held = Vec::new();
    for step in 1..=STEPS[1] {
        let first = (step * 25 % 200) as u32;
        trainer.make_step(&(first..first + 25).collect::<Vec<u32>>());
        if STEPS.contains(&step) {
            plan.device.sync().map_err(|e| TrainError::Training(format!("{e:?}")))?;
            held.push((plan.device.memory_pool_usage().map(|pool| pool.bytes_reserved), resident()));
        }
    }
    let (from, to) = (held[0], held[1]);
    let both = |name, from: Option<u64>, to: Option<u64>| Some((name, [from?, to?]));
    Ok(both("the device's pool", from.0, to.0).into_iter().chain(both("the process", from.1, to.1)).collect())
}
