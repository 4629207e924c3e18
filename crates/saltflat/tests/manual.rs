//! Shell completions, man pages and the version.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use support::{Place, text};

const COMMANDS: [&str; 11] =
    ["train", "measure", "outputs", "study", "lab", "watch", "report", "data", "doctor", "completions", "man"];

#[test]
fn completions_name_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let found = place.command(&["completions", shell]).output().unwrap();
        let script = text(&found.stdout);
        assert!(found.status.success() && COMMANDS.iter().all(|name| script.contains(name)), "{shell}: {script}");
    }
    let found = place.command(&["completions", "tcsh"]).output().unwrap();
    assert_eq!(found.status.code(), Some(2));
    assert!(text(&found.stderr).contains("bash"), "{}", text(&found.stderr));
}

#[test]
fn every_command_has_a_man_page() {
    let place = Place::new();
    let page = place.command(&["man"]).output().unwrap();
    assert!(page.status.success() && text(&page.stdout).contains(".TH saltflat"));
    assert!(place.command(&["man", "--out", "man/pages"]).status().unwrap().success());
    for name in COMMANDS {
        let page = fs::read_to_string(place.path(&format!("man/pages/saltflat-{name}.1"))).unwrap();
        assert!(page.contains(&format!("saltflat\\-{name}")), "{page}");
    }
    assert!(fs::read_to_string(place.path("man/pages/saltflat.1")).unwrap().contains("Exit codes"));
    // A file where the folder would be.
    let found = place.command(&["man", "--out", "tiny.toml"]).output().unwrap();
    assert_eq!(found.status.code(), Some(1));
    assert!(text(&found.stderr).contains("tiny.toml"), "{}", text(&found.stderr));
}

#[test]
fn the_long_version_says_what_was_built() {
    let place = Place::new();
    let short = place.command(&["-V"]).output().unwrap();
    assert_eq!(text(&short.stdout).trim(), format!("saltflat {}", env!("CARGO_PKG_VERSION")));
    let long = text(&place.command(&["--version"]).output().unwrap().stdout);
    assert_eq!(long.lines().next(), text(&short.stdout).lines().next());
    assert!(["revision: ", "features: ", "burn: "].iter().all(|key| long.contains(key)), "{long}");
}
