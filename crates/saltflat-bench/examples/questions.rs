//! Times how long a measurement goes on without being asked whether it is to be given up: `questions CONFIG DATA_FOLDER` prints for
//! each group of `[metrics]` its seconds, the number of questions and the longest time between two of them, at a random start.

use std::{cell::Cell, path::Path, time::Instant};

use burn::tensor::DType;
use saltflat_train::{
    DeviceChoice, MeasurementPoint, Measurer, Plan, Trainer, choose_device,
    config::{Config, Purpose},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [config, data] = arguments.as_slice() else { return Err("expected a configuration and a data folder".into()) };
    let text = std::fs::read_to_string(config)?;
    let mut config = Config::read_as(&text, Path::new(config), &[], Purpose::Measure)?;
    config.data.data_dir = Some(data.into());
    let plan = Plan::new(config, &choose_device(&DeviceChoice::Cpu)?.device, DType::F32)?;
    let (theta, buffers) = Trainer::random_start(&plan);
    let point = MeasurementPoint { theta: &theta, buffers: &buffers, update: None, step: 0 };
    for group in plan.config.metrics.groups() {
        let one = plan.config.metrics.only(&[group])?;
        let (start, longest, questions) = (Instant::now(), Cell::new(0.0), Cell::new(0));
        let last = Cell::new(start);
        let ask = || {
            let now = Instant::now();
            longest.set(f64::max(longest.get(), (now - last.replace(now)).as_secs_f64()));
            questions.set(questions.get() + 1);
            false
        };
        Measurer::default().measure_unless(&plan, &one, point, &ask)?;
        ask();
        println!(
            "{group}: {:.1} s, {} questions, at most {:.2} s apart",
            start.elapsed().as_secs_f64(),
            questions.get(),
            longest.get()
        );
    }
    Ok(())
}
