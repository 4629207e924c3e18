//! A layer of one's own: a trained factor for each channel (LayerScale; Touvron et al. 2021, arXiv 2103.17239).
//!
//! `cargo run --release --example own_layer`
//!
//! In PyTorch it would be
//!
//! ```python
//! class ChannelScale(nn.Module):
//!     def __init__(self, channels):
//!         super().__init__()
//!         self.weight = nn.Parameter(torch.ones(channels))
//!     def forward(self, x):
//!         return self.weight[:, None, None] * x
//! ```
//!
//! and autograd would do the rest. Here the layer also says how its output moves with the parameters (its jet) and what the gradient of
//! a single sample is. From these two come Hessian-vector products, vᵀHv without a backward pass, and inner products of per-sample
//! gradients without a gradient for each sample. `check_layer` compares both with differences, so that a slip does not stay.

use burn::tensor::{DType, Device, Tensor};
use saltflat_models::{
    Built, Directions, GramChunks, Init, Item, Jet, LayerConfig, ModelError, Network, Pass, PerSample, Place, Slot,
    gram,
    jet::{for_each_direction, for_each_sample, sum},
    layers::{Activation, FlattenConfig, Layer, LinearConfig},
    testing::check_layer,
};
use serde::Serialize;

/// y = w x with a factor w for each channel.
#[derive(Debug)]
struct ChannelScale {
    /// Which of the network's tensors w is. The numbers come with the pass: the same network is evaluated at any w.
    weight: Slot,
    channels: usize,
}

impl ChannelScale {
    /// Adds the tensor `NAME.weight`, as `nn.Parameter(torch.ones(channels))` does in PyTorch.
    fn new(place: &mut Place<'_>) -> Self {
        let [channels, ..] = place.input();
        let weight = place.parameter("weight", &[channels], Init::Constant(1.0));
        Self { weight, channels }
    }
}

impl Layer for ChannelScale {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let shape = [1, self.channels, 1, 1];
        let samples = x.value.dims()[0];
        let weight: Tensor<4> = pass.tensor(self.weight, shape);

        // Rule 1, the value: y = w x, [batch, channels, height, width].
        let value = x.value.clone() * weight.clone();

        // Rule 2, the jet. The parameters move by v: w(t) = w + t v. Along K directions at once `velocity` is [K, channels, 1, 1], and
        // the coefficients of the input are [K · batch, ...], sample i along direction k in row k · batch + i. So v is repeated for
        // every sample, and x for every direction.
        let velocity = pass.velocity::<4>(self.weight, shape).map(|v| for_each_sample(v, samples));
        // ẏ = w ẋ + v x. What is absent is zero, and `sum` knows that.
        let first = sum(
            x.first.clone().map(|first| first * weight.clone()),
            velocity.clone().map(|v| for_each_direction(&x.value, &v) * v),
        );
        // ÿ = w ẍ + 2 v ẋ, which only a pass of second order needs.
        let second = match pass.second_order() {
            false => None,
            true => sum(
                x.second.map(|second| second * weight),
                x.first.zip(velocity).map(|(first, v)| (first * v).mul_scalar(2.0)),
            ),
        };

        // Rule 3 is given to the tape, which also needs the value, to learn the cotangent there.
        let value = pass.record(value, || Rows { input: x.value.without_autodiff() });
        Jet { value, first, second }
    }
}

/// Rule 3. With the cotangent δ at the output, the gradient of sample i in w is Σ δᵢ xᵢ over the positions of each channel.
struct Rows {
    input: Tensor<4>,
}

impl PerSample for Rows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        let [batch, channels, height, width] = delta.dims();
        (delta * self.input.clone()).reshape([batch, channels, height * width]).sum_dim(2).reshape([batch, channels])
    }
}

/// What a list of layers says of it: it has no keys.
#[derive(Debug, Serialize)]
struct ChannelScaleConfig {}

impl LayerConfig for ChannelScaleConfig {
    fn name(&self) -> &'static str {
        "channel-scale"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        // The output has the shape of the input.
        Ok(Built::new(ChannelScale::new(place), place.input()))
    }
}

fn main() -> Result<(), String> {
    check_layer("channel scale", |place| vec![ChannelScale::new(place).into()])?;
    println!("the three rules hold: jets, Hessian-vector products and per-sample gradients are those of differences");

    // In a network: 3 × 4 × 4 inputs, the layer, tanh, 2 outputs.
    let init = Init::Normal { std: 0.3 };
    let layers = [
        Item::from(ChannelScaleConfig {}).named("scale"),
        Activation::Tanh.into(),
        FlattenConfig {}.into(),
        Item::from(LinearConfig::new(2, init, Some(init))).named("last"),
    ];
    let network = Network::from_layers(&layers, [3, 4, 4], 2).map_err(|e| e.to_string())?;
    let options = (&Device::flex(), DType::F64);
    let (theta, buffers) = network.layout().init(0, options.0, options.1);
    let inputs =
        Tensor::<1, burn::tensor::Int>::arange(0..5 * 48, options.0).float().cast(burn::tensor::FloatDType::F64);
    let inputs = inputs.mul_scalar(0.7).sin().reshape([5, 3, 4, 4]);

    // How the outputs of five samples curve along v = θ, from one forward pass.
    let direction = Directions::from(&theta);
    let jet = network.forward(inputs.clone(), &mut Pass::jet(&theta, &buffers, &direction, 2));
    print("outputs", jet.value)?;
    print("first derivative along θ", jet.first.ok_or("absent")?)?;
    print("second derivative along θ", jet.second.ok_or("absent")?)?;

    // Inner products of the five gradients of the first output.
    let first_output = Tensor::zeros([5, 2], options).slice_fill([0..5, 0..1], 1.0);
    let chunks = GramChunks { microbatch: 5, bytes: usize::MAX };
    let kernel = gram(&network, &theta, &buffers, &inputs, &[first_output], chunks);
    print("inner products of the gradients of the samples", kernel)
}

/// A line for each sample.
fn print(what: &str, tensor: Tensor<2>) -> Result<(), String> {
    println!("{what}:");
    let columns = tensor.dims()[1];
    let numbers: Vec<f64> = tensor.try_into_vec_as().map_err(|e| e.to_string())?;
    for row in numbers.chunks(columns) {
        println!("{}", row.iter().map(|x| format!("{x:>9.3}")).collect::<String>());
    }
    Ok(())
}
