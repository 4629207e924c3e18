//! What is said at the start of a run: suspicious data, weights in half precision, numbers of threads that cannot be used.
#![allow(clippy::unwrap_used)]

mod support;

use safetensors::{Dtype, tensor::TensorView};
use support::{Place, text};

const CONFIG: &str = r#"
data = { kind = "tensors", path = "data.safetensors" }
model = { kind = "mlp", hidden = [3] }
loss = { kind = "cross_entropy" }
optimizer = { lr = 0.1, batch_size = 2 }
train = { epochs = 1 }
metrics = { enabled = false }
"#;

/// A tensor of a file: name, type, shape, bytes.
type Stored = (&'static str, Dtype, &'static [usize], Vec<u8>);

fn tensors(place: &Place, name: &str, all: &[Stored]) {
    let views = all
        .iter()
        .map(|(name, dtype, shape, bytes)| (name.to_string(), TensorView::new(*dtype, shape.to_vec(), bytes).unwrap()));
    place.write(name, safetensors::serialize(views, None).unwrap());
}

/// Four samples of two numbers; the labels start at 1, and the second test sample is the first training sample.
fn place() -> Place {
    let place = Place::new();
    place.write("data.toml", CONFIG);
    let all: [Stored; 4] = [
        ("inputs", Dtype::U8, &[4, 2], vec![0, 1, 2, 3, 4, 5, 6, 7]),
        ("labels", Dtype::U8, &[4], vec![1, 2, 3, 1]),
        ("test_inputs", Dtype::U8, &[2, 2], vec![9, 9, 0, 1]),
        ("test_labels", Dtype::U8, &[2], vec![2, 3]),
    ];
    tensors(&place, "data.safetensors", &all);
    place
}

#[test]
fn suspicious_data_are_said_by_every_command_that_loads_them() {
    let place = place();
    let notes = [
        "note: no sample is of class 0: the labels start at 1",
        "note: 1 of 2 test samples have the same inputs as a training sample",
    ];
    let said = |output: &std::process::Output| {
        let said = text(&output.stderr);
        assert!(notes.iter().all(|note| said.matches(note).count() == 1), "{said}");
    };
    said(&place.trained(&["data.toml", "--out", "run"]));
    let log = place.read("run/log.txt");
    assert!(notes.iter().all(|note| log.contains(note)), "{log}");
    said(&place.trained(&["data.toml", "--dry-run"]));
    let measure = ["measure", "data.toml", "--weights", "run", "--metrics", "loss", "--device", "cpu"];
    said(&place.command(&measure).output().unwrap());
    place.write("study.toml", "[study]\nname = \"s\"\nbase = \"data.toml\"\n[[stage]]\nname = \"one\"\n");
    let output = place.command(&["study", "study.toml", "--devices", "cpu"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    let of_runs = notes.map(|note| note.replace("note: ", "note: one/s0: "));
    assert!(of_runs.iter().all(|note| said.matches(note).count() == 1), "before the first run: {said}");
    let log = place.read("results/s/one/s0/log.txt");
    assert!(notes.iter().all(|note| log.contains(note)), "{log}");
    // Nothing is said of data with which nothing is wrong.
    let output = place.trained(&["tiny.toml", "--out", "good"]);
    assert!(!text(&output.stderr).contains("note:"), "{}", text(&output.stderr));
}

/// 1.5 and −2 are numbers of f16: 0x3e00 and 0xc000.
#[test]
fn half_precision_weights_are_taken_and_said() {
    let place = place();
    let half = |n: usize| [0x00, 0x3e, 0x00, 0xc0].repeat(n / 2);
    let all: [Stored; 4] = [
        ("layers.0.weight", Dtype::F16, &[2, 2], half(4)),
        ("layers.0.bias", Dtype::F16, &[2], half(2)),
        ("layers.1.weight", Dtype::F16, &[4, 2], half(8)),
        ("layers.1.bias", Dtype::F16, &[4], half(4)),
    ];
    tensors(&place, "half.safetensors", &all);
    let network = ["--set", "model.hidden=[2]"];
    let note = "note: half.safetensors: 4 tensors are in half precision (such as layers.0.weight, F16)";
    let measure =
        ["measure", "data.toml", "--weights", "half.safetensors", "--metrics", "weight_norm", "--device", "cpu"];
    let output = place.command(&[&measure[..], &network, &["--json", "-"]].concat()).output().unwrap();
    assert!(text(&output.stderr).contains(note), "{}", text(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // Nine of each: √(9 · 1.5² + 9 · 2²) = 7.5.
    assert!((found["metrics"]["weight_norm"]["value"].as_f64().unwrap() - 7.5).abs() < 1e-6, "{found}");
    // Also of the weights that a slice leads to.
    let float = |n: usize| 1.5_f32.to_le_bytes().repeat(n);
    let all: [Stored; 4] = [
        ("layers.0.weight", Dtype::F32, &[2, 2], float(4)),
        ("layers.0.bias", Dtype::F32, &[2], float(2)),
        ("layers.1.weight", Dtype::F32, &[4, 2], float(8)),
        ("layers.1.bias", Dtype::F32, &[4], float(4)),
    ];
    tensors(&place, "full.safetensors", &all);
    let slice = ["measure", "data.toml", "--weights", "full.safetensors", "--slice", "half.safetensors"];
    let output = place.command(&[&slice[..], &network, &["--device", "cpu"]].concat()).output().unwrap();
    assert!(output.status.success() && text(&output.stderr).contains(note), "{}", text(&output.stderr));
    let init = [&["data.toml", "--out", "run", "--set", "train.init=\"half.safetensors\""], &network[..]].concat();
    place.trained(&init);
    assert!(place.read("run/log.txt").contains("4 tensors are in half precision"));
}

/// Twenty thousand threads kept a run from training.
#[test]
fn numbers_of_threads_that_cannot_be_used_are_said() {
    let place = Place::new();
    let cores = std::thread::available_parallelism().unwrap().get();
    let good = cores.to_string();
    for (value, threads, note) in [
        ("20000", 4 * cores, Some("note: RAYON_NUM_THREADS = 20000 is more than 4 threads for each of the")),
        ("many", cores, Some("note: RAYON_NUM_THREADS: expected a whole number above 0, got \"many\"")),
        ("0", cores, Some("got \"0\"")),
        (&good, cores, None),
    ] {
        let run = format!("run-{value}");
        let args = ["train", "tiny.toml", "--device", "cpu", "--out", &run];
        let output = place.command(&args).env("RAYON_NUM_THREADS", value).output().unwrap();
        let said = text(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert_eq!(note.is_some_and(|note| said.contains(note)), said.contains("RAYON_NUM_THREADS"), "{value}: {said}");
        assert_eq!(note.is_some(), place.read(&format!("{run}/log.txt")).contains("RAYON_NUM_THREADS"));
        let environment: serde_json::Value = serde_json::from_str(&place.read(&format!("{run}/env.json"))).unwrap();
        assert_eq!(environment["threads"], threads, "{value}");
        assert_eq!(place.weights(&run), place.weights("run-20000"), "{value}");
    }
    let args = ["lab", "quadratic", "--scale", "smoke", "--out", "lab"];
    let output = place.command(&args).env("RAYON_NUM_THREADS", "20000").output().unwrap();
    assert!(text(&output.stderr).contains("RAYON_NUM_THREADS = 20000"), "{}", text(&output.stderr));
    let environment: serde_json::Value = serde_json::from_str(&place.read("lab/env.json")).unwrap();
    assert_eq!(environment["threads"], 4 * cores);
}

/// Where Mesa's Vulkan drivers are installed, libwayland complained twice at each listing of adapters.
#[test]
fn a_machine_without_a_display_is_no_error() {
    let place = Place::new();
    for device in ["auto", "cpu"] {
        let mut command = place.command(&["train", "tiny.toml", "--device", device, "--dry-run"]);
        let output = command.env_remove("XDG_RUNTIME_DIR").output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    }
    place.write("study.toml", "[study]\nname = \"s\"\nbase = \"tiny.toml\"\n\n[[stage]]\nname = \"a\"\n");
    let output = place.command(&["study", "study.toml", "--dry-run"]).env_remove("XDG_RUNTIME_DIR").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
}
