//! How many steps and measurements a run has, before it runs.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use burn::tensor::{DType, Device};
use saltflat_train::{Counts, EpochRow, MeasurementRow, Observer, Plan, TrainError, Trainer, config::Config, start};

const BASE: &str = r#"
data = { kind = "mnist-1k", limit = 20, test_limit = 5 }
model = { kind = "mlp", hidden = [4] }
loss = { kind = "cross_entropy" }
noise = { kind = "label-flip", probability = 0.2 }
optimizer = { lr = 0.01, batch_size = 6 }
train = { epochs = 7 }
[metrics]
trace = { probes = 1, every = 3 }
alignment = false
"#;

#[derive(Default)]
struct Counted {
    evaluations: u64,
    traces: u64,
    noise: u64,
}

impl Observer for Counted {
    fn epoch(&mut self, row: &EpochRow) -> Result<(), TrainError> {
        self.noise += row.noise_steps;
        Ok(())
    }

    fn measurement(&mut self, row: &MeasurementRow) -> Result<(), TrainError> {
        self.evaluations += u64::from(row.metrics.contains_key("loss"));
        self.traces += u64::from(row.metrics.contains_key("trace_hessian"));
        Ok(())
    }
}

/// Settings of a configuration, and the counts that they lead to.
type Case<'a> = (&'a [(&'a str, &'a str)], [u64; 3]);

/// Twenty samples in batches of six are 4 steps an epoch, so 28 in all. What is counted before is what a run then has.
#[test]
fn steps_and_measurements() {
    // Evaluations, traces (the first, the fourth, …), steps that measure the noise.
    let cases: [Case<'_>; 10] = [
        (&[], [8, 3, 28]),
        (&[("metrics.at_ends", "false")], [7, 3, 28]),
        // After 3, 6 and, at the end, 7 epochs.
        (&[("metrics.every_epochs", "3")], [4, 2, 12]),
        (&[("metrics.every_epochs", "3"), ("metrics.at_ends", "false")], [2, 1, 8]),
        (&[("metrics.every_epochs", "100")], [2, 1, 4]),
        // After 26 steps the seventh epoch is cut short.
        (&[("train.steps", "26"), ("metrics.every_epochs", "7")], [2, 1, 2]),
        (&[("metrics.every_steps", "5")], [7, 3, 28]),
        (&[("metrics.every_steps", "7"), ("metrics.at_ends", "false")], [4, 2, 28]),
        (&[("metrics.noise_strength.every_steps", "4")], [8, 3, 7]),
        (&[("metrics.noise_strength", "false")], [8, 3, 0]),
    ];
    for (set, [evaluations, traces, noise]) in cases {
        let set: Vec<(String, String)> = set.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let config = Config::read(BASE, Path::new("counts.toml"), &set).unwrap();
        let plan = Plan::new(config, &Device::flex(), DType::F32).unwrap();
        let counts = Counts::new(&plan.config, plan.steps, plan.steps_per_epoch);
        assert_eq!((counts.groups["evaluate"], counts.groups["trace"]), (evaluations, traces), "{set:?}");
        assert_eq!(counts.measurements(), evaluations);
        // Up to the steps by which an epoch is cut short.
        assert!((counts.noise_steps - noise as f64).abs() <= 2.0, "{set:?}: {}", counts.noise_steps);

        let mut counted = Counted::default();
        Trainer::new(&plan, start(&plan).unwrap()).run(&mut counted, &|| false).unwrap();
        assert_eq!([counted.evaluations, counted.traces, counted.noise], [evaluations, traces, noise], "{set:?}");
        assert_eq!(counts.steps, plan.steps);
    }
    // A strength of the noise that is controlled is measured at all steps, or every so many, also if it is not reported.
    let strength = |every: &str| {
        let noise = format!("{{ kind = \"label-flip\", probability = 0.2, strength = 1.0, strength_every = {every} }}");
        let set = [("noise".into(), noise), ("metrics.every_epochs".into(), "7".into())];
        let config = Config::read(BASE, Path::new("counts.toml"), &set).unwrap();
        Counts::new(&config, 28, 4).noise_steps
    };
    assert_eq!(strength("1"), 28.0);
    // 14 of 28, and of the four of the last epoch those that are none of them.
    assert_eq!(strength("2"), 14.0 + 4.0 - 2.0);
}
