//! The split that is measured, weight decay in training and in what is measured, PyTorch's label smoothing, and what is measured only where
//! it is asked for.
#![allow(clippy::unwrap_used)]

mod support;

use std::{collections::BTreeMap, fs, path::Path};

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::{Dtype, tensor::TensorView};
use saltflat_metrics::{Objective, Samples, evaluate, gradient, norm};
use saltflat_models::Vector;
use saltflat_random::{Key, Stream};
use saltflat_record::metric;
use saltflat_train::{Measurement, MeasurementPoint, Measurer, Plan, Sgd, Trainer, config::Config};
use serde_json::{Map, Value};
use support::read;
use tempfile::TempDir;

const DIGITS: (&str, &str) = ("data", "{kind = \"mnist-1k\", limit = 60, test_limit = 30}");

fn plan(more: &[(&str, &str)]) -> Plan {
    let config = read(more).unwrap_or_else(|e| panic!("{more:?}: {e}"));
    Plan::new(config, &Device::flex(), DType::F64).unwrap_or_else(|e| panic!("{more:?}: {e}"))
}

fn refusal(more: &[(&str, &str)]) -> String {
    match read(more) {
        Err(e) => e,
        Ok(config) => Plan::new(config, &Device::flex(), DType::F32).expect_err("it is wrong").to_string(),
    }
}

fn measure(plan: &Plan) -> Measurement {
    let (theta, buffers) = Trainer::random_start(plan);
    let point = MeasurementPoint { theta: &theta, buffers: &buffers, update: Some(&theta), step: 0 };
    Measurer::default().measure(plan, &plan.config.metrics, point).unwrap()
}

fn value(metrics: &Map<String, Value>, name: &str) -> f64 {
    metrics[name]["value"].as_f64().unwrap_or_else(|| panic!("{name}: {}", metrics[name]))
}

fn host(v: &Vector) -> Vec<f64> {
    v.parts().iter().flat_map(|t| t.clone().try_into_vec_as::<f64>().unwrap()).collect()
}

/// A file of two sets of samples with 5 inputs and 3 classes, the first of which is the training split.
fn tensors(folder: &TempDir, name: &str, sets: [(u64, usize); 2]) -> String {
    let mut all = Vec::new();
    for (prefix, (seed, n)) in ["", "test_"].into_iter().zip(sets) {
        let inputs = Key::new(seed, Stream::Probe, 0).normal(n * 5).into_iter().flat_map(f32::to_le_bytes).collect();
        let labels = (0..n as i64).flat_map(|i| (i % 3).to_le_bytes()).collect::<Vec<u8>>();
        all.push((format!("{prefix}inputs"), Dtype::F32, vec![n, 5], inputs));
        all.push((format!("{prefix}labels"), Dtype::I64, vec![n], labels));
    }
    let views = all.iter().map(|(name, dtype, shape, bytes): &(_, _, _, Vec<u8>)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    let path = folder.path().join(name);
    fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    format!("{{kind = \"tensors\", path = \"{}\"}}", path.display())
}

/// On the test split every metric is, bit for bit, what it is on the training split of a file in which the two are exchanged. Those of the
/// training steps have no value; loss and accuracy are of both splits anyway.
#[test]
fn the_test_split_is_measured_as_if_it_were_the_training_split() {
    let folder = tempfile::tempdir().unwrap();
    let (x, y) = ((1, 24), (2, 18));
    let (straight, exchanged) = (tensors(&folder, "a", [x, y]), tensors(&folder, "b", [y, x]));
    let all = [
        ("optimizer.batch_size", "6"),
        ("optimizer.momentum", "0.5"),
        ("noise", "{kind = \"label-flip\", probability = 0.2}"),
        ("metrics.samples", "16"),
        ("metrics.trace", "{probes = 3, diagonal = true}"),
        ("metrics.gauss_newton", "true"),
        ("metrics.eigenvalues", "{by_tensor = true}"),
        ("metrics.spectrum", "{probes = 2, steps = 4}"),
        ("metrics.alignment", "{samples = 7, subsets = 2, feature_norms = true}"),
        ("metrics.stability", "true"),
        ("metrics.sharpness", "true"),
    ];
    let of_test = plan(&[&all[..], &[("data", &straight), ("metrics.split", "test")]].concat());
    let of_train = plan(&[&all[..], &[("data", &exchanged)]].concat());
    let (found, expected) = (measure(&of_test), measure(&of_train));
    assert_eq!((found.curvature_samples, found.alignment_samples), (16, 14));
    assert_eq!(found.metrics.len(), expected.metrics.len());
    let (mut equal, mut absent) = (0, 0);
    for (name, found) in &found.metrics {
        let of_training = metric::all().find(|metric| {
            metric.name == name
                || metric.prefix.is_some_and(|prefix| name.starts_with(prefix) && *name != "regularizer")
        });
        if of_training.is_some_and(|metric| metric.is_of_training) {
            let reason = found["reason"].as_str().unwrap_or_else(|| panic!("{name}: {found}"));
            assert!(reason.contains("of the training steps"), "{name}: {reason}");
            assert!(found["value"].is_null());
            absent += 1;
            continue;
        }
        let exchanged = match name.as_str() {
            "loss" => "test_loss",
            "test_loss" => "loss",
            "accuracy" => "test_accuracy",
            "test_accuracy" => "accuracy",
            other => other,
        };
        assert_eq!(found, &expected.metrics[exchanged], "{name}");
        equal += 1;
    }
    // Of the training steps: seven of the alignment and the regularizers each, seven of the stability, two of the sharpness, with two momenta.
    assert!(equal > 25 && absent > 15, "{equal} equal, {absent} absent");
    for name in ["trace_hessian", "mu", "coherence", "sharpness_along_update", "hessian_diagonal_sq"] {
        assert!(found.metrics[name]["value"].is_f64(), "{name}: {}", found.metrics[name]);
    }
    assert_eq!(found.vectors.eigenpairs.len(), 5);
    assert_eq!(serde_json::to_value(of_test.recorded_loss()).unwrap()["split"], "test");
    assert!(of_test.recorded_loss().to_string().ends_with(", on the test samples"));
    // Rows of training samples are as they always were.
    assert!(serde_json::to_value(of_train.recorded_loss()).unwrap().get("split").is_none());
    let again = Config::read(&of_test.config.to_toml().unwrap(), Path::new("/base/run.toml"), &[]).unwrap();
    assert_eq!(again, of_test.config);
}

#[test]
fn a_split_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    for (more, part) in [
        (&[("data", "{kind = \"linear-teacher\", test_samples = 0}"), ("loss.kind", "square")][..], ""),
        (&[DIGITS, ("metrics.split", "validation")], "metrics.split: expected one of train, test, got \"validation\""),
        (
            &[DIGITS, ("metrics", "{split = \"test\", samples = 31}")],
            "metrics.samples: expected at most 30, the number of test samples, got 31",
        ),
    ] {
        if !part.is_empty() {
            let message = refusal(more);
            assert!(message.contains(part), "{message}");
        }
    }
    // A file without a test split.
    let data = tensors(&folder, "both", [(1, 6), (2, 6)]);
    let bytes = fs::read(folder.path().join("both")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let train: Vec<_> = file.iter().filter(|(name, _)| !name.starts_with("test_")).collect();
    fs::write(folder.path().join("both"), safetensors::serialize(train, None).unwrap()).unwrap();
    let message = refusal(&[("data", &data), ("metrics.split", "test"), ("optimizer.batch_size", "9")]);
    assert!(message.contains("metrics.split: expected train, since there is no test split, got test"), "{message}");
    assert!(message.contains("optimizer.batch_size: expected at most 6"), "{message}");
}

/// The steps of torch.optim.SGD with weight decay, momentum and Nesterov's form (`scripts/reference/curvature.py`).
#[test]
fn weight_decay_is_pytorchs() {
    let expected: Value = serde_json::from_str(include_str!("fixtures/sgd.json")).unwrap();
    let number = |value: &Value| value.as_f64().unwrap();
    let vector = |x: f64| Vector::from_host([vec![x as f32]], &Device::flex(), DType::F64);
    for case in expected["cases"].as_array().unwrap() {
        let mut sgd = Sgd::new(number(&case["momentum"]), case["nesterov"].as_bool().unwrap(), false)
            .with_weight_decay(number(&case["weight_decay"]));
        let mut theta = vector(number(&expected["start"]));
        let steps = expected["gradients"].as_array().unwrap().iter().zip(case["theta"].as_array().unwrap());
        for (gradient, exact) in steps {
            theta = sgd.step(theta, vector(number(gradient)), number(&expected["lr"]));
            assert!((host(&theta)[0] - number(exact)).abs() < 1e-14, "{case}: {theta:?}");
        }
    }
}

/// A step of a run with weight decay is θ − η (∇L + wθ), and the same as that of ∇(L + (w/2)‖θ‖²); the loss that is reported has no penalty;
/// weight decay 0 leaves every bit as it is. The key is written and read again, and may not change when a run is resumed (it is not among
/// those that may).
#[test]
fn a_step_with_weight_decay() {
    let full = [DIGITS, ("optimizer.batch_size", "full"), ("metrics.enabled", "false")];
    let decayed = plan(&[&full[..], &[("optimizer.weight_decay", "0.3")]].concat());
    let step = |plan: &Plan| {
        let mut trainer = Trainer::new(plan, Trainer::random_start(plan));
        trainer.make_step(&(0..60).collect::<Vec<u32>>());
        host(trainer.theta())
    };
    let (theta, buffers) = Trainer::random_start(&decayed);
    let plain = Objective::on_all(&decayed.network, &buffers, decayed.loss, &decayed.train, 60);
    let g = host(&gradient(&plain, &theta).unwrap());
    let penalised = host(&gradient(&plain.with_weight_decay(0.3), &theta).unwrap());
    let found = step(&decayed);
    for (i, (start, g)) in host(&theta).into_iter().zip(g).enumerate() {
        assert!((found[i] - (start - 0.1 * (g + 0.3 * start))).abs() < 1e-14);
        assert!((found[i] - (start - 0.1 * penalised[i])).abs() < 1e-14);
    }
    assert_eq!(step(&plan(&full)), step(&plan(&[&full[..], &[("optimizer.weight_decay", "0")]].concat())));
    let again = Config::read(&decayed.config.to_toml().unwrap(), Path::new("/base/run.toml"), &[]).unwrap();
    assert_eq!(again.optimizer.weight_decay, 0.3);
    for wrong in ["-0.1", "inf", "\"much\""] {
        let message = refusal(&[("optimizer.weight_decay", wrong)]);
        assert!(message.contains("optimizer.weight_decay: expected a number, not negative"), "{message}");
    }
    assert!(saltflat_train::CHANGEABLE.iter().all(|(key, _)| !key.starts_with("optimizer")));
}

/// Training with weight decay measures the loss without it, unless `metrics.loss.weight_decay` asks for it: then the losses grow by
/// (w/2)‖θ‖², the trace by exactly w p with the same probes, the eigenvalues by w, and rows say so. The noise of the labels, which says
/// nothing about it, gives no trace.
#[test]
fn weight_decay_in_what_is_measured() {
    let w = 0.05;
    let base = [
        DIGITS,
        ("optimizer.weight_decay", "0.05"),
        ("noise", "{kind = \"label-flip\", probability = 0.2}"),
        ("metrics.trace", "{probes = 3, diagonal = true}"),
        ("metrics.eigenvalues", "{largest = 2, tolerance = 1e-9}"),
        ("metrics.gauss_newton", "true"),
    ];
    let (plain, decayed) = (plan(&base), plan(&[&base[..], &[("metrics.loss", "{weight_decay = true}")]].concat()));
    assert_eq!((plain.measured_weight_decay(), decayed.measured_weight_decay()), (0.0, w));
    assert_eq!((plain.recorded_loss().weight_decay, decayed.recorded_loss().weight_decay), (0.0, w));
    let (theta, buffers) = Trainer::random_start(&plain);
    let (p, length) = (theta.len() as f64, norm(&theta).unwrap());
    let [a, b] = [&plain, &decayed].map(|plan| measure(plan).metrics);
    let shift = |name: &str| value(&b, name) - value(&a, name);
    for name in ["loss", "test_loss"] {
        assert!((shift(name) - 0.5 * w * length * length).abs() < 1e-10, "{name}: {}", shift(name));
    }
    for name in ["trace_hessian", "trace_ggn"] {
        assert!((shift(name) - w * p).abs() < 1e-9, "{name}: {}", shift(name));
    }
    for i in 0..2 {
        let [a, b] = [&a, &b].map(|found| found["top_eigenvalues"][i]["value"].as_f64().unwrap());
        assert!((b - a - w).abs() < 1e-7, "{a} {b}");
    }
    let objective = Objective::on_all(&plain.network, &buffers, plain.loss, &plain.train, 60).with_weight_decay(w);
    let exact = norm(&gradient(&objective, &theta).unwrap()).unwrap();
    assert!((value(&b, "grad_norm") - exact).abs() < 1e-12 && (value(&a, "grad_norm") - exact).abs() > 1e-3);
    assert!((evaluate(&objective, &theta).unwrap().loss - value(&b, "loss")).abs() < 1e-12);
    // The noise of the gradient is the same, and what is made of it.
    for name in ["trace_noise", "mu", "alpha", "trace_from_noise_expected"] {
        assert_eq!(a[name], b[name], "{name}");
    }
    // Without a weight decay of the optimizer there is nothing to add.
    let none = plan(&[DIGITS, ("metrics.loss", "{weight_decay = true}")]);
    assert_eq!(none.measured_weight_decay(), 0.0);
    assert!(
        refusal(&[("metrics.loss", "{weight_decay = 0.1}")])
            .contains("metrics.loss.weight_decay: expected true or false")
    );
}

/// ε of PyTorch is s = ε (C − 1)/C, of the trained and of the measured loss, also where only the data tell C.
#[test]
fn label_smoothing_in_pytorchs_convention() {
    let folder = tempfile::tempdir().unwrap();
    let data = tensors(&folder, "a", [(1, 12), (2, 6)]);
    let three = [("data", data.as_str()), ("optimizer.batch_size", "6")];
    for (more, given, ours) in [
        (&[DIGITS][..], "{label_smoothing = 0.2}", 0.18),
        (&[DIGITS, ("model.outputs", "20")], "{label_smoothing = 0.2}", 0.19),
        (&three, "{label_smoothing = 0.3}", 0.2),
    ] {
        let trained = plan(&[more, &[("loss", &given.replace('{', "{kind = \"cross_entropy\", "))]].concat());
        assert!((trained.loss.smoothing - ours).abs() < 1e-15, "{given}: {:?}", trained.loss);
        assert_eq!(trained.measured_loss(), trained.loss);
        let measured = plan(&[more, &[("metrics.loss", given)]].concat());
        assert!((measured.measured_loss().smoothing - ours).abs() < 1e-15 && measured.loss.smoothing == 0.0);
        let own = plan(&[more, &[("loss.smoothing", &ours.to_string())]].concat());
        let [a, b] = [&trained, &own].map(|plan| measure(plan).metrics);
        for name in ["loss", "grad_norm", "trace_hessian", "mu"] {
            assert!((value(&a, name) / value(&b, name) - 1.0).abs() < 1e-6, "{name}");
        }
        let again = Config::read(&trained.config.to_toml().unwrap(), Path::new("/base/run.toml"), &[]).unwrap();
        assert_eq!(again.loss, trained.config.loss);
    }
    // Flips to a uniform label with probability p are smoothing ε = p; those to a wrong one are not.
    let uniform = ("noise", "{kind = \"label-flip\", probability = 0.2, to = \"uniform\"}");
    assert!(read(&[uniform, ("loss.label_smoothing", "0.2")]).is_ok());
    plan(&[&three[..], &[uniform, ("loss.label_smoothing", "0.2")]].concat());
    let wrong = ("noise", "{kind = \"label-flip\", probability = 0.18}");
    assert!(read(&[wrong, ("loss.label_smoothing", "0.2")]).is_ok());
    let said = "loss.label_smoothing: expected nothing or 0.2, the smoothing that [noise] implies, got 0.1";
    assert!(refusal(&[wrong, ("loss.label_smoothing", "0.1")]).contains(said));
    let message = refusal(&[&three[..], &[uniform, ("loss.label_smoothing", "0.1")]].concat());
    assert!(message.contains("loss.label_smoothing: expected nothing or 0.2"), "{message}");
    for section in ["loss", "metrics.loss"] {
        let keys = [format!("{section}.smoothing"), format!("{section}.label_smoothing")];
        let message = refusal(&[(&keys[0], "0.1"), (&keys[1], "0.1")]);
        assert!(
            message.contains(&format!("{section}.label_smoothing: expected smoothing or label_smoothing")),
            "{message}"
        );
        let message = refusal(&[(&keys[1], "1")]);
        assert!(message.contains(&format!("{}: expected a number in [0, 1), got 1", keys[1])), "{message}");
        let real = [("data", "{kind = \"mnist-1k\", binary = true}"), ("loss.kind", "square"), (&keys[1], "0.1")];
        let message = refusal(&real);
        assert!(
            message.contains(&format!("{}: expected 0, since the targets are not classes, got 0.1", keys[1])),
            "{message}"
        );
    }
}

/// In f64 the targets of a smoothed loss are not rounded to f32, of which the Hessian would be that of another loss.
#[test]
fn smoothed_targets_have_the_precision_of_the_measurement() {
    for (dtype, tolerance) in [(DType::F64, 1e-16), (DType::F32, 1e-7)] {
        let config = read(&[DIGITS, ("loss", "{kind = \"cross_entropy\", smoothing = 0.1}")]).unwrap();
        let plan = Plan::new(config, &Device::flex(), dtype).unwrap();
        let targets = plan.measured_samples().batch(&[0, 1, 2]).targets.try_into_vec_as::<f64>().unwrap();
        for row in targets.chunks(10) {
            let labels = row.iter().filter(|q| (**q - 0.9).abs() <= tolerance).count();
            let others = row.iter().filter(|q| (**q - 0.1 / 9.0).abs() <= tolerance).count();
            assert_eq!((labels, others), (1, 9), "{dtype:?}: {row:?}");
        }
    }
}

/// The diagonal and the eigenvalues by tensor are there only where they are asked for, by key or by name; `all` does not ask for them.
#[test]
fn what_is_measured_on_request() {
    let of = |more: &[(&str, &str)]| {
        plan(&[&[DIGITS, ("metrics.eigenvalues", "{largest = 1, smallest = 0}")], more].concat())
    };
    let names = ["hessian_diagonal_sq", "top_eigenvalue_by_tensor"];
    let has = |plan: &Plan| {
        let found = measure(plan).metrics;
        names.map(|name| found.contains_key(name))
    };
    assert_eq!(has(&of(&[])), [false, false]);
    assert_eq!(
        has(&of(&[("metrics.trace.diagonal", "true"), ("metrics.eigenvalues.by_tensor", "true")])),
        [true, true]
    );
    let mut plan = of(&[]);
    for (asked, expected) in [
        (&["all"][..], [false, false]),
        (&["trace", "eigenvalues"], [false, false]),
        (&names[..1], [true, false]),
        (&names[1..], [false, true]),
    ] {
        plan.config.metrics = of(&[]).config.metrics.only(asked).unwrap();
        assert_eq!(has(&plan), expected, "{asked:?}");
    }
    plan.config.metrics = of(&[]).config.metrics.only(&names).unwrap();
    let found = measure(&plan);
    let tensors = &plan.network.layout().parameters;
    for spec in tensors {
        let block = &found.metrics[names[1]][&spec.name];
        assert_eq!(block["converged"], true, "{block}");
        // Within the spectrum of the whole (Cauchy's interlacing).
        let top = found.metrics["top_eigenvalues"][0]["value"].as_f64().unwrap();
        assert!(block["value"].as_f64().unwrap() <= top * (1.0 + 1e-3), "{block}, {top}");
    }
    assert_eq!(found.vectors.diagonal.as_ref().unwrap().values.len(), plan.network.layout().len());
    // Only the estimator that has it may be asked for it in a configuration; asked for by name it says why it is absent.
    let message = refusal(&[("metrics.trace", "{method = \"xtrace\", diagonal = true}")]);
    assert!(message.contains("metrics.trace.diagonal: expected false, or method = \"hutchinson\""), "{message}");
    let other = of(&[("metrics.trace.method", "xtrace")]);
    plan.config.metrics = other.config.metrics.only(&names[..1]).unwrap();
    let reason = measure(&plan).metrics[names[0]]["reason"].clone();
    assert!(reason.as_str().unwrap().contains("not hutchinson"), "{reason}");
    assert!(
        refusal(&[("metrics.gauss_newton", "{diagonal = true}")])
            .contains("metrics.gauss_newton.diagonal: is not a key")
    );
}

/// The files have the names and shapes of the network, the bits of what was measured, and metadata; equal measurements give equal bytes.
#[test]
fn vectors_are_written_with_the_names_of_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let plan =
        plan(&[DIGITS, ("metrics.trace.diagonal", "true"), ("metrics.eigenvalues", "{largest = 2, tolerance = 1e-8}")]);
    let (found, layout) = (measure(&plan), plan.network.layout());
    let about = BTreeMap::from([("samples".to_string(), "60".to_string())]);
    let files = found.vectors.write(folder.path(), layout, &about).unwrap();
    let names = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap());
    let expected = ["diagonal.safetensors", "diagonal_std_error.safetensors", "eigenvectors.safetensors"];
    assert_eq!(names.collect::<Vec<_>>(), expected);
    let (theta, buffers) = Trainer::random_start(&plan);
    for path in &files[..2] {
        // A file of one vector is read as weights are.
        let (read, _) = saltflat_models::load(path, layout, &Device::flex(), DType::F64).unwrap();
        let diagonal = found.vectors.diagonal.as_ref().unwrap();
        let written = if *path == files[0] { &diagonal.values } else { diagonal.std_errors.as_ref().unwrap() };
        assert_eq!(host(&read), host(written));
    }
    let bytes = fs::read(&files[2]).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().clone().unwrap();
    assert_eq!((metadata["samples"].as_str(), metadata["format"].as_str()), ("60", "pt"));
    let list = |key: &str| serde_json::from_str::<Vec<f64>>(&metadata[key]).unwrap();
    let (eigenvalues, residuals) = (list("eigenvalues"), list("residuals"));
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.len(), 2 * layout.parameters.len());
    let objective = Objective::on_all(&plan.network, &buffers, plan.loss, &plan.train, 60);
    let operator = saltflat_metrics::CurvatureOperator::new(&objective, &theta, saltflat_metrics::Curvature::Hessian);
    for (k, (eigenvalue, residual)) in eigenvalues.iter().zip(residuals).enumerate() {
        let measured = found.metrics["top_eigenvalues"][k]["value"].as_f64().unwrap();
        assert!((eigenvalue / measured - 1.0).abs() < 1e-15, "{eigenvalue}, measured {measured}");
        let parts = layout.parameters.iter().map(|spec| {
            let view = file.tensor(&format!("{k}.{}", spec.name)).unwrap();
            assert_eq!((view.shape(), view.dtype()), (spec.shape.as_slice(), Dtype::F64));
            let values: Vec<f64> = view.data().as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
            Tensor::from_data(TensorData::new(values, [spec.len()]), (&Device::flex(), DType::F64))
        });
        let v = Vector::new(parts.collect());
        assert!((norm(&v).unwrap() - 1.0).abs() < 1e-12);
        let rest = saltflat_metrics::Operator::apply(&operator, &v).unwrap().plus_scaled(-eigenvalue, &v);
        assert!((norm(&rest).unwrap() - residual).abs() < 1e-10 * eigenvalue, "{residual}");
    }
    let again = folder.path().join("again");
    for (path, other) in files.iter().zip(measure(&plan).vectors.write(&again, layout, &about).unwrap()) {
        assert_eq!(fs::read(path).unwrap(), fs::read(other).unwrap());
    }
    // Nothing measured, nothing written.
    assert!(Measurement::default().vectors.write(&again, layout, &about).unwrap().is_empty());
    assert_eq!(plan.measured_samples().len(), 60);
}

/// In a run the files of each measurement lie in a folder of its step, and a measurement without eigenvectors has no file of them.
#[test]
fn vectors_of_a_run() {
    use saltflat_record::vectors_path;
    use saltflat_train::{DeviceChoice, RunFolder, choose_device};

    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&[
        DIGITS,
        ("optimizer.batch_size", "20"),
        ("train.epochs", "1"),
        (
            "metrics",
            "{vectors = true, trace = {diagonal = true}, eigenvalues = {largest = 1, every = 2}, alignment = false}",
        ),
    ]);
    let device = choose_device(&DeviceChoice::Cpu).unwrap();
    let run = RunFolder::create(&folder.path().join("run"), &plan, &device, &[]).unwrap();
    let mut trainer = Trainer::new(&plan, Trainer::random_start(&plan));
    trainer.run(&mut &run, &|| false).unwrap();
    for (step, expected) in
        [(0, &["diagonal", "diagonal_std_error", "eigenvectors"][..]), (3, &["diagonal", "diagonal_std_error"])]
    {
        let files = fs::read_dir(vectors_path(run.root(), step)).unwrap();
        let mut names: Vec<_> =
            files.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
        names.sort();
        assert_eq!(names, expected, "step {step}");
    }
    let message = refusal(&[("metrics.vectors", "true")]);
    assert!(
        message.contains("metrics.vectors: expected false, or metrics.eigenvalues or metrics.trace.diagonal on"),
        "{message}"
    );
}
