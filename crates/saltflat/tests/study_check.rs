//! What `saltflat study` refuses before the first run.
#![allow(clippy::unwrap_used)]

mod support;

use std::{fs, path::PathBuf};

use support::{Place, TINY, base_of, last_checkpoint, text};

/// Exit code and what was said.
fn study(place: &Place, args: &[&str]) -> (Option<i32>, String) {
    let output = place.command(&[&["study"], args, &["--devices", "cpu"]].concat()).output().unwrap();
    (output.status.code(), text(&output.stderr))
}

/// The problems of a study, with and without `--dry-run`; nothing may have been written.
fn problems(place: &Place, rest: &str) -> Vec<String> {
    place.write("study.toml", format!("[study]\nname = \"s\"\n{}{rest}", base_of(TINY)));
    let (code, said) = study(place, &["study.toml", "--out", "out"]);
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(study(place, &["study.toml", "--out", "out", "--dry-run"]), (code, said.clone()));
    assert!(!place.path("out").exists());
    let said = said.strip_prefix("saltflat: study.toml: ").unwrap();
    match said.split_once(" problems\n") {
        Some((_, lines)) => lines.lines().map(|line| line.trim_start().to_string()).collect(),
        None => vec![said.trim_end().to_string()],
    }
}

/// A study without data to read does run its check of everything else.
#[test]
fn every_study_of_ours_fits_at_every_scale() {
    let place = Place::new();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![root.join("configs"), root.join("scripts")];
    let mut studies = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.extension().is_some_and(|extension| extension == "toml") {
                _ if path.is_dir() => folders.push(path),
                true if fs::read_to_string(&path).unwrap().contains("[study]") => studies.push(path),
                _ => {}
            }
        }
    }
    assert!(studies.len() >= 10, "{studies:?}");
    for path in studies {
        let source: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let scales = source.get("scale").and_then(toml::Value::as_table).cloned().unwrap_or_default();
        for scale in scales.keys().map(String::as_str).chain(["paper"]) {
            let (code, said) =
                study(&place, &[path.to_str().unwrap(), "--scale", scale, "--dry-run", "--untimed", "--out", "out"]);
            // The official files may not be here; their sizes are known.
            let said = said.replace(&format!("saltflat: {}: ", path.display()), "");
            let wrong =
                said.lines().filter(|line| !line.contains(" not found; looked in ") && !line.ends_with(" problems"));
            let wrong: Vec<&str> = wrong.collect();
            assert!(wrong.is_empty() && matches!(code, Some(0 | 2)), "{} {scale}: {code:?} {wrong:?}", path.display());
        }
    }
}

#[test]
fn a_network_that_does_not_fit_its_images() {
    let place = Place::new();
    let vgg = "[[stage]]\nname = \"a\"\nseeds = 3\n[[stage.axis]]\nname = \"network\"\nvalues = [\n\
               { label = \"mlp\" }, { label = \"vgg\", set = { model = { kind = \"vgg\", depth = 11, width = 8 } } } ]\n";
    let expected =
        "a/vgg_s0 and 2 other runs: model.kind: expected images of at least 32 × 32 pixels for vgg, got 28 × 28";
    assert_eq!(problems(&place, vgg), [expected]);
    // The same where the official files are not here.
    let missing = problems(&place, &vgg.replace("seeds = 3\n", "set = { data = { kind = \"mnist\" } }\n"));
    assert!(missing[0].starts_with("a/vgg_s0: model.kind: expected images of at least 32 × 32"), "{missing:?}");
    assert!(
        missing[1]
            .starts_with("a/mlp_s0 and another run: train-images-idx3-ubyte or train-images-idx3-ubyte.gz not found"),
        "{missing:?}"
    );
    let batch = "[[stage]]\nname = \"a\"\nset = { optimizer.batch_size = 101 }\n";
    assert!(problems(&place, batch)[0].contains("optimizer.batch_size: expected at most 100"));
    let other = "[[stage]]\nname = \"a\"\n[[stage]]\nname = \"b\"\nfrom = \"a\"\nset = { model.hidden = [9] }\n";
    let expected = "b/s0: its network has other tensors than that of a/s0, from whose weights it starts; expected the same [model] and \
                    shape of data";
    assert_eq!(problems(&place, other), [expected]);
}

#[test]
fn starts_are_read() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "start"]);
    let stage = |init: &str, hidden: usize| {
        format!("[[stage]]\nname = \"a\"\nset = {{ train.init = \"{init}\", model.hidden = [{hidden}] }}\n")
    };
    let missing = problems(&place, &stage("nowhere.safetensors", 8));
    assert!(missing[0].starts_with("a/s0: train.init: ") && missing[0].contains("nowhere.safetensors"), "{missing:?}");
    let misfit = problems(&place, &stage("start", 9));
    assert!(
        misfit[0].starts_with("a/s0: train.init: ") && misfit[0].contains("does not fit the network"),
        "{misfit:?}"
    );
    place.write("study.toml", format!("[study]\nname = \"s\"\n{}{}", base_of(TINY), stage("start", 8)));
    assert_eq!(study(&place, &["study.toml", "--out", "out", "--dry-run"]).0, Some(0));
}

/// Starts that are shipped: read from any folder, pinned by their SHA-256, and named with their stage where they are wrong.
#[test]
fn starts_that_are_files() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    fs::create_dir_all(place.path("studies/starts")).unwrap();
    let (weights, shipped) = (last_checkpoint(&place.path("run")), place.path("studies/starts/poor.safetensors"));
    fs::copy(&weights, &shipped).unwrap();
    let write = |from: &str, rest: &str| {
        let stages = format!("[[stage]]\nname = \"sharp\"\n[[stage]]\nname = \"b\"\nfrom = {from}\n{rest}");
        place.write("studies/study.toml", format!("[study]\nname = \"s\"\n{}{stages}", base_of(TINY)));
    };
    let from = "[\"starts/poor.safetensors\", { label = \"run\", file = \"../run\" }, \"sharp\"]";
    write(from, "");
    assert_eq!(study(&place, &["studies/study.toml", "--out", "out"]).0, Some(0));
    // The start of each run has the loss that the run it is taken from ended with.
    let loss = |run: &str, i: usize| place.measurements(run)[i]["metrics"]["loss"]["value"].as_f64().unwrap();
    let last = place.measurements("run").len() - 1;
    for run in ["poor", "run"] {
        assert_eq!(loss(&format!("out/b/{run}_s0"), 0), loss("run", last));
    }
    // No path of this machine is on the page.
    let summary = place.read("out/summary.json");
    assert!(!summary.contains(place.path("").to_str().unwrap()), "{summary}");
    let html = place.read("out/report.html");
    assert!(html.contains("starts/poor.safetensors") && !html.contains(place.path("").to_str().unwrap()));

    // From another folder, and as a task of a batch system.
    let elsewhere = place.path("studies/starts");
    let go = |args: &[&str]| {
        let mut command = place.command(&[&["study"], args, &["--devices", "cpu"]].concat());
        let output = command.current_dir(&elsewhere).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let (code, said) = go(&["../study.toml", "--out", "../../tasks", "--emit", "slurm"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = go(&["../../tasks", "--task", "1"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(loss("tasks/b/poor_s0", 0), loss("run", last));

    // Other weights under the same name are another study, and no start of this one.
    place.trained(&["tiny.toml", "--out", "other", "--set", "run.seed=1"]);
    fs::copy(last_checkpoint(&place.path("other")), &shipped).unwrap();
    let (code, said) = study(&place, &["studies/study.toml", "--out", "out"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("b/poor_s0 was made with another configuration"), "{said}");
    fs::remove_dir_all(place.path("tasks/b/poor_s0")).unwrap();
    for args in [&["tasks"][..], &["tasks", "--task", "1"]] {
        let (code, said) = study(&place, args);
        assert!(matches!(code, Some(1 | 2)), "{code:?} {said}");
        assert!(said.contains("these are not the weights") && said.contains("starts/poor.safetensors"), "{said}");
    }

    fs::remove_file(&shipped).unwrap();
    let (code, said) = study(&place, &["studies/study.toml", "--out", "new"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("b/poor_s0: stage.b.from: ") && said.contains("starts/poor.safetensors"), "{said}");
    write("\"../run\"", "set = { model.hidden = [9] }\n");
    let (code, said) = study(&place, &["studies/study.toml", "--out", "new"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("b/s0: stage.b.from: ") && said.contains("does not fit the network"), "{said}");
    assert!(!place.path("new").exists());
}

/// What a dry run says of a study's length, but for the times.
#[test]
fn a_dry_run_says_how_long_a_study_takes() {
    let place = Place::new();
    let stages = "[[stage]]\nname = \"a\"\nset = { train.stop_loss = 1e-9 }\n\
                  [[stage]]\nname = \"b\"\nfrom = \"a\"\nseeds = 3\n[[stage.axis]]\nname = \"lr\"\nkey = \"optimizer.lr\"\nvalues = [0.01, 0.02]\n";
    place.write("study.toml", format!("[study]\nname = \"s\"\n{}{stages}", base_of(TINY)));
    let said = |args: &[&str]| {
        let args = [&["study", "study.toml", "--devices", "cpu", "--dry-run"], args].concat();
        let output = place.command(&args).env("RAYON_NUM_THREADS", "1").output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let lines = said(&["--jobs", "2"]);
    // 100 samples in batches of 30 for 2 epochs are 8 steps.
    assert!(lines.contains("\nstage a: 1 runs (at most), 8 steps: about "), "{lines}");
    assert!(lines.contains("\nstage b: 6 runs, 48 steps: about "), "{lines}");
    assert!(lines.contains(" in all with --jobs 2, 1 thread a run\n# at most: "), "{lines}");
    // Seeds, learning rates, starts and lengths make no kind of their own.
    assert!(lines.contains("\n# 1 kind of runs was timed in "), "{lines}");
    assert!(!said(&["--untimed"]).contains("about"));
    assert_eq!(study(&place, &["study.toml", "--out", "out"]).0, Some(0));
    let done = said(&["--out", "out"]);
    assert!(done.contains("stage b: 6 runs (6 of them done)\n"), "{done}");
}

/// What nobody finds before hours have passed: all at once, with the nearest name.
#[test]
fn names_that_are_not_there() {
    let place = Place::new();
    let stages = "[[stage]]\nname = \"a\"\n[[stage.axis]]\nname = \"noise\"\nvalues = [{ label = \"none\", set = { noise = { kind = \"none\" } } }]\n\
                  [[stage.axis]]\nname = \"lr\"\nkey = \"optimizer.lr\"\nvalues = [0.02]\n";
    let figures = "[[figure]]\nkind = \"curves\"\ny = \"trace_hesian\"\n\
                   [[figure]]\nkind = \"curves\"\ny = \"loss\"\nstage = \"zz\"\n\
                   [[figure]]\nkind = \"bound\"\nmeasured = \"hessian_frobenius\"\nbounds = [\"2/lr\", \"stability_edge\"]\n\
                   [[figure]]\nkind = \"final\"\ny = \"noise_sq\"\nx = \"lrr\"\ngroups = [\"lr 0.03, noise none\", \"a\"]\n\
                   [[figure]]\nkind = \"samples\"\ny = \"feature_norm\"\n\
                   [[figure]]\nkind = \"curves\"\ny = \"running_loss\"\nx = \"trace_hessian\"\n";
    let found = problems(
        &place,
        &format!("{stages}{figures}").replace("[[stage]]\nname = \"a\"\n", "[[stage]]\nname = \"a\"\n"),
    );
    assert_eq!(
        found[0..2],
        [
            "figure 1: y: there is no metric \"trace_hesian\"; did you mean trace_hessian?",
            "figure 2: stage: there is no stage \"zz\"; there are a"
        ]
    );
    assert!(found[2].starts_with("figure 3: bounds: there is no metric \"2/lr\"; there are "), "{found:?}");
    assert_eq!(
        found[3..],
        [
            "figure 4: x: there is no axis, key or metric \"lrr\"; did you mean lr?",
            "figure 4: groups: there is no group \"lr 0.03, noise none\"; did you mean lr 0.02, noise none?",
            "figure 5: y: there is no list of numbers \"feature_norm\"; did you mean feature_norms?",
        ]
    );
    let baseline = format!("{}{stages}", base_of(TINY));
    place.write("study.toml", format!("[study]\nname = \"s\"\nbaseline = \"none, lr 0.02\"\n{baseline}"));
    let (code, said) = study(&place, &["study.toml", "--dry-run"]);
    assert_eq!(code, Some(2));
    assert!(
        said.contains("study.baseline: there is no group \"none, lr 0.02\"; ") && said.contains("lr 0.02, noise none"),
        "{said}"
    );
    // A group that another scale has is no mistake of this one.
    let axis = "values = [{ label = \"none\", set = { noise = { kind = \"none\" } } }, { label = \"flip\" }]";
    let both = format!("{}{stages}", base_of(TINY))
        .replace("values = [{ label = \"none\", set = { noise = { kind = \"none\" } } }]", axis);
    let rest = "[measure]\nloss = \"own\"\n[[figure]]\nkind = \"curves\"\ny = \"loss\"\ngroups = [\"lr 0.02, flip\"]\n\
                [scale.tiny]\nstage.a.axis.noise = [\"none\"]\n";
    place.write("study.toml", format!("[study]\nname = \"s\"\n{both}{rest}"));
    let (code, said) = study(&place, &["study.toml", "--scale", "tiny", "--dry-run", "--untimed"]);
    assert_eq!(code, Some(0), "{said}");
}

/// The page is that of the file as it is now, which is checked like before a run.
#[test]
fn a_page_of_an_edited_file() {
    let place = Place::new();
    let file = |title: &str, y: &str| {
        let head = format!("[study]\nname = \"s\"\ntitle = \"{title}\"\n{}", base_of(TINY));
        place.write(
            "study.toml",
            format!("{head}[[stage]]\nname = \"a\"\n[[figure]]\nkind = \"curves\"\ny = \"{y}\"\n"),
        );
    };
    file("First", "loss");
    assert_eq!(study(&place, &["study.toml", "--out", "out"]).0, Some(0));
    assert!(place.read("out/report.html").contains("<h1>First"));
    file("Second", "test_loss");
    assert_eq!(study(&place, &["study.toml", "--out", "out", "--page"]).0, Some(0));
    let page = place.read("out/report.html");
    assert!(page.contains("<h1>Second") && place.path("out/figures/1-test-loss.svg").exists());
    file("Third", "test_los");
    let (code, said) = study(&place, &["study.toml", "--out", "out", "--page"]);
    assert!(code == Some(2) && said.contains("did you mean test_loss?"), "{said}");
    assert_eq!(place.read("out/report.html"), page);
}

/// Groups of which one flips labels: the loss that is measured differs, and with it the sign of a difference.
#[test]
fn groups_that_are_measured_on_different_losses() {
    let place = Place::new();
    let axis = "[[stage]]\nname = \"a\"\n[[stage.axis]]\nname = \"noise\"\nvalues = [\n\
                { label = \"sgd\", set = { noise = { kind = \"none\" } } },\n\
                { label = \"flip\", set = { noise = { kind = \"label-flip\", probability = 0.2 } } },\n\
                { label = \"gaussian\", set = { noise = { kind = \"parameter-gaussian\", sigma = 0.01 } } } ]\n";
    let expected = "stage.a: its groups are measured on different losses, so that their losses and curvatures cannot be compared: \
                    cross_entropy in noise \"sgd\", noise \"gaussian\"; cross_entropy with smoothing 0.2 in noise \"flip\". Write \
                    loss = { kind = \"cross_entropy\", smoothing = 0.2 }, or another loss, under [measure], and all are measured on \
                    it, whatever they train on; or loss = \"own\" where this is meant";
    assert_eq!(problems(&place, axis), [expected]);
    let base = base_of(TINY);
    let passes = |text: String| {
        place.write("study.toml", text);
        let (code, said) = study(&place, &["study.toml", "--dry-run", "--untimed"]);
        assert_eq!(code, Some(0), "{said}");
    };
    let smoothed = base.replace("kind = \"cross_entropy\"", "kind = \"cross_entropy\"\nsmoothing = 0.2");
    passes(format!("[study]\nname = \"s\"\n{smoothed}{axis}"));
    passes(format!("[study]\nname = \"s\"\n{base}{axis}[measure]\nloss = \"own\"\n"));
    // Measured on one loss, whatever each is trained on.
    let one = format!("[study]\nname = \"s\"\n{base}{axis}[measure]\nloss = {{ smoothing = 0.2 }}\n");
    passes(one.clone());
    place.write("study.toml", one);
    assert_eq!(study(&place, &["study.toml", "--out", "measured"]).0, Some(0));
    for run in ["a/sgd_s0", "a/flip_s0", "a/gaussian_s0"] {
        let config: toml::Table = place.read(&format!("measured/configs/{run}.toml")).parse().unwrap();
        assert_eq!(config["metrics"]["loss"]["smoothing"].as_float(), Some(0.2), "{run}");
        assert!(config["loss"].get("smoothing").is_none(), "{run}");
    }
    let misspelt = problems(&place, &format!("{axis}[measure]\nloss = {{ smothing = 0.2 }}\n"));
    assert!(misspelt[0].contains("metrics.loss.smothing: is not a key; did you mean smoothing?"), "{misspelt:?}");
    // Different stages are not compared with each other.
    let stages = "[[stage]]\nname = \"a\"\n[[stage]]\nname = \"b\"\nset = { noise = { kind = \"none\" } }\n";
    passes(format!("[study]\nname = \"s\"\n{base}{stages}"));
    let wrong = problems(&place, &format!("{axis}[measure]\nloss = \"mine\"\n"));
    assert!(wrong[0].starts_with("measure.loss: expected a table of kind and smoothing, or \"own\""), "{wrong:?}");
}

/// A mistake of one kind hides none of another: keys, requirements, settings, figures, networks.
#[test]
fn all_problems_of_a_file_are_said_together() {
    let place = Place::new();
    let rest = "[[stage]]\nname = \"a\"\nsede = 3\n\
                [[stage]]\nname = \"b\"\nfrom = \"a\"\nrequire = { acuracy = 0.9 }\nseeds = 2\n\
                [[stage]]\nname = \"c\"\nseeds = 3\nset = { optimizer.lrr = 1 }\n\
                [[stage]]\nname = \"d\"\nfrom = \"c\"\n\
                [[stage]]\nname = \"e\"\nset = { model = { kind = \"vgg\", width = 8 } }\n\
                [[figure]]\nkind = \"curve\"\ny = \"loss\"\n\
                [[figure]]\nkind = \"curves\"\ny = \"trace_hesian\"\n";
    let found = problems(&place, rest);
    let expected = [
        "stage.a.sede: is not a key; did you mean seeds?",
        "stage.b.require.acuracy: expected one of test_accuracy, test_loss, accuracy, loss; did you mean accuracy?",
        "stage.c: c/s0 and 2 other runs: optimizer.lrr: is not a key; did you mean lr?",
        "figure 1: kind: expected one of curves, correlation, final, bound, spectrum, phase, samples, got \"curve\"; did you mean curves?",
        "figure 2: y: there is no metric \"trace_hesian\"; did you mean trace_hessian?",
        "e/s0: model.kind: expected images of at least 32 × 32 pixels for vgg, got 28 × 28",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\nexpected {expected}");
    }
}

#[test]
fn what_a_stage_requires_is_measured() {
    let place = Place::new();
    let stages = |of_start: &str, require: &str| {
        format!("[[stage]]\nname = \"a\"\n{of_start}[[stage]]\nname = \"b\"\nfrom = \"a\"\nrequire = {{ {require} }}\n")
    };
    let off = "set = { metrics.at_ends = false }\n";
    let expected = "stage.b.require.accuracy: is not measured at the end of the runs of stage a; expected metrics.evaluate and \
                    metrics.at_ends on there";
    assert_eq!(problems(&place, &stages(off, "accuracy = 0.9")), [expected]);
    let misspelt =
        "stage.b.require.acuracy: expected one of test_accuracy, test_loss, accuracy, loss; did you mean accuracy?";
    assert_eq!(problems(&place, &stages("", "acuracy = 0.9")), [misspelt]);
    let percent = stages("", "accuracy = 99.9");
    let in_parts = "stage.b.require.accuracy: expected a number in (0, 1], the part of the samples, got 99.9";
    assert_eq!(problems(&place, &percent), [in_parts]);
    let rootless = "[[stage]]\nname = \"a\"\nrequire = { loss = 0.1 }\n";
    assert_eq!(
        problems(&place, rootless),
        ["stage.a.require: expected a stage in stage.a.from, whose runs it is about"]
    );
}
