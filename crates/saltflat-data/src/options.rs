//! Options that change a split on the host: which classes, how many samples, which targets.

use saltflat_random::{Key, Stream};

use crate::error::DataError;
use crate::examples::{Examples, Inputs, Labels};

/// Keeps the samples of `kept` classes and relabels them 0, 1, … in the order given.
pub(crate) fn keep_classes(examples: &Examples, kept: &[u32]) -> Result<Examples, DataError> {
    let wrong = |reason: String| Err(DataError::Option { key: "data.classes", reason });
    let Labels::Classes { labels, classes } = &examples.labels else {
        return wrong("expected a dataset of classes, found one with real targets".into());
    };
    if kept.is_empty() {
        return wrong("expected at least one class, found none".into());
    }
    let mut position = vec![None; *classes];
    for (new, &class) in kept.iter().enumerate() {
        match position.get_mut(class as usize) {
            None => return wrong(format!("expected classes 0 to {}, found {class}", classes - 1)),
            Some(Some(_)) => return wrong(format!("class {class} is given twice")),
            Some(slot) => *slot = Some(new as u32),
        }
    }
    let found = |(i, &label): (usize, &u32)| position[label as usize].map(|new| (i, new));
    let (indices, relabelled): (Vec<usize>, Vec<u32>) = labels.iter().enumerate().filter_map(found).unzip();
    if indices.is_empty() {
        return wrong(format!("no sample of a split is of the classes {kept:?}"));
    }
    let labels = Labels::Classes { labels: relabelled, classes: kept.len() };
    Ok(Examples { labels, ..examples.select(&indices) })
}

/// Keeps the first `limit` samples.
pub(crate) fn limit(examples: &mut Examples, limit: usize, key: &'static str) -> Result<(), DataError> {
    let n = examples.len();
    if limit == 0 || limit > n {
        let reason = format!("expected 1 to {n}, the number of samples there are; found {limit}");
        return Err(DataError::Option { key, reason });
    }
    examples.truncate(limit);
    Ok(())
}

/// Keeps `limit` random samples, without replacement, in random order.
pub(crate) fn random_sample(examples: &mut Examples, n: usize, seed: u64) -> Result<(), DataError> {
    let order: Vec<usize> =
        Key::new(seed, Stream::DataSample, 0).permutation(examples.len()).into_iter().map(|i| i as usize).collect();
    *examples = examples.select(&order);
    limit(examples, n, "data.limit")
}

/// Real targets from ten classes: 0 for the classes 0–4, 1 for 5–9.
pub(crate) fn binary(examples: &mut Examples) -> Result<(), DataError> {
    let found = match &examples.labels {
        Labels::Classes { labels, classes: 10 } => {
            let values = labels.iter().map(|&label| if label < 5 { 0.0 } else { 1.0 }).collect();
            examples.labels = Labels::Real { values, outputs: 1 };
            return Ok(());
        }
        Labels::Classes { classes, .. } => format!("{classes} classes"),
        Labels::Real { .. } => "real targets".into(),
    };
    Err(DataError::Option { key: "data.binary", reason: format!("expected a dataset of ten classes, found {found}") })
}

/// Crops and flips need images.
pub(crate) fn check_augment(examples: &Examples) -> Result<(), DataError> {
    match (examples.shape, &examples.inputs) {
        ([channels, 1, 1], Inputs::Floats(_) | Inputs::Bytes(_)) => Err(DataError::Option {
            key: "data.augment",
            reason: format!("expected images, found vectors of {channels} numbers"),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits() -> Examples {
        let labels = Labels::Classes { labels: vec![3, 7, 3, 0, 9, 4, 5], classes: 10 };
        Examples::new([2, 1, 1], Inputs::Bytes((0..14).collect()), labels).unwrap()
    }

    fn message<T: std::fmt::Debug>(result: Result<T, DataError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn kept_classes_are_relabelled_in_the_order_given() {
        let kept = keep_classes(&digits(), &[7, 3]).unwrap();
        assert_eq!(kept.labels, Labels::Classes { labels: vec![1, 0, 1], classes: 2 });
        assert_eq!(kept.inputs, Inputs::Bytes(vec![0, 1, 2, 3, 4, 5]));
    }

    #[test]
    fn classes_that_do_not_fit_are_refused() {
        let error = |kept: &[u32]| message(keep_classes(&digits(), kept));
        assert_eq!(error(&[]), "data.classes: expected at least one class, found none");
        assert_eq!(error(&[1, 10]), "data.classes: expected classes 0 to 9, found 10");
        assert_eq!(error(&[3, 0, 3]), "data.classes: class 3 is given twice");
        assert_eq!(error(&[1, 2]), "data.classes: no sample of a split is of the classes [1, 2]");
        let mut real = digits();
        binary(&mut real).unwrap();
        let expected = "data.classes: expected a dataset of classes, found one with real targets";
        assert_eq!(message(keep_classes(&real, &[0])), expected);
    }

    #[test]
    fn limits_count_from_the_start() {
        let mut examples = digits();
        limit(&mut examples, 2, "data.limit").unwrap();
        assert_eq!(examples.labels, Labels::Classes { labels: vec![3, 7], classes: 10 });
        assert_eq!(examples.inputs, Inputs::Bytes(vec![0, 1, 2, 3]));
        let expected = "data.limit: expected 1 to 2, the number of samples there are; found";
        assert_eq!(message(limit(&mut examples, 3, "data.limit")), format!("{expected} 3"));
        assert_eq!(message(limit(&mut examples, 0, "data.limit")), format!("{expected} 0"));
        limit(&mut examples, 2, "data.limit").unwrap();
    }

    /// Every sample once with its own label, others for another seed, and a small sample starts the larger one.
    #[test]
    fn random_samples_are_without_replacement() {
        let n = 300;
        let all = Examples::new(
            [1, 1, 1],
            Inputs::Floats((0..n).map(|i| i as f32).collect()),
            Labels::Real { values: (0..n).map(|i| -(i as f32)).collect(), outputs: 1 },
        )
        .unwrap();
        let kept = |limit: usize, seed: u64| {
            let mut examples = all.clone();
            random_sample(&mut examples, limit, seed).unwrap();
            let (Inputs::Floats(x), Labels::Real { values, .. }) = (&examples.inputs, &examples.labels) else {
                panic!()
            };
            assert!(x.iter().zip(values).all(|(x, y)| x + y == 0.0));
            x.clone()
        };
        let mut whole = kept(n, 1);
        assert_eq!(kept(20, 1), whole[..20]);
        assert_ne!(kept(20, 2), whole[..20]);
        assert_ne!(whole, (0..n).map(|i| i as f32).collect::<Vec<_>>());
        whole.sort_by(f32::total_cmp);
        assert_eq!(whole, (0..n).map(|i| i as f32).collect::<Vec<_>>());
        let expected = "data.limit: expected 1 to 300, the number of samples there are; found 301";
        assert_eq!(message(random_sample(&mut all.clone(), 301, 1)), expected);
    }

    #[test]
    fn binary_targets_split_between_four_and_five() {
        let mut examples = digits();
        binary(&mut examples).unwrap();
        let values = vec![0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0];
        assert_eq!(examples.labels, Labels::Real { values, outputs: 1 });
        let error = message(binary(&mut examples));
        assert_eq!(error, "data.binary: expected a dataset of ten classes, found real targets");
        let mut two = keep_classes(&digits(), &[7, 3]).unwrap();
        assert_eq!(message(binary(&mut two)), "data.binary: expected a dataset of ten classes, found 2 classes");
    }

    #[test]
    fn vectors_are_not_augmented() {
        let error = message(check_augment(&digits()));
        assert_eq!(error, "data.augment: expected images, found vectors of 2 numbers");
    }
}
