//! The approximation of gelu by tanh.

use burn::tensor::Tensor;

use super::elementwise::Elementwise;

/// x/2 (1 + tanh u) with u = √(2/π) (x + 0.044715 x³), PyTorch's `nn.GELU(approximate="tanh")`: within 5e−4 of x Φ(x).
///
/// With t = tanh u, f′ = (1 + t)/2 + x/2 (1 − t²) u′ and f″ = (1 − t²) (u′ + x/2 u″ − x t u′²).
///
/// Source: Hendrycks, Gimpel 2016, arXiv 1606.08415.
#[derive(Clone, Copy, Debug)]
pub(super) struct GeluTanh;

/// √(2/π).
const ROOT: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
/// What x³ counts beside x.
const CUBIC: f64 = 0.044_715;

impl GeluTanh {
    /// tanh u.
    fn tanh(x: Tensor<4>) -> Tensor<4> {
        (x.clone() * x.square().mul_scalar(CUBIC * ROOT).add_scalar(ROOT)).tanh()
    }
}

impl Elementwise for GeluTanh {
    fn value(&self, x: Tensor<4>) -> Tensor<4> {
        x.clone().mul_scalar(0.5) * Self::tanh(x).add_scalar(1.0)
    }

    fn derivatives(&self, x: Tensor<4>, second_order: bool) -> (Tensor<4>, Option<Tensor<4>>) {
        let t = Self::tanh(x.clone());
        let complement = t.clone().square().neg().add_scalar(1.0);
        let du = x.clone().square().mul_scalar(3.0 * CUBIC * ROOT).add_scalar(ROOT);
        let first =
            t.clone().add_scalar(1.0).mul_scalar(0.5) + x.clone().mul_scalar(0.5) * complement.clone() * du.clone();
        let second = second_order.then(|| {
            // u′ + x/2 u″ with u″ = 6 · 0.044715 √(2/π) x.
            let inner = x.clone().square().mul_scalar(6.0 * CUBIC * ROOT).add_scalar(ROOT);
            complement * (inner - x * t * du.square())
        });
        (first, second)
    }
}
