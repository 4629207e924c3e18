//! `saltflat doctor`: whether this machine gives the numbers that it should.

mod machine;
mod parity;
mod repeat;
mod storage;

use std::{fmt, process::ExitCode};

use saltflat_kernels::start_threads;
use saltflat_train::choose_device;
use serde::{Deserialize, Serialize};

use crate::{args::DoctorArgs, output::OutputError};

/// What was looked at, and what a person does about it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Finding {
    check: String,
    verdict: Verdict,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Numbers would be wrong, or runs would fail.
    Failed,
}

impl Finding {
    /// Under a longer name.
    fn named(self, before: &str) -> Self {
        Self { check: format!("{before}{}", self.check), ..self }
    }

    /// As it should be.
    pub fn ok(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Ok, found: found.into(), advice: None }
    }

    /// Worth knowing, and what to do about it.
    pub fn note(check: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Note, advice: Some(advice.into()), ..Self::ok(check, found) }
    }

    /// Not as it should be, and what to do about it.
    pub fn failed(check: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Failed, advice: Some(advice.into()), ..Self::ok(check, found) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Note => "note",
            Verdict::Failed => "FAILED",
        };
        write!(f, "{verdict:<7}{}: {}", self.check, self.found)?;
        self.advice.iter().try_for_each(|advice| write!(f, "\n       -> {advice}"))
    }
}

/// Findings, told as they come.
struct Findings {
    all: Vec<Finding>,
    json: bool,
}

impl Findings {
    fn add(&mut self, finding: Finding) -> Result<(), OutputError> {
        if !self.json {
            outln!("{finding}")?;
        }
        self.all.push(finding);
        Ok(())
    }

    /// What comes takes a while.
    fn wait_for(&self, what: &str) {
        errln!("       ({what} …)");
    }
}

/// Runs the command: exit code 0 where nothing failed, 1 where something did.
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
    storage::look(&mut findings, args)?;
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
