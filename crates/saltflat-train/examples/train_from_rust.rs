//! Trains a small network from Rust, without the program and without a run folder, and prints what an observer is given:
//!
//! ```text
//! cargo run --release --example train_from_rust
//! ```
//!
//! It takes some seconds on a CPU. The data are a sample of MNIST that comes with the library.

use std::{error::Error, path::Path};

use burn::tensor::DType;
use saltflat_train::{
    DeviceChoice, EpochRow, MeasurementRow, Observer, Outcome, Plan, Snapshot, TrainError, Trainer, choose_device,
    config::Config, start,
};

/// What the file of a run would hold. Keys that are absent have a default.
const CONFIG: &str = r#"
    [data]
    kind = "mnist-1k"

    [model]
    kind = "mlp"
    hidden = [32]

    [loss]
    kind = "cross_entropy"

    # Each label of a batch is replaced by a wrong one with this probability, anew at every step.
    [noise]
    kind = "label-flip"
    probability = 0.1

    [optimizer]
    lr = 0.1
    momentum = 0.9
    batch_size = 50

    [train]
    epochs = 10

    # Loss and accuracy are always measured; the trace of the Hessian from eight random vectors.
    [metrics]
    every_epochs = 5
    trace = { probes = 8 }
    alignment = false
"#;

/// Prints a line for every epoch and every measurement.
struct Printer;

impl Observer for Printer {
    fn epoch(&mut self, row: &EpochRow) -> Result<(), TrainError> {
        println!("epoch {:2}: running loss {:.4} at learning rate {}", row.epoch, row.running_loss, row.lr);
        Ok(())
    }

    fn measurement(&mut self, row: &MeasurementRow) -> Result<(), TrainError> {
        for name in ["loss", "test_accuracy", "trace_hessian"] {
            // A metric that has no value has a reason instead, in `row.metrics`.
            if let Some(value) = row.value(name) {
                let error = row.std_error(name).map_or(String::new(), |error| format!(" ± {error:.2}"));
                println!("step {:4}: {name} {value:.4}{error}", row.step);
            }
        }
        Ok(())
    }

    fn checkpoint(&mut self, snapshot: &Snapshot<'_>) -> Result<(), TrainError> {
        // `save_checkpoint` would write it to a folder, from which `resume` continues.
        println!("a checkpoint of {} parameters is due at step {}", snapshot.theta.len(), snapshot.step);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Relative paths in the text would be relative to the folder of this file, and the run has its name.
    let overrides = [("run.seed".to_string(), "7".to_string())];
    let config = Config::read(CONFIG, Path::new("digits.toml"), &overrides)?;
    let device = choose_device(&DeviceChoice::Cpu)?;
    let plan = Plan::new(config, &device.device, DType::F32)?;
    println!("{} parameters, {} steps of {} samples", plan.network.layout().len(), plan.steps, plan.batch_size);

    let mut trainer = Trainer::new(&plan, start(&plan)?);
    // The closure is asked at every step whether the run is to stop, such as at a signal.
    match trainer.run(&mut Printer, &|| false)? {
        Outcome::Finished(reason) => println!("finished: {reason}"),
        Outcome::Diverged(reason) => println!("diverged: {reason}"),
        Outcome::Interrupted => println!("interrupted after step {}", trainer.steps()),
    }

    // A loop of one's own: one step on samples that are chosen by their indices.
    trainer.make_step(&[0, 1, 2, 3]);
    let norm = trainer.theta().norm_squared().try_into_scalar::<f64>()?.sqrt();
    println!("norm of the weights after one more step: {norm:.4}");
    Ok(())
}
