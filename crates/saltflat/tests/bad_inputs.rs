//! Every line of `bad_inputs.txt`: what is wrong is said in a sentence that names the culprit, with the exit code that scripts
//! rely on, and nothing is left behind.
#![allow(clippy::unwrap_used)]

mod support;

use std::{fs, thread};

use support::{Place, TINY, text};

const TABLE: &str = include_str!("bad_inputs.txt");

/// What the commands of the table name.
fn place() -> Place {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    place.write("empty.toml", "");
    place.write("broken.toml", "[run\nname = 3");
    place.write("binary.toml", [0xff, 0xfe, 0x00, 0x80]);
    let utf16 = TINY.encode_utf16().flat_map(u16::to_le_bytes);
    place.write("utf16.toml", [0xff, 0xfe].into_iter().chain(utf16).collect::<Vec<u8>>());
    place.write("latin1.toml", [b"# M\xfcller\n", TINY.as_bytes()].concat());
    place.write("seed.toml", TINY.replace("[run]", "[run]\nseed = 9223372036854775808"));
    fs::create_dir(place.path("run")).unwrap();
    place.write("run/config.toml", TINY);
    place.write("run/metrics.jsonl", "");
    fs::create_dir(place.path("whole-study")).unwrap();
    place.write("whole-study/manifest.json", "{}");
    place.write("twice.toml", "[optimizer]\nlr = 1\nlr = 2\n");
    place.write("weights.safetensors", b"PK\x03\x04 not safetensors");
    place.write("model.pt", b"\x80\x02}q\x00.");
    place.write("study.toml", "[study]\nname = \"s\"\nbase = \"tiny.toml\"\n[[stage]]\nname = \"one\"\nseeds = [0]\n");
    place
}

/// What is wrong with the answer to a line, if something is.
fn complaint(place: &Place, line: &str) -> Option<String> {
    let fields: Vec<&str> = line.split(" | ").map(str::trim).collect();
    let [code, command, parts] = fields[..] else { return Some(format!("{line}: it has not three fields")) };
    let args: Vec<&str> = command.split_whitespace().collect();
    let mut command = place.command(&args);
    if args[0] == "train" && !args.contains(&"--device") {
        command.args(["--device", "cpu"]);
    }
    let output = command.output().unwrap();
    let message = text(&output.stderr);
    let missing: Vec<&str> = parts.split(" ; ").filter(|part| !message.contains(part.trim())).collect();
    let wrong = if output.status.code() != code.parse().ok() {
        format!("exit code {:?}", output.status.code())
    } else if !missing.is_empty() {
        format!("no {missing:?}")
    } else if message.contains("panicked") {
        "a panic".into()
    } else if message.len() > 2000 {
        format!("{} bytes of message", message.len())
    } else {
        return None;
    };
    Some(format!("{line}\n  {wrong} in: {message}"))
}

#[test]
fn every_bad_input_is_named() {
    let place = place();
    let before = fs::read_dir(place.path("")).unwrap().count();
    let lines: Vec<&str> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() >= 200, "{}", lines.len());
    let parts = lines.chunks(lines.len().div_ceil(4));
    let complaints: Vec<String> = thread::scope(|scope| {
        let place = &place;
        let threads: Vec<_> = parts
            .map(|part| scope.spawn(move || part.iter().filter_map(|line| complaint(place, line)).collect()))
            .collect();
        threads.into_iter().flat_map(|thread| -> Vec<String> { thread.join().unwrap() }).collect()
    });
    assert!(complaints.is_empty(), "{} of {} lines:\n{}", complaints.len(), lines.len(), complaints.join("\n"));
    let after: Vec<_> = fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(after.len(), before, "something was left behind: {after:?}");
}
