//! A fingerprint of a study, by which a page can be told from that of an earlier version of the study.

use saltflat_record::sha256_hex;
use serde_json::json;

use crate::{Entry, Study, StudyFile};

impl Study {
    /// SHA-256 of what determines the runs: their names, labels, seeds and starts, and the keys that the study sets in each of their
    /// configurations. Comments, keys that are at their defaults and other scales are no part of it.
    pub fn settings_sha256(&self) -> String {
        let run = |(run, settings): (&Entry, &String)| {
            json!([run.name, run.stage, run.labels, run.seed, run.parent, settings])
        };
        let runs: Vec<_> = self.entries.iter().zip(&self.settings).map(run).collect();
        sha256_hex(json!(runs).to_string().as_bytes())
    }
}

impl StudyFile {
    /// SHA-256 of what determines the page: the runs by [`Study::settings_sha256`], and this file's title, text, baseline and
    /// figures.
    pub fn page_sha256(&self, settings_sha256: &str) -> String {
        let study = &self.study;
        let page = json!([settings_sha256, study.name, study.title, study.text, study.baseline, self.figures]);
        sha256_hex(page.to_string().as_bytes())
    }
}
