//! One training step: its samples, its noise, and the gradient of both.

mod batch;
mod gradient;
mod noise;
mod run_noise;
mod scheduled_noise;

pub(crate) use batch::StepBatch;
pub(crate) use gradient::BatchGradient;
pub(crate) use noise::StepNoise;
pub(crate) use run_noise::RunNoise;
pub(crate) use scheduled_noise::ScheduledNoises;
