//! `saltflat lab` end to end.
#![allow(clippy::unwrap_used)]

mod support;

use std::{process::Output, thread, time::Duration};

use support::{Place, text};

fn lab(place: &Place, args: &[&str]) -> Output {
    place.command(&[&["lab"], args].concat()).output().unwrap()
}

#[test]
fn a_lab_ends_with_a_page_and_joins_others() {
    let place = Place::new();
    let list = lab(&place, &[]);
    assert_eq!(list.status.code(), Some(0));
    assert!(text(&list.stdout).contains("HaoChen, Wei, Lee, Ma 2021"), "{}", text(&list.stdout));
    let made = lab(&place, &["quadratic", "--scale", "smoke", "--seeds", "1"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let said = text(&made.stdout);
    // Too short to say whether a claim holds.
    assert!(said.contains("measured: label noise leads to v⋆") && !said.contains("seen:"), "{said}");
    let page = place.read("results/lab/quadratic-smoke/report.html");
    for part in ["saltflat lab quadratic --scale smoke --seeds 1", "full batch", "Langevin, lambda 10000", "<svg"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(place.read("results/lab/quadratic-smoke/summary.json").contains("label noise leads to v⋆"));
    let again = lab(&place, &["quadratic", "--scale", "smoke", "--seeds", "1"]);
    assert!(text(&again.stderr).contains("5 of 5 trials are made already"), "{}", text(&again.stderr));
    assert_eq!(text(&again.stdout), said);
    let other = lab(&place, &["quadratic", "--scale", "smoke", "--seeds", "2"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("results/lab/quadratic-smoke"), "{}", text(&other.stderr));
    let joined =
        place.command(&["report", "results/lab/quadratic-smoke", "--format", "json", "--out", "-"]).output().unwrap();
    let joined: serde_json::Value = serde_json::from_slice(&joined.stdout).unwrap();
    let groups: Vec<&str> = joined["groups"].as_array().unwrap().iter().map(|g| g["group"].as_str().unwrap()).collect();
    assert_eq!(groups, ["full batch", "minibatch", "label noise", "Gaussian, sigma 0.01", "Langevin, lambda 10000"]);
    let watched = place.command(&["watch", "results/lab/quadratic-smoke", "--metric", "test_error"]).output().unwrap();
    assert!(text(&watched.stdout).contains("label noise"), "{}", text(&watched.stdout));
}

#[test]
fn bad_input_names_its_key() {
    let place = Place::new();
    for (args, part) in [
        (&["quadratik"][..], "there is no lab quadratik; expected one of quadratic"),
        (
            &["quadratic", "--set", "gaussian_sigmas=[-1.0]"],
            "gaussian_sigmas: expected numbers of at least 0, found -1",
        ),
        (&["quadratic", "--set", "samples=100"], "samples: expected at least 1 and less than the dimension"),
        (&["quadratic", "--seeds", "0"], "seeds: expected a whole number above 0, found 0"),
        (&["quadratic", "--set", "rate=1"], "rate: there is no such key"),
        (&["quadratic", "--set", "lr"], "KEY=VALUE"),
        (&["quadratic", "--scale", "huge"], "expected smoke, small, paper, got huge"),
    ] {
        let refused = lab(&place, args);
        assert_eq!(refused.status.code(), Some(2), "{args:?}");
        assert!(text(&refused.stderr).contains(part), "{args:?}: {}", text(&refused.stderr));
    }
    assert!(!place.path("results").exists());
    // A rate beyond stability is no bad input: the trajectories say that they diverged.
    let far = lab(&place, &["quadratic", "--scale", "smoke", "--seeds", "1", "--set", "lr=5"]);
    assert_eq!(far.status.code(), Some(0));
    assert!(text(&far.stdout).contains("1 of 1 diverged"), "{}", text(&far.stdout));
}

/// What a lab left that had no room for its settings is no other lab's.
#[test]
fn a_lab_that_had_no_room_is_begun_again() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("out")).unwrap();
    for name in ["lock", "env.json", "config.toml.aZ3d5f.saltflat.tmp"] {
        place.write(&format!("out/{name}"), "");
    }
    let args = ["quadratic", "--scale", "smoke", "--seeds", "1", "--out", "out"];
    let output = lab(&place, &args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

/// Stopped by a signal it keeps what it made, and goes on with what is left.
#[cfg(unix)]
#[test]
fn an_interrupted_lab_goes_on() {
    let place = Place::new();
    let args =
        ["lab", "quadratic", "--scale", "small", "--set", "noises=[\"full-batch\"]", "--set", "gaussian_sigmas=[0.01]"];
    let mut running = place.command(&args).stderr(std::process::Stdio::null()).spawn().unwrap();
    let status = place.path("results/lab/quadratic-small/status.json");
    while !status.exists() {
        thread::sleep(Duration::from_millis(5));
    }
    support::send(nix::sys::signal::Signal::SIGTERM, running.id());
    assert_eq!(running.wait().unwrap().code(), Some(143));
    assert!(place.read("results/lab/quadratic-small/status.json").contains("interrupted"));
    assert!(!place.path("results/lab/quadratic-small/report.html").exists());
}
