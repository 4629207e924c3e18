//! Times steps of the quadratic model on one core: `quadratic NOISE STEPS` prints seconds and the test error that they led to.
//! `scripts/bench/quadratic.py` has it beside NumPy and JAX.

use std::time::Instant;

use saltflat_lab::quadratic::{Data, Draws, Iterate, LabelNoise, Noise, Shape};
use saltflat_random::{Key, Stream};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let noise = match arguments.first().map(String::as_str) {
        Some("full-batch") => Noise::FullBatch,
        Some("label-noise") => Noise::LabelNoise(Shape::Own),
        Some("gaussian") => Noise::Gaussian(0.01),
        other => {
            eprintln!("expected full-batch, label-noise or gaussian, got {other:?}");
            std::process::exit(2);
        }
    };
    let steps: u64 = arguments.get(1).and_then(|steps| steps.parse().ok()).unwrap_or(100_000);
    let data = Data::new(100, 40, 5, 0);
    let mut draws = Draws::new(noise, 1.0, LabelNoise::Sign, &data, Key::new(0, Stream::LabNoise, 0).rng());
    let mut point = Iterate::new(&data, 1.0);
    let clock = Instant::now();
    for _ in 0..steps {
        draws.step(&mut point, &data, 0.01);
    }
    println!("{} {}", clock.elapsed().as_secs_f64(), point.errors().1);
}
