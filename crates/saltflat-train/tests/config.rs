//! Configurations: every problem at once, and what is written back reads as it was.

mod support;

use std::path::Path;

use saltflat_models::ARCHITECTURES;
use saltflat_noise::NOISES;
use saltflat_train::config::{BatchSize, Config, Schedule, Span};
use support::read;

fn config(overrides: &[(&str, &str)]) -> Config {
    read(overrides).unwrap_or_else(|e| panic!("{overrides:?}: {e}"))
}

#[test]
fn defaults() {
    let config = config(&[]);
    assert_eq!((config.run.name.as_str(), config.run.seed), ("run", 0));
    assert_eq!(config.optimizer.batch_size, BatchSize::Samples(50));
    assert_eq!(config.schedule, Schedule::Constant);
    assert_eq!(config.metrics.trace.as_ref().map(|trace| trace.probes), Some(16));
    assert_eq!(config.metrics.alignment.as_ref().map(|alignment| alignment.samples), Some(50));
    assert!(config.metrics.at_ends && config.data.standardise && !config.train.drop_last);
}

/// Every kind and option: written as TOML and read again it is the same.
#[test]
fn what_is_written_reads_as_it_was() {
    let choices: &[&[(&str, &str)]] = &[
        &[],
        &[("run.seed", "7"), ("run.name", "other"), ("optimizer.batch_size", "full"), ("optimizer.momentum", "0.9")],
        &[("optimizer.nesterov", "true"), ("optimizer.momentum", "0.5"), ("train.drop_last", "true")],
        &[(
            "data",
            "{kind = \"cifar10\", classes = [0, 1], limit = 10, test_limit = 5, augment = true, standardise = false}",
        )],
        &[("data", "{kind = \"cifar10-1k\", adversarial = {copies = 3, zeroed = 0.25}}")],
        &[("data.adversarial", "true")],
        &[("data", "{kind = \"mnist-1k\", limit = 10, sample = \"random\", seed = 3}"), ("run.seed", "4")],
        &[("data", "{kind = \"linear-teacher\", dimension = 7, limit = 10}"), ("loss.kind", "square")],
        &[("data", "{kind = \"tensors\", path = \"sub/data.safetensors\"}")],
        &[
            ("data.binary", "true"),
            ("loss.kind", "square"),
            ("noise", "{kind = \"label-noise\", sigma = 0.5, distribution = \"gaussian\"}"),
        ],
        &[("model", "{kind = \"lenet\", width = 4, activation = \"tanh\", init = \"kaiming-fan-in\", outputs = 12}")],
        &[("model", "{kind = \"vgg\", depth = 16, width = 8, norm = \"group\", channels_per_group = 4, hidden = [5]}")],
        &[("model", "{kind = \"resnet\", width = 8, blocks = [1, 2], norm = \"batch\"}")],
        &[("model", "{kind = \"resnet-fixup\", depth = 26}")],
        &[("model", "{kind = \"linear-net\", hidden = [5, 5]}")],
        &[("model", "{kind = \"random-features\", features = 30}")],
        &[("noise", "{kind = \"label-flip\", probability = 0.2, to = \"uniform\"}")],
        &[("noise", "{kind = \"label-smoothing\", probability = 0.2}"), ("loss.smoothing", "0.2")],
        &[(
            "noise",
            "{kind = \"parameter-gaussian\", sigma = 0.1, schedule = {kind = \"step-decay\", at_epochs = [1.5], factor = 0.5}}",
        )],
        &[("noise", "{kind = \"logit-gaussian\", sigma = 0.1, convention = \"coordinate\"}")],
        &[("noise", "{kind = \"logit-gaussian\", strength = 0.1}")],
        &[("noise", "{kind = \"sgd-covariance\", batch_size = 16}")],
        &[("noise", "{kind = \"sgd-covariance\", strength = 0.1, strength_every = 5}")],
        &[("noise", "{kind = \"minibatch\"}")],
        &[("noise", "{kind = \"minibatch\", batch_size = 3, sigma = 0.5}")],
        &[("noise", "{kind = \"minibatch\", batch_size = 3, strength = 0.5}")],
        &[(
            "noise",
            "{kind = \"geometry-aware\", batch_size = 16, schedule = {kind = \"warmup-constant\", warmup_steps = 3}}",
        )],
        &[("noise", "{kind = \"isotropic\", like = {kind = \"sgd-covariance\", batch_size = 16}}")],
        &[("noise", "{kind = \"isotropic\", like = {kind = \"minibatch\", sigma = 2}, strength = 1}")],
        &[("noise", "{kind = \"diagonal\", like = {kind = \"label-flip\", probability = 0.1, to = \"uniform\"}}")],
        &[("noise", "{kind = \"isotropic-loss-scaled\", sigma = 0.1}")],
        &[("noise", "{kind = \"langevin\", inverse_temperature = 1e4}")],
        &[("noise", "{kind = \"langevin\", strength = 1e-3}")],
        &[(
            "noise",
            "{kind = \"label-flip\", probability = 0.1, schedule = {kind = \"step-decay\", at_steps = [5], factor = 0.5}}",
        )],
        &[("optimizer.sam.rho", "0.1")],
        &[("optimizer.sam", "true")],
        &[("schedule", "{kind = \"warmup-constant\", warmup_epochs = 2}")],
        &[("schedule", "{kind = \"warmup-cosine\", warmup_steps = 20}")],
        &[("schedule", "{kind = \"step-decay\", at_steps = [10, 20], factor = 0.1}")],
        &[
            ("train.steps", "9"),
            ("train.stop_loss", "1e-5"),
            ("train.stop_accuracy", "0.5"),
            ("train.microbatch", "16"),
        ],
        &[("train.init", "../start.safetensors"), ("train.checkpoint.every_epochs", "2")],
        &[("train.checkpoint", "{every_steps = 7, keep = 2, best = \"test_accuracy\"}")],
        &[("train.checkpoint", "{every_minutes = 0.5, best = \"loss\"}")],
        &[("metrics.enabled", "false")],
        &[(
            "metrics",
            "{every_epochs = 5, at_ends = false, samples = 30, microbatch = 7, trace = {probes = 3}, alignment = false}",
        )],
        &[("metrics.noise_strength.every_steps", "4"), ("metrics.evaluate", "false")],
    ];
    for overrides in choices {
        let config = config(overrides);
        let text = config.to_toml().expect("it is TOML");
        let again = Config::read(&text, Path::new("/elsewhere/config.toml"), &[]);
        assert_eq!(again.as_ref(), Ok(&config), "{text}");
    }
}

/// The example of every architecture and noise: read, written and read again it is the same.
#[test]
fn examples_of_all_kinds() {
    let models = ARCHITECTURES.iter().map(|kind| ("model", kind.name, kind.example));
    let noises = NOISES.iter().map(|kind| ("noise", kind.name, kind.example));
    for (section, kind, keys) in models.chain(noises) {
        // Real targets for the noise that needs them.
        let real = if kind == "label-noise" { "true" } else { "false" };
        let mut overrides =
            vec![("data.binary", real), ("loss.kind", if kind == "label-noise" { "square" } else { "cross_entropy" })];
        let table: toml::Table = format!("kind = \"{kind}\"\n{keys}").parse().expect("it is TOML");
        let table = toml::Value::Table(table).to_string();
        overrides.push((section, &table));
        let config = config(&overrides);
        let text = config.to_toml().expect("it is TOML");
        assert!(text.contains(&format!("kind = \"{kind}\"")), "{text}");
        let again = Config::read(&text, Path::new("/elsewhere/config.toml"), &[]);
        assert_eq!(again.as_ref(), Ok(&config), "{text}");
    }
}

#[test]
fn paths_are_relative_to_the_file() {
    let config = config(&[("train.init", "runs/first"), ("data", "{kind = \"tensors\", path = \"x.safetensors\"}")]);
    assert_eq!(config.train.init.as_deref(), Some(Path::new("/base/runs/first")));
    assert_eq!(config.data.path.as_deref(), Some(Path::new("/base/x.safetensors")));
    let absolute = self::config(&[("train.init", "/somewhere/else")]);
    assert_eq!(absolute.train.init.as_deref(), Some(Path::new("/somewhere/else")));
}

#[test]
fn a_schedule_knows_its_unit() {
    let schedule = config(&[("schedule", "{kind = \"warmup-constant\", warmup_steps = 5}")]).schedule;
    assert_eq!(schedule, Schedule::WarmupConstant { warmup: Span::Steps(5) });
}

#[test]
fn messages() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("optimizer.lr", "-0.1")], "optimizer.lr: expected a number above 0, got -0.1"),
        (&[("optimizer.lr", "fast")], "optimizer.lr: expected a number above 0, got \"fast\""),
        (&[("optimizer.momentom", "0.9")], "optimizer.momentom: is not a key; did you mean momentum?"),
        (
            &[("optimizer.zzz", "1")],
            "optimizer.zzz: is not a key; [optimizer] has lr, momentum, nesterov, weight_decay, batch_size, sampling, sam",
        ),
        (
            &[("model.width", "3")],
            "model.width: is not a key here but of lenet, vgg, resnet, resnet-fixup; [model] of kind mlp has kind, outputs, hidden, activation, init",
        ),
        (
            &[("model.kind", "renset")],
            "model.kind: expected one of mlp, lenet, vgg, resnet, resnet-fixup, linear-net, random-features, layers, got \"renset\"; did you mean resnet?",
        ),
        (
            &[("noise.kind", "none"), ("noise.probability", "0.1")],
            "noise.probability: is not a key; [noise] of kind none has kind",
        ),
        (&[("optimizer.nesterov", "true")], "optimizer.nesterov: expected optimizer.momentum above 0, got 0"),
        (
            &[("optimizer.batch_size", "full"), ("train.drop_last", "true")],
            "train.drop_last: expected false with a full batch, got true",
        ),
        (
            &[("schedule", "{kind = \"warmup-cosine\"}")],
            "schedule.warmup_epochs: expected either warmup_epochs or warmup_steps",
        ),
        (
            &[("schedule", "{kind = \"warmup-cosine\", warmup_epochs = 4}")],
            "schedule.warmup_epochs: expected at most train.epochs = 3, got 4",
        ),
        (
            &[("noise", "{kind = \"label-noise\", sigma = 1}")],
            "noise.kind: expected label-flip with cross_entropy, got label-noise, which is for real targets",
        ),
        (&[("noise", "{kind = \"logit-gaussian\"}")], "noise.sigma: is missing; expected a number, not negative"),
        (
            &[("noise", "{kind = \"logit-gaussian\", sigma = 1, strength = 1}")],
            "noise.sigma: expected nothing beside noise.strength, which says how strong the noise is",
        ),
        (
            &[("noise", "{kind = \"logit-gaussian\", strength = -1}")],
            "noise.strength: expected a number, not negative, got -1",
        ),
        (
            &[("noise", "{kind = \"label-smoothing\", probability = 0.1, strength = 1}")],
            "noise.strength: is not a key; [noise] of kind label-smoothing has kind, probability, to, schedule",
        ),
        (
            &[("noise", "{kind = \"isotropic\"}")],
            "noise.like: is missing; expected a noise, such as { kind = \"sgd-covariance\", batch_size = 32 }",
        ),
        (
            &[("noise", "{kind = \"diagonal\", like = {kind = \"langevin\", inverse_temperature = 1}}")],
            "noise.like.kind: expected one of label-flip, label-noise, logit-gaussian, sgd-covariance, minibatch, geometry-aware, got \"langevin\"",
        ),
        (
            &[("noise", "{kind = \"diagonal\", like = {kind = \"minibatch\", delta = 1}}")],
            "noise.like.delta: is not a key; noise.like of kind minibatch has kind, batch_size, sigma",
        ),
        (
            &[("noise", "{kind = \"sgd-covariance\", batch_size = 0}")],
            "noise.batch_size: expected a whole number above 0, got 0",
        ),
        (
            &[("noise", "{kind = \"langevin\", inverse_temperature = 0}")],
            "noise.inverse_temperature: expected a number of at least 1e-70, got 0",
        ),
        (
            &[("noise", "{kind = \"minibatch\"}"), ("optimizer.batch_size", "1")],
            "optimizer.batch_size: expected at least 2 samples, whose gradients [noise] compares, got 1",
        ),
        (&[("optimizer.sam.rho", "0")], "optimizer.sam.rho: expected a number above 0, got 0"),
        (&[("optimizer.sam.radius", "1")], "optimizer.sam.radius: is not a key; optimizer.sam has rho"),
        (&[("data.limit", "0")], "data.limit: expected a whole number above 0, got 0"),
        (&[("run.name", "a/b")], "run.name: expected a name without slashes and control characters, got \"a/b\""),
        (&[("run", "3")], "run: expected a table, got 3"),
        (&[("metrics.trace.probes", "0")], "metrics.trace.probes: expected a whole number above 0, got 0"),
    ];
    for (overrides, expected) in cases {
        assert_eq!(read(overrides).expect_err("it is wrong"), format!("/base/run.toml: {expected}"));
    }
}

/// Nothing at all: every missing key, once each.
#[test]
fn an_empty_file_misses_all_it_needs() {
    let error = Config::read("", Path::new("empty.toml"), &[]).expect_err("it is empty").to_string();
    for key in ["data.kind", "model.kind", "loss.kind", "optimizer.lr", "optimizer.batch_size", "train.epochs"] {
        assert_eq!(error.matches(&format!("{key}: is missing")).count(), 1, "{key} in:\n{error}");
    }
    assert!(error.starts_with("empty.toml: 6 problems\n"), "{error}");
}

#[test]
fn what_is_not_toml_says_where() {
    let error = Config::read("[run\n", Path::new("x.toml"), &[]).expect_err("it is broken").to_string();
    assert!(error.starts_with("x.toml: ") && error.contains("line 1"), "{error}");
}
