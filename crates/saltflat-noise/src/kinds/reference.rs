//! What noises have in common that take their strength from another, their reference.

use super::none::NoNoise;
use crate::{keys::NoiseSection, noise::AnyNoise};

/// Reads `like`, the reference of an isotropic or diagonal noise: the table of a noise, without `strength` and `schedule`.
pub(super) fn read_reference(section: &mut NoiseSection<'_>) -> AnyNoise {
    let (given, kinds) = (section.has("like"), section.kinds);
    let mut like = section.section("like");
    let kind = if given {
        let references: Vec<_> = kinds.iter().filter(|kind| kind.read.is_reference).copied().collect();
        like.kind(&references).copied()
    } else {
        section.problem("like", "is missing; expected a noise, such as { kind = \"sgd-covariance\", batch_size = 32 }");
        None
    };
    let Some(kind) = kind else { return NoNoise {}.into() };
    let noise = kind.read.read(&mut like, false, kinds);
    like.finish(&format!("noise.like of kind {}", kind.name));
    noise
}

/// The methods that an isotropic or diagonal noise takes from its reference, the field `like`.
macro_rules! methods_of_reference {
    () => {
        fn properties(&self) -> NoiseProperties {
            let drawn = self.like.properties();
            let streams = [drawn.streams, vec![Stream::GradientNoise]].concat();
            NoiseProperties { name: Self::NAME, acts_on: ActsOn::Gradient, streams, ..drawn }
        }

        fn reference(&self) -> Option<&AnyNoise> {
            Some(&self.like)
        }

        fn draw_targets(&self, context: StepContext, targets: &mut Targets) {
            self.like.draw_targets(context, targets);
        }

        fn smoothing(&self, outputs: usize, factor: f64) -> f64 {
            self.like.smoothing(outputs, factor)
        }

        fn draw_output_noise(&self, context: StepContext, batch: usize, outputs: usize) -> Option<OutputNoise> {
            self.like.draw_output_noise(context, batch, outputs)
        }

        fn scales_with_loss(&self) -> bool {
            self.like.scales_with_loss()
        }
    };
}

pub(super) use methods_of_reference;
