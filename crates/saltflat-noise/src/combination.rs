//! Several noises in one step.
//!
//! The gradient of a step is that of the loss on the step's targets, which a noise on the targets draws, plus the sum of the
//! contributions of all other noises; a noise on the parameters displaces them after the update. Every contribution is that of
//! the noise by itself: what depends on targets, residuals, or the loss takes those of the expected loss, never the targets
//! that another noise has drawn. Given the batch and the parameters the contributions are therefore independent and of mean
//! zero, and E‖ξ‖² of their sum ξ is the sum of theirs.

use crate::{
    kinds::NOISES,
    noise::{ActsOn, AnyNoise},
};

/// Why two noises cannot act in the same run; absent if they can. The rule is symmetric.
///
/// * A kind stands once: its draws are keyed by the kind, so two of a kind would draw the same numbers.
/// * `none` is the absence of noise.
/// * One noise at most says what the targets, and with them the expected loss, are: a label that is flipped and smoothed
///   would be smoothed twice, and targets are either classes or real numbers. An isotropic or diagonal noise like a noise
///   on the targets trains on the expected loss of that noise, so it counts as one.
/// * All others are sums of independent terms.
pub fn conflict(one: &AnyNoise, other: &AnyNoise) -> Option<&'static str> {
    if one.name() == other.name() {
        return Some("two noises of one kind would draw the same numbers");
    }
    match [one, other].map(|noise| noise.reference_or_self().properties().acts_on) {
        [ActsOn::Nothing, _] | [_, ActsOn::Nothing] => Some("none stands for no noise at all"),
        [ActsOn::Targets, ActsOn::Targets] => Some("both of them say what the expected targets of the loss are"),
        [ActsOn::Targets, ActsOn::Outputs | ActsOn::Gradient | ActsOn::Parameters]
        | [
            ActsOn::Outputs | ActsOn::Gradient | ActsOn::Parameters,
            ActsOn::Targets | ActsOn::Outputs | ActsOn::Gradient | ActsOn::Parameters,
        ] => None,
    }
}

/// Place among the kinds; a kind that is not in the list comes after them, by its name.
fn rank(noise: &AnyNoise) -> (usize, &'static str) {
    let name = noise.name();
    (NOISES.iter().position(|kind| kind.name == name).unwrap_or(NOISES.len()), name)
}

/// Puts the noises of a run into the order of their kinds, so that sums over them do not depend on how they were listed.
pub fn sort_by_kind<T>(all: &mut [T], noise: impl Fn(&T) -> &AnyNoise) {
    all.sort_by_key(|one| rank(noise(one)));
}

/// The substream that each noise of a run draws from, so that the draws of two noises are independent.
///
/// It is 0, as for a noise by itself, unless the noise shares one of its random streams with a kind that comes before it in
/// [`NOISES`]; then it is the place of its own kind there. So the order of a list changes no draw, and neither does
/// a second noise of other streams: of drawn labels, of the outputs, of the gradient, of the parameters there is one each. Of two
/// noises of one stream the later kind draws other numbers than by itself. Kinds that are not in the list come after those that are, in
/// the order of their names.
pub fn substreams(noises: &[&AnyNoise]) -> Vec<u32> {
    let shares = |one: &AnyNoise, other: &AnyNoise| {
        let streams = other.properties().streams;
        one.properties().streams.iter().any(|stream| streams.contains(stream))
    };
    let of = |noise: &&AnyNoise| {
        let (place, name) = rank(noise);
        let is_later = noises.iter().any(|other| rank(other) < (place, name) && shares(noise, other));
        let unlisted_before =
            noises.iter().filter(|other| (NOISES.len(), "") < rank(other) && rank(other) < (place, name));
        if is_later { (place + unlisted_before.count()) as u32 } else { 0 }
    };
    noises.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keys::example,
        kinds::{Diagonal, FlipTo, Isotropic, LabelFlip},
    };

    /// One of each kind, the isotropic and the diagonal one like a noise at the outputs.
    fn all() -> Vec<AnyNoise> {
        let mut all: Vec<_> =
            NOISES.iter().map(|kind| example(kind, NOISES).expect("an example can be read")).collect();
        all[9] = Diagonal { like: all[6].clone() }.into();
        all
    }

    /// Also in the order in which runs have always added them up and drawn their numbers.
    #[test]
    fn names_are_those_of_configurations() {
        let names = [
            "none",
            "label-flip",
            "label-smoothing",
            "label-noise",
            "logit-gaussian",
            "sgd-covariance",
            "minibatch",
            "geometry-aware",
            "isotropic",
            "diagonal",
            "isotropic-loss-scaled",
            "parameter-gaussian",
            "langevin",
        ];
        assert_eq!(all().iter().map(AnyNoise::name).collect::<Vec<_>>(), names);
        assert_eq!(NOISES.iter().map(|kind| kind.name).collect::<Vec<_>>(), names);
    }

    /// Every pair: refused are one kind twice, `none`, and two noises of the kinds 1 to 3, which act on the targets.
    #[test]
    fn every_pair_of_kinds() {
        for (i, one) in all().iter().enumerate() {
            for (j, other) in all().iter().enumerate() {
                let expected = i == j || i == 0 || j == 0 || (1..4).contains(&i) && (1..4).contains(&j);
                assert_eq!(conflict(one, other).is_some(), expected, "{} and {}", one.name(), other.name());
            }
        }
        // Like flips: on the smoothed loss, which the noise beside it must not smooth again.
        let flips = LabelFlip { probability: 0.1, to: FlipTo::Wrong }.into();
        let like = Isotropic { like: flips }.into();
        let refused: Vec<_> =
            all().iter().filter(|other| conflict(&like, other).is_some()).map(AnyNoise::name).collect();
        assert_eq!(refused, ["none", "label-flip", "label-smoothing", "label-noise", "isotropic"]);
    }

    /// Whatever the order: a noise keeps the draws that it has by itself unless an earlier kind has one of its streams, and no
    /// two noises draw from one sequence.
    #[test]
    fn substreams_are_independent() {
        let all = all();
        for one in &all {
            assert_eq!(substreams(&[one]), [0]);
            for other in all.iter().filter(|other| conflict(one, other).is_none()) {
                let [a, b] = substreams(&[one, other])[..] else { panic!("two") };
                assert_eq!(substreams(&[other, one]), [b, a]);
                let shared = one.properties().streams.iter().any(|stream| other.properties().streams.contains(stream));
                let expected = if shared { rank(one).0.max(rank(other).0) as u32 } else { 0 };
                assert_eq!((a.min(b), a.max(b)), (0, expected), "{} and {}", one.name(), other.name());
            }
        }
        // Flips, outputs, gradient, parameters: as by themselves.
        assert_eq!(substreams(&[&all[11], &all[1], &all[10], &all[4]]), [0; 4]);
        // Three of one stream.
        assert_eq!(substreams(&[&all[7], &all[4], &all[5]]), [7, 0, 5]);
    }
}
