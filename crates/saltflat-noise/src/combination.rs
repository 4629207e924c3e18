//! Several noises in one step.
//!
//! The gradient of a step is that of the loss on the step's targets, which a noise on the targets draws, plus the sum of the
//! contributions of all other noises; a noise on the parameters displaces them after the update. Every contribution is that of
//! the noise by itself: what depends on targets, residuals, or the loss takes those of the expected loss, never the targets
//! that another noise has drawn. Given the batch and the parameters the contributions are therefore independent and of mean
//! zero, and E‖ξ‖² of their sum ξ is the sum of theirs.

use crate::NoiseConfig;

/// What a noise changes in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActsOn {
    /// Nothing.
    Nothing,
    /// The targets of the loss: they are drawn, or smoothed.
    Targets,
    /// The gradient of the loss in the outputs, ∂ℓ/∂f, to which it is added.
    Outputs,
    /// The gradient in the parameters, to which [`shape`](crate::Noise::shape) is added.
    Gradient,
    /// The parameters, after the update.
    Parameters,
}

impl NoiseConfig {
    /// Why this noise cannot act in the same run as another one; absent if it can. The rule is symmetric.
    ///
    /// * A kind stands once: its draws are keyed by the kind, so two of a kind would draw the same numbers.
    /// * `none` is the absence of noise.
    /// * One noise at most says what the targets, and with them the expected loss, are: a label that is flipped and smoothed
    ///   would be smoothed twice, and targets are either classes or real numbers. An isotropic or diagonal noise like a noise
    ///   on the targets trains on the expected loss of that noise, so it counts as one.
    /// * All others are sums of independent terms.
    pub fn conflict(&self, other: &Self) -> Option<&'static str> {
        if self.name() == other.name() {
            return Some("two noises of one kind would draw the same numbers");
        }
        let [one, two] = [self, other].map(|noise| noise.reference().noise().acts_on());
        match (one, two) {
            (ActsOn::Nothing, _) | (_, ActsOn::Nothing) => Some("none stands for no noise at all"),
            (ActsOn::Targets, ActsOn::Targets) => Some("both of them say what the expected targets of the loss are"),
            (ActsOn::Targets, ActsOn::Outputs | ActsOn::Gradient | ActsOn::Parameters)
            | (
                ActsOn::Outputs | ActsOn::Gradient | ActsOn::Parameters,
                ActsOn::Targets | ActsOn::Outputs | ActsOn::Gradient | ActsOn::Parameters,
            ) => None,
        }
    }

    /// Place among the kinds.
    fn rank(&self) -> usize {
        Self::NAMES.iter().position(|name| *name == self.name()).unwrap_or(Self::NAMES.len())
    }

    /// Puts the noises of a run into the order of their kinds, so that sums over them do not depend on how they were listed.
    pub fn sort_by_kind<T>(all: &mut [T], noise: impl Fn(&T) -> &Self) {
        all.sort_by_key(|one| noise(one).rank());
    }
}

/// The substream that each noise of a run draws from, so that the draws of two noises are independent.
///
/// It is 0, as for a noise by itself, unless the noise shares one of its random streams with a kind that comes before it in
/// [`NoiseConfig::NAMES`]; then it is the place of its own kind there. So the order of a list changes no draw, and neither does
/// a second noise of other streams: of drawn labels, of the outputs, of the gradient, of the parameters there is one each. Of two
/// noises of one stream the later kind draws other numbers than by itself.
pub fn substreams(noises: &[&NoiseConfig]) -> Vec<u32> {
    let shares = |one: &NoiseConfig, other: &NoiseConfig| {
        let streams = other.noise().streams();
        one.noise().streams().iter().any(|stream| streams.contains(stream))
    };
    let of = |noise: &&NoiseConfig| {
        let is_later = noises.iter().any(|other| other.rank() < noise.rank() && shares(noise, other));
        if is_later { noise.rank() as u32 } else { 0 }
    };
    noises.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Diagonal, FlipTo, GeometryAware, Isotropic, IsotropicLossScaled, LabelFlip, LabelNoise, LabelSmoothing,
        Langevin, LogitGaussian, Minibatch, ParameterGaussian, Plain, SgdCovariance, SigmaConvention,
        TargetDistribution,
    };

    fn flips() -> NoiseConfig {
        NoiseConfig::LabelFlip(LabelFlip { probability: 0.1, to: FlipTo::Wrong })
    }

    /// One of each kind, the shaped ones like a noise at the outputs.
    fn all() -> Vec<NoiseConfig> {
        let sgd = NoiseConfig::SgdCovariance(SgdCovariance { batch_size: 5 });
        vec![
            NoiseConfig::Plain(Plain {}),
            flips(),
            NoiseConfig::LabelSmoothing(LabelSmoothing { probability: 0.1, to: FlipTo::Wrong }),
            NoiseConfig::LabelNoise(LabelNoise { sigma: 0.1, distribution: TargetDistribution::Sign }),
            NoiseConfig::LogitGaussian(LogitGaussian { sigma: 0.1, convention: SigmaConvention::Norm }),
            sgd.clone(),
            NoiseConfig::Minibatch(Minibatch { batch_size: 5, sigma: 1.0 }),
            NoiseConfig::GeometryAware(GeometryAware { batch_size: 5 }),
            NoiseConfig::Isotropic(Isotropic { like: Box::new(sgd.clone()) }),
            NoiseConfig::Diagonal(Diagonal { like: Box::new(sgd) }),
            NoiseConfig::IsotropicLossScaled(IsotropicLossScaled { sigma: 0.1 }),
            NoiseConfig::ParameterGaussian(ParameterGaussian { sigma: 0.1 }),
            NoiseConfig::Langevin(Langevin { inverse_temperature: 1e4 }),
        ]
    }

    #[test]
    fn names_are_those_of_configurations() {
        assert_eq!(all().iter().map(NoiseConfig::name).collect::<Vec<_>>(), NoiseConfig::NAMES);
    }

    /// Every pair: refused are one kind twice, `none`, and two noises of the kinds 1 to 3, which act on the targets.
    #[test]
    fn every_pair_of_kinds() {
        for (i, one) in all().iter().enumerate() {
            for (j, other) in all().iter().enumerate() {
                let expected = i == j || i == 0 || j == 0 || (1..4).contains(&i) && (1..4).contains(&j);
                assert_eq!(one.conflict(other).is_some(), expected, "{} and {}", one.name(), other.name());
            }
        }
        // Like flips: on the smoothed loss, which the noise beside it must not smooth again.
        let like = NoiseConfig::Isotropic(Isotropic { like: Box::new(flips()) });
        let refused: Vec<_> =
            all().iter().filter(|other| like.conflict(other).is_some()).map(NoiseConfig::name).collect();
        assert_eq!(refused, ["none", "label-flip", "label-smoothing", "label-noise", "isotropic"]);
    }

    /// Whatever the order: a noise keeps the draws that it has by itself unless an earlier kind has one of its streams, and no
    /// two noises draw from one sequence.
    #[test]
    fn substreams_are_independent() {
        let all = all();
        for one in &all {
            assert_eq!(substreams(&[one]), [0]);
            for other in all.iter().filter(|other| one.conflict(other).is_none()) {
                let [a, b] = substreams(&[one, other])[..] else { panic!("two") };
                assert_eq!(substreams(&[other, one]), [b, a]);
                let shared = one.noise().streams().iter().any(|stream| other.noise().streams().contains(stream));
                let expected = if shared { one.rank().max(other.rank()) as u32 } else { 0 };
                assert_eq!((a.min(b), a.max(b)), (0, expected), "{} and {}", one.name(), other.name());
            }
        }
        // Flips, outputs, gradient, parameters: as by themselves.
        assert_eq!(substreams(&[&all[11], &all[1], &all[10], &all[4]]), [0; 4]);
        // Three of one stream.
        assert_eq!(substreams(&[&all[7], &all[4], &all[5]]), [7, 0, 5]);
    }
}
