//! Bad input: a message that names the culprit, exit code 2, no panic, and nothing half-written.
#![allow(clippy::unwrap_used)]

mod support;

use support::{Place, TINY, text};

/// Runs with these arguments; expects exit code 2, every part in the message, and no run folder.
fn refused(place: &Place, args: &[&str], parts: &[&str]) {
    let output = place.train(args);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    for part in parts {
        assert!(message.contains(part), "{args:?}: no {part:?} in:\n{message}");
    }
    assert!(!message.contains("panicked"), "{message}");
    assert!(!place.path("results").exists(), "{args:?} left something behind");
}

fn set(place: &Place, pairs: &[&str], parts: &[&str]) {
    let mut args = vec!["tiny.toml"];
    pairs.iter().for_each(|pair| args.extend(["--set", *pair]));
    refused(place, &args, parts);
}

#[test]
fn values_out_of_range() {
    let place = Place::new();
    set(&place, &["optimizer.lr=0"], &["optimizer.lr"]);
    set(&place, &["optimizer.lr=-0.5"], &["optimizer.lr", "-0.5"]);
    set(&place, &["optimizer.lr=nan"], &["optimizer.lr", "nan"]);
    set(&place, &["optimizer.lr=\"fast\""], &["optimizer.lr", "number", "fast"]);
    set(&place, &["optimizer.momentum=1.0"], &["optimizer.momentum"]);
    set(&place, &["optimizer.batch_size=101"], &["optimizer.batch_size", "100", "101"]);
    set(&place, &["optimizer.batch_size=0"], &["optimizer.batch_size"]);
    set(&place, &["data.limit=0"], &["data.limit"]);
    set(&place, &["data.limit=1001"], &["data.limit", "1000", "1001"]);
    set(&place, &["data.classes=[0, 10]"], &["data.classes", "10"]);
    set(&place, &["noise.probability=1.5"], &["noise.probability", "1.5"]);
    set(&place, &["train.epochs=0"], &["train.epochs"]);
    set(&place, &["model.hidden=[8, 0]"], &["model.hidden"]);
    set(&place, &["model.outputs=5"], &["model.outputs", "10", "5"]);
    set(&place, &["metrics.samples=101"], &["metrics.samples", "100", "101"]);
    set(&place, &["loss.smoothing=0.1"], &["loss.smoothing", "0.1", "0.2"]);
    set(&place, &["model.kind=\"resnett\""], &["model.kind", "resnett", "resnet"]);
    set(&place, &["model={kind=\"vgg\"}"], &["32"]);
    set(&place, &["model={kind=\"resnet\", width=8, channels_per_group=3}"], &["channels_per_group", "8", "3"]);
}

#[test]
fn all_problems_at_once_with_the_nearest_name() {
    let place = Place::new();
    let config = TINY
        .replace("lr = 0.1", "learning_rat = 0.1\nmomentom = 0.9")
        .replace("probability = 0.2", "probability = \"high\"");
    place.write("bad.toml", config + "\n[trian]\nepochs = 3\n");
    let parts =
        ["optimizer.momentom", "momentum", "optimizer.lr", "noise.probability", "high", "trian", "train", "bad.toml"];
    refused(&place, &["bad.toml"], &parts);
}

#[test]
fn files_that_are_not_there_or_not_toml() {
    let place = Place::new();
    refused(&place, &["absent.toml"], &["absent.toml"]);
    place.write("broken.toml", "[run\nname = 3");
    refused(&place, &["broken.toml"], &["broken.toml", "line 1"]);
    place.write("binary.toml", [0xff, 0xfe, 0x00]);
    refused(&place, &["binary.toml"], &["binary.toml"]);
    set(&place, &["train.init=\"nowhere\""], &["nowhere"]);
    place.write("weights.pt", b"PK\x03\x04 not safetensors");
    let python = "python -c \"import torch, safetensors.torch as s; s.save_file(torch.load('";
    let refusal = ["weights.pt: is a pickle", python, "weights.pt', weights_only=True), '", "weights.safetensors')\""];
    set(&place, &["train.init=\"weights.pt\""], &refusal);
    let output = place.command(&["measure", "tiny.toml", "--weights", "weights.pt"]).output().unwrap();
    assert!(refusal.iter().all(|part| text(&output.stderr).contains(part)), "{}", text(&output.stderr));
    // An old file is a pickle without a zip around it; of other formats nothing is known but that they are not safetensors.
    place.write("weights", b"\x80\x02}q\x00.");
    set(&place, &["train.init=\"weights\""], &["weights: is a pickle", "weights.safetensors"]);
    place.write("weights.npz", b"PK\x03\x04 weight.npy");
    set(&place, &["train.init=\"weights.npz\""], &["weights.npz: is not a safetensors file"]);
    // What a terminal would obey does not reach it.
    set(&place, &["train.init=\"\\u001b[31mred\""], &["\u{fffd}[31mred"]);
}

#[test]
fn datasets_that_are_missing_or_broken() {
    let place = Place::new();
    set(&place, &["data={kind=\"cifar10\"}"], &["--data-dir", "SALTFLAT_DATA"]);
    std::fs::create_dir(place.path("data")).unwrap();
    let cifar = ["tiny.toml", "--set", "data={kind=\"cifar10\"}", "--data-dir", "data"];
    refused(&place, &cifar, &["data_batch_1.bin", "data"]);
    place.write("data/data_batch_1.bin", vec![0; 3073 * 2 + 5]);
    (2..=5).for_each(|i| place.write(&format!("data/data_batch_{i}.bin"), vec![0; 3073]));
    place.write("data/test_batch.bin", vec![0; 3073]);
    refused(&place, &cifar, &["data_batch_1.bin", "30730000", "6151"]);
    // Files of the right size, with holes for zeros, and one label that there is not.
    for name in (1..=5).map(|i| format!("data_batch_{i}.bin")).chain(["test_batch.bin".into()]) {
        let file = std::fs::File::create(place.path("data").join(name)).unwrap();
        file.set_len(30_730_000).unwrap();
    }
    let mut file = std::fs::OpenOptions::new().write(true).open(place.path("data/data_batch_1.bin")).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(3073 * 7)).unwrap();
    std::io::Write::write_all(&mut file, &[12]).unwrap();
    refused(&place, &cifar, &["data_batch_1.bin", "12"]);
    file = std::fs::OpenOptions::new().write(true).open(place.path("data/data_batch_1.bin")).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(3073 * 7)).unwrap();
    std::io::Write::write_all(&mut file, &[0]).unwrap();
    refused(&place, &cifar, &["SHA-256"]);
    place.write("data.safetensors", b"short");
    set(&place, &["data={kind=\"tensors\", path=\"data.safetensors\"}"], &["data.safetensors"]);
}

#[test]
fn weights_of_another_network() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "first"]);
    let other = ["train.init=\"first\"", "model.hidden=[9, 7]"];
    set(&place, &other, &["layers.0.weight", "[8, 784]", "[9, 784]", "layers.2.weight"]);
}

#[test]
fn folders_that_exist_or_cannot_be_written() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "first"]);
    let before = place.read("first/metrics.jsonl");
    let output = place.train(&["tiny.toml", "--out", "first"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("first exists"), "{}", text(&output.stderr));
    assert_eq!(place.read("first/metrics.jsonl"), before);

    // A file in the way fails for every user, root too; a read-only folder fails only for the others.
    place.write("file", "");
    let output = place.train(&["tiny.toml", "--out", "file/run"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("file/run"), "{}", text(&output.stderr));

    #[cfg(target_os = "linux")]
    {
        // /proc is read-only for root as well.
        let output = place.train(&["tiny.toml", "--out", "/proc/saltflat-run"]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("/proc/saltflat-run"), "{}", text(&output.stderr));
    }
}

#[test]
fn an_absent_gpu() {
    let place = Place::new();
    for device in ["gpu:99", "no such adapter"] {
        let output = place.command(&["train", "tiny.toml", "--device", device]).output().unwrap();
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(device) && message.contains("--device cpu"), "{message}");
    }
    let output = place.command(&["train", "tiny.toml", "--device", "gpu:x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("gpu:N"), "{}", text(&output.stderr));
    assert!(!place.path("results").exists());
}
