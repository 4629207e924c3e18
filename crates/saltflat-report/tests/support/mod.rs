//! Runs and figures that tests share.

#![allow(clippy::unwrap_used, dead_code)]

use std::{fmt::Write, fs, path::Path};

use saltflat_report::{Page, Row, Run, label_by_differences};
use serde_json::{Map, Value};

/// A run folder of a few epochs: the trace falls from 100 + seed by 10 an epoch, the accuracy climbs by 0.1. All are measured on
/// plain cross-entropy, as rows say, whatever the noise.
pub fn write_run(folder: &Path, probability: f64, seed: u64, status: &str) {
    fs::create_dir_all(folder).unwrap();
    let config = format!(
        "[run]\nname = \"a<b>&\"\nseed = {seed}\n[noise]\nkind = \"label-flip\"\nprobability = {probability:?}\n\
         [data]\nkind = \"mnist\"\n[loss]\nkind = \"cross_entropy\"\n\
         [optimizer]\nlr = 0.1\nmomentum = 0.0\nbatch_size = 10\n"
    );
    fs::write(folder.join("config.toml"), config).unwrap();
    fs::write(
        folder.join("env.json"),
        r#"{"version":"9.9","device":"<device>","datasets":[{"file":"f","sha256":"abc"}]}"#,
    )
    .unwrap();
    fs::write(folder.join("status.json"), format!("{{\"status\":\"{status}\",\"reason\":\"why & how\"}}")).unwrap();
    let mut rows = String::new();
    for epoch in 0..5u64 {
        let trace = 100.0 + seed as f64 - 10.0 * epoch as f64 - 20.0 * probability;
        let accuracy = 0.1 * epoch as f64;
        if epoch > 0 {
            writeln!(rows, r#"{{"kind":"epoch","epoch":{epoch},"step":{},"lr":0.1,"running_loss":1.0}}"#, 4 * epoch)
                .unwrap();
        }
        let density = r#"{"dimension":4,"deflated":[3.0],"probes":[{"nodes":[0.0,1.0],"weights":[2.0,2.0]}]}"#;
        writeln!(
            rows,
            r#"{{"kind":"measurement","epoch":{epoch},"step":{},
            "measured_loss":{{"kind":"cross_entropy","smoothing":0.0,"floor":0.0,"weight_decay":0.0}},"metrics":{{"trace_hessian":{{"value":{trace},
            "std_error":0.5,"probes":16}},"test_accuracy":{{"value":{accuracy}}},"top_eigenvalues":[{{"value":15.0}}],
            "hessian_frobenius":{{"value":30.0}},"wu_bound_frobenius":{{"value":20.0}},"mu":{{"value":null}},
            "feature_norms":[1.5,0.5,1.0],
            "spectral_density":{density}}}}}"#,
            4 * epoch
        )
        .unwrap();
    }
    // Rows are one a line; the last one is torn.
    let lines = rows.replace(",\n            ", ",");
    fs::write(folder.join("metrics.jsonl"), lines + "{\"kind\":\"meas").unwrap();
}

/// A row with other values.
pub fn change(row: &mut Row, with: impl FnOnce(&mut Map<String, Value>)) {
    let mut map: Map<String, Value> = row.parse().unwrap();
    with(&mut map);
    *row = map.into();
}

/// Two groups of three seeds and one that diverged.
pub fn page(folder: &Path) -> Page {
    let mut runs = Vec::new();
    for (probability, seed, status) in [
        (0.0, 0, "finished"),
        (0.0, 1, "finished"),
        (0.0, 2, "running"),
        (0.5, 0, "finished"),
        (0.5, 1, "finished"),
        (0.5, 2, "finished"),
        (1.0, 0, "diverged"),
    ] {
        let path = folder.join(format!("p{probability}-{seed}"));
        write_run(&path, probability, seed, status);
        runs.push(Run::read(&path).unwrap());
    }
    label_by_differences(&mut runs);
    Page { title: "A <page> & more".into(), runs, baseline: Some("probability 0".into()), ..Page::default() }
}

/// Every kind of figure, as a study's TOML names them.
pub const FIGURES: &str = r#"
[[figure]]
kind = "curves"
y = "trace_hessian"
x = "step"
log = true
smooth = 3
reference = { group = "probability 0", metric = "trace_hessian" }
caption = "As figure 3 & more."
[[figure]]
kind = "correlation"
x = "trace_hessian"
y = "test_accuracy"
smooth = 2
[[figure]]
kind = "final"
y = "trace_hessian"
x = "noise.probability"
slope = true
[[figure]]
kind = "final"
y = "test_accuracy"
[[figure]]
kind = "bound"
measured = "hessian_frobenius"
bounds = ["wu_bound_frobenius", "stability_edge"]
[[figure]]
kind = "spectrum"
groups = ["probability 0.5"]
[[figure]]
kind = "phase"
x = "noise.probability"
y = "run.seed"
value = "trace_hessian"
[[figure]]
kind = "phase"
x = "noise.probability"
y = "noise.kind"
value = "status"
[[figure]]
kind = "curves"
y = "trace_hessian"
each = true
growth = [0, 1]
[[figure]]
kind = "samples"
y = "feature_norms"
"#;
