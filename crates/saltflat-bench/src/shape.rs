//! What is timed: a network, a batch, and how many samples have gradients of their own.

use saltflat_models::{
    AnyArchitecture, Initialisation, Norm,
    architectures::{Lenet, Mlp, Resnet, ResnetFixup, Vgg},
    layers::Activation,
};

/// A network with sizes, as `resnet18`, `resnet18@256` (the batch) or `resnet18@32,width=16,side=64,pairs=25`.
pub struct Shape {
    /// The network.
    pub architecture: AnyArchitecture,
    /// `[channels, height, width]` of a sample.
    pub input: [usize; 3],
    /// Samples of a step.
    pub batch: usize,
    /// Samples of a Gram matrix and of an alignment.
    pub pairs: usize,
}

impl Shape {
    /// Networks: `mlp` (784-512-512-10, batch 256), `lenet` (4 channels at first; batch 256), `vgg11` to `vgg19`, `resnet10`,
    /// `resnet18`, `resnet26`, `resnet34` (group norm) and `fixup26` (batch 32), on 3 × 32 × 32 but for the first two.
    pub fn read(text: &str) -> Option<Self> {
        let (name, sizes) = text.split_once('@').unwrap_or((text, ""));
        let mut sizes = sizes.split(',');
        let batch = sizes.next().filter(|batch| !batch.is_empty()).map(str::parse).transpose().ok()?;
        let (mut width, mut side, mut pairs) = (None, None, 50);
        for size in sizes {
            let (key, value) = size.split_once('=')?;
            let value: usize = value.parse().ok()?;
            match key {
                "width" => width = Some(value),
                "side" => side = Some(value),
                "pairs" => pairs = value,
                _ => return None,
            }
        }
        let (init, activation) = (Initialisation::Default, Activation::Relu);
        let wide = width.unwrap_or(64);
        let resnet = |blocks: [usize; 4]| {
            AnyArchitecture::from(Resnet {
                width: wide,
                blocks: blocks.to_vec(),
                norm: Norm::Group,
                channels_per_group: 32.min(wide),
                activation,
                init,
            })
        };
        let vgg = |depth| {
            let (norm, hidden) = (Norm::None, Vec::new());
            AnyArchitecture::from(Vgg {
                depth,
                width: wide,
                norm,
                channels_per_group: 32,
                hidden,
                pool: None,
                activation,
                init,
            })
        };
        let architecture = match name {
            "mlp" => AnyArchitecture::from(Mlp { hidden: vec![width.unwrap_or(512); 2], activation, init }),
            "lenet" => AnyArchitecture::from(Lenet { width: width.unwrap_or(4), activation, init }),
            "vgg11" => vgg(11),
            "vgg13" => vgg(13),
            "vgg16" => vgg(16),
            "vgg19" => vgg(19),
            "resnet10" => resnet([1; 4]),
            "resnet18" => resnet([2; 4]),
            "resnet26" => resnet([3; 4]),
            "resnet34" => resnet([3, 4, 6, 3]),
            "fixup26" => AnyArchitecture::from(ResnetFixup { depth: 26, width: width.unwrap_or(16), activation }),
            _ => return None,
        };
        let digits = matches!(name, "mlp" | "lenet");
        let side = side.unwrap_or(if digits { 28 } else { 32 });
        let input = [if digits { 1 } else { 3 }, side, side];
        Some(Self { architecture, input, batch: batch.unwrap_or(if digits { 256 } else { 32 }), pairs })
    }
}
