//! Our side of `scripts/bench/peers.py`: reads a task a line (`step mlp`, `grad resnet18`, `hvp vgg11`, `gram mlp`), does it
//! until [`LEAST`] has passed, at least once, and answers `{"seconds": …, "peak_bytes": …}`, the mean time of one. The first time it meets
//! a task it warms up with one more. An argument names the device, as `--device` does; on a GPU the bytes are those that its memory
//! pool holds.

use std::{
    collections::HashSet,
    fs,
    io::{BufRead, Write},
    time::{Duration, Instant},
};

use saltflat_bench::Workload;
use saltflat_train::{DeviceChoice, choose_device};

/// Steps of a few milliseconds are made one after the other, as in a training run.
const LEAST: Duration = Duration::from_millis(200);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    saltflat_kernels::init_thread_pool();
    let choice = std::env::args().nth(1).map_or(Ok(DeviceChoice::Cpu), |name| name.parse())?;
    let device = choose_device(&choice)?.device;
    let mut warm = HashSet::new();
    let mut workload: Option<(String, Workload)> = None;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Some((task, model)) = line.trim().split_once(' ') else { continue };
        if workload.as_ref().is_none_or(|(name, _)| name != model) {
            workload = Workload::new(model, &device).map(|workload| (model.to_string(), workload));
        }
        let Some((_, workload)) = &mut workload else {
            eprintln!("unknown model {model}");
            continue;
        };
        if warm.insert(line.clone()) {
            workload.run(task);
        }
        // Resets the peak to what is resident now, so that it is the task's own.
        let _ = fs::write("/proc/self/clear_refs", "5");
        let (clock, mut count) = (Instant::now(), 0);
        while count == 0 || clock.elapsed() < LEAST {
            workload.run(task);
            count += 1;
        }
        let seconds = clock.elapsed().as_secs_f64() / f64::from(count);
        let held = device.memory_pool_usage().map(|pool| pool.bytes_reserved);
        println!("{{\"seconds\": {seconds}, \"peak_bytes\": {}}}", held.or_else(peak).unwrap_or(0));
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// Largest resident size since the last reset.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
