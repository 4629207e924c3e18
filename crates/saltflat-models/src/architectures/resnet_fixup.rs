//! Residual networks without normalisation.

use saltflat_config::Section;
use serde::Serialize;

use super::style::{activation, width};
use crate::layers::{
    Activation, AdaptiveAvgPoolConfig, BiasConfig, Conv2dConfig, FixupShortcutConfig, LinearConfig, ScaleConfig, Window,
};
use crate::{
    Architecture, ArchitectureKeys, Init, Initialisation, Item, ModelError, Size,
    limits::{MOST_LAYERS, require_positive},
};

/// The CIFAR ResNet of depth 6n + 2 with Fixup initialisation (Zhang, Dauphin, Ma 2019, arXiv 1901.09321; the authors'
/// `fixup_resnet_cifar.py`): three stages of n blocks with width, 2 · width and 4 · width channels, scalar biases and
/// scales, no normalisation. Tensors as there: `conv1`, `bias1`, `layer1.0.bias1a` …, `bias2`, `fc`. Initialisation: the
/// second convolution of a block and `fc` at 0, the first convolution of a block N(0, 2/(outputs · k² · L)) with L = 3n
/// blocks, the stem at PyTorch's default.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResnetFixup {
    /// 6n + 2: 26, 38, 50, 110 in Wu, Wang, Su 2022.
    pub depth: usize,
    /// Channels of the first stage, 16 there.
    pub width: usize,
    /// Activation after each convolution but the last of a block, and after each sum.
    pub activation: Activation,
}

impl ArchitectureKeys for ResnetFixup {
    const NAME: &'static str = "resnet-fixup";
    const EXAMPLE: &'static str = "depth = 8\nwidth = 2";

    fn read(section: &mut Section) -> Self {
        Self {
            depth: section.required("depth", "6n + 2, such as 26, 38, 50 or 110", |n: &usize| *n >= 8 && n % 6 == 2),
            width: width(section, 16),
            activation: activation(section),
        }
    }
}

impl Architecture for ResnetFixup {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn sizes(&self) -> Vec<Size> {
        // A block has two layers.
        vec![Size::width(self.width), Size { key: "model.depth", value: self.depth, most: 2 * MOST_LAYERS + 2 }]
    }

    fn layers(&self, input: [usize; 3], outputs: usize) -> Result<Vec<Item>, ModelError> {
        let Some(n) = self.depth.checked_sub(2).filter(|rest| rest % 6 == 0 && *rest > 0).map(|rest| rest / 6) else {
            return Err(ModelError::config("model.depth", "6n + 2, such as 8, 20, 26, 38, 50 or 110", self.depth));
        };
        let width = require_positive("model.width", self.width)?;
        let (stem, _) = Initialisation::Pytorch.of([input[0] * 9, width * 9], self.activation);
        let mut layers: Vec<Item> = vec![
            Item::from(Conv2dConfig::new(width, Window::three(1), stem, None)).named("conv1"),
            bias("bias1".into()),
            self.activation.into(),
        ];
        let mut channels = width;
        for i in 0..3 {
            for j in 0..n {
                let (prefix, next) = (format!("layer{}.{j}", i + 1), width << i);
                self.block(&prefix, [channels, next], 3 * n, &mut layers);
                channels = next;
            }
        }
        layers.push(AdaptiveAvgPoolConfig::default().into());
        layers.push(bias("bias2".into()));
        layers.push(Item::from(LinearConfig::new(outputs, Init::ZERO, Some(Init::ZERO))).named("fc"));
        Ok(layers)
    }
}

impl ResnetFixup {
    /// out = scale · conv2(act(conv1(x + bias1a) + bias1b) + bias2a) + bias2b, plus x, or the shortcut of x + bias1a if
    /// the shape changes; then the activation.
    fn block(&self, prefix: &str, [inputs, outputs]: [usize; 2], blocks: usize, layers: &mut Vec<Item>) {
        let name = |part: &str| format!("{prefix}.{part}");
        let changes = inputs != outputs;
        let std = (2.0 / (outputs * 9 * blocks) as f64).sqrt();
        let before = bias(name("bias1a"));
        let conv =
            |part, window, weight| Item::from(Conv2dConfig::new(outputs, window, weight, None)).named(name(part));
        let window = Window::three(if changes { 2 } else { 1 });
        let main: Vec<Item> = vec![
            conv("conv1", window, Init::Normal { std }),
            bias(name("bias1b")),
            self.activation.into(),
            bias(name("bias2a")),
            conv("conv2", Window::three(1), Init::ZERO),
            Item::from(ScaleConfig::default()).named(name("scale")),
            bias(name("bias2b")),
        ];
        if changes {
            layers.push(before);
            layers.push(Item::residual(main, vec![FixupShortcutConfig {}.into()]));
        } else {
            let main = std::iter::once(before).chain(main).collect();
            layers.push(Item::residual(main, Vec::new()));
        }
        layers.push(self.activation.into());
    }
}

/// A scalar bias whose tensor has this name.
fn bias(name: String) -> Item {
    Item::from(BiasConfig::default()).named(name)
}
