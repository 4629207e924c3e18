//! `saltflat report` end to end.
#![allow(clippy::unwrap_used)]

mod support;

use std::{fs, process::Output};

use support::{Place, text};

/// `saltflat report ARGS`.
fn report(place: &Place, args: &[&str]) -> Output {
    place.command(&[&["report"], args].concat()).output().unwrap()
}

/// Two noises at two seeds, and a run that diverges.
fn runs(place: &Place) -> Vec<String> {
    let mut names = Vec::new();
    for (name, set) in [
        ("a0", ["run.seed=0", "noise.probability=0.1", "train.epochs=1"]),
        ("a1", ["run.seed=1", "noise.probability=0.1", "train.epochs=1"]),
        ("b0", ["run.seed=0", "noise.probability=0.4", "train.epochs=1"]),
        ("b1", ["run.seed=1", "noise.probability=0.4", "train.epochs=1"]),
        ("c0", ["run.seed=0", "noise.probability=0.8", "optimizer.lr=1e30"]),
    ] {
        let sets: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
        let output = place.train(&[&["tiny.toml", "--out", name], sets.as_slice()].concat());
        assert_eq!(output.status.code(), Some(if name == "c0" { 3 } else { 0 }), "{}", text(&output.stderr));
        names.push(name.into());
    }
    names
}

#[test]
fn runs_are_compared() {
    let place = Place::new();
    let names = runs(&place);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();

    let first = report(&place, &[names.as_slice(), &["--format", "json", "--out", "-"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(json["title"], "tiny");
    assert_eq!(json["groups"].as_array().unwrap().len(), 3);
    let baseline = json["groups"][0]["group"].as_str().unwrap();

    // The difference is that of the last rows of metrics.jsonl.
    let last = |name: &str| {
        let rows = place.measurements(name);
        rows[rows.len() - 1]["metrics"]["test_accuracy"]["value"].as_f64().unwrap()
    };
    let expected = (last("b0") - last("a0") + last("b1") - last("a1")) / 2.0;
    let paired =
        report(&place, &[names.as_slice(), &["--format", "json", "--baseline", baseline, "--out", "-"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&paired.stdout).unwrap();
    let difference = &json["groups"][1]["differences"]["test_accuracy"];
    assert!((difference["mean"].as_f64().unwrap() - expected).abs() < 1e-9);
    // Flips with two probabilities smooth the loss by two amounts.
    let trace = &json["groups"][1]["differences"]["trace_hessian"];
    assert!(trace["mean"].is_null() && trace["reason"].as_str().unwrap().contains("smoothing 0.4"), "{trace}");
    assert_eq!(json["groups"][0]["measured_loss"]["smoothing"], 0.1);
    assert_eq!((difference["n"].as_u64(), json["groups"][2]["statuses"]["diverged"].as_u64()), (Some(2), Some(1)));

    let page = report(&place, &[names.as_slice(), &["--title", "Noise & flatness"]].concat());
    assert!(page.status.success() && text(&page.stderr).contains("report.html"));
    let html = place.read("report.html");
    for seen in ["<h1>Noise &amp; flatness</h1>", "✗ diverged", "trace of the Hessian", "Configurations", "<desc>"] {
        assert!(html.contains(seen), "{seen}");
    }
    // An earlier report is replaced.
    assert!(report(&place, &names).status.success());
    assert!(place.read("report.html").contains("<h1>tiny</h1>"));

    let csv = report(&place, &[names.as_slice(), &["--format", "csv", "--out", "-"]].concat());
    assert!(text(&csv.stdout).starts_with("run,stage,noise.probability,optimizer.lr,"), "{}", text(&csv.stdout));
}

/// A folder that is given twice, a link to it and a copy are one run, in every format, and it is said.
#[test]
fn a_run_counts_once() {
    let place = Place::new();
    for (name, seed) in [("d0", "run.seed=0"), ("d1", "run.seed=1"), ("again", "run.seed=0")] {
        place.trained(&["tiny.toml", "--out", name, "--set", "train.epochs=1", "--set", seed]);
    }
    let mut given = vec!["d0", "d1", "d0", "again"];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(place.path("d1"), place.path("dlatest")).unwrap();
        given.push("dlatest");
    }
    let once = report(&place, &["d0", "d1", "--format", "json", "--out", "-"]);
    let all = report(&place, &[given.as_slice(), &["--format", "json", "--out", "-"]].concat());
    let [once, json]: [serde_json::Value; 2] = [&once, &all].map(|out| serde_json::from_slice(&out.stdout).unwrap());
    assert_eq!(json["groups"], once["groups"]);
    assert_eq!(json["groups"][0]["finals"]["loss"]["n"], 2);
    let said = text(&all.stderr);
    for line in ["d0 is given more than once and counts once", "again is left out, since d0 is counted"] {
        assert!(said.contains(line), "{said}");
    }
    let csv = report(&place, &["d0", "again", "--format", "csv", "--out", "-"]);
    assert!(!text(&csv.stdout).contains("again"));
    assert!(report(&place, &["d0", "again"]).status.success());
    assert!(place.read("report.html").contains("so they are not independent"));
    let watched = place.command(&["watch", "--once", "d0", "again"]).output().unwrap();
    assert!(text(&watched.stdout).contains("so they are not independent") && !text(&watched.stdout).contains("again:"));
}

#[test]
fn what_cannot_be_reported_is_refused() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "r", "--set", "train.epochs=1"]);
    place.write("mine.html", "<p>a page of my own</p>");
    for (args, said) in [
        (vec!["nowhere"], "nowhere/config.toml"),
        (vec!["r", "--baseline", "x"], "there are: all runs"),
        (vec!["r", "--out", "mine.html"], "mine.html: exists and is not a report of Saltflat"),
        (vec![], "required"),
    ] {
        let output = report(&place, &args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
    assert_eq!(place.read("mine.html"), "<p>a page of my own</p>");
    assert!(!place.path("report.html").exists());
    // A run that was killed while it wrote its last row.
    let path = place.path("r").join("metrics.jsonl");
    let rows = fs::read_to_string(&path).unwrap();
    fs::write(&path, &rows[..rows.len() - 20]).unwrap();
    fs::write(place.path("r").join("status.json"), "{\"status\":\"running\"}").unwrap();
    assert!(report(&place, &["r"]).status.success());
    assert!(place.read("report.html").contains("<b>running</b>"));
}

/// What can be wrong with a run.
fn damages() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("metrics.jsonl", b"\xff\xfe\x80 no JSON\n{}\n".to_vec()),
        ("config.toml", b"[run]\nname = \"ti".to_vec()),
        ("config.toml", Vec::new()),
        ("env.json", Vec::new()),
        ("status.json", b"{\"status\": 3}".to_vec()),
    ]
}

/// A damaged run is named on the page and on stderr, and the others are shown; what is no run at all is refused.
#[test]
fn a_damaged_run_leaves_the_others() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    for seed in ["0", "1"] {
        place.trained(&["tiny.toml", "--out", &format!("r{seed}"), "--set", &format!("run.seed={seed}")]);
    }
    for (name, content) in damages() {
        let path = format!("r1/{name}");
        let before = place.read(&path);
        place.write(&path, content);
        let output = report(&place, &["r0", "r1", "--out", "page.html"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains("r1 cannot be read and is left out: ") && said.contains(name), "{name}: {said}");
        let page = place.read("page.html");
        assert!(page.contains("r1 cannot be read and is left out: ") && page.contains("1 run in 1 group"), "{name}");
        let shown = text(&place.command(&["watch", "r0", "r1", "--once"]).output().unwrap().stdout);
        assert!(
            shown.contains("r1 cannot be read and is left out: ") && shown.contains("r0: finished"),
            "{name}: {shown}"
        );
        // Alone it is refused, and so is a page with a folder that is no run.
        for runs in [["r1", "r1"], ["r0", "nothing"], ["r0", "empty"]] {
            let output = report(&place, &[runs[0], runs[1], "--out", "other.html"]);
            assert_eq!(output.status.code(), Some(2), "{name} {runs:?}: {}", text(&output.stderr));
            assert!(!place.path("other.html").exists());
        }
        place.write(&path, before);
    }
    assert!(report(&place, &["r0", "r1", "--out", "page.html"]).status.success());

    // Rows that were cut, whose last values are not those of the end.
    let rows = place.read("r1/metrics.jsonl");
    let cut: String = rows.split_inclusive('\n').filter(|line| !line.contains("\"step\":8")).collect();
    assert!(!cut.is_empty() && cut != rows, "{rows}");
    place.write("r1/metrics.jsonl", cut);
    let said = text(&report(&place, &["r0", "r1", "--out", "page.html"]).stderr);
    assert!(said.contains("its rows end at step 4, and the run has finished at step 8"), "{said}");
    assert!(place.read("page.html").contains("its rows end at step 4"));
    place.write("r1/metrics.jsonl", rows);

    // The same of a study, whose page is written at its end.
    let study = "[study]\nname = \"study\"\nbase = \"tiny.toml\"\n[[stage]]\nname = \"only\"\nseeds = [0, 1]\n";
    place.write("study.toml", study);
    assert!(place.command(&["study", "study.toml", "--devices", "cpu"]).status().unwrap().success());
    for (name, content) in damages() {
        let path = format!("results/study/only/s1/{name}");
        let before = place.read(&path);
        place.write(&path, content);
        let output = place.command(&["study", "study.toml", "--page"]).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains("only/s1 cannot be read and is left out: "), "{name}: {said}");
        let page = place.read("results/study/report.html");
        assert!(
            page.contains("only/s1 cannot be read and is left out: ") && page.contains("1 run in 1 group"),
            "{name}"
        );
        place.write(&path, before);
    }
}

/// An earlier report stays whole where the new one cannot be written, and an empty file is no obstacle.
#[test]
#[cfg(unix)]
fn a_page_is_replaced_whole_or_not_at_all() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    for format in ["html", "csv", "json"] {
        let out = format!("page.{format}");
        let args = ["run", "--format", format, "--out", &out];
        assert!(report(&place, &args).status.success());
        let before = place.read(&out);
        // A limit of the size of files stands for a full disk.
        let output = place.limited(1, &[&["report"], args.as_slice(), &["--title", "Other"]].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{format}: {said}");
        assert!(said.contains("File too large"), "{format}: {said}");
        assert_eq!(place.read(&out), before, "{format}");
        place.write(&out, "");
        assert!(report(&place, &args).status.success(), "{format}");
        assert_eq!(place.read(&out), before, "{format}");
        place.write(&out, "mine");
        assert_eq!(report(&place, &args).status.code(), Some(2), "{format}");
    }
    let names = fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| !name.ends_with(".tmp")));
}
