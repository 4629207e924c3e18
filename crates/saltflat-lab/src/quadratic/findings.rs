//! What the paper says of each noise, and what was seen.

use super::{
    noise::{Noise, Shape},
    settings::Quadratic,
};
use crate::{
    Finding, Outcome, Trial,
    lab::{last_values, outcomes},
    statistics::{Mean, range_in_words, short},
};

/// A test error below this counts as having found v⋆ (a random point of the same norm has about 5).
const FOUND: f64 = 0.5;
/// A training error below this counts as fitted.
const FITTED: f64 = 1e-20;

pub(super) fn all(lab: &Quadratic, done: &[(Trial, Outcome)]) -> Vec<Finding> {
    let series = lab.series();
    let descent = series.iter().find(|(_, noise)| *noise == Noise::FullBatch);
    let descent = descent.map_or(Vec::new(), |(label, _)| outcomes(done, "noise", label));
    let descent: Vec<Option<f64>> = descent.iter().map(|outcome| outcome.last("test_error")).collect();
    series.iter().map(|(label, noise)| one(lab, label, *noise, &outcomes(done, "noise", label), &descent)).collect()
}

/// `descent`: test errors of gradient descent on the same data.
fn one(lab: &Quadratic, label: &str, noise: Noise, outcomes: &[&Outcome], descent: &[Option<f64>]) -> Finding {
    let last = |name: &str| last_values(outcomes.iter().copied(), name);
    let (train, test) = (last("train_error"), last("test_error"));
    let diverged = outcomes.len() - test.len();
    let claim = match noise {
        Noise::FullBatch => "gradient descent fits the data and is far from v⋆",
        Noise::Minibatch(Shape::Own) | Noise::Sgd => "minibatch noise generalises better than gradient descent",
        Noise::LabelNoise(Shape::Own) | Noise::LabelNoiseSgd => "label noise leads to v⋆",
        Noise::Gaussian(_) | Noise::Langevin(_) => "Gaussian noise does not lead to v⋆, and v grows",
        // Section 3.1 says it of random walks.
        Noise::LabelNoise(Shape::Isotropic) => {
            "of the same strength but equal in all directions, label noise loses its bias"
        }
        Noise::Minibatch(_) | Noise::LabelNoise(_) => "as strong in another shape (the paper shows none)",
    };
    let mut found = format!("{label}: ");
    if let (Some(mean), Some(range)) = (Mean::of(&test), range_in_words(&test)) {
        let train = train.iter().fold(0.0, |a: f64, b| a.max(*b));
        found += &format!("test error {mean} ({range}), training error at most {}", short(train));
    }
    if diverged > 0 {
        let all = outcomes.len();
        found += &format!("{}{diverged} of {all} diverged", if test.is_empty() { "" } else { "; " });
    }
    let near = diverged == 0 && !test.is_empty() && test.iter().all(|e| *e < FOUND);
    let holds = match noise {
        Noise::FullBatch => Some(diverged == 0 && train.iter().all(|e| *e < FITTED) && test.iter().all(|e| *e > FOUND)),
        Noise::LabelNoise(Shape::Own) | Noise::LabelNoiseSgd => Some(near),
        Noise::Minibatch(Shape::Own) | Noise::Sgd => {
            let close = test.iter().filter(|e| **e < FOUND).count();
            found += &format!("; below {FOUND} for {close} of {} seeds", outcomes.len());
            let pairs =
                outcomes.iter().zip(descent).filter_map(|(outcome, e)| Some((outcome.last("test_error")?, (*e)?)));
            let pairs: Vec<(f64, f64)> = pairs.collect();
            (!pairs.is_empty()).then(|| diverged == 0 && pairs.iter().all(|(own, descent)| own < descent))
        }
        Noise::Gaussian(sigma) => {
            let growth: Vec<f64> = outcomes.iter().filter_map(|outcome| growth(outcome)).collect();
            if let Some(growth) = Mean::of(&growth) {
                found += &format!("; |v|² changes by {growth} over the second half");
            }
            let grows = Mean::of(&growth).is_some_and(|g| g.mean > 0.0);
            (sigma > 0.0).then_some(diverged > 0 || grows && test.iter().all(|e| *e > FOUND))
        }
        Noise::LabelNoise(Shape::Isotropic) | Noise::Langevin(_) => {
            Some(diverged > 0 || test.iter().all(|e| *e > FOUND))
        }
        Noise::Minibatch(_) | Noise::LabelNoise(_) => None,
    };
    let whole = outcomes.len() as u64 == lab.seeds;
    Finding { claim: claim.into(), found, holds: holds.filter(|_| whole) }
}

/// ‖v‖² at the end minus that in the middle.
fn growth(outcome: &Outcome) -> Option<f64> {
    let square = |i: usize| outcome.rows.get(i).and_then(|row| row.values.get("norm")).map(|norm| norm * norm);
    Some(square(outcome.rows.len().checked_sub(1)?)? - square(outcome.rows.len() / 2)?)
}
