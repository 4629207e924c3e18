//! Several noises in one run: what is read, and what a step makes of them.

mod support;

use std::path::Path;

use burn::tensor::{DType, Device};
use saltflat_models::Vector;
use saltflat_noise::{
    AnyNoise, FlipTo, LabelFlip, LogitGaussian, Noise, NoiseProperties, OutputNoise, SigmaConvention, StepContext,
    Targets,
};
use saltflat_random::{Key, Stream};
use saltflat_train::{EpochRow, MeasurementRow, Observer, Plan, TrainError, Trainer, config::Config};
use support::read;

const FLIPS: &str = "{kind = \"label-flip\", probability = 0.3}";
const LOGITS: &str = "{kind = \"logit-gaussian\", sigma = 0.5}";
const SGD: &str = "{kind = \"sgd-covariance\", batch_size = 5}";
const GEOMETRY: &str = "{kind = \"geometry-aware\", batch_size = 5}";
const SCALED: &str = "{kind = \"isotropic-loss-scaled\", sigma = 0.1}";
const MOVES: &str = "{kind = \"parameter-gaussian\", sigma = 1e-3}";

fn list(all: &[&str]) -> String {
    format!("[{}]", all.join(", "))
}

fn config(noise: &str, more: &[(&str, &str)]) -> Config {
    read(&[&[("noise", noise), ("optimizer.batch_size", "20")], more].concat())
        .unwrap_or_else(|e| panic!("{noise}: {e}"))
}

fn plan(noise: &str, more: &[(&str, &str)]) -> Plan {
    Plan::new(config(noise, more), &Device::flex(), DType::F64).expect("it fits")
}

fn numbers(v: &Vector) -> Vec<f64> {
    v.parts().iter().flat_map(|t| t.clone().try_into_vec_as::<f64>().expect("on the CPU")).collect()
}

/// θ after this many steps on the first 20 samples, from the random start.
fn after(plan: &Plan, steps: u64) -> Vec<f64> {
    let mut trainer = Trainer::new(plan, Trainer::random_start(plan));
    (0..steps).for_each(|_| trainer.make_step(&(0..20).collect::<Vec<_>>()));
    numbers(trainer.theta())
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// Read, written, and stepped.
#[test]
fn a_list_of_one_is_the_table() {
    for table in [
        FLIPS,
        MOVES,
        "{kind = \"none\"}",
        "{kind = \"logit-gaussian\", strength = 0.1, strength_every = 3}",
        "{kind = \"isotropic\", like = {kind = \"minibatch\"}, schedule = {kind = \"warmup-constant\", warmup_steps = 3}}",
    ] {
        let (one, table) = (config(&list(&[table]), &[]), config(table, &[]));
        assert_eq!(one, table);
        assert_eq!(one.to_toml(), table.to_toml());
    }
    assert_eq!(after(&plan(&list(&[FLIPS]), &[]), 3), after(&plan(FLIPS, &[]), 3));
}

/// Neither in the configuration nor in a bit of the weights, also where two noises share a random stream, and in microbatches.
#[test]
fn the_order_of_a_list_changes_nothing() {
    for all in [vec![FLIPS, LOGITS], vec![GEOMETRY, SGD, LOGITS], vec![FLIPS, SGD, SCALED, MOVES, GEOMETRY]] {
        let reversed: Vec<&str> = all.iter().rev().copied().collect();
        let (one, other) = (config(&list(&all), &[]), config(&list(&reversed), &[]));
        assert_eq!(one, other);
        let written = one.to_toml().expect("it is TOML");
        assert_eq!(Config::read(&written, Path::new("/elsewhere/config.toml"), &[]).as_ref(), Ok(&one), "{written}");
        let cut = ("train.microbatch", "7");
        let whole = after(&plan(&list(&all), &[]), 3);
        assert_eq!(whole, after(&plan(&list(&reversed), &[]), 3));
        assert!(distance(&whole, &after(&plan(&list(&all), &[cut]), 3)) < 1e-10);
    }
}

/// A step moves θ by the sum of what each noise moves it by alone, on the same expected loss: no noise changes the draws of
/// another, or what they are multiplied by. Flips smooth the loss by 0.3, and so does `smoothing` for the steps without them.
#[test]
fn a_step_has_the_sum_of_all_noises() {
    let smoothing = [("loss.smoothing", "0.3")];
    let none = after(&plan("{kind = \"none\"}", &smoothing), 1);
    let moved = |noise: &str, more: &[(&str, &str)]| -> Vec<f64> {
        after(&plan(noise, &[&smoothing[..], more].concat()), 1).iter().zip(&none).map(|(a, b)| a - b).collect()
    };
    for all in [
        vec![FLIPS, LOGITS],
        vec![FLIPS, GEOMETRY],
        vec![FLIPS, SGD, SCALED, MOVES],
        vec![LOGITS, SCALED],
        vec![FLIPS, "{kind = \"langevin\", inverse_temperature = 1e5}"],
        vec!["{kind = \"label-smoothing\", probability = 0.3}", SGD],
        vec!["{kind = \"isotropic\", like = {kind = \"label-flip\", probability = 0.3}}", SGD],
        // Each scaled by what is measured of it, in the first step exactly to its strength.
        vec![
            "{kind = \"label-flip\", probability = 0.3, strength = 0.02}",
            "{kind = \"sgd-covariance\", strength = 0.01}",
            "{kind = \"parameter-gaussian\", strength = 0.01}",
        ],
    ] {
        for cut in [&[][..], &[("train.microbatch", "7")]] {
            let together = moved(&list(&all), cut);
            let mut sum = vec![0.0; together.len()];
            for one in &all {
                let alone = moved(one, cut);
                assert!(one.contains("smoothing") || distance(&alone, &vec![0.0; alone.len()]) > 1e-4, "{one}");
                sum.iter_mut().zip(alone).for_each(|(sum, x)| *sum += x);
            }
            assert!(distance(&together, &sum) < 1e-12, "{all:?}: {}", distance(&together, &sum));
        }
    }
}

/// θ − (η/B) Σᵢ (softmax(W xᵢ + b) − q̂ᵢ + νᵢ) xᵢᵀ and its like for b, plus σξ, written out for a linear network from the draws of
/// each noise: flips, Gaussian noise at the outputs and on the parameters, the recipe of HaoChen et al. 2021, appendix A.2, with
/// both of its comparisons at once, and with every factor halved once.
#[test]
fn flips_and_logit_noise_by_hand() {
    let half = "schedule = {kind = \"step-decay\", at_steps = [1], factor = 0.5}";
    let all = format!(
        "[{{kind = \"label-flip\", probability = 0.3, to = \"uniform\", {half}}}, \
         {{kind = \"logit-gaussian\", sigma = 0.5, {half}}}, {{kind = \"parameter-gaussian\", sigma = 1e-3}}]"
    );
    let plan = plan(&all, &[("model", "{kind = \"linear-net\", hidden = []}")]);
    let (start, _) = Trainer::random_start(&plan);
    let indices: Vec<u32> = (0..20).collect();
    let x = plan.train.inputs(&indices, None).try_into_vec_as::<f64>().expect("on the CPU");
    let (n, c) = (x.len() / 20, 10);
    let mut w = numbers(&start);
    assert_eq!(w.len(), n * c, "a weight for each pixel and class");
    let (flips, logits) = (
        LabelFlip { probability: 0.3, to: FlipTo::Uniform },
        LogitGaussian { sigma: 0.5, convention: SigmaConvention::Norm },
    );
    for (step, factor) in [(0, 1.0), (1, 0.5)] {
        let at = StepContext { seed: 0, step, factor, substream: 0 };
        let labels = plan.train.targets(&indices).labels;
        let mut drawn = Targets { values: vec![0.0; 20 * c], outputs: c, labels };
        flips.draw_targets(at, &mut drawn);
        let nu = logits.draw_output_noise(at, 20, c).expect("it is noisy").values;
        // The norm of ν is about σ.
        let size = (nu.iter().map(|nu| f64::from(*nu).powi(2)).sum::<f64>() / 20.0).sqrt();
        assert!((size / (0.5 * factor) - 1.0).abs() < 5.0 / (2.0 * 200f64).sqrt(), "{size}");
        let mut gradient = vec![0.0; w.len()];
        for (i, x) in x.chunks(n).enumerate() {
            let f: Vec<f64> = w.chunks(n).map(|w| w.iter().zip(x).map(|(w, x)| w * x).sum()).collect();
            let sum: f64 = f.iter().map(|f| f.exp()).sum();
            for k in 0..c {
                let r = f[k].exp() / sum - f64::from(drawn.values[i * c + k]) + f64::from(nu[i * c + k]);
                gradient[k * n..(k + 1) * n].iter_mut().zip(x).for_each(|(g, x)| *g += r * x / 20.0);
            }
        }
        w.iter_mut().zip(&gradient).for_each(|(w, g)| *w -= 0.1 * g);
        let moves = at.draw_parameter_noise(1e-3, &start).expect("it is noisy");
        w.iter_mut().zip(numbers(&moves)).for_each(|(w, m)| *w += m);
    }
    assert!(distance(&after(&plan, 2), &w) < 1e-12, "{}", distance(&after(&plan, 2), &w));
}

#[derive(Default)]
struct Rows(Vec<EpochRow>, Vec<MeasurementRow>);

impl Observer for Rows {
    fn epoch(&mut self, row: &EpochRow) -> Result<(), TrainError> {
        self.0.push(row.clone());
        Ok(())
    }

    fn measurement(&mut self, row: &MeasurementRow) -> Result<(), TrainError> {
        self.1.push(row.clone());
        Ok(())
    }
}

fn rows(plan: &Plan) -> Rows {
    let mut rows = Rows::default();
    Trainer::new(plan, Trainer::random_start(plan)).run(&mut rows, &|| false).expect("it runs");
    rows
}

/// E‖ξ‖² of the sum is the sum of the closed forms, for a linear network with the square loss on 20 samples whose θ stands
/// still: tr of σ²G/B, of Σ/b, of 2LG/b and σ²p/η². What moves θ beside the same step without noise, and the rows' `noise_sq`,
/// each over 2,000 draws and within 5 standard errors of them.
#[test]
fn squared_noises_add_up() {
    const STEPS: usize = 2000;
    let lr = 1e-9;
    let more = [
        ("model", "{kind = \"linear-net\", hidden = []}"),
        ("data", "{kind = \"mnist-1k\", limit = 20, binary = true}"),
        ("loss.kind", "square"),
        ("optimizer.lr", "1e-9"),
        ("train.epochs", "2000"),
        ("metrics", "{at_ends = false, evaluate = false, trace = false, alignment = false, noise_strength = true}"),
    ];
    let plain = plan("{kind = \"none\"}", &more);
    let (theta, buffers) = Trainer::random_start(&plain);
    let indices: Vec<u32> = (0..20).collect();
    let x = plain.train.inputs(&indices, None).try_into_vec_as::<f64>().expect("on the CPU");
    let weights = numbers(&theta);
    let p = weights.len();
    let samples: Vec<&[f64]> = x.chunks(p).collect();
    let targets = plain.train.targets(&indices).values;
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let residuals: Vec<f64> = samples.iter().zip(targets).map(|(x, y)| dot(x, &weights) - f64::from(y)).collect();
    let loss = residuals.iter().map(|r| 0.5 * r * r).sum::<f64>() / 20.0;
    let gram = samples.iter().map(|x| dot(x, x)).sum::<f64>() / 20.0;
    let second = samples.iter().zip(&residuals).map(|(x, r)| r * r * dot(x, x)).sum::<f64>() / 20.0;
    let mean = |j: usize| samples.iter().zip(&residuals).map(|(x, r)| r * x[j]).sum::<f64>() / 20.0;
    let sgd = second - (0..p).map(|j| mean(j).powi(2)).sum::<f64>();
    let sigma = 0.5 * (gram / 20.0 / p as f64).sqrt() * lr;
    let moves = format!("{{kind = \"parameter-gaussian\", sigma = {sigma:e}}}");
    let labels = "{kind = \"label-noise\", sigma = 0.5}";
    let of_labels = 0.25 * gram / 20.0;
    for (all, expected) in [
        (vec![labels, LOGITS], 2.0 * of_labels),
        (vec![labels, GEOMETRY], of_labels + 2.0 * loss * gram / 5.0),
        // Of one random stream: the two would not be independent if they drew the same numbers.
        (vec![LOGITS, SGD], of_labels + sgd / 5.0),
        (vec![labels, &moves], 2.0 * of_labels),
        (vec![labels, SGD, SCALED, &moves], 2.0 * of_labels + sgd / 5.0 + 2.0 * loss * 0.01 * p as f64),
    ] {
        let noisy = plan(&list(&all), &more);
        let mut trainer = Trainer::new(&noisy, (theta.clone(), buffers.clone()));
        let squares: Vec<f64> = (0..STEPS)
            .map(|_| {
                let mut without = Trainer::new(&plain, (trainer.theta().clone(), buffers.clone()));
                without.make_step(&indices);
                trainer.make_step(&indices);
                (distance(&numbers(trainer.theta()), &numbers(without.theta())) / lr).powi(2)
            })
            .collect();
        // θ moves by 1e-6 in all, and has 16 digits of which 9 are lost in the difference.
        within(&all, &squares, expected);
        // Every step is an epoch, and measured.
        let found = rows(&noisy).0;
        within(&all, &found.iter().map(|row| row.noise_sq.expect("measured")).collect::<Vec<_>>(), expected);
    }
}

fn within(all: &[&str], squares: &[f64], expected: f64) {
    let n = squares.len() as f64;
    let mean = squares.iter().sum::<f64>() / n;
    let variance = squares.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let allowed = 5.0 * (variance / n).sqrt() + 1e-4 * expected;
    assert!((mean - expected).abs() < allowed, "{all:?}: {mean}, expected {expected} ± {allowed}");
    assert!(allowed < 0.2 * expected, "{all:?}: the draws say too little, {expected} ± {allowed}");
}

/// Each noise has its own strength: 0.01 and 0.02, the second scaled by ½ after six epochs, so to a quarter. 50 steps an epoch.
#[test]
fn each_noise_has_its_strength() {
    let half = "schedule = {kind = \"step-decay\", at_epochs = [6], factor = 0.5}";
    let all = format!(
        "[{{kind = \"logit-gaussian\", strength = 0.01}}, {{kind = \"sgd-covariance\", strength = 0.02, {half}}}]"
    );
    let found = rows(&plan(&all, &[("train.epochs", "12"), ("metrics.enabled", "false")])).0;
    for (epochs, target) in [(&found[3..6], 0.03), (&found[9..], 0.01 + 0.02 / 4.0)] {
        let mean = epochs.iter().map(|row| row.noise_sq.expect("measured")).sum::<f64>() / epochs.len() as f64;
        // 150 measurements of a ‖ξ‖² that spreads as widely as its mean.
        assert!((mean / target - 1.0).abs() < 0.25, "{mean}, asked for {target}");
    }
}

/// The noise of a step is no estimate of tr H unless it is that of labels alone; the closed form at θ stays.
#[test]
fn the_sampled_trace_is_of_labels_alone() {
    let more = [("data", "{kind = \"mnist-1k\", limit = 60, test_limit = 30}"), ("train.epochs", "1")];
    let last = rows(&plan(&list(&[LOGITS, FLIPS]), &more)).1.pop().expect("a row");
    let reason = last.metrics["trace_from_noise"]["reason"].as_str().expect("a reason");
    assert_eq!(reason, "the noise is not that of labels alone but of label-flip and logit-gaussian");
    assert!(last.value("trace_from_noise_expected").is_some_and(|value| value > 0.0));
    // What is measured is the loss that the flips smooth, wherever they stand in the list.
    let loss = last.measured_loss.expect("it is said");
    assert_eq!(loss.smoothing, 0.3);
    assert!(rows(&plan(&list(&[FLIPS]), &more)).1.pop().expect("a row").value("trace_from_noise").is_some());
}

/// The key of a draw is that of the noise by itself, so its numbers are those of the stream.
#[test]
fn a_noise_by_itself_draws_from_the_stream() {
    let at = StepContext { seed: 7, step: 3, factor: 1.0, substream: 0 };
    assert_eq!(at.key(Stream::OutputNoise), Key::new(7, Stream::OutputNoise, 3));
    assert_ne!(StepContext { substream: 5, ..at }.key(Stream::OutputNoise), at.key(Stream::OutputNoise));
}

/// The noise of a kind that no list names acts like the one of this crate whose draws it makes.
#[test]
fn a_noise_from_outside_is_trained_with() {
    #[derive(Debug, serde::Serialize)]
    struct Own(LogitGaussian);

    impl Noise for Own {
        fn properties(&self) -> NoiseProperties {
            NoiseProperties { name: "own", ..self.0.properties() }
        }

        fn draw_output_noise(&self, context: StepContext, batch: usize, outputs: usize) -> Option<OutputNoise> {
            self.0.draw_output_noise(context, batch, outputs)
        }
    }

    let mut config = config(LOGITS, &[]);
    config.noise = AnyNoise::from(Own(LogitGaussian { sigma: 0.5, convention: SigmaConvention::Norm })).into();
    let own = Plan::new(config, &Device::flex(), DType::F64).expect("it fits");
    assert_eq!(after(&own, 3), after(&plan(LOGITS, &[]), 3));
    assert_ne!(after(&own, 3), after(&plan("{kind = \"none\"}", &[]), 3));
}

#[test]
fn messages() {
    let kinds = "none, label-flip, label-smoothing, label-noise, logit-gaussian, sgd-covariance, minibatch, geometry-aware, \
                 isotropic, diagonal, isotropic-loss-scaled, parameter-gaussian, langevin";
    let like = "{kind = \"diagonal\", like = {kind = \"label-flip\", probability = 0.1}}";
    let twice = "both of them say what the expected targets of the loss are";
    let cases: &[(String, &[&str])] = &[
        ("3".into(), &["noise: expected a table, or a list of tables, got 3"]),
        ("[]".into(), &["noise: expected a table, or a list of tables with at least one, got []"]),
        ("[3]".into(), &["noise: expected a table, or a list of tables, got 3"]),
        (list(&["\"label-flip\"", FLIPS]), &["noise[0]: expected a table, got \"label-flip\""]),
        (list(&[FLIPS, "{}"]), &[&format!("noise[1].kind: is missing; expected one of {kinds}")]),
        (
            list(&[FLIPS, "{kind = \"logit-gausian\", sigma = 1}"]),
            &[&format!("noise[1].kind: expected one of {kinds}, got \"logit-gausian\"; did you mean logit-gaussian?")],
        ),
        (
            list(&[FLIPS, "{kind = \"logit-gaussian\", sigma = -1, sgma = 1}"]),
            &[
                "noise[1].sigma: expected a number, not negative, got -1",
                "noise[1].sgma: is not a key; did you mean sigma?",
            ],
        ),
        (
            list(&[FLIPS, LOGITS, FLIPS]),
            &[
                "noise[2]: expected a noise that can act beside label-flip (noise[0]), got label-flip: two noises of one kind would draw the same numbers",
            ],
        ),
        (
            list(&["{kind = \"label-smoothing\", probability = 0.1}", FLIPS]),
            &[&format!(
                "noise[1]: expected a noise that can act beside label-smoothing (noise[0]), got label-flip: {twice}"
            )],
        ),
        (
            list(&[LOGITS, FLIPS, like]),
            &[&format!("noise[2]: expected a noise that can act beside label-flip (noise[1]), got diagonal: {twice}")],
        ),
        (
            list(&["{kind = \"none\"}", LOGITS]),
            &[
                "noise[1]: expected a noise that can act beside none (noise[0]), got logit-gaussian: none stands for no noise at all",
            ],
        ),
        (
            list(&[LOGITS, "{kind = \"label-noise\", sigma = 1}"]),
            &["noise[1].kind: expected label-flip with cross_entropy, got label-noise, which is for real targets"],
        ),
        (
            list(&[
                FLIPS,
                "{kind = \"langevin\", inverse_temperature = 1, schedule = {kind = \"warmup-constant\", warmup_epochs = 4}}",
            ]),
            &["noise[1].schedule.warmup_epochs: expected at most train.epochs = 3, got 4"],
        ),
        (list(&[LOGITS; 14]), &["noise: expected at most 12 noises, one of a kind, got 14"]),
    ];
    for (noise, expected) in cases {
        let error = read(&[("noise", noise)]).expect_err("it is wrong");
        let lines = error.trim_start_matches("/base/run.toml: ").split_once(" problems\n  ");
        let found: Vec<&str> =
            lines.map_or(vec![error.trim_start_matches("/base/run.toml: ")], |(_, all)| all.split("\n  ").collect());
        assert_eq!(&found, expected, "{noise}");
    }
    // Keys of one noise, by --set.
    let error = read(&[("noise", &list(&[FLIPS, LOGITS])), ("noise.sigma", "1")]).expect_err("which of them?");
    assert!(error.contains("--set noise.sigma: noise is a list; give the whole of it, --set 'noise=[…]'"), "{error}");
    // What only the data tell names the kind.
    let smoothing = read(&[("noise", &list(&[LOGITS, FLIPS])), ("loss.smoothing", "0.2")]).expect_err("it is 0.3");
    assert!(smoothing.contains("loss.smoothing: expected nothing or 0.3, the smoothing that [noise] implies"));
    let most = config(&list(&["{kind = \"label-flip\", probability = 0.95}", LOGITS]), &[]);
    let error =
        Plan::new(most, &Device::flex(), DType::F32).expect_err("more wrong labels than right ones").to_string();
    assert!(error.contains("noise.probability of label-flip: expected labels that are right"), "{error}");
}
