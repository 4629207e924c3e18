//! Names, shapes and initial values of a network's tensors.

use std::collections::HashSet;

use burn::tensor::{DType, Device};
use rand::RngExt;
use saltflat_random::{Key, Stream};
use saltflat_record::is_control;

use crate::vector::Vector;

/// Initial distribution of one tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Every entry is this number.
    Constant(f64),
    /// N(0, std²).
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Uniform on [−bound, bound].
    Uniform {
        /// Largest absolute value.
        bound: f64,
    },
}

impl Init {
    /// Every entry 0.
    pub const ZERO: Self = Self::Constant(0.0);
}

/// One tensor of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// PyTorch's name, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// PyTorch's shape.
    pub shape: Vec<usize>,
    /// Its initial distribution.
    pub init: Init,
}

impl TensorSpec {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |all, n| all.saturating_mul(*n))
    }

    /// True for a tensor with no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The tensors of a network: the parameters, that is the coordinates of θ, and the buffers, which no derivative is
/// taken of (running statistics, frozen features).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// The coordinates of θ, in the order of the forward pass.
    pub parameters: Vec<TensorSpec>,
    /// Tensors that are stored with θ and not trained.
    pub buffers: Vec<TensorSpec>,
}

impl Layout {
    /// Adds a parameter tensor.
    pub fn parameter(&mut self, name: impl Into<String>, shape: &[usize], init: Init) -> Slot {
        self.parameters.push(TensorSpec { name: name.into(), shape: shape.to_vec(), init });
        Slot::Parameter(self.parameters.len() - 1)
    }

    /// Adds a buffer.
    pub fn buffer(&mut self, name: impl Into<String>, shape: &[usize], init: Init) -> Slot {
        self.buffers.push(TensorSpec { name: name.into(), shape: shape.to_vec(), init });
        Slot::Buffer(self.buffers.len() - 1)
    }

    /// A name that two tensors have, if there is one.
    pub(crate) fn repeated_name(&self) -> Option<&str> {
        let mut seen = HashSet::new();
        let mut names = self.parameters.iter().chain(&self.buffers).map(|spec| spec.name.as_str());
        names.find(|name| !seen.insert(*name))
    }

    /// A name that no tensor of a safetensors file, or no line of a terminal, can have, if there is one.
    pub(crate) fn unusable_name(&self) -> Option<&str> {
        let mut names = self.parameters.iter().chain(&self.buffers).map(|spec| spec.name.as_str());
        names.find(|name| name.is_empty() || *name == "__metadata__" || name.chars().any(is_control))
    }

    /// Number of parameters p.
    pub fn len(&self) -> usize {
        self.parameters.iter().map(TensorSpec::len).sum()
    }

    /// True if there is nothing to train.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Parameters and buffers that are all 0, for passes of which only the shapes matter.
    pub(crate) fn zeros(&self, device: &Device) -> (Vector, Vector) {
        let zeros = |specs: &[TensorSpec]| {
            Vector::from_host(specs.iter().map(|spec| vec![0.0; spec.len()]), device, DType::F32)
        };
        (zeros(&self.parameters), zeros(&self.buffers))
    }

    /// The starting point: parameters and buffers, a pure function of the seed. Every tensor has its own draw, so a
    /// change of one layer leaves the others as they were.
    pub fn init(&self, seed: u64, device: &Device, dtype: DType) -> (Vector, Vector) {
        let draw = |specs: &[TensorSpec], kind: u64| {
            let tensors = specs.iter().enumerate().map(|(i, spec)| {
                let key = Key::new(seed, Stream::Init, i as u64).part(kind);
                match spec.init {
                    Init::Constant(c) => vec![c as f32; spec.len()],
                    Init::Normal { std } => key.normal(spec.len()).into_iter().map(|x| x * std as f32).collect(),
                    Init::Uniform { bound } => {
                        let mut rng = key.rng();
                        (0..spec.len()).map(|_| rng.random_range(-1.0..=1.0) * bound as f32).collect()
                    }
                }
            });
            Vector::from_host(tensors, device, dtype)
        };
        (draw(&self.parameters, 0), draw(&self.buffers, 1))
    }
}

/// Index of a tensor among the parameters or among the buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Coordinates of θ.
    Parameter(usize),
    /// Stored, not trained.
    Buffer(usize),
}
