//! Noise of a given strength.

use burn::tensor::Tensor;

/// The means reach back over about 1/this many measurements.
const RATE: f64 = 1.0 / 50.0;
/// The correction is at most this factor, either way.
const CORRECTION: f64 = 10.0;
/// Largest c². If the noise all but vanishes (a global minimum has no minibatch noise), no factor makes it strong: it stays weaker
/// than asked for.
const LARGEST: f64 = 1e12;

/// The factor c that gives a noise ξ the strength E‖cξ‖² = s: c² = s g/m with the exponential mean m of the measured ‖ξ‖²
/// over about 50 measurements. m lags if ‖ξ‖² falls or grows, and a mean of few draws that vary much is biased; so g, 1 at
/// first, is multiplied at each measurement by exp((1 − ‖cξ‖²/s)/50), which drives the mean of what was achieved to s. c is
/// at most 10⁶, and 0 if the noise is 0.
///
/// All of it stays on the device, so a step that measures needs no host synchronisation.
#[derive(Clone, Debug, Default)]
pub struct StrengthControl {
    on_device: Option<OnDevice>,
    weight: f64,
}

/// One element each.
#[derive(Clone, Debug)]
struct OnDevice {
    sum: Tensor<1>,
    correction: Tensor<1>,
    /// c²/s, until the next measurement.
    gain: Tensor<1>,
}

impl StrengthControl {
    /// Adds a measurement of ‖ξ‖², one element.
    pub fn record(&mut self, squared: Tensor<1>) {
        let (sum, correction) = match self.on_device.take() {
            None => (squared.clone(), squared.ones_like()),
            Some(old) => (old.sum.mul_scalar(1.0 - RATE) + squared.clone(), old.correction),
        };
        self.weight = self.weight * (1.0 - RATE) + 1.0;
        // 0/0 if the noise is 0: then any factor will do, and 0 keeps it at 0.
        let silent = sum.clone().equal_elem(0.0);
        let gain = correction.clone().mul_scalar(self.weight).div(sum.clone()).mask_fill(silent.clone(), 0.0);
        let missed = (gain.clone() * squared).neg().add_scalar(1.0).mask_fill(silent, 0.0);
        let correction = (correction * missed.mul_scalar(RATE).exp()).clamp(1.0 / CORRECTION, CORRECTION);
        self.on_device = Some(OnDevice { sum, correction, gain });
    }

    /// True before the first measurement.
    pub fn is_empty(&self) -> bool {
        self.on_device.is_none()
    }

    /// c for this s, one element; absent before the first measurement.
    pub fn factor(&self, target: f64) -> Option<Tensor<1>> {
        let found = self.on_device.as_ref()?;
        Some(found.gain.clone().mul_scalar(target).clamp_max(LARGEST).sqrt())
    }

    /// What a checkpoint keeps: `[3]` with Σ 0.98^age ‖ξ‖², g and c²/s, on the device, and Σ 0.98^age.
    pub fn parts(&self) -> (Option<Tensor<1>>, f64) {
        let join = |found: OnDevice| Tensor::cat(vec![found.sum, found.correction, found.gain], 0);
        (self.on_device.clone().map(join), self.weight)
    }

    /// The control with these [`parts`](Self::parts).
    pub fn from_parts(on_device: Option<Tensor<1>>, weight: f64) -> Self {
        let part = |all: &Tensor<1>, i: usize| all.clone().narrow(0, i, 1);
        let on_device = on_device.filter(|all| all.dims()[0] == 3).map(|all| OnDevice {
            sum: part(&all, 0),
            correction: part(&all, 1),
            gain: part(&all, 2),
        });
        Self { on_device, weight }
    }
}
