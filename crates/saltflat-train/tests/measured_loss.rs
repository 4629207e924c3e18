//! What is measured is of the measured loss, whatever the run trains on, and each row says of which.

mod support;

use burn::tensor::{DType, Device};
use saltflat_metrics::Samples;
use saltflat_models::{Loss, LossKind};
use saltflat_train::{
    EpochRow, MeasurementPoint, MeasurementRow, Measurer, Observer, Plan, TrainError, Trainer, config::Config,
};
use serde_json::Value;
use support::read;

#[derive(Default)]
struct Rows(Vec<MeasurementRow>);

impl Observer for Rows {
    fn epoch(&mut self, _row: &EpochRow) -> Result<(), TrainError> {
        Ok(())
    }

    fn measurement(&mut self, row: &MeasurementRow) -> Result<(), TrainError> {
        self.0.push(row.clone());
        Ok(())
    }
}

fn config(more: &[(&str, &str)]) -> Config {
    let base = [("data", "{kind = \"mnist-1k\", limit = 60, test_limit = 30}"), ("optimizer.batch_size", "20")];
    read(&[&base, more].concat()).unwrap_or_else(|e| panic!("{more:?}: {e}"))
}

fn plan(more: &[(&str, &str)]) -> Plan {
    Plan::new(config(more), &Device::flex(), DType::F64).unwrap_or_else(|e| panic!("{more:?}: {e}"))
}

/// The rows of a run, and the weights at its end.
fn run(plan: &Plan) -> (Vec<MeasurementRow>, Vec<f64>) {
    let mut rows = Rows::default();
    let mut trainer = Trainer::new(plan, Trainer::random_start(plan));
    trainer.run(&mut rows, &|| false).expect("it runs");
    let numbers = trainer.theta().parts().iter().flat_map(|t| t.clone().try_into_vec_as::<f64>().expect("a CPU"));
    (rows.0, numbers.collect())
}

fn reason(row: &MeasurementRow, name: &str) -> String {
    assert!(row.value(name).is_none(), "{name}: {:?}", row.metrics[name]);
    row.metrics[name]["reason"].as_str().expect("a reason").into()
}

const ALL: [(&str, &str); 4] = [
    ("metrics.stability", "true"),
    ("metrics.sharpness", "true"),
    ("metrics.gauss_newton", "true"),
    ("metrics.alignment", "{samples = 60}"),
];

/// Every metric is, bit for bit, what a run that trains on the measured loss measures at the same θ; and the losses are those of
/// the formulas, from the network's outputs.
#[test]
fn all_metrics_are_of_the_measured_loss() {
    let trained = [("noise", "{kind = \"label-flip\", probability = 0.2}")];
    for (kind, smoothing) in [("square", "0"), ("square", "0.3"), ("cross_entropy", "0"), ("cross_entropy", "0.3")] {
        let (kind_text, loss) = (format!("\"{kind}\""), format!("{{kind = \"{kind}\", smoothing = {smoothing}}}"));
        let other = plan(&[&ALL[..], &trained, &[("metrics.loss", &loss)]].concat());
        let own = plan(&[&ALL[..], &[("loss.kind", &kind_text), ("loss.smoothing", smoothing)]].concat());
        let (theta, buffers) = Trainer::random_start(&other);
        let point = MeasurementPoint { theta: &theta, buffers: &buffers, update: None, step: 0 };
        let measure =
            |plan: &Plan| Measurer::default().measure(plan, &plan.config.metrics, point).expect("it measures").metrics;
        let mut found = measure(&other);
        let mut of_own = measure(&own);
        // The label noise of the training, whatever is measured.
        for setting in ["effective_regularization", "regularization_per_curvature"] {
            assert!(found.remove(setting).is_some() && of_own.remove(setting).is_some());
        }
        assert_eq!(found, of_own, "{loss}");
        assert!(found.len() > 30, "{found:?}");

        let expected = Loss {
            kind: if kind == "square" { LossKind::Square } else { LossKind::CrossEntropy },
            smoothing: smoothing.parse().expect("a number"),
        };
        assert_eq!(other.measured_loss(), expected);
        assert_eq!(other.loss, Loss { kind: LossKind::CrossEntropy, smoothing: 0.2 });
        for (name, split) in [("loss", &other.train), ("test_loss", other.test.as_ref().expect("a test split"))] {
            let indices: Vec<u32> = (0..split.len() as u32).collect();
            let outputs = other.network.value(&theta, &buffers, split.inputs(&indices, None));
            let outputs = outputs.try_into_vec_as::<f64>().expect("a CPU");
            let labels = split.targets(&indices).labels.expect("classes");
            let loss = mean_loss(expected, &outputs, &labels);
            let value = found[name]["value"].as_f64().expect("a value");
            // The targets are rounded to f32.
            assert!((value / loss - 1.0).abs() < 1e-6, "{name} of {kind}, {smoothing}: {value}, expected {loss}");
        }
    }
}

/// ℓ = ½‖f − q‖² or −Σ q log softmax(f) + Σ q log q, in the mean over samples.
fn mean_loss(loss: Loss, outputs: &[f64], labels: &[u32]) -> f64 {
    let s = loss.smoothing;
    let of_sample = |f: &[f64], label: u32| -> f64 {
        let target = |c: usize| if c == label as usize { 1.0 - s } else { s / 9.0 };
        let norm = f.iter().map(|f| f.exp()).sum::<f64>().ln();
        let of_class = |(c, f): (usize, &f64)| match loss.kind {
            LossKind::Square => 0.5 * (f - target(c)).powi(2),
            LossKind::CrossEntropy if target(c) == 0.0 => 0.0,
            LossKind::CrossEntropy => target(c) * (norm - f + target(c).ln()),
        };
        f.iter().enumerate().map(of_class).sum()
    };
    outputs.chunks(10).zip(labels).map(|(f, &label)| of_sample(f, label)).sum::<f64>() / labels.len() as f64
}

/// Rows say which loss they are of; the floor of s = 0.2 and ten classes is −0.8 ln 0.8 − 0.2 ln(0.2/9) = 0.939848.
#[test]
fn rows_name_their_loss_and_the_trajectory_does_not_see_it() {
    let flips = [("noise", "{kind = \"label-flip\", probability = 0.2}")];
    let weights = run(&plan(&[&flips[..], &[("metrics.enabled", "false")]].concat())).1;
    for (loss, kind, smoothing, floor) in [
        ("{}", "cross_entropy", 0.2, 0.939_848),
        ("{smoothing = 0}", "cross_entropy", 0.0, 0.0),
        ("{kind = \"square\"}", "square", 0.2, 0.0),
    ] {
        let (rows, found) = run(&plan(&[&flips[..], &[("metrics.loss", loss)]].concat()));
        assert_eq!(found, weights, "{loss} changed the training");
        assert_eq!(rows.len(), 4);
        for row in &rows {
            let row: Value = serde_json::to_value(row).expect("JSON");
            let found = &row["measured_loss"];
            assert_eq!((found["kind"].as_str(), found["smoothing"].as_f64()), (Some(kind), Some(smoothing)));
            assert!((found["floor"].as_f64().expect("a floor") - floor).abs() < 1e-6, "{found}");
            assert_eq!(found["weight_decay"], 0.0);
            assert!(row["metrics"].get("measured_loss").is_none());
        }
    }
    // Rows of old versions have none, and are read.
    let old = r#"{"epoch":0,"step":0,"curvature_samples":1,"alignment_samples":1,"metrics":{}}"#;
    let row: MeasurementRow = serde_json::from_str(old).expect("it is a row");
    assert!(row.measured_loss.is_none());
}

#[test]
fn a_measured_loss_suits_the_targets() {
    let real = [("data", "{kind = \"mnist-1k\", binary = true}"), ("loss.kind", "\"square\"")];
    for (more, part) in [
        (&real[..], "metrics.loss.kind: expected square, since the targets are real numbers, got cross_entropy"),
        (&[], ""),
    ] {
        let found = Plan::new(
            config(&[more, &[("metrics.loss", "{kind = \"cross_entropy\"}")]].concat()),
            &Device::flex(),
            DType::F32,
        );
        assert_eq!(found.is_err(), !part.is_empty());
        assert!(found.err().is_none_or(|e| e.to_string().contains(part)), "no {part}");
    }
    for (more, smoothing, part) in [
        (&real[..], "0.1", "metrics.loss.smoothing: expected 0, since the targets are not classes, got 0.1"),
        (&[], "0.95", "metrics.loss.smoothing: expected labels that are right more often"),
        (&[("loss.smoothing", "0.9")], "0", "loss.smoothing: expected less than 0.9"),
    ] {
        let read = read(&[more, &[("metrics.loss.smoothing", smoothing)]].concat());
        let error = match read {
            Err(e) => e,
            Ok(config) => Plan::new(config, &Device::flex(), DType::F32).expect_err("it does not suit").to_string(),
        };
        assert!(error.contains(part), "{error}");
    }
    let error = read(&[("metrics.loss", "{kind = \"squared\", smothing = 1}")]).expect_err("two mistakes");
    assert!(error.contains("metrics.loss.kind: expected one of cross_entropy, square"), "{error}");
    assert!(error.contains("metrics.loss.smothing: is not a key; did you mean smoothing?"), "{error}");
    // What is written is read again.
    let config = config(&[("metrics.loss", "{kind = \"square\", smoothing = 0.1}")]);
    let again = Config::read(&config.to_toml().expect("TOML"), std::path::Path::new("/base/run.toml"), &[]);
    assert_eq!(again.expect("it reads").metrics.loss, config.metrics.loss);
}

/// The noise of the steps is about the trained loss: a row of another one has no number that could be set beside its tr H.
#[test]
fn the_sampled_trace_is_of_the_measured_loss_or_absent() {
    let flips = [("noise", "{kind = \"label-flip\", probability = 0.2}")];
    let same = run(&plan(&[&flips[..], &[("metrics.loss", "{smoothing = 0.2}")]].concat())).0;
    assert!(reason(&same[0], "trace_from_noise").contains("no step"));
    assert!(same[1..].iter().all(|row| row.value("trace_from_noise").is_some_and(|value| value > 0.0)));
    // The closed form is there from the start, and without label noise.
    assert!(same.iter().all(|row| row.value("trace_from_noise_expected").is_some_and(|value| value > 0.0)));

    let other = run(&plan(&[&flips[..], &[("metrics.loss", "{smoothing = 0.1}")]].concat())).0;
    let text = reason(&other[1], "trace_from_noise");
    assert!(text.contains("cross_entropy with smoothing 0.2") && text.contains("cross_entropy with smoothing 0.1"));
    assert!(other[0].value("trace_from_noise_expected").is_some());

    let smoothed = run(&plan(&[("noise", "{kind = \"label-smoothing\", probability = 0.2}")])).0;
    assert!(smoothed.iter().all(|row| row.value("trace_from_noise_expected").is_some()));
    assert!(reason(&smoothed[1], "trace_from_noise").contains("draws no labels"));
    // The baseline beside it: another trained loss, the same measured one.
    let baseline = run(&plan(&[("metrics.loss", "{smoothing = 0.2}")])).0;
    assert_eq!(baseline[0].value("trace_from_noise_expected"), smoothed[0].value("trace_from_noise_expected"));
    let plain = run(&plan(&[])).0;
    assert!(reason(&plain[0], "trace_from_noise_expected").contains("no smoothing"));

    let square = run(&plan(&[&flips[..], &[("loss.kind", "\"square\"")]].concat())).0;
    for name in ["trace_from_noise", "trace_from_noise_expected"] {
        assert!(reason(&square[1], name).contains("square loss"), "{name}");
    }
    assert!(square[0].value("flip_noise_sq").is_some_and(|value| value > 0.0));

    // Three steps an epoch, the probability halved from the second epoch on: there the steps are about another loss.
    let schedule =
        "{kind = \"label-flip\", probability = 0.2, schedule = {kind = \"step-decay\", at_steps = [3], factor = 0.5}}";
    let falling = run(&plan(&[("noise", schedule)])).0;
    assert!(falling[1].value("trace_from_noise").is_some());
    assert!(reason(&falling[2], "trace_from_noise").contains("cross_entropy with smoothing 0.1"));
    // Halved in the middle of the second epoch: its first two steps count.
    let within = run(&plan(&[("noise", &schedule.replace("[3]", "[5]"))])).0;
    assert_eq!(within[2].metrics["trace_from_noise"]["probes"], 2);
}

/// f = w·x with noise ±σ on the targets: tr H = mean ‖x‖², whatever σ, its schedule, or the strength that it is scaled to. θ
/// stands still; 4,000 steps of 20 samples, 5 standard errors.
#[test]
fn noise_on_real_targets_is_divided_by_its_variance() {
    let model = [
        ("model", "{kind = \"linear-net\", hidden = []}"),
        ("data", "{kind = \"mnist-1k\", limit = 20, binary = true}"),
        ("loss.kind", "\"square\""),
        ("optimizer.lr", "1e-9"),
        ("train.epochs", "4000"),
        ("metrics.every_steps", "4000"),
        ("metrics.alignment", "{samples = 20}"),
        ("metrics.trace", "false"),
    ];
    let half = "schedule = {kind = \"step-decay\", at_steps = [1], factor = 0.5}";
    for noise in ["sigma = 0.5", "sigma = 3", &format!("sigma = 2, {half}"), "strength = 0.1", "sigma = 0"] {
        let noise = format!("{{kind = \"label-noise\", {noise}}}");
        let plan = plan(&[&model[..], &[("noise", &noise)]].concat());
        let pixels = plan.train.inputs(&(0..20).collect::<Vec<_>>(), None).try_into_vec_as::<f64>().expect("a CPU");
        let exact = pixels.iter().map(|x| x * x).sum::<f64>() / 20.0;
        let rows = run(&plan).0;
        let last = rows.last().expect("a row");
        for row in &rows {
            let expected = row.value("trace_from_noise_expected").expect("a value");
            assert!((expected / exact - 1.0).abs() < 1e-6, "{noise}: {expected}, tr H {exact}");
        }
        if noise.contains("sigma = 0}") {
            assert!(reason(last, "trace_from_noise").contains("zero"));
            continue;
        }
        let value = last.value("trace_from_noise").unwrap_or_else(|| panic!("{:?}", last.metrics["trace_from_noise"]));
        let error = last.std_error("trace_from_noise").expect("an error");
        assert!(
            (value - exact).abs() < 5.0 * error && error < 0.03 * exact,
            "{noise}: {value} ± {error}, tr H {exact}"
        );
    }
}

/// The bounds are those of the run's n = 60, B and η. Wu's from the row's own μ; Dexter's where σ is of all samples.
#[test]
fn bounds_are_of_the_run() {
    let metrics = [("metrics.stability", "true"), ("train.epochs", "1")];
    let (n, b, lr) = (60.0_f64, 20.0_f64, 0.1);
    for samples in ["20", "60"] {
        let alignment = format!("{{samples = {samples}}}");
        let row = &run(&plan(&[&metrics[..], &[("metrics.alignment", &alignment)]].concat())).0[0];
        let value = |name: &str| row.value(name).unwrap_or_else(|| panic!("{name}: {:?}", row.metrics[name]));
        let wu = (b / value("mu") * (n - 1.0) / (n - b)).sqrt() / lr;
        assert!((value("wu_bound_frobenius") / wu - 1.0).abs() < 1e-12);
        assert!((value("wu_growth_bound") / (value("gram_frobenius") / wu).powi(2) - 1.0).abs() < 1e-12);
        let c = (n - b) / (b * (n - 1.0));
        let of_mu1 = (1.0 / (c * (1.0 - c) * value("mu1")).sqrt()).min(2.0 / (c * value("mu1"))) / lr;
        assert!((value("wu_bound_frobenius_mu1") / of_mu1 - 1.0).abs() < 1e-12);
        for (name, bound) in [
            ("dexter_bound", value("coherence") / lr * (n / b - 1.0).powf(-0.5)),
            ("dexter_convergence_bound", 2.0 * value("coherence") / lr / (value("coherence") + n / b - 1.0)),
        ] {
            match samples {
                "60" => assert!((value(name) / bound - 1.0).abs() < 1e-12, "{name}"),
                _ => assert!(reason(row, name).contains("20 of 60"), "{name}"),
            }
        }
    }
    let full = [("optimizer.batch_size", "\"full\""), ("metrics.alignment", "{samples = 20}")];
    let row = &run(&plan(&[&metrics[..], &full].concat())).0[0];
    for name in ["wu_bound_frobenius", "wu_bound_frobenius_mu1", "wu_growth_bound"] {
        assert!(reason(row, name).contains("no gradient noise"), "{name}");
    }
    let row = &run(&plan(&[&metrics[..], &[("optimizer.momentum", "0.5")]].concat())).0[0];
    assert!(reason(row, "wu_bound_frobenius_mu1").contains("without momentum"));
    assert!(row.value("wu_growth_bound").is_some_and(|growth| growth > 0.0));
}
