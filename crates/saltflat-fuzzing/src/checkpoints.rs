//! Weights, and what a run goes on from.

use std::{fs, sync::OnceLock};

use burn::tensor::{DType, Device};
use saltflat_models::{load, save};
use saltflat_record::sha256_hex;
use saltflat_train::{Observer, Plan, Trainer, config::Config, load_update, resume, save_checkpoint};

use crate::scratch;

/// A network of 48 parameters on two images.
const CONFIG: &str = "
data = { kind = 'tensors', path = 'DATA', standardise = false }
model = { kind = 'mlp', hidden = [4] }
loss.kind = 'cross_entropy'
noise = { kind = 'label-flip', probability = 0.2, strength = 1.0 }
optimizer = { lr = 0.1, momentum = 0.5, batch_size = 1 }
train = { steps = 3 }
metrics = { trace = false, alignment = false, eigenvalues = { largest = 1, products = 4 } }
";

/// What stands in a sidecar for the checksum of the weights, and of the state beside them.
const WEIGHTS: &str = "SUM-OF-WEIGHTS";
const STATE: &str = "SUM-OF-STATE";

/// Two inputs of seven numbers with labels 0 and 1, as a safetensors file.
fn samples() -> Vec<u8> {
    let head = r#"{"inputs":{"dtype":"U8","shape":[2,7],"data_offsets":[0,14]},"labels":{"dtype":"U8","shape":[2],"data_offsets":[14,16]}}"#;
    let head = format!("{head:<128}");
    let data: Vec<u8> = (1..=14).map(|x| 17 * x).chain([0, 1]).collect();
    [&(head.len() as u64).to_le_bytes(), head.as_bytes(), &data].concat()
}

fn plan() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(|| {
        let data = scratch::file("samples.safetensors", &samples());
        let text = CONFIG.replace("DATA", &data.display().to_string());
        let config = Config::read(&text, &scratch::path("config.toml"), &[]).expect("a configuration");
        Plan::new(config, &Device::flex(), DType::F32).expect("a plan")
    })
}

/// The files of a run's first checkpoint: weights, state and sidecar.
fn whole() -> [Vec<u8>; 3] {
    static FILES: OnceLock<[Vec<u8>; 3]> = OnceLock::new();
    let make = || {
        let run = scratch::path("whole");
        fs::create_dir_all(run.join("checkpoints")).expect("a folder");
        let plan = plan();
        let mut trainer = Trainer::new(plan, Trainer::random_start(plan));
        trainer.make_step(&[0]);
        let weights = save_checkpoint(&run, &trainer.snapshot()).expect("it is saved");
        ["safetensors", "state.safetensors", "json"]
            .map(|extension| fs::read(weights.with_extension(extension)).expect("it was just written"))
    };
    FILES.get_or_init(make).clone()
}

/// Weights of a network under PyTorch's names. What is read is written again, and read as the same.
pub fn weights(bytes: &[u8]) {
    let layout = plan().network.layout();
    let path = scratch::file("weights.safetensors", bytes);
    let device = Device::flex();
    let Ok((theta, buffers)) = load(&path, layout, &device, DType::F64) else { return };
    let written = save(layout, &theta, &buffers).expect("what was read can be written");
    let path = scratch::file("again.safetensors", &written);
    let (theta, buffers) = load(&path, layout, &device, DType::F64).expect("what was written can be read");
    assert_eq!(save(layout, &theta, &buffers).expect("again"), written);
}

/// The index of weights in several files, beside two files that hold all weights of the network, and one that holds none. What is read are these
/// weights.
pub fn index(bytes: &[u8]) {
    let layout = plan().network.layout();
    let [weights, ..] = whole();
    scratch::file("index/a.safetensors", &weights);
    scratch::file("index/b.safetensors", &samples());
    let path = scratch::file("index/model.safetensors.index.json", bytes);
    let Ok((theta, buffers)) = load(&path, layout, &Device::flex(), DType::F32) else { return };
    assert_eq!(save(layout, &theta, &buffers).expect("what was read can be written"), weights);
}

/// What a run carries beside its weights: the momentum by itself, and all of it in a run that goes on.
pub fn state(bytes: &[u8]) {
    let [weights, old, sidecar] = whole();
    let sidecar = String::from_utf8_lossy(&sidecar).replace(&sha256_hex(&old), STATE);
    resume_and_run(&weights, bytes, &sidecar);
}

/// The sidecar of a checkpoint, whose files are whole; `WEIGHTS` and `STATE` stand for their checksums.
pub fn progress(bytes: &[u8]) {
    let [weights, state, _] = whole();
    resume_and_run(&weights, &state, &String::from_utf8_lossy(bytes));
}

/// Writes a checkpoint, reads it as a run that goes on, and goes on to the end of the plan.
fn resume_and_run(weights: &[u8], state: &[u8], sidecar: &str) {
    let sidecar = sidecar.replace(WEIGHTS, &sha256_hex(weights)).replace(STATE, &sha256_hex(state));
    let folder = "run/checkpoints/step-00000001";
    for (extension, content) in [("safetensors", weights), ("state.safetensors", state), ("json", sidecar.as_bytes())] {
        scratch::file(&format!("{folder}.{extension}"), content);
    }
    let _ = load_update(&scratch::path(&format!("{folder}.safetensors")), plan());
    let Ok(resumed) = resume(&scratch::path("run"), plan()) else { return };
    let mut trainer = resumed.trainer;
    fs::create_dir_all(scratch::path("saved/checkpoints")).expect("a folder");
    let saved = save_checkpoint(&scratch::path("saved"), &trainer.snapshot()).expect("what was read can be written");
    assert!(saved.is_file());
    let _ = trainer.run(&mut Nobody, &|| false);
}

/// Hears nothing.
struct Nobody;

impl Observer for Nobody {}
