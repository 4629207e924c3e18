//! What a person should know of loaded data before training on them.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt::Display,
    hash::Hash,
};

use crate::examples::{Examples, Inputs, Labels, Splits};

/// Classes, channels or numbers that a sentence names before it counts the rest.
const NAMED: usize = 10;

impl Splits {
    /// A sentence about everything in the data that is probably a mistake: classes without a sample, inputs or targets that are all the same,
    /// samples that stand twice in the training split or in both splits. Costs one hash of each sample.
    pub fn warnings(&self) -> Vec<String> {
        let mut found = Vec::new();
        found.extend(classes_without_samples(self));
        found.extend(equal_targets(&self.train));
        found.extend(constant_channels(&self.train));
        found.extend(repeated_inputs(self));
        found
    }
}

/// Classes of which there is no training sample. The most frequent cause is that labels start at 1.
fn classes_without_samples(splits: &Splits) -> Option<String> {
    let Labels::Classes { labels, classes } = &splits.train.labels else { return None };
    let mut counts = vec![0_usize; *classes];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    let empty: Vec<usize> = (0..*classes).filter(|&class| counts[class] == 0).collect();
    let tested = match splits.test.as_ref().map(|test| &test.labels) {
        Some(Labels::Classes { labels, .. }) => labels.iter().filter(|&&label| counts[label as usize] == 0).count(),
        Some(Labels::Real { .. }) | None => 0,
    };
    match empty.as_slice() {
        [] => None,
        [0] if tested == 0 => Some(format!(
            "no sample is of class 0: the labels start at 1, but classes are counted from 0, so that the network has an output which no \
             label stands for; subtract 1 from the labels for {} classes",
            classes - 1
        )),
        _ => {
            let noun = if empty.len() == 1 { "class" } else { "classes" };
            let tested = if tested == 0 { String::new() } else { format!("; {tested} test samples are") };
            Some(format!("no training sample is of {noun} {} (there are {classes}){tested}", listing(&empty)))
        }
    }
}

/// Targets that leave nothing to learn.
fn equal_targets(train: &Examples) -> Option<String> {
    match &train.labels {
        Labels::Classes { labels, .. } => {
            let first = labels.first()?;
            let equal = labels.len() > 1 && labels.iter().all(|label| label == first);
            equal.then(|| format!("all training samples are of class {first}"))
        }
        Labels::Real { values, outputs } => {
            let first = values.get(..*outputs)?;
            let equal = values.len() > *outputs && values.chunks_exact(*outputs).all(|target| target == first);
            equal.then(|| format!("all training samples have the same target: {}", listing(first)))
        }
    }
}

/// Channels that hold one number at every position of every training sample, if there is more than one sample.
fn constant_channels(train: &Examples) -> Option<String> {
    fn of<T: PartialEq + Copy>(inputs: &[T], [channels, height, width]: [usize; 3]) -> Vec<usize> {
        let area = height * width;
        let constant = |&channel: &usize| {
            let first = inputs[channel * area];
            let mut planes = inputs.chunks_exact(channels * area).map(|image| &image[channel * area..][..area]);
            planes.all(|plane| plane.iter().all(|&x| x == first))
        };
        (0..channels).filter(constant).collect()
    }
    if train.len() < 2 {
        return None;
    }
    let constant = match &train.inputs {
        Inputs::Bytes(bytes) => of(bytes, train.shape),
        Inputs::Floats(floats) => of(floats, train.shape),
    };
    let channels = train.shape[0];
    match constant.len() {
        0 => None,
        1 if channels == 1 => Some("all inputs of the training samples are one and the same number".into()),
        n if n == channels => Some("each channel of the training samples' inputs is one and the same number".into()),
        n => Some(format!(
            "{n} of the {channels} input channels hold one and the same number in all training samples: {}",
            listing(&constant)
        )),
    }
}

/// Samples whose inputs are equal in every bit.
fn repeated_inputs(splits: &Splits) -> Vec<String> {
    fn bits(floats: &[f32]) -> Vec<u32> {
        floats.iter().map(|x| x.to_bits()).collect()
    }
    match (&splits.train.inputs, splits.test.as_ref().map(|test| &test.inputs)) {
        (Inputs::Bytes(train), Some(Inputs::Bytes(test))) => repeated(splits, train, test),
        (Inputs::Floats(train), Some(Inputs::Floats(test))) => repeated(splits, &bits(train), &bits(test)),
        (Inputs::Bytes(train), Some(Inputs::Floats(_)) | None) => repeated(splits, train, &[]),
        (Inputs::Floats(train), Some(Inputs::Bytes(_)) | None) => repeated(splits, &bits(train), &[]),
    }
}

fn repeated<T: Hash + Eq>(splits: &Splits, train: &[T], test: &[T]) -> Vec<String> {
    let (n, width) = (splits.train.len(), splits.train.width());
    let mut first: HashMap<&[T], usize> = HashMap::with_capacity(n);
    let (mut again, mut contradicting) = (0, 0);
    for (i, sample) in train.chunks_exact(width).enumerate() {
        match first.entry(sample) {
            Entry::Vacant(place) => drop(place.insert(i)),
            Entry::Occupied(place) => {
                again += 1;
                contradicting += usize::from(!splits.train.labels.are_equal(*place.get(), i));
            }
        }
    }
    let mut found = Vec::new();
    if again > 0 {
        let targets =
            if contradicting == 0 { String::new() } else { format!(", {contradicting} of them with another target") };
        found.push(format!("{again} of {n} training samples have the same inputs as an earlier one{targets}"));
    }
    let shared = test.chunks_exact(width).filter(|sample| first.contains_key(sample)).count();
    if shared > 0 {
        let of = test.len() / width;
        found.push(format!("{shared} of {of} test samples have the same inputs as a training sample"));
    }
    found
}

fn listing<T: Display>(all: &[T]) -> String {
    let names: Vec<String> = all.iter().take(NAMED).map(ToString::to_string).collect();
    match all.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(labels: &[u32], classes: usize) -> Labels {
        Labels::Classes { labels: labels.to_vec(), classes }
    }

    /// Splits of vectors of two numbers, all of them different unless they are given.
    fn splits(train: Labels, test: Option<Labels>) -> Splits {
        let split = |labels: Labels, from: usize| {
            let inputs = (0..2 * labels.len()).map(|i| (from + i) as f32).collect();
            Examples::new([2, 1, 1], Inputs::Floats(inputs), labels).unwrap()
        };
        let n = 2 * train.len();
        Splits {
            train: split(train, 0),
            test: test.map(|test| split(test, n)),
            standardise: None,
            source: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn images(inputs: &[[u8; 4]], labels: &[u32], shape: [usize; 3]) -> Examples {
        Examples::new(shape, Inputs::Bytes(inputs.concat()), classes(labels, 2)).unwrap()
    }

    #[test]
    fn good_data_need_no_words() {
        assert!(splits(classes(&[0, 1, 2], 3), Some(classes(&[2], 3))).warnings().is_empty());
        assert!(splits(Labels::Real { values: vec![0.5, 1.0, 0.5, 2.0], outputs: 2 }, None).warnings().is_empty());
        assert!(splits(classes(&[0], 1), None).warnings().is_empty(), "of one sample nothing is said");
    }

    #[test]
    fn labels_that_start_at_one() {
        let said = splits(classes(&[1, 2, 3, 1], 4), Some(classes(&[3, 1], 4))).warnings();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("no sample is of class 0: the labels start at 1"), "{said:?}");
        assert!(said[0].ends_with("subtract 1 from the labels for 3 classes"), "{said:?}");
        // Class 0 is in use.
        let said = splits(classes(&[1, 2], 3), Some(classes(&[0, 0, 1], 3))).warnings();
        assert_eq!(said, ["no training sample is of class 0 (there are 3); 2 test samples are"]);
    }

    #[test]
    fn classes_without_a_sample() {
        let said = |labels: &[u32], n| splits(classes(labels, n), None).warnings();
        assert_eq!(said(&[0, 2, 0], 3), ["no training sample is of class 1 (there are 3)"]);
        assert_eq!(
            said(&[0, 14], 15),
            ["no training sample is of classes 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 3 more (there are 15)"]
        );
        assert_eq!(said(&[0, 0], 1), ["all training samples are of class 0"]);
    }

    #[test]
    fn targets_that_are_all_the_same() {
        let said = |values: &[f32]| splits(Labels::Real { values: values.to_vec(), outputs: 2 }, None).warnings();
        assert_eq!(said(&[0.5, 1.0, 0.5, 1.0]), ["all training samples have the same target: 0.5, 1"]);
    }

    /// Sample 2 repeats sample 0 under another label and sample 3 under the same one; two test images stand among the training images.
    #[test]
    fn samples_that_stand_twice() {
        let [a, b, c] = [[1, 2, 3, 4], [1, 2, 3, 5], [9, 9, 9, 8]];
        let train = images(&[a, b, a, a], &[0, 1, 1, 0], [1, 2, 2]);
        let test = Some(images(&[c, b, a], &[0, 1, 0], [1, 2, 2]));
        let said = Splits { train, test, standardise: None, source: Vec::new(), notes: Vec::new() }.warnings();
        let expected = [
            "2 of 4 training samples have the same inputs as an earlier one, 1 of them with another target",
            "2 of 3 test samples have the same inputs as a training sample",
        ];
        assert_eq!(said, expected);
        let mut floats = splits(classes(&[0, 1], 2), Some(classes(&[0], 2)));
        floats.test.as_mut().unwrap().inputs = Inputs::Floats(vec![2.0, 3.0]);
        assert_eq!(floats.warnings(), ["1 of 1 test samples have the same inputs as a training sample"]);
    }

    #[test]
    fn inputs_that_are_constant() {
        let said = |inputs: &[[u8; 4]], shape| {
            let train = images(inputs, &[0, 1], shape);
            Splits { train, test: None, standardise: None, source: Vec::new(), notes: Vec::new() }.warnings()
        };
        let one = said(&[[7; 4], [7; 4]], [1, 2, 2]);
        assert_eq!(one[0], "all inputs of the training samples are one and the same number");
        let both = said(&[[7, 7, 9, 9], [7, 7, 9, 9]], [2, 1, 2]);
        assert_eq!(both[0], "each channel of the training samples' inputs is one and the same number");
        let second = said(&[[7, 7, 9, 9], [7, 8, 9, 9]], [2, 1, 2]);
        assert_eq!(second, ["1 of the 2 input channels hold one and the same number in all training samples: 1"]);
        // The same image every time is not constant, but it is the same image.
        let same = said(&[[1, 2, 3, 4], [1, 2, 3, 4]], [1, 2, 2]);
        assert_eq!(
            same,
            ["1 of 2 training samples have the same inputs as an earlier one, 1 of them with another target"]
        );
    }
}
