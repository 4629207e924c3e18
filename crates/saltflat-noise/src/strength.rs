//! Noise of a given strength.

use burn::tensor::Tensor;

/// Weight that an old measurement keeps when a new one comes: the mean reaches back over about 50.
const MEMORY: f64 = 1.0 - 1.0 / 50.0;
/// Largest c². Where the noise all but vanishes (a global minimum has no minibatch noise) no factor makes it strong: there
/// it stays weaker than asked for.
const LARGEST: f64 = 1e12;

/// The factor c that gives a noise ξ the strength E‖cξ‖² = s: c² = s/m with the running mean m of the measured ‖ξ‖², an
/// exponential mean over about 50 measurements. At most 10⁶; 0 where the noise is 0.
///
/// The mean stays on the device, so a step that measures needs no host synchronisation.
#[derive(Clone, Debug, Default)]
pub struct StrengthControl {
    sum: Option<Tensor<1>>,
    weight: f64,
}

impl StrengthControl {
    /// Adds a measurement of ‖ξ‖², one element.
    pub fn record(&mut self, squared: Tensor<1>) {
        self.sum = Some(match self.sum.take() {
            None => squared,
            Some(sum) => sum.mul_scalar(MEMORY) + squared,
        });
        self.weight = self.weight * MEMORY + 1.0;
    }

    /// True before the first measurement.
    pub fn is_empty(&self) -> bool {
        self.sum.is_none()
    }

    /// c for this s, one element; absent before the first measurement.
    pub fn factor(&self, target: f64) -> Option<Tensor<1>> {
        let sum = self.sum.clone()?;
        // 0/0 where the noise is 0: then any factor will do, and 0 keeps it at 0.
        let silent = sum.clone().equal_elem(0.0);
        let squared = sum.recip().mul_scalar(target * self.weight).clamp_max(LARGEST);
        Some(squared.mask_fill(silent, 0.0).sqrt())
    }

    /// What a checkpoint keeps: Σ 0.98^(age) ‖ξ‖² and Σ 0.98^(age).
    pub fn parts(&self) -> (Option<Tensor<1>>, f64) {
        (self.sum.clone(), self.weight)
    }

    /// From its parts, as it was.
    pub fn from_parts(sum: Option<Tensor<1>>, weight: f64) -> Self {
        Self { sum, weight }
    }
}
