//! Noise of a given strength.

use burn::tensor::{DType, Device, Tensor, TensorData, TensorReadError};
use serde::{Deserialize, Serialize};

/// The means reach back over about 1/this many measurements.
const RATE: f64 = 1.0 / 50.0;
/// The correction is at most this factor, either way.
const CORRECTION: f64 = 10.0;
/// Largest c². Where the noise all but vanishes (a global minimum has no minibatch noise) no factor makes it strong: there
/// it stays weaker than asked for.
const LARGEST: f64 = 1e12;

/// The factor c that gives a noise ξ the strength E‖cξ‖² = s: c² = s g/m with the exponential mean m of the measured ‖ξ‖²
/// over about 50 measurements. m lags where ‖ξ‖² falls or grows, and a mean of few draws that vary much is biased; so g, 1 at
/// first, is multiplied at each measurement by exp((1 − ‖cξ‖²/s)/50), which drives the mean of what was achieved to s. c is
/// at most 10⁶, and 0 where the noise is 0.
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

/// A [`StrengthControl`] in numbers, for a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StrengthState {
    /// Σ 0.98^age ‖ξ‖².
    pub sum: f64,
    /// Σ 0.98^age.
    pub weight: f64,
    /// g, for the next measurement.
    pub correction: f64,
    /// c²/s, until then.
    pub gain: f64,
}

impl StrengthControl {
    /// Adds a measurement of ‖ξ‖², one element.
    pub fn record(&mut self, squared: Tensor<1>) {
        let (sum, correction) = match self.on_device.take() {
            None => (squared.clone(), squared.ones_like()),
            Some(old) => (old.sum.mul_scalar(1.0 - RATE) + squared.clone(), old.correction),
        };
        self.weight = self.weight * (1.0 - RATE) + 1.0;
        // 0/0 where the noise is 0: then any factor will do, and 0 keeps it at 0.
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

    /// In numbers; reads three from the device.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn state(&self) -> Result<StrengthState, TensorReadError> {
        let Some(OnDevice { sum, correction, gain }) = self.on_device.clone() else {
            return Ok(StrengthState::default());
        };
        let read = Tensor::cat(vec![sum, correction, gain], 0).try_into_vec_as::<f64>()?;
        Ok(StrengthState { sum: read[0], weight: self.weight, correction: read[1], gain: read[2] })
    }

    /// From numbers, as it was.
    pub fn from_state(state: StrengthState, device: &Device, dtype: DType) -> Self {
        let tensor = |x| Tensor::from_data(TensorData::new(vec![x], [1]), (device, dtype));
        let on_device =
            || OnDevice { sum: tensor(state.sum), correction: tensor(state.correction), gain: tensor(state.gain) };
        Self { on_device: (state.weight > 0.0).then(on_device), weight: state.weight }
    }
}
