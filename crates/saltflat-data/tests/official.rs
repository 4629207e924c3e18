//! The official files of MNIST and CIFAR-10, where a machine has them: set `SALTFLAT_DATA`. Otherwise nothing is checked.

use saltflat_data::{CIFAR10, DataConfig, DataError, Dataset, Inputs, Labels, MNIST, load};

/// Sizes, balance, and the mean of the pixels, which the published constants state to four digits.
#[test]
fn official_files_verify() {
    if std::env::var_os("SALTFLAT_DATA").is_none() {
        eprintln!("skipped: SALTFLAT_DATA is not set");
        return;
    }
    let official: [(&'static Dataset, _, _); 2] = [(&MNIST, [1, 28, 28], 60_000), (&CIFAR10, [3, 32, 32], 50_000)];
    for (dataset, shape, train) in official {
        let kind = dataset.name;
        let splits = match load(&DataConfig::new(dataset)) {
            Err(DataError::Missing { file, .. }) => {
                eprintln!("skipped: {kind}: no {file}");
                continue;
            }
            loaded => loaded.expect("official files"),
        };
        let test = splits.test.expect("a test split");
        assert_eq!((splits.train.len(), test.len()), (train, 10_000));
        assert_eq!((splits.train.shape(), test.shape()), (shape, shape));
        let Labels::Classes { labels, classes: 10 } = test.labels() else { panic!("ten classes") };
        assert!((0..10).all(|class| labels.contains(&class)));
        let Inputs::Bytes(bytes) = splits.train.inputs() else { panic!("bytes") };
        let constants = splits.standardise.expect("published constants");
        let area = shape[1] * shape[2];
        for (channel, (mean, std)) in constants.mean.iter().zip(&constants.std).enumerate() {
            let planes = bytes.chunks_exact(area).skip(channel).step_by(shape[0]);
            let (sum, squares) = planes.flatten().fold((0u64, 0u64), |(sum, squares), &byte| {
                let byte = u64::from(byte);
                (sum + byte, squares + byte * byte)
            });
            let n = (train * area) as f64;
            let found = sum as f64 / n;
            let deviation = (squares as f64 / n - found * found).sqrt();
            assert!((found / 255.0 - f64::from(*mean)).abs() < 5e-5, "{kind} {channel}: mean {}", found / 255.0);
            assert!((deviation / 255.0 - f64::from(*std)).abs() < 5e-5, "{kind} {channel}: std {}", deviation / 255.0);
        }
    }
}
