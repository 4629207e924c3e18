//! `saltflat measure`: every golden value through the command line, tables, bad input.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::PathBuf;

use serde_json::Value;
use support::{Place, TINY, text};

/// The golden cases are the metrics' own.
fn golden(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../saltflat-metrics/tests/golden");
    folder.join(name).display().to_string()
}

fn measure(place: &Place, args: &[&str]) -> Value {
    let mut all = vec!["measure"];
    all.extend(args);
    all.extend(["--device", "cpu", "--json", "-"]);
    let output = place.command(&all).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every number of the expected values is there under its name. Exact ones within 1e-3 (f32) and 1e-6 (f64), random ones
/// within 5 of their standard errors (some 80 of them: a false alarm has a chance of 1e-4).
#[test]
fn golden_values_by_name() {
    let place = Place::new();
    for (name, precision) in [
        ("mlp_relu_square", "f64"),
        ("mlp_softplus_ce", "f64"),
        ("mlp_softplus_ce", "f32"),
        ("lenet_relu_square", "f32"),
        ("resnet_gn_ce", "f32"),
        ("mlp_tanh_two_classes", "f64"),
    ] {
        let (config, weights) = (golden(&format!("{name}.toml")), golden(&format!("{name}.weights.safetensors")));
        let mut args = vec![config.as_str(), "--weights", &weights, "--metrics", "all", "--precision", precision];
        args.extend(["--probes", "20", "--set", "metrics.eigenvalues.tolerance=1e-5"]);
        let found = measure(&place, &args);
        let expected: Value =
            serde_json::from_slice(&std::fs::read(golden(&format!("{name}.expected.json"))).unwrap()).unwrap();
        for key in ["n", "p", "outputs"] {
            assert_eq!(found[key], expected[key], "{name} {key}");
        }
        let tolerance = if precision == "f64" { 1e-6 } else { 1e-3 };
        let check = |what: String, found: &Value, expected: &Value| {
            let (value, exact) = (found["value"].as_f64(), expected.as_f64().unwrap());
            let value = value.unwrap_or_else(|| panic!("{name} {what}: {found}"));
            let random = found.get("probes").and_then(|_| found["std_error"].as_f64());
            let allowed = random.map_or(0.0, |error| 5.0 * error) + tolerance * exact.abs() + 1e-9;
            assert!((value - exact).abs() <= allowed, "{name} {precision} {what}: {found}, expected {exact}");
        };
        for (key, exact) in expected.as_object().unwrap() {
            match key.as_str() {
                "n" | "p" | "outputs" | "lr" | "batch" | "regularizer_lr" | "gram_rows" => {}
                "trace_hessian_by_tensor" => {
                    for (tensor, exact) in exact.as_object().unwrap() {
                        check(format!("{key} {tensor}"), &found["metrics"][key][tensor], exact);
                    }
                }
                "top_eigenvalues" => {
                    for (i, exact) in exact.as_array().unwrap().iter().enumerate() {
                        check(format!("{key} {i}"), &found["metrics"][key][i], exact);
                    }
                }
                // The golden file has the closed form under the name of what is sampled in training.
                "trace_from_noise" => check(key.clone(), &found["metrics"]["trace_from_noise_expected"], exact),
                // And the paper's √(B/μ)/η, without the factor of batches that are drawn without replacement.
                "wu_bound_frobenius" => {
                    let [n, b] = ["n", "batch"].map(|key| expected[key].as_f64().unwrap());
                    let exact = exact.as_f64().unwrap() * ((n - 1.0) / (n - b)).sqrt();
                    check(key.clone(), &found["metrics"][key], &exact.into());
                }
                _ => check(key.clone(), &found["metrics"][key], exact),
            }
        }
    }
}

/// The table names every metric, its error and the bounds; the plan goes to stderr.
#[test]
fn table_and_figures() {
    let place = Place::new();
    let (config, weights) = (golden("mlp_softplus_ce.toml"), golden("mlp_softplus_ce.weights.safetensors"));
    let plots = place.path("plots").display().to_string();
    let args = ["measure", &config, "--weights", &weights, "--device", "cpu", "--metrics", "all", "--plots", &plots];
    let slices = ["--slice", "random", "--slice", "eigenvector", "--slice-points", "5", "--probes", "3"];
    let output = place.command(&[&args[..], &slices].concat()).output().unwrap();
    let (table, talk) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{talk}");
    for part in [
        "trace_hessian",
        "±",
        "top_eigenvalues[4]",
        "2/lr = 20.00",
        "sgd_critical_lr",
        "below it",
        "trace_from_noise_expected",
    ] {
        assert!(table.contains(part), "no {part:?} in\n{table}");
    }
    // −0.8 ln 0.8 − 0.2 ln(0.2/2), for three classes.
    let head = "measured loss: cross_entropy with smoothing 0.2, counted from its floor 0.639032\nmetric";
    assert!(table.starts_with(head), "{table}");
    // A bound stands beside what was measured on its own samples.
    for (metric, bound) in [("gram_frobenius ", "above wu_bound"), ("gram_top_eigenvalue ", "above dexter_bound")] {
        let lines: Vec<_> = table.lines().filter(|line| line.contains(bound)).collect();
        assert!(lines.len() == 1 && lines[0].starts_with(metric), "{bound}: {lines:?}");
    }
    assert!(table.lines().all(|line| line.chars().count() < 160), "{table}");
    assert!(talk.contains("plan:") && talk.contains("24 of 24 training samples"), "{talk}");
    for name in ["spectral_density.svg", "loss_slice.svg"] {
        let svg = std::fs::read_to_string(place.path("plots").join(name)).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("</svg>"));
    }
}

/// A safetensors file of f32 with every number multiplied.
fn scaled(file: &[u8], factor: f64) -> Vec<u8> {
    let start = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let numbers = file[start..].chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
    let scaled = numbers.map(|x| (f64::from(x) * factor).clamp(-3.4e38, 3.4e38) as f32);
    file[..start].iter().copied().chain(scaled.flat_map(f32::to_le_bytes)).collect()
}

/// Every null in it has a reason beside it, or beside the list that it is in.
fn check_nulls(place: &str, value: &Value) {
    match value {
        Value::Object(all) => {
            let has_null = |value: &Value| {
                value.is_null() || value.to_string().contains("[null") || value.to_string().contains(",null")
            };
            let is_own = |(key, value): &(&String, &Value)| *key != "metrics" && has_null(value) && !value.is_object();
            if let Some((key, _)) = all.iter().find(is_own) {
                let reason = all.get("reason").and_then(Value::as_str).unwrap_or_default();
                assert!(!reason.is_empty(), "{place}.{key} is null and has no reason: {value}");
                assert_ne!(all.get("converged"), Some(&true.into()), "{place}: {value}");
            }
            all.iter().for_each(|(key, value)| check_nulls(&format!("{place}.{key}"), value));
        }
        Value::Array(all) => all.iter().filter(|value| !value.is_null()).for_each(|value| check_nulls(place, value)),
        _ => {}
    }
}

/// Weights that are multiplied until everything overflows f32: what has no value says why, and a quotient by what overflowed is no 0.
#[test]
fn what_overflows_is_absent_with_a_reason() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    let weights = place.weights("run");
    for factor in [1e10, 1e20, 1e30, 1e38] {
        place.write("large.safetensors", scaled(&weights, factor));
        for loss in ["cross_entropy", "square"] {
            let set = format!("loss.kind={loss}");
            let args = ["tiny.toml", "--weights", "large.safetensors", "--metrics", "all", "--set", &set];
            let more = ["--set", "noise={kind=\"none\"}", "--slice", "random", "--slice-points", "3"];
            let found = measure(&place, &[&args[..], &more].concat());
            let metrics = &found["metrics"];
            check_nulls(&format!("{factor} {loss}"), metrics);
            for (name, metric) in metrics.as_object().unwrap() {
                let is_zero = metric["value"].as_f64() == Some(0.0);
                assert!(
                    !(factor > 1e15 && is_zero) || name == "accuracy" || name.contains("test_"),
                    "{factor} {loss} {name}: {metric}"
                );
            }
            if factor > 1e15 {
                for name in [
                    "loss",
                    "accuracy",
                    "grad_norm",
                    "trace_hessian",
                    "beta",
                    "mu",
                    "min_eigenvalue",
                    "regularizer",
                    "spectral_density",
                ] {
                    assert!(
                        metrics[name]["value"].is_null() && metrics[name]["reason"].is_string(),
                        "{factor} {loss} {name}: {}",
                        metrics[name]
                    );
                }
            }
        }
    }
}

/// The norm of weights whose squares leave the range of f32, 10⁻³⁸ to 10³⁸, is the factor times the norm.
#[test]
fn norms_outside_the_range_of_squares() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    let weights = place.weights("run");
    let norm = |factor: f64| {
        place.write("scaled.safetensors", scaled(&weights, factor));
        let found = measure(&place, &["tiny.toml", "--weights", "scaled.safetensors", "--metrics", "loss"]);
        found["metrics"]["weight_norm"]["value"].as_f64().unwrap()
    };
    let one = norm(1.0);
    for factor in [1e-10, 1e-21, 1e-23, 1e-30, 1e10, 1e19, 1e25] {
        let found = norm(factor) / factor;
        assert!((found / one - 1.0).abs() < 1e-5, "{factor}: {found} {one}");
    }
}

/// A slice towards other weights: at t = 0 and t = 1 the losses of the two points; through the minimum of a parabola where
/// the loss is one. Along a direction of a given length the loss of the ends is that of weights moved by hand.
#[test]
fn slices_between_two_points() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "a"]);
    place.trained(&["tiny.toml", "--out", "b", "--set", "run.seed=1"]);
    let slice = ["--slice", "b", "--slice-points", "3"];
    let there = measure(&place, &[&["tiny.toml", "--weights", "a"], &slice[..]].concat());
    let losses = there["metrics"]["loss_slice"]["loss"].as_array().unwrap().clone();
    assert_eq!(there["metrics"]["loss_slice"]["steps"], serde_json::json!([-1.0, 0.0, 1.0]));
    for (run, loss) in [("a", &losses[1]), ("b", &losses[2])] {
        let found = measure(&place, &["tiny.toml", "--weights", run, "--metrics", "loss"]);
        let (exact, loss) = (found["metrics"]["loss"]["value"].as_f64().unwrap(), loss.as_f64().unwrap());
        assert!((loss - exact).abs() < 1e-5 * exact, "{run}: {loss} {exact}");
    }
}

/// A run's last checkpoint brings its momentum, along which the sharpness is; subsets have their errors; the memory limit
/// changes the way and not the numbers.
#[test]
fn runs_subsets_and_memory() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    let base = ["tiny.toml", "--weights", "run", "--metrics", "trace,sharpness,alignment,stability"];
    let found = measure(&place, &base);
    assert!(
        found["metrics"]["sharpness_along_update"]["value"].is_f64(),
        "{}",
        found["metrics"]["sharpness_along_update"]
    );
    assert_eq!(found["alignment_samples"], 10);
    // The stored update is f32, whatever it is measured in.
    let double = measure(&place, &["tiny.toml", "--weights", "run", "--metrics", "sharpness", "--precision", "f64"]);
    for name in ["batch_sharpness", "sharpness_along_gradient", "sharpness_along_update"] {
        let [single, double] = [&found, &double].map(|found| found["metrics"][name]["value"].as_f64().unwrap());
        assert!((single / double - 1.0).abs() < 1e-3, "{name}: {single}, in f64 {double}");
    }
    assert!(found["metrics"]["mu"]["std_error"].as_f64().unwrap() > 0.0);
    assert!(found["metrics"]["trace_hessian"].get("subset_error").is_none());
    // σ of ten samples bounds nothing for the hundred that batches are drawn from; μ of ten does, with n, B and lr of the run.
    assert!(found["metrics"]["dexter_bound"]["reason"].as_str().unwrap().contains("10 of 100 training samples"));
    let value = |name: &str| found["metrics"][name]["value"].as_f64().unwrap();
    let bound = (30.0 / value("mu") * 99.0 / 70.0).sqrt() / 0.1;
    assert!((value("wu_bound_frobenius") / bound - 1.0).abs() < 1e-12);
    let small = measure(&place, &[&base[..], &["--memory-limit", "1MiB"]].concat());
    for name in ["trace_hessian", "hessian_frobenius", "mu", "sgd_critical_lr", "batch_sharpness"] {
        let value =
            |found: &Value| found["metrics"][name]["value"].as_f64().unwrap_or_else(|| panic!("{name}: {found}"));
        let (a, b) = (value(&found), value(&small));
        assert!((a - b).abs() < 1e-3 * a.abs(), "{name}: {a} {b}");
    }
    let some = measure(&place, &["tiny.toml", "--weights", "run", "--metrics", "trace", "--samples", "40"]);
    assert_eq!(some["n"], 40);
    assert!(some["metrics"]["trace_hessian"]["subset_error"].as_f64().unwrap() > 0.0);
    let subsets = ["--metrics", "alignment", "--set", "metrics.alignment.subsets=4"];
    let many = measure(&place, &[&["tiny.toml", "--weights", "run"], &subsets[..]].concat());
    assert_eq!(many["alignment_samples"], 40);
    assert!(many["metrics"]["mu"]["subset_error"].as_f64().unwrap() > 0.0);
    let full = ["--metrics", "stability", "--alignment-samples", "all", "--set", "optimizer.batch_size=\"full\""];
    let full = [&["tiny.toml", "--weights", "run"], &full[..], &["--metrics", "alignment"]].concat();
    let full = measure(&place, &full);
    assert!(full["metrics"]["dexter_bound"]["reason"].as_str().unwrap().contains("no gradient noise"));
    let (sgd, gd) = (&full["metrics"]["sgd_critical_lr"]["value"], &full["metrics"]["gd_critical_lr"]["value"]);
    let (sgd, gd) = (sgd.as_f64().unwrap(), gd.as_f64().unwrap());
    assert!((sgd - gd).abs() < 1e-6 * gd, "a full batch is gradient descent: {sgd} {gd}");
    assert!(full["metrics"]["wu_bound_frobenius"]["reason"].as_str().unwrap().contains("no gradient noise"));
    let all = ["--metrics", "stability,alignment", "--alignment-samples", "all"];
    let all = measure(&place, &[&["tiny.toml", "--weights", "run"], &all[..]].concat());
    let bound = all["metrics"]["coherence"]["value"].as_f64().unwrap() / 0.1 / (100.0_f64 / 30.0 - 1.0).sqrt();
    assert!((all["metrics"]["dexter_bound"]["value"].as_f64().unwrap() / bound - 1.0).abs() < 1e-12);
}

/// Every number is of the loss that was asked for, and the JSON and the table say of which.
#[test]
fn another_measured_loss() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    let set = ["--set", "metrics.loss={kind=\"square\", smoothing=0}", "--metrics", "loss,trace_from_noise_expected"];
    let found = measure(&place, &[&["tiny.toml", "--weights", "run"], &set[..]].concat());
    let expected = serde_json::json!({ "kind": "square", "smoothing": 0.0, "floor": 0.0, "weight_decay": 0.0 });
    assert_eq!(found["measured_loss"], expected);
    assert!(found["metrics"]["trace_from_noise_expected"]["reason"].as_str().unwrap().contains("square loss"));
    let plain = ["--metrics", "loss", "--set", "loss.kind=square"];
    place.write("square.toml", TINY.replace("kind = \"label-flip\"\nprobability = 0.2", "kind = \"none\""));
    let trained = measure(&place, &[&["square.toml", "--weights", "run"], &plain[..]].concat());
    assert_eq!(found["metrics"]["loss"], trained["metrics"]["loss"]);
    assert_eq!(found["measured_loss"], trained["measured_loss"]);
    let table = place.command(&[&["measure", "tiny.toml", "--weights", "run"], &set[..]].concat()).output().unwrap();
    assert!(text(&table.stdout).starts_with("measured loss: square\n"), "{}", text(&table.stdout));
    let refused = ["measure", "tiny.toml", "--weights", "run", "--metrics", "trace_from_noise"];
    let refused = place.command(&refused).output().unwrap();
    assert!(text(&refused.stderr).contains("did you mean trace_from_noise_expected?"), "{}", text(&refused.stderr));
}

#[test]
fn the_self_check_passes() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    let output = place.command(&["measure", "tiny.toml", "--weights", "run", "--check"]).output().unwrap();
    let (found, talk) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{found}{talk}");
    assert_eq!(found.matches("ok ").count() + found.matches("not made").count(), 6, "{found}");
}

/// Groups have schedules of their own inside a training, and start warm.
#[test]
fn metrics_inside_training() {
    let place = Place::new();
    let extra = "eigenvalues = { every = 2, largest = 2 }\nspectrum = { probes = 2, steps = 8, every = 2 }\nstability = true\nsharpness = { batches = 3 }\n";
    place.write("more.toml", TINY.replace("alignment = {", &format!("{extra}alignment = {{")));
    place.trained(&["more.toml", "--out", "run", "--set", "train.epochs=3"]);
    let measured = place.measurements("run");
    assert_eq!(measured.len(), 4);
    for (i, row) in measured.iter().enumerate() {
        let metrics = &row["metrics"];
        assert_eq!(metrics.get("top_eigenvalues").is_some(), i % 2 == 0, "measurement {i}");
        assert_eq!(metrics.get("regularizer").is_some(), i % 2 == 0, "measurement {i}");
        assert!(metrics["sgd_critical_lr"]["value"].is_f64() && metrics["batch_sharpness"]["value"].is_f64());
        assert_eq!(metrics["sharpness_along_update"]["value"].is_f64(), i > 0, "measurement {i}");
    }
}

fn refused(place: &Place, args: &[&str], parts: &[&str]) {
    let output = place.command(&[&["measure"], args].concat()).output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    for part in parts {
        assert!(message.contains(part), "{args:?}: no {part:?} in:\n{message}");
    }
    assert!(!message.contains("panicked"), "{message}");
}

#[test]
fn bad_input() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    let with = |args: &[&'static str], parts: &[&str]| {
        refused(&place, &[&["tiny.toml", "--weights", "run", "--device", "cpu"], args].concat(), parts);
    };
    with(&["--metrics", "trase_hessian"], &["--metrics", "trase_hessian", "did you mean trace_hessian"]);
    with(&["--metrics", "trace", "--probes", "0"], &["--probes", "at least 1, got 0"]);
    with(&["--samples", "101"], &["--samples", "100", "101", "all"]);
    with(&["--samples", "none"], &["--samples", "none", "all"]);
    with(&["--alignment-samples", "101"], &["--alignment-samples", "100", "101"]);
    with(&["--tolerance", "2"], &["--tolerance", "(0, 1)", "2"]);
    with(&["--memory-limit", "lots"], &["--memory-limit", "lots", "512MiB"]);
    with(&["--slice", "nowhere"], &["nowhere"]);
    with(&["--slice", "random", "--slice-points", "1"], &["--slice-points", "at least 2"]);
    with(&["--slice", "random", "--slice-range=-1"], &["--slice-range"]);
    with(&["--set", "metrics.trace.method=hutch"], &["metrics.trace.method", "hutch++", "hutchinson"]);
    with(&["--set", "model.hidden=[9]"], &["layers.0.weight", "[8, 784]", "[9, 784]"]);
    refused(&place, &["tiny.toml", "--weights", "gone"], &["gone"]);
    refused(&place, &["gone.toml", "--weights", "run"], &["gone.toml"]);
    refused(&place, &["tiny.toml"], &["--weights"]);
    let f64_on_gpu = ["tiny.toml", "--weights", "run", "--device", "gpu", "--precision", "f64"];
    refused(&place, &f64_on_gpu, &["--precision f64", "--device cpu"]);
    // A weight that is not a number.
    let mut bytes = place.weights("run");
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    place.write("nan.safetensors", &bytes);
    refused(&place, &["tiny.toml", "--weights", "nan.safetensors"], &["nan.safetensors", "NaN", "finite"]);
}
