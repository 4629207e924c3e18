//! What may be compared, and how certain a difference is.

#![allow(clippy::unwrap_used)]

mod support;

use std::{fs, path::Path};

use saltflat_report::{
    AnyFigure, Bound, Correlation, Curves, Figure, FinalValues, Page, Run, csv, distinct, html, json,
    label_by_differences,
};
use support::{change, write_run};

/// `measured_loss` of a row.
const PLAIN: &str = r#"{"kind":"cross_entropy","smoothing":0.0,"floor":0.0,"weight_decay":0.0}"#;
const SMOOTHED: &str = r#"{"kind":"cross_entropy","smoothing":0.5,"floor":1.791759469228055,"weight_decay":0.0}"#;

/// Two seeds without flips and two with a probability of 0.5, whose rows say these losses; without a text they say nothing. The
/// traces of the seeds end at 60 + s and 50 + 2 s.
fn page(root: &Path, losses: [&str; 2]) -> Page {
    let mut runs = Vec::new();
    for (probability, loss) in [0.0, 0.5].into_iter().zip(losses) {
        for seed in 0..2 {
            let folder = root.join(format!("p{probability}-{seed}"));
            write_run(&folder, probability, seed, "finished");
            let path = folder.join("metrics.jsonl");
            let said = |loss: &str| format!("\"measured_loss\":{loss},");
            let mut rows = fs::read_to_string(&path).unwrap();
            assert!(rows.contains(&said(PLAIN)));
            rows = rows.replace(&said(PLAIN), &if loss.is_empty() { String::new() } else { said(loss) });
            if probability > 0.0 && seed == 1 {
                // Another difference than that of the first seed.
                rows = rows.replace("\"trace_hessian\":{\"value\":51", "\"trace_hessian\":{\"value\":52");
            }
            fs::write(&path, rows).unwrap();
            runs.push(Run::read(&folder).unwrap());
        }
    }
    label_by_differences(&mut runs);
    Page { runs, baseline: Some("probability 0".into()), ..Page::default() }
}

/// Losses and curvatures on different losses are not subtracted; accuracies are.
#[test]
fn only_numbers_of_one_loss_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let different = page(&folder.path().join("rows"), [PLAIN, SMOOTHED]);
    // Rows of before there was `measured_loss`: flips with probability 0.5 smooth the loss by 0.5, whose floor for ten classes is
    // ln 2 + ½ ln 9 = 1.7918.
    let derived = page(&folder.path().join("derived"), ["", ""]);
    for page in [&different, &derived] {
        let summary = page.summary();
        let differences = &summary[1].differences;
        let reason = differences["trace_hessian"].reason().unwrap();
        assert_eq!(reason, "measured on cross-entropy, smoothing 0.5, floor 1.792, and probability 0 on cross-entropy");
        for name in ["top_eigenvalues", "hessian_frobenius", "wu_bound_frobenius"] {
            assert_eq!(differences[name].reason(), Some(reason), "{name}");
        }
        assert_eq!(differences["test_accuracy"].value().unwrap().mean, 0.0);
        // Within a group there is one loss.
        assert_eq!(summary[1].finals["trace_hessian"].value().unwrap().mean, 51.0);

        let found = json(page);
        assert_eq!(found["groups"][1]["differences"]["trace_hessian"]["mean"], serde_json::Value::Null);
        assert_eq!(found["groups"][1]["differences"]["trace_hessian"]["reason"], reason);
        assert_eq!(found["groups"][1]["measured_loss"]["smoothing"], 0.5);
        assert!(
            csv(page).contains(&format!(
                ",trace_hessian,,,,\"cross-entropy, smoothing 0.5, floor 1.792\",,,,,\"{reason}\"\n"
            ))
        );
        let html = html(page);
        assert!(html.contains("– <small>[1]</small>") && html.contains(&format!("[1] Not given: {reason}.")), "{html}");
        assert!(html.contains("The groups were not measured on one loss"));

        let figures: [AnyFigure; 4] = [
            Curves::new("trace_hessian").into(),
            FinalValues::new("trace_hessian").into(),
            Correlation::new("trace_hessian", "test_accuracy").into(),
            Bound::new("hessian_frobenius", &["wu_bound_frobenius"]).into(),
        ];
        for figure in figures {
            let drawn = figure.draw(page).unwrap().remove(0);
            let said = "Not on one loss, so levels cannot be compared across: cross-entropy (probability 0); cross-entropy, \
                        smoothing 0.5, floor 1.792 (probability 0.5)";
            assert!(drawn.caption.contains(said), "{}", drawn.caption);
            assert!(!drawn.caption.contains("all together"), "{}", drawn.caption);
        }
        let drawn = Curves::new("test_accuracy").draw(page).unwrap().remove(0);
        assert!(!drawn.caption.contains("Not on one loss"), "{}", drawn.caption);
    }
    // What was trained on differs, whatever it was measured on.
    let equal = page(&folder.path().join("equal"), [SMOOTHED, SMOOTHED]);
    let summary = equal.summary();
    let trained = summary[1].differences["running_loss"].reason().unwrap();
    assert_eq!(trained, "trained on cross-entropy, smoothing 0.5, floor 1.792, and probability 0 on cross-entropy");
    assert!(html(&equal).contains("Measured loss of all groups: cross-entropy, smoothing 0.5, floor 1.792."));
    // −10 and −9: −9.5 ± 0.5 has t = 19 and, with one degree of freedom, p = (2/π) atan(1/19) = 0.0335; the interval is
    // −9.5 ± 12.706 · 0.5.
    let difference = summary[1].differences["trace_hessian"].value().unwrap();
    assert_eq!((difference.mean, difference.std_error, difference.n), (-9.5, Some(0.5), 2));
    assert!((difference.p.unwrap() - 2.0 / std::f64::consts::PI * (1.0f64 / 19.0).atan()).abs() < 1e-12);
    assert!((difference.interval_95.unwrap()[1] - (-9.5 + 0.5 * 12.706204736174694)).abs() < 1e-9);
    let html = html(&equal);
    for seen in ["−9.50 ± 0.50<br/><small>−15.9 to −3.1, p = 0.033</small>", "2 <small>weak</small>", "weak evidence"]
    {
        assert!(html.contains(seen), "{seen}: {html}");
    }
    let line = csv(&equal).lines().find(|line| line.contains("difference,,,trace_hessian")).unwrap().to_string();
    assert!(line.contains(",trace_hessian,-9.5,0.5,,\"cross-entropy, smoothing 0.5, floor 1.792\",2,-15.8"), "{line}");
}

/// What is not known is compared with nothing, not with what is not known either.
#[test]
fn unknown_losses_are_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    let mut page = page(folder.path(), ["", ""]);
    page.runs.iter_mut().for_each(|run| drop(run.config.remove("loss")));
    let summary = page.summary();
    let reason = summary[1].differences["trace_hessian"].reason().unwrap();
    assert!(reason.contains("unknown (config.toml has no [loss])"), "{reason}");
    assert!(summary[1].differences["test_accuracy"].value().is_some());
    // Seeds of one group are of one configuration.
    assert!(summary[1].finals["trace_hessian"].value().is_some());
}

/// A run that was resumed with another measured loss, or seeds of a study's group that differ in it, have no mean.
#[test]
fn seeds_on_different_losses_have_no_mean() {
    let folder = tempfile::tempdir().unwrap();
    let mut page = page(folder.path(), [PLAIN, PLAIN]);
    for row in &mut page.runs[1].measurements {
        change(row, |row| row["measured_loss"] = serde_json::from_str(SMOOTHED).unwrap());
    }
    let summary = page.summary();
    let reason = summary[0].finals["trace_hessian"].reason().unwrap();
    assert!(reason.starts_with("its runs are not on one loss: cross-entropy and cross-entropy, smoothing 0.5"));
    assert!(summary[0].finals["test_accuracy"].value().is_some());
    assert!(summary[1].differences["trace_hessian"].reason().is_some());
    assert!(html(&page).contains(reason));
}

/// A folder, itself, a link to it and a copy are one run; so is another run of the same configuration and seed.
#[test]
fn a_run_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, seed) in [("d0", 0), ("d1", 1), ("again", 0)] {
        write_run(&at(name), 0.5, seed, "finished");
    }
    fs::create_dir(at("copy")).unwrap();
    for file in fs::read_dir(at("d0")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), at("copy").join(file.file_name())).unwrap();
    }
    let mut given = vec!["d0", "d1", "d0", "again", "copy", "d0/../d0"];
    if cfg!(unix) {
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("d1"), at("dlatest")).unwrap();
        given.push("dlatest");
    }
    let runs: Vec<Run> = given.iter().map(|name| Run::read(&at(name)).unwrap()).collect();
    let (mut runs, said) = distinct(runs);
    assert_eq!(runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>(), ["d0", "d1"]);
    assert_eq!(said.len(), given.len() - 2);
    assert!(said[0].ends_with("d0 is given more than once and counts once"), "{said:?}");
    assert!(said[1].ends_with("so they are not independent") && said[3].ends_with("they are one folder"), "{said:?}");
    label_by_differences(&mut runs);
    let page = Page { runs, notes: said.clone(), ..Page::default() };
    // 50 and 51: 50.5 ± 0.5.
    let mean = page.summary()[0].finals["trace_hessian"].value().copied().unwrap();
    assert_eq!((mean.mean, mean.std_error, mean.n), (50.5, Some(0.5), 2));
    assert!(html(&page).contains("they are one folder") && json(&page)["notes"][0] == said[0]);
}

/// A run in both groups is no evidence that they are equal.
#[test]
fn equal_runs_have_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let mut page = page(folder.path(), [PLAIN, PLAIN]);
    page.runs.truncate(2);
    page.runs.extend(page.runs.clone());
    for (i, run) in page.runs.iter_mut().enumerate() {
        run.labels = [("noise".to_string(), ["none", "again"][i / 2].to_string())].into();
    }
    page.baseline = Some("noise none".into());
    let summary = page.summary();
    let reason = summary[1].differences["test_accuracy"].reason().unwrap();
    assert!(reason.contains("the same configuration, seed and data"), "{reason}");
}

/// A baseline that two groups are meant by is none.
#[test]
fn a_baseline_is_one_group() {
    let folder = tempfile::tempdir().unwrap();
    let mut page = page(folder.path(), [PLAIN, PLAIN]);
    for (i, run) in page.runs.iter_mut().enumerate() {
        run.stage = Some(["start", "start", "start", "escape"][i].into());
        run.labels = [("lr".to_string(), i.to_string())].into();
    }
    page.baseline = Some("start".into());
    let summary = page.summary();
    let reason = summary[3].differences["test_accuracy"].reason().unwrap();
    assert_eq!(reason, "the baseline start is more than one group: start: lr 0; start: lr 1; start: lr 2");
    assert!(summary[..3].iter().all(|group| group.differences.is_empty()));
}

/// Runs of one seed from several starts are averaged: the seeds are what is independent.
#[test]
fn pairs_are_counted_by_seed() {
    let folder = tempfile::tempdir().unwrap();
    let mut page = page(folder.path(), [PLAIN, PLAIN]);
    let mut other = page.runs[2].clone();
    other.config.insert("train".into(), toml::Table::from_iter([("init".to_string(), "start".into())]).into());
    for row in &mut other.measurements {
        change(row, |row| row["metrics"]["trace_hessian"]["value"] = 54.0.into());
    }
    page.runs.push(other);
    // Seed 0: the mean of 50 and 54, less 60; seed 1: 52 less 61.
    let difference = page.summary()[1].differences["trace_hessian"].value().copied().unwrap();
    assert_eq!((difference.mean, difference.n), (-8.5, 2));
}
