//! Half precision in the forward and backward pass of a step: rounding, and nothing but rounding.

mod support;

use burn::tensor::{DType, Device, FloatDType};
use saltflat_train::{Plan, Trainer};
use support::read;

/// What a step on 50 samples adds to the weights.
fn step(model: &str, precision: &str, lr: &str) -> Vec<f64> {
    let precision = format!("\"{precision}\"");
    let set = [("data", "{kind = \"cifar10-1k\"}"), ("model", model), ("train.precision", &precision)];
    // Two passes, but of batch normalisation, whose statistics are those of the batch.
    let microbatch = if model.contains("\"batch\"") { "50" } else { "30" };
    let optimizer = format!("{{lr = {lr}, batch_size = 50, momentum = 0.9}}");
    let more = [("optimizer", &*optimizer), ("train.microbatch", microbatch)];
    let config = read(&[&set[..], &more].concat()).unwrap_or_else(|e| panic!("{model}: {e}"));
    let plan = Plan::new(config, &Device::flex(), DType::F32).expect("it fits");
    let start = Trainer::random_start(&plan);
    let mut trainer = Trainer::new(&plan, start.clone());
    trainer.make_step(&(0..50).collect::<Vec<u32>>());
    assert_eq!((trainer.theta().dtype(), trainer.buffers().dtype()), (DType::F32, DType::F32));
    let moved = trainer.theta().plus_scaled(-1.0, &start.0);
    moved.parts().iter().flat_map(|t| t.clone().try_into_vec_as::<f64>().expect("on the CPU")).collect()
}

fn norm(v: impl Iterator<Item = f64>) -> f64 {
    v.map(|x| x * x).sum::<f64>().sqrt()
}

/// The relative difference of a gradient is some units in the last place, 2⁻⁸ in bf16 and 2⁻¹¹ in f16, through some ten layers: at
/// most 32 of them (batch normalisation takes differences), at least an eighth of one.
#[test]
fn a_step_differs_by_rounding() {
    for model in [
        "{kind = \"mlp\", hidden = [32, 32]}",
        "{kind = \"lenet\", width = 4}",
        "{kind = \"resnet\", width = 8, blocks = [1, 1], channels_per_group = 4}",
        "{kind = \"resnet\", width = 4, blocks = [1, 1], norm = \"batch\"}",
        "{kind = \"resnet-fixup\", width = 4, depth = 8}",
        "{kind = \"random-features\", features = 50}",
    ] {
        let exact = step(model, "f32", "0.1");
        for (precision, half, ulp) in
            [("bf16", FloatDType::BF16, 2f64.powi(-8)), ("f16", FloatDType::F16, 2f64.powi(-11))]
        {
            assert!(Device::flex().supports_dtype(half));
            let found = step(model, precision, "0.1");
            let off = norm(exact.iter().zip(&found).map(|(a, b)| a - b)) / norm(exact.iter().copied());
            assert!(off > ulp / 8.0 && off < 32.0 * ulp, "{model} {precision}: {off:.1e}, a unit is {ulp:.1e}");
        }
    }
}

/// Weights are kept in f32: a step of 1e-4 of the usual one, far below a unit of a half, is that step.
#[test]
fn small_steps_are_not_lost() {
    let model = "{kind = \"mlp\", hidden = [32, 32]}";
    for precision in ["bf16", "f16"] {
        let (large, small) = (step(model, precision, "0.1"), step(model, precision, "1e-5"));
        let off = norm(large.iter().zip(&small).map(|(a, b)| a - 1e4 * b)) / norm(large.iter().copied());
        // f32 rounds θ + 1e-5 g to 6e-8 of θ, which is 1e-2 of a step that is 1e-5 of θ.
        assert!(off < 5e-2, "{precision}: {off:.1e}");
    }
}
