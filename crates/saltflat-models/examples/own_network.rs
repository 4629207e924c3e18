//! A network of one's own, as an architecture: a stack of convolutions with a residual branch around each.
//!
//! `cargo run --release --example own_network`
//!
//! In PyTorch a network is a module that holds its parameters. Here an architecture makes a list of layers, which have tensors with
//! names, shapes and initial distributions, and the numbers are a `Vector` beside it. So gradient descent below is arithmetic with
//! vectors, and so are the directions along which curvature is measured.

use burn::tensor::{DType, Device, Distribution, Tensor};
use saltflat_models::{
    AnyArchitecture, Architecture, Directions, Initialisation, Item, Loss, LossKind, ModelError, Pass, Size,
    layers::{Activation, AdaptiveAvgPoolConfig, Conv2dConfig, LinearConfig, Window},
};
use serde::Serialize;

/// A convolution to `width` channels, then x + act(conv x) `depth` times, the mean over the positions, and a linear layer.
#[derive(Clone, Debug, Serialize)]
struct Stack {
    width: usize,
    depth: usize,
}

impl Architecture for Stack {
    fn name(&self) -> &'static str {
        "stack"
    }

    // What a configuration could ask for too much of. It is checked before `layers` adds and multiplies it.
    fn sizes(&self) -> Vec<Size> {
        vec![Size::width(self.width), Size::layers("model.depth", self.depth)]
    }

    fn layers(&self, input: [usize; 3], outputs: usize) -> Result<Vec<Item>, ModelError> {
        if self.width == 0 {
            return Err(ModelError::config("model.width", "at least 1", self.width));
        }
        let (activation, width) = (Activation::Silu, self.width);
        // Fans count the kernel: inputs · k² and outputs · k².
        let init = |inputs: usize, outputs: usize| Initialisation::KaimingFanIn.of([inputs, outputs], activation);
        let conv = |name: String, inputs: usize| {
            let (weight, bias) = init(inputs * 9, width * 9);
            Item::from(Conv2dConfig::new(width, Window::three(1), weight, Some(bias))).named(name)
        };
        let mut layers = vec![conv("stem".into(), input[0])];
        for i in 0..self.depth {
            let main = vec![conv(format!("blocks.{i}"), width), activation.into()];
            // An empty shortcut is the identity.
            layers.push(Item::residual(main, Vec::new()));
        }
        layers.push(AdaptiveAvgPoolConfig::default().into());
        let (weight, bias) = init(width, outputs);
        layers.push(Item::from(LinearConfig::new(outputs, weight, Some(bias))).named("head"));
        Ok(layers)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // As what a run takes; `config.model.architecture` of `saltflat-train` is one.
    let architecture = AnyArchitecture::from(Stack { width: 6, depth: 2 });
    let network = architecture.build([1, 8, 8], 3)?;
    for tensor in &network.layout().parameters {
        println!("{:<18} {:?}", tensor.name, tensor.shape);
    }

    // Twelve images of three classes: noise that is brighter on the top, the middle or the bottom.
    let options = (&Device::flex(), DType::F32);
    let (mut theta, buffers) = network.layout().init(1, options.0, options.1);
    let mut inputs = Tensor::<4>::random([12, 1, 8, 8], Distribution::Normal(0.0, 0.3), options);
    let mut target = Tensor::<2>::zeros([12, 3], options);
    for i in 0..12 {
        let class = i % 3;
        let rows = [i..i + 1, 0..1, 3 * class..(3 * class + 3).min(8), 0..8];
        inputs = inputs.clone().slice_assign(rows.clone(), inputs.slice(rows).add_scalar(1.0));
        target = target.slice_fill([i..i + 1, class..class + 1], 1.0);
    }

    // Gradient descent: leaves of an autodiff graph at θ, the loss, its backward pass, θ ← θ − η g.
    let loss = Loss { kind: LossKind::CrossEntropy, smoothing: 0.0 };
    for step in 0..=40 {
        let leaves = theta.leaves();
        let outputs = network.value(&leaves, &buffers, inputs.clone());
        let mean = loss.value(outputs, target.clone()).mean();
        if step % 10 == 0 {
            // gᵀHg/‖g‖², the curvature along the gradient, from a forward pass of second order.
            let gradient = leaves.take_gradients(&mut mean.backward());
            let direction = Directions::from(&gradient);
            let jet = network.forward(inputs.clone(), &mut Pass::jet(&theta, &buffers, &direction, 2));
            let curvature = loss.second(&jet, target.clone()).ok_or("absent")?.mean() / gradient.norm_squared();
            let [mean, curvature] = [mean, curvature].map(|t| t.into_scalar::<f32>());
            println!("step {step:>2}: loss {mean:.4}, curvature along the gradient {curvature:.2}");
            theta = theta.plus_scaled(-0.3, &gradient);
        } else {
            theta = theta.plus_scaled(-0.3, &leaves.take_gradients(&mut mean.backward()));
        }
    }
    Ok(())
}
