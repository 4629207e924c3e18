//! Points and directions in parameter space.

use burn::tensor::{DType, Device, Gradients, Tensor, TensorData};
use saltflat_random::Key;

/// A point or a direction in parameter space: one flat tensor for each parameter tensor of a network.
///
/// The tensors have rank 1 whatever the parameter's shape is, so algebra needs no rank; a layer gives them their shape
/// back when it uses them. Norms and products are tensors of one element that stay on the device.
///
/// ```
/// use burn::tensor::{DType, Device};
/// use saltflat_models::Vector;
///
/// // A network of two parameter tensors, with 2 and 1 entries.
/// let theta = Vector::from_host([vec![1.0, 2.0], vec![3.0]], &Device::flex(), DType::F64);
/// let moved = theta.plus_scaled(-0.1, &theta);
/// assert_eq!(moved.len(), 3);
/// assert!((moved.norm_squared().into_scalar::<f64>() - 0.81 * 14.0).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Vector {
    parts: Vec<Tensor<1>>,
}

impl Vector {
    /// The vector with these parts, in the order of the network's [`Layout`](crate::Layout).
    pub fn new(parts: Vec<Tensor<1>>) -> Self {
        Self { parts }
    }

    /// A vector from host numbers, a slice a part.
    pub fn from_host(parts: impl IntoIterator<Item = Vec<f32>>, device: &Device, dtype: DType) -> Self {
        let tensor = |values: Vec<f32>| {
            let n = values.len();
            Tensor::from_data(TensorData::new(values, [n]), (device, dtype))
        };
        Self::new(parts.into_iter().map(tensor).collect())
    }

    /// The parts, one a parameter tensor.
    pub fn parts(&self) -> &[Tensor<1>] {
        &self.parts
    }

    /// Number of entries p.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|t| t.dims()[0]).sum()
    }

    /// True if there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number type of the entries; f32 for a vector with no parts.
    pub fn dtype(&self) -> DType {
        self.parts.first().map_or(DType::F32, Tensor::dtype)
    }

    /// Applies `f` to every part.
    pub fn map(&self, f: impl Fn(Tensor<1>) -> Tensor<1>) -> Self {
        Self::new(self.parts.iter().cloned().map(f).collect())
    }

    /// Applies `f` to the parts of two vectors of one layout.
    pub fn zip(&self, other: &Self, f: impl Fn(Tensor<1>, Tensor<1>) -> Tensor<1>) -> Self {
        debug_assert_eq!(self.parts.len(), other.parts.len());
        Self::new(self.parts.iter().zip(&other.parts).map(|(a, b)| f(a.clone(), b.clone())).collect())
    }

    /// 0, with the layout of `self`.
    pub fn zeros_like(&self) -> Self {
        self.map(|t| t.zeros_like())
    }

    /// a · self.
    pub fn scale(&self, a: f64) -> Self {
        self.map(|t| t.mul_scalar(a))
    }

    /// self + other.
    pub fn plus(&self, other: &Self) -> Self {
        self.zip(other, saltflat_kernels::add)
    }

    /// self + a · other.
    pub fn plus_scaled(&self, a: f64, other: &Self) -> Self {
        self.clone().add_scaled(a, other)
    }

    /// self + a · other, in the memory of `self` if nobody else holds it.
    pub fn add_scaled(self, a: f64, other: &Self) -> Self {
        debug_assert_eq!(self.parts.len(), other.parts.len());
        let pairs = self.parts.into_iter().zip(&other.parts);
        Self::new(pairs.map(|(x, y)| saltflat_kernels::add_scaled(x, a, y.clone())).collect())
    }

    /// A step of gradient descent with momentum at θ = self with the velocity u, \[θ − η u', u'\] with u' = β u + g, in the memory of θ
    /// and u if nobody else holds it.
    pub fn descend(self, velocity: Self, gradient: Self, momentum: f64, lr: f64) -> [Self; 2] {
        debug_assert!([&velocity, &gradient].iter().all(|v| v.parts.len() == self.parts.len()));
        let parts = self.parts.into_iter().zip(velocity.parts).zip(gradient.parts);
        let (mut moved, mut velocity) = (Vec::new(), Vec::new());
        for ((theta, u), g) in parts {
            let [theta, u] = saltflat_kernels::sgd_step([theta, u, g], momentum, lr);
            moved.push(theta);
            velocity.push(u);
        }
        [moved, velocity].map(Self::new)
    }

    /// ⟨self, other⟩ part by part: the sums stay on the device, `[parts]`.
    pub fn dots(&self, other: &Self) -> Tensor<1> {
        let products = self.parts.iter().zip(&other.parts);
        Tensor::cat(products.map(|(a, b)| saltflat_kernels::dot(a.clone(), b.clone())).collect(), 0)
    }

    /// ⟨self, other⟩, one element.
    pub fn dot(&self, other: &Self) -> Tensor<1> {
        self.dots(other).sum()
    }

    /// ‖self‖², one element.
    pub fn norm_squared(&self) -> Tensor<1> {
        self.dot(self)
    }

    /// Independent ±1 entries (Rademacher), with the layout of `self`.
    pub fn signs_like(&self, key: Key) -> Self {
        Self::new(key.signs_like(&self.parts))
    }

    /// Independent standard normal entries, with the layout of `self`.
    pub fn normal_like(&self, key: Key) -> Self {
        Self::new(key.normal_like(&self.parts))
    }

    /// The same point as leaves of a new autodiff graph, as PyTorch's `detach().requires_grad_()`.
    pub fn leaves(&self) -> Self {
        self.map(|t| t.without_autodiff().autodiff().require_grad())
    }

    /// Takes the gradients of these leaves; 0 if nothing flowed back.
    pub fn take_gradients(&self, gradients: &mut Gradients) -> Self {
        let taken = |leaf: &Tensor<1>| {
            leaf.grad_remove(gradients).unwrap_or_else(|| leaf.clone().without_autodiff().zeros_like())
        };
        Self::new(self.parts.iter().map(taken).collect())
    }
}

/// K directions in parameter space, stacked tensor by tensor, so that one pass through a network takes them all along.
#[derive(Clone, Debug)]
pub struct Directions {
    stacked: Vector,
    count: usize,
}

impl Directions {
    /// These directions of one layout; at least one.
    pub fn new(directions: &[Vector]) -> Self {
        let stack = |i: usize| Tensor::cat(directions.iter().map(|v| v.parts[i].clone()).collect(), 0);
        let stacked = match directions {
            [one] => one.clone(),
            many => Vector::new((0..many.first().map_or(0, |v| v.parts.len())).map(stack).collect()),
        };
        Self { stacked, count: directions.len() }
    }

    /// Number of directions K.
    #[allow(clippy::len_without_is_empty)] // There is always one.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Each tensor's components one direction after the other, `[K · entries]`.
    pub(crate) fn stacked(&self) -> &Vector {
        &self.stacked
    }
}

impl From<&Vector> for Directions {
    fn from(v: &Vector) -> Self {
        Self { stacked: v.clone(), count: 1 }
    }
}
