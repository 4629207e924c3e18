#![doc = include_str!("../README.md")]

mod combination;
mod keys;
mod kinds;
mod noise;
mod output_noise;
mod step_context;
mod strength;
mod targets;

pub use combination::{conflict, sort_by_kind, substreams};
pub use keys::{NoiseKeys, NoiseKind, NoiseReader, NoiseSection, Strength, example};
pub use kinds::*;
pub use noise::{ActsOn, AnyNoise, Noise, NoiseProperties, SuitableTargets};
pub use output_noise::{OutputForm, OutputNoise};
pub use step_context::StepContext;
pub use strength::StrengthControl;
pub use targets::Targets;
