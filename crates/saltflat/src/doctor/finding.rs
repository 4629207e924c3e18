//! Findings of the doctor.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::output::OutputError;

/// What was looked at, and what a person does about it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Finding {
    check: String,
    pub verdict: Verdict,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// Worth knowing.
    Note,
    /// Numbers would be wrong, or runs would fail.
    Failed,
}

impl Finding {
    pub fn named(self, before: &str) -> Self {
        Self { check: format!("{before}{}", self.check), ..self }
    }

    pub fn ok(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Ok, found: found.into(), advice: None }
    }

    pub fn note(check: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Note, advice: Some(advice.into()), ..Self::ok(check, found) }
    }

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

pub struct Findings {
    pub all: Vec<Finding>,
    /// True if they are printed as JSON at the end, and not as they come.
    pub json: bool,
}

impl Findings {
    pub fn add(&mut self, finding: Finding) -> Result<(), OutputError> {
        if !self.json {
            outln!("{finding}")?;
        }
        self.all.push(finding);
        Ok(())
    }
}
