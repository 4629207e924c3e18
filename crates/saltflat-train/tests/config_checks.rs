//! What two keys say together: a contradiction is told once, and a key that was refused is not blamed a second time.

mod support;

use support::read;

/// The problems, in their order, without the file's name and the count.
fn problems(overrides: &[(&str, &str)]) -> Vec<String> {
    match read(overrides) {
        Ok(_) => Vec::new(),
        Err(e) => match e.split_once(" problems\n  ") {
            Some((_, lines)) => lines.split("\n  ").map(str::to_string).collect(),
            None => vec![e.trim_start_matches("/base/run.toml: ").to_string()],
        },
    }
}

fn flips(to: &str) -> (&'static str, String) {
    ("noise", format!("{{kind = \"label-flip\", probability = 0.2, to = \"{to}\"}}"))
}

/// p is shared by the C − 1 wrong classes, or by all C: then p (C − 1)/C moves, 0.1 of 0.2 for two classes, 0.198 for 100.
#[test]
fn smoothing_is_what_the_noise_implies_for_the_classes_there_are() {
    let (noise, uniform) = flips("uniform");
    let two = ("data.classes", "[0, 1]");
    let hundred = ("data.kind", "cifar100");
    assert!(problems(&[two, (noise, &uniform), ("loss.smoothing", "0.1")]).is_empty());
    assert!(problems(&[hundred, (noise, &uniform), ("loss.smoothing", "0.198")]).is_empty());
    assert!(problems(&[("model.outputs", "20"), (noise, &uniform), ("loss.smoothing", "0.19")]).is_empty());
    assert_eq!(
        problems(&[two, (noise, &uniform), ("loss.smoothing", "0.18")]),
        ["loss.smoothing: expected nothing or 0.1, the smoothing that [noise] implies, got 0.18"]
    );
    let (noise, wrong) = flips("wrong");
    assert!(problems(&[two, (noise, &wrong), ("loss.smoothing", "0.2")]).is_empty());
    // The number of classes in a file is not known yet; flips to wrong classes do not need it, uniform ones are not judged.
    let tensors = ("data", "{kind = \"tensors\", path = \"x.safetensors\"}");
    assert!(problems(&[tensors, (noise, &uniform), ("loss.smoothing", "0.123")]).is_empty());
    assert_eq!(problems(&[tensors, (noise, &wrong), ("loss.smoothing", "0.123")]).len(), 1);
}

/// From (C − 1)/C on the label is no longer the likeliest class.
#[test]
fn smoothing_leaves_the_label_likeliest() {
    assert!(problems(&[("loss.smoothing", "0.89")]).is_empty());
    assert_eq!(
        problems(&[("loss.smoothing", "0.9")]),
        ["loss.smoothing: expected less than 0.9, for 10 classes, got 0.9"]
    );
    assert_eq!(
        problems(&[("data.classes", "[3, 5]"), ("loss.smoothing", "0.5")]),
        ["loss.smoothing: expected less than 0.5, for 2 classes, got 0.5"]
    );
}

/// The teachers have real targets: label noise suits them, their seed is the run's unless it is given.
#[test]
fn teachers_have_real_targets() {
    let teacher = ("data", "{kind = \"linear-teacher\"}");
    let noise = ("noise", "{kind = \"label-noise\", sigma = 0.5}");
    assert!(problems(&[teacher, ("loss.kind", "square"), noise]).is_empty());
    let seed = |extra: &[(&str, &str)]| {
        read(&[&[teacher, ("loss.kind", "square"), ("noise", "{kind = \"none\"}"), ("run.seed", "4")], extra].concat())
            .unwrap()
            .data
            .seed
    };
    assert_eq!((seed(&[]), seed(&[("data.seed", "7")])), (4, 7));
}

#[test]
fn a_refused_key_is_told_once() {
    let kind = ("noise", "{kind = \"label-flipp\", probability = 0.2}");
    assert_eq!(problems(&[kind]).len(), 1, "{:?}", problems(&[kind]));
    let kind = ("schedule", "{kind = \"warm\", warmup_epochs = 1}");
    assert_eq!(problems(&[kind]).len(), 1, "{:?}", problems(&[kind]));
    let high = ("noise", "{kind = \"label-flip\", probability = 1.5}");
    assert_eq!(
        problems(&[high, ("loss.smoothing", "0.2")]),
        ["noise.probability: expected a number in [0, 1], got 1.5"]
    );
    assert_eq!(
        problems(&[("data.binary", "true"), ("loss.kind", "sqare")]),
        ["loss.kind: expected one of cross_entropy, square, got \"sqare\"; did you mean square?"]
    );
    assert_eq!(
        problems(&[("optimizer.nesterov", "true"), ("optimizer.momentum", "1.5")]),
        ["optimizer.momentum: expected a number in [0, 1), got 1.5"]
    );
    assert_eq!(
        problems(&[("optimizer.batch_size", "0"), ("train.drop_last", "true")]),
        ["optimizer.batch_size: expected a whole number above 0, or \"full\", got 0"]
    );
}

#[test]
fn noise_suits_the_targets() {
    let noise = ("noise", "{kind = \"label-noise\", sigma = 0.1}");
    let square = ("loss.kind", "square");
    assert!(problems(&[noise, square, ("data.binary", "true")]).is_empty());
    assert!(problems(&[noise, square, ("data", "{kind = \"tensors\", path = \"x.safetensors\"}")]).is_empty());
    assert_eq!(
        problems(&[noise, square]),
        ["noise.kind: expected label-flip with classes, got label-noise, which is for real targets (data.binary)"]
    );
    let (noise, wrong) = flips("wrong");
    assert_eq!(
        problems(&[(noise, &wrong), square, ("data.binary", "true")]),
        ["noise.kind: expected label-noise with data.binary: there are no classes to flip"]
    );
}

#[test]
fn warm_ups_end_in_training() {
    let warmup = |unit: &str, length: u64| format!("{{kind = \"warmup-constant\", warmup_{unit} = {length}}}");
    assert!(problems(&[("schedule", &warmup("epochs", 3))]).is_empty());
    // A trial of some steps keeps the schedule of the whole run.
    assert!(problems(&[("schedule", &warmup("steps", 100)), ("train.steps", "3")]).is_empty());
    let steps = ("train", "{steps = 50}");
    assert_eq!(
        problems(&[("schedule", &warmup("steps", 51)), steps]),
        ["schedule.warmup_steps: expected at most train.steps = 50, got 51"]
    );
    let noise = format!("{{kind = \"parameter-gaussian\", sigma = 0.1, schedule = {}}}", warmup("epochs", 4));
    assert_eq!(
        problems(&[("noise", &noise)]),
        ["noise.schedule.warmup_epochs: expected at most train.epochs = 3, got 4"]
    );
}

/// Sections are read in the order run, data, model, noise, loss, optimizer, schedule, train, metrics.
#[test]
fn many_problems_at_once_in_order() {
    let found = problems(&[
        ("train.init", "3"),
        ("optimizer.nesterov", "true"),
        ("data.limit", "-1"),
        ("optimizer.lr", "inf"),
        ("metrics.trace", "{prob = 3}"),
        ("run.seed", "1.5"),
    ]);
    assert_eq!(
        found,
        [
            "run.seed: expected a whole number, not negative, got 1.5",
            "data.limit: expected a whole number above 0, got -1",
            "optimizer.lr: expected a number above 0, got inf",
            "train.init: expected the path of a run, a checkpoint or a safetensors file, got 3",
            "metrics.trace.prob: is not a key; did you mean probes?",
            "optimizer.nesterov: expected optimizer.momentum above 0, got 0",
        ]
    );
}
