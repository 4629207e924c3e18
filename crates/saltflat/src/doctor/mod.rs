//! `saltflat doctor`: whether this machine gives the numbers that it should.

mod finding;
mod machine;
mod parity;
mod repeat;

use std::process::ExitCode;

use saltflat_kernels::start_threads;
use saltflat_train::choose_device;

use self::finding::{Finding, Findings, Verdict};
use crate::args::DoctorArgs;

/// Runs the command: exit code 0 if nothing failed, else 1.
pub fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let mut findings = Findings { all: Vec::new(), json: args.json };
    let threads = start_threads();
    let device = choose_device(&args.device)?;
    if args.parity {
        parity::here(&mut findings, &device, args.noises)?;
        outln!("{}", serde_json::to_string(&findings.all)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    machine::look(&mut findings, &device)?;
    if let Some(note) = threads {
        findings.add(Finding::note("threads", note, "unset the variable: as many threads as cores are the fastest"))?;
    }
    machine::look_at_storage(&mut findings, args)?;
    parity::look(&mut findings, args, &device)?;
    repeat::look(&mut findings, args, &device)?;
    let failed = findings.all.iter().filter(|finding| finding.verdict == Verdict::Failed).count();
    match args.json {
        true => outln!("{}", serde_json::to_string_pretty(&findings.all)?)?,
        false if failed == 0 => outln!("{} checks, none failed", findings.all.len())?,
        false => outln!("{} checks, {failed} failed", findings.all.len())?,
    }
    Ok(ExitCode::from(u8::from(failed > 0)))
}
