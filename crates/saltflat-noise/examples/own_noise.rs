//! A noise of one's own: Laplace noise at the outputs, and its mean and covariance in the gradient.
//!
//! `cargo run --release --example own_noise`
//!
//! In PyTorch one would add noise to the logits' gradient in a backward hook. Here a noise says what it draws for a step, and the draw is
//! a pure function of the seed and the step: the same run gives the same noise, however its batches are cut.

use burn::tensor::{DType, Device, Tensor};
use rand::RngExt;
use saltflat_models::{Init, Item, Loss, LossKind, Network, Pass, layers::LinearConfig};
use saltflat_noise::{ActsOn, AnyNoise, Noise, NoiseProperties, OutputForm, OutputNoise, StepContext, SuitableTargets};
use saltflat_random::Stream;
use serde::Serialize;

/// At every step independent Laplace noise of variance σ² is added to each output's gradient ∂ℓ/∂f: the covariance of the gradient
/// noise is that of `logit-gaussian` with `convention = "coordinate"`, (σ²/B) G with G = (1/B) Σᵢ Jᵢᵀ Jᵢ, and its tails are heavier.
#[derive(Debug, Serialize)]
struct LogitLaplace {
    sigma: f64,
}

impl Noise for LogitLaplace {
    fn properties(&self) -> NoiseProperties {
        NoiseProperties {
            name: "logit-laplace",
            // It is added to the gradient in the outputs, so `draw_output_noise` draws it.
            acts_on: ActsOn::Outputs,
            // The random numbers come from the stream of noise at the outputs. A run with several noises keeps their draws apart.
            streams: vec![Stream::OutputNoise],
            suitable_targets: SuitableTargets::Any,
            // It does not compare the samples of a batch, and needs none.
            least_batch: 0,
        }
    }

    fn draw_output_noise(&self, context: StepContext, batch: usize, outputs: usize) -> Option<OutputNoise> {
        // σ times the factor of the noise's schedule. Without it nothing is drawn: strength 0 is plain SGD, bit for bit.
        let sigma = context.scaled_sigma(self.sigma);
        if sigma == 0.0 {
            return None;
        }
        let mut rng = context.key(Stream::OutputNoise).rng();
        // −b ln u with a random sign has the variance 2 b².
        let scale = sigma / 2f32.sqrt();
        let mut laplace = || {
            let size = -scale * (1.0 - rng.random::<f32>()).ln();
            if rng.random::<bool>() { size } else { -size }
        };
        let values = (0..batch * outputs).map(|_| laplace()).collect();
        Some(OutputNoise { values, width: outputs, form: OutputForm::Direct })
    }
}

/// Samples, inputs and outputs of the network f = W x.
const B: usize = 4;
const D: usize = 2;
const C: usize = 2;
const X: [[f64; D]; B] = [[1.0, -0.5], [0.3, 2.0], [-1.2, 0.7], [0.4, 0.9]];
const STEPS: u64 = 5000;

fn main() -> Result<(), String> {
    // As what a run takes; `config.noise` of `saltflat-train` is made of one by `.into()`.
    let noise = AnyNoise::from(LogitLaplace { sigma: 0.5 });

    let layer = LinearConfig::new(C, Init::Normal { std: 1.0 }, None);
    let network = Network::from_layers(&[Item::from(layer)], [D, 1, 1], C).map_err(|e| e.to_string())?;
    let options = (&Device::flex(), DType::F64);
    let (theta, buffers) = network.layout().init(0, options.0, options.1);
    let inputs = Tensor::<2>::from_data(X, options).reshape([B, D, 1, 1]);
    let target = Tensor::<2>::zeros([B, C], options);
    let loss = Loss { kind: LossKind::Square, smoothing: 0.0 };

    // The noise in the gradient of each step, ξ = (1/B) Σᵢ Jᵢᵀ νᵢ: the backward pass with ν as the cotangent of the outputs.
    let mut draws: Vec<Vec<f64>> = Vec::new();
    for step in 0..STEPS {
        let context = StepContext { seed: 1, step, factor: 1.0, substream: 0 };
        let drawn = noise.draw_output_noise(context, B, C).ok_or("σ is 0")?;
        let leaves = theta.leaves();
        let outputs = network.forward(inputs.clone(), &mut Pass::value(&leaves, &buffers)).value;
        let cotangent = drawn.cotangent(&loss, outputs.clone().without_autodiff(), target.clone(), 0..B);
        let gradient = leaves.take_gradients(&mut (outputs * cotangent).sum().div_scalar(B as f64).backward());
        draws.push(gradient.parts()[0].clone().try_into_vec_as().map_err(|e| e.to_string())?);
    }

    // W is [C, D], row by row: its entry (c, d) moves output c by x_d, so that G is the second moment of the inputs for each output.
    let average = |f: &dyn Fn(&[f64]) -> f64| draws.iter().map(|xi| f(xi)).sum::<f64>() / STEPS as f64;
    println!("mean of ξ, stated 0:");
    println!("{}", (0..C * D).map(|a| format!("{:>9.4}", average(&|xi| xi[a]))).collect::<String>());
    println!("covariance of ξ, and (σ²/B) G:");
    for a in 0..C * D {
        let found = (0..C * D).map(|b| average(&|xi| xi[a] * xi[b]));
        let stated = (0..C * D).map(|b| match a / D == b / D {
            true => 0.25 / (B * B) as f64 * X.iter().map(|x| x[a % D] * x[b % D]).sum::<f64>(),
            false => 0.0,
        });
        let row = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|x| format!("{x:>9.4}")).collect::<String>();
        println!("{}    {}", row(&mut { found }), row(&mut { stated }));
    }
    Ok(())
}
