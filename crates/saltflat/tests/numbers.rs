//! Absurd numbers in every key, flag and setting: refused, or cheap; never a panic, an abort or gigabytes of memory.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    process::{Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use support::{Place, text};

const WHOLE: [&str; 4] = ["2147483648", "9007199254740992", "9223372036854775807", "9223372036854775808"];
const REAL: [&str; 6] = ["1e300", "5e-324", "1e-310", "-0.0", "inf", "nan"];

/// KiB of addresses: a gibibyte for the program, its threads and what the smallest configuration takes, and two beside.
const ADDRESSES: u64 = 3 << 20;

/// What takes longer has no end in a test; it is killed, and counts as cheap as long as its memory does.
const PATIENCE: Duration = Duration::from_secs(30);

const TEACHER: &[&str] = &["data.kind=linear-teacher", "loss.kind=square", "data.dimension=3"];
const IMAGES: &str = "data.kind=cifar10-1k";

/// Whole numbers of a configuration, with what else must be set; `#` stands for the number.
const KEYS: &[(&str, &[&str])] = &[
    ("run.seed=#", &[]),
    ("data.limit=#", &[]),
    ("data.test_limit=#", &[]),
    ("data.seed=#", &[]),
    ("data.classes=[#]", &[]),
    ("data.adversarial.copies=#", &[]),
    ("data.dimension=#", TEACHER),
    ("data.limit=#", TEACHER),
    ("data.test_limit=#", TEACHER),
    ("model.outputs=#", &[]),
    ("model.hidden=[#]", &[]),
    ("model.hidden=[#, #]", &[]),
    ("model.width=#", &["model={kind=\"lenet\"}", IMAGES]),
    ("model.width=#", &["model={kind=\"vgg\"}", IMAGES]),
    ("model.depth=#", &["model={kind=\"vgg\", width=2}", IMAGES]),
    ("model.channels_per_group=#", &["model={kind=\"vgg\", norm=\"group\", width=2}", IMAGES]),
    ("model.width=#", &["model={kind=\"resnet\"}", IMAGES]),
    ("model.blocks=[#]", &["model={kind=\"resnet\", width=2, norm=\"none\"}", IMAGES]),
    ("model.depth=#", &["model={kind=\"resnet-fixup\", width=2}", IMAGES]),
    ("model.width=#", &["model={kind=\"resnet-fixup\", depth=8}", IMAGES]),
    ("model.features=#", &["model={kind=\"random-features\"}"]),
    ("noise.batch_size=#", &["noise={kind=\"sgd-covariance\"}"]),
    ("noise.batch_size=#", &["noise={kind=\"minibatch\"}"]),
    ("noise.batch_size=#", &["noise={kind=\"geometry-aware\"}"]),
    ("noise.like.batch_size=#", &["noise={kind=\"isotropic\", like={kind=\"sgd-covariance\"}}"]),
    ("noise.strength_every=#", &["noise={kind=\"sgd-covariance\", strength=0.1}"]),
    (
        "noise.schedule.warmup_steps=#",
        &["noise={kind=\"label-flip\", probability=0.2, schedule={kind=\"warmup-constant\"}}"],
    ),
    (
        "noise.schedule.at_steps=[#]",
        &["noise={kind=\"label-flip\", probability=0.2, schedule={kind=\"step-decay\", factor=0.5}}"],
    ),
    ("optimizer.batch_size=#", &[]),
    ("schedule.warmup_steps=#", &["schedule={kind=\"warmup-cosine\"}"]),
    ("schedule.at_steps=[#]", &["schedule={kind=\"step-decay\", factor=0.5}"]),
    ("train.epochs=#", &[]),
    ("train.steps=#", &[]),
    ("train.microbatch=#", &[]),
    ("train.checkpoint.every_epochs=#", &[]),
    ("train.checkpoint.every_steps=#", &[]),
    ("train.checkpoint.keep=#", &["train.checkpoint={every_steps=1}"]),
    ("metrics.every_epochs=#", &[]),
    ("metrics.every_steps=#", &[]),
    ("metrics.samples=#", &[]),
    ("metrics.microbatch=#", &[]),
    ("metrics.memory_limit=#", &[]),
    ("metrics.trace.probes=#", &[]),
    ("metrics.trace.probes=#", &["metrics.trace.method=hutch++"]),
    ("metrics.trace.probes=#", &["metrics.trace.method=xtrace"]),
    ("metrics.trace.every=#", &[]),
    ("metrics.gauss_newton.probes=#", &[]),
    ("metrics.gauss_newton.every=#", &[]),
    ("metrics.eigenvalues.largest=#", &[]),
    ("metrics.eigenvalues.largest=#", &["model.hidden=[2000]"]),
    ("metrics.eigenvalues.smallest=#", &[]),
    ("metrics.eigenvalues.products=#", &[]),
    ("metrics.eigenvalues.every=#", &[]),
    ("metrics.spectrum.probes=#", &[]),
    ("metrics.spectrum.steps=#", &["model.hidden=[2000]"]),
    ("metrics.spectrum.deflate=#", &["model.hidden=[2000]"]),
    ("metrics.spectrum.every=#", &[]),
    ("metrics.alignment.samples=#", &[]),
    ("metrics.alignment.subsets=#", &[]),
    ("metrics.alignment.signs=#", &["model.outputs=100"]),
    ("metrics.alignment.every=#", &[]),
    ("metrics.stability.every=#", &[]),
    ("metrics.sharpness.batches=#", &[]),
    ("metrics.sharpness.every=#", &[]),
    ("metrics.noise_strength.every_steps=#", &[]),
];

const FLIPS: &str = "noise={kind=\"label-flip\", probability=0.2, schedule={kind=\"step-decay\", at_steps=[1]}}";

/// The other numbers.
const REAL_KEYS: &[(&str, &[&str])] = &[
    ("data.adversarial.zeroed=#", &[]),
    ("loss.smoothing=#", &[]),
    ("loss.label_smoothing=#", &[]),
    ("metrics.loss.smoothing=#", &[]),
    ("metrics.loss.label_smoothing=#", &[]),
    ("noise.probability=#", &["noise={kind=\"label-flip\"}"]),
    ("noise.probability=#", &["noise={kind=\"label-flip\", to=\"uniform\"}"]),
    ("noise.probability=#", &["noise={kind=\"label-smoothing\"}"]),
    ("noise={kind=\"label-noise\", sigma=#}", TEACHER),
    ("noise.sigma=#", &["noise={kind=\"logit-gaussian\"}"]),
    ("noise.sigma=#", &["noise={kind=\"minibatch\"}"]),
    ("noise.sigma=#", &["noise={kind=\"isotropic-loss-scaled\"}"]),
    ("noise.sigma=#", &["noise={kind=\"parameter-gaussian\"}"]),
    ("noise.inverse_temperature=#", &["noise={kind=\"langevin\"}"]),
    ("noise.strength=#", &["noise={kind=\"sgd-covariance\"}"]),
    ("noise.strength=#", &["noise={kind=\"label-flip\", probability=0.2}"]),
    ("noise.strength=#", &["noise={kind=\"langevin\"}"]),
    ("noise.schedule.factor=#", &[FLIPS]),
    (
        "noise.schedule.warmup_epochs=#",
        &["noise={kind=\"label-flip\", probability=0.2, schedule={kind=\"warmup-constant\"}}"],
    ),
    ("optimizer.lr=#", &[]),
    ("optimizer.lr=#", &["noise={kind=\"parameter-gaussian\", sigma=0.1}"]),
    ("optimizer.momentum=#", &[]),
    ("optimizer.weight_decay=#", &["metrics.loss.weight_decay=true"]),
    ("optimizer.sam.rho=#", &[]),
    ("schedule.warmup_epochs=#", &["schedule={kind=\"warmup-cosine\"}"]),
    ("schedule.at_epochs=[#]", &["schedule={kind=\"step-decay\", factor=0.5}"]),
    ("schedule.factor=#", &["schedule={kind=\"step-decay\", at_steps=[1]}"]),
    ("train.stop_loss=#", &[]),
    ("train.stop_accuracy=#", &[]),
    ("train.diverged_above=#", &[]),
    ("train.checkpoint.every_minutes=#", &[]),
    ("metrics.trace.tolerance=#", &[]),
    ("metrics.eigenvalues.tolerance=#", &[]),
];

const MEASURE: &[&str] = &["measure", "small.toml", "--weights", "run", "--device", "cpu", "--metrics"];

struct Case {
    args: Vec<String>,
    /// True if it writes a folder.
    makes: bool,
}

fn case(makes: bool, parts: &[&[&str]]) -> Case {
    Case { args: parts.concat().into_iter().map(String::from).collect(), makes }
}

fn of_keys(cases: &mut Vec<Case>, keys: &[(&str, &[&str])], numbers: &[&str]) {
    for (key, others) in keys {
        for number in numbers {
            let key = key.replace('#', number);
            let sets: Vec<&str> = others.iter().chain([&key.as_str()]).flat_map(|set| ["--set", *set]).collect();
            let start: &[&str] = &["train", "small.toml", "--device", "cpu", "--time-limit", "0.7s"];
            cases.push(case(true, &[start, &sets]));
        }
    }
}

fn of_flags(cases: &mut Vec<Case>) {
    for number in WHOLE {
        for flag in ["--probes", "--samples", "--alignment-samples"] {
            cases.push(case(false, &[MEASURE, &["trace,spectrum,alignment", flag, number]]));
        }
        let points: &[&str] = &["loss", "--slice-points", number, "--slice", "random"];
        cases.push(case(false, &[MEASURE, points]));
        cases.push(case(false, &[MEASURE, points, &["--slice", "random"]]));
    }
    for number in REAL {
        for flag in ["--tolerance", "--slice-range"] {
            let flag = format!("{flag}={number}");
            cases.push(case(false, &[MEASURE, &["trace", "--slice", "random", &flag]]));
        }
        for unit in ["MiB", "GiB"] {
            cases.push(case(false, &[MEASURE, &["all", &format!("--memory-limit={number}{unit}")]]));
        }
        cases.push(case(true, &[&["train", "small.toml", "--device", "cpu", &format!("--time-limit={number}s")]]));
    }
}

/// Every number among the settings of every lab.
fn of_labs(place: &Place, cases: &mut Vec<Case>) {
    for lab in ["quadratic", "coupling", "cycling", "linear-stability", "random-walk", "regularizer", "binary-losses"] {
        let start = ["lab", lab, "--scale", "smoke", "--time-limit", "0.7s"];
        let shown = place.command(&["lab", lab, "--scale", "smoke", "--dry-run"]).output().unwrap();
        let settings: toml::Table = text(&shown.stdout).parse().unwrap();
        assert!(!settings.is_empty(), "{lab}");
        for (key, value) in settings {
            let (list, one) = match &value {
                toml::Value::Array(all) => (true, all.first().cloned().unwrap_or(toml::Value::Float(1.0))),
                one => (false, one.clone()),
            };
            let numbers: &[&str] = match one {
                toml::Value::Integer(_) => &WHOLE,
                toml::Value::Float(_) => &REAL,
                _ => &[],
            };
            for number in numbers {
                let set = if list { format!("{key}=[{number}]") } else { format!("{key}={number}") };
                cases.push(case(true, &[&start, &["--set", &set]]));
            }
        }
        for number in WHOLE {
            cases.push(case(true, &[&start, &["--seeds", number]]));
        }
    }
}

/// The exit code, or what else became of it, and what it said.
fn outcome(place: &Place, number: usize, case: &Case) -> (String, String) {
    let program = place.command(&[]);
    let out = format!("out-{number}");
    let mut command = Command::new("bash");
    command.args(["-c", &format!("ulimit -v {ADDRESSES}; exec \"$@\""), "bash"]).arg(program.get_program());
    command.args(&case.args).current_dir(place.path("")).stdin(Stdio::null()).stdout(Stdio::null());
    if case.makes {
        command.args(["--out", &out]);
    }
    let said = place.path(&format!("said-{number}"));
    let mut child = command.stderr(fs::File::create(&said).unwrap()).spawn().unwrap();
    let clock = Instant::now();
    let ended = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.to_string(),
            None if clock.elapsed() > PATIENCE => {
                child.kill().unwrap();
                child.wait().unwrap();
                break "goes on".into();
            }
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    let _ = fs::remove_dir_all(place.path(&out));
    (ended, text(&fs::read(said).unwrap()))
}

#[test]
fn absurd_numbers_are_refused_or_cheap() {
    let place = Place::new();
    let small = support::TINY.replace("limit = 100", "limit = 20").replace("batch_size = 30", "batch_size = 10");
    place.write(
        "small.toml",
        small.replace("test_limit = 50", "test_limit = 10").replace("hidden = [8]", "hidden = [4]"),
    );
    place.trained(&["small.toml", "--out", "run"]);
    let mut cases = Vec::new();
    of_keys(&mut cases, KEYS, &WHOLE);
    of_keys(&mut cases, REAL_KEYS, &REAL);
    of_flags(&mut cases);
    of_labs(&place, &mut cases);
    assert!(cases.len() > 500, "{}", cases.len());
    let (next, wrong) = (Mutex::new(cases.iter().enumerate()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some((number, case)) = next.lock().unwrap().next() else { break };
                    let (ended, said) = outcome(&place, number, case);
                    // Only measure has no time limit: as many probes as were asked for take as long as they take.
                    let endless =
                        ended == "goes on" && case.args[0] == "measure" && case.args.contains(&"--probes".into());
                    let fine = ["exit status: 0", "exit status: 2", "exit status: 3"].contains(&ended.as_str());
                    if !(fine || endless) || said.contains("panicked") {
                        wrong.lock().unwrap().push(format!("{}: {ended}: {said}", case.args.join(" ")));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Probabilities that vanish flip nothing, and a schedule cannot take one past its limit.
#[test]
fn probabilities_at_their_limits() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--set", "noise.probability=5e-324", "--out", "least"]);
    let schedule = |at: &str| format!("noise.schedule={{kind = \"step-decay\", at_steps = {at}, factor = 2}}");
    // 0.2 of ten classes becomes 0.4, 0.8, 1.6 (the limit is 0.9); a mark after the last step multiplies nothing.
    for (at, code) in [("[1, 2]", 0), ("[1, 2, 3]", 2), ("[1, 2, 4]", 0)] {
        let output = place.train(&["tiny.toml", "--set", &schedule(at), "--set", "train.steps=4", "--out", at]);
        assert_eq!(output.status.code(), Some(code), "{at}: {}", text(&output.stderr));
        assert_eq!(
            text(&output.stderr).contains("noise.schedule.factor: expected"),
            code == 2,
            "{}",
            text(&output.stderr)
        );
    }
}
