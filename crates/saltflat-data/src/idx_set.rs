//! Datasets in the files of MNIST that are read as they are found: their checksums are not known here.

use std::path::{Path, PathBuf};

use saltflat_record::sha256_hex;

use crate::{
    dataset::DataConfig,
    error::DataError,
    examples::{Examples, Inputs, Splits, Standardise},
    files,
    folder::data_folder,
    idx::{self, Classes, Idx},
    published::{find, idx_names},
};

/// Bytes that a file may have: the largest of EMNIST has half as many.
const MOST_BYTES: u64 = 1 << 30;

/// A dataset of four IDX files.
pub(crate) struct IdxSet {
    /// Folders inside the data folder in which its files are searched, in this order; `.` is the data folder itself.
    pub folders: &'static [&'static str],
    /// Names of the files before `-images-idx3-ubyte` and `-labels-idx1-ubyte`: those of the training split, and of the test split.
    pub splits: [String; 2],
    /// Its labels.
    pub classes: Classes,
    /// Where its files come from, a sentence.
    pub how: String,
    /// What a person should know of its samples, a sentence each.
    pub notes: Vec<String>,
}

impl IdxSet {
    /// Reads both splits. Mean and standard deviation are those of the whole training split.
    pub fn load(self, config: &DataConfig) -> Result<Splits, DataError> {
        let data = data_folder(config.data_dir.as_deref());
        let folder = |data: &Path, name: &str| if name == "." { data.to_path_buf() } else { data.join(name) };
        let folders: Vec<PathBuf> =
            data.iter().flat_map(|data| self.folders.iter().map(|name| folder(data, name))).collect();
        let [train, test] = &self.splits;
        let ((train, mut source), (test, more)) = (self.split(train, &folders)?, self.split(test, &folders)?);
        source.extend(more);
        if train.shape() != test.shape() {
            let reason =
                format!("expected test images like the training images, {:?}; found {:?}", train.shape(), test.shape());
            return Err(DataError::Examples { reason });
        }
        let standardise = standardise(&train);
        let mut notes = self.notes;
        if let Some(Standardise { mean, std }) = standardise.as_ref().filter(|_| config.standardise) {
            let text = "the images are standardised with mean and standard deviation of all training images";
            notes.push(format!("{text}: {:.4} and {:.4}, where 255 is 1", mean[0], std[0]));
        }
        Ok(Splits { train, test: Some(test), standardise, source, notes })
    }

    fn split(&self, name: &str, folders: &[PathBuf]) -> Result<(Examples, Vec<(String, String)>), DataError> {
        let content = |name: String| {
            let names = idx_names(&name);
            let missing =
                || DataError::NotPut { file: names[..2].join(" or "), looked: folders.to_vec(), how: self.how.clone() };
            let path = find(&names, folders).ok_or_else(missing)?;
            Ok((path.display().to_string(), files::read_bounded(&path, MOST_BYTES)?))
        };
        let images = content(format!("{name}-images-idx3-ubyte"))?;
        let labels = content(format!("{name}-labels-idx1-ubyte"))?;
        let examples = idx::examples(
            &Idx { file: &images.0, bytes: &images.1 },
            &Idx { file: &labels.0, bytes: &labels.1 },
            self.classes,
        )?;
        if examples.is_empty() {
            return Err(DataError::Examples {
                reason: format!("{}: expected at least one image, found none", images.0),
            });
        }
        let source = [images, labels].map(|(file, bytes)| (file, sha256_hex(bytes)));
        Ok((examples, source.into()))
    }
}

/// Mean and standard deviation of grey images of 8 bits, of which 255 stands for 1; absent if all are the same.
fn standardise(examples: &Examples) -> Option<Standardise> {
    let Inputs::Bytes(bytes) = examples.inputs() else { return None };
    let (sum, squares) = bytes.iter().fold((0u64, 0u64), |(sum, squares), &byte| {
        let byte = u64::from(byte);
        (sum + byte, squares + byte * byte)
    });
    let n = bytes.len() as f64;
    let mean = sum as f64 / n;
    let std = (squares as f64 / n - mean * mean).max(0.0).sqrt();
    (std > 0.0).then(|| Standardise { mean: vec![(mean / 255.0) as f32], std: vec![(std / 255.0) as f32] })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        dataset::EmnistSplit,
        datasets::{EMNIST, FASHION_MNIST, KMNIST},
        examples::Labels,
        load,
        summary::Summary,
        testing::{gzip, idx_file},
    };

    /// Four files of two training images and one test image of two pixels, under names that `name` makes of those of MNIST.
    fn put(folder: &Path, labels: [u8; 3], name: impl Fn(&str) -> String) {
        fs::create_dir_all(folder).unwrap();
        let files = [
            ("train-images-idx3-ubyte", idx_file(0x803, &[2, 1, 2], &[0, 255, 0, 51])),
            ("train-labels-idx1-ubyte", idx_file(0x801, &[2], &labels[..2])),
            ("t10k-images-idx3-ubyte", idx_file(0x803, &[1, 1, 2], &[9, 9])),
            ("t10k-labels-idx1-ubyte", idx_file(0x801, &[1], &labels[2..])),
        ];
        for (file, content) in files {
            let name = name(file);
            fs::write(folder.join(&name), if name.ends_with(".gz") { gzip(&content) } else { content }).unwrap();
        }
    }

    fn config(kind: &'static crate::Dataset, data: &Path) -> DataConfig {
        DataConfig { data_dir: Some(data.into()), ..DataConfig::new(kind) }
    }

    #[test]
    fn every_folder_and_name_is_found() {
        for (kind, folder) in [
            (&FASHION_MNIST, "fashion-mnist"),
            (&FASHION_MNIST, "FashionMNIST/raw"),
            (&FASHION_MNIST, "fashion-mnist/data/fashion"),
            (&KMNIST, "KMNIST/raw"),
        ] {
            for (dotted, ending) in [(false, ""), (true, ""), (false, ".gz"), (true, ".gz")] {
                let data = tempfile::tempdir().unwrap();
                let name = |name: &str| if dotted { name.replacen("-idx", ".idx", 1) } else { name.to_string() };
                put(&data.path().join(folder), [3, 0, 9], |file| name(file) + ending);
                let splits = load(&config(kind, data.path())).unwrap();
                assert_eq!(splits.train.labels(), &Labels::Classes { labels: vec![3, 0], classes: 10 });
                assert_eq!(splits.test.unwrap().inputs(), &Inputs::Bytes(vec![9, 9]));
                assert_eq!(splits.source.len(), 4);
            }
        }
    }

    /// The pixels are 0, 1, 0 and 1/5: their mean is 0.3 and that of their squares 0.26, so that the variance is 0.17.
    #[test]
    fn standardised_with_the_constants_of_all_training_images() {
        let data = tempfile::tempdir().unwrap();
        put(&data.path().join("kmnist"), [3, 0, 9], str::to_string);
        let mut config = config(&KMNIST, data.path());
        config.limit = Some(1);
        let splits = load(&config).unwrap();
        let Standardise { mean, std } = splits.standardise.unwrap();
        assert!((mean[0] - 0.3).abs() < 1e-6 && (std[0] - 0.17_f32.sqrt()).abs() < 1e-6, "{mean:?} {std:?}");
        assert!(
            splits.notes[0].ends_with("of all training images: 0.3000 and 0.4123, where 255 is 1"),
            "{:?}",
            splits.notes
        );
        config.standardise = false;
        let splits = load(&config).unwrap();
        assert_eq!((splits.standardise, splits.notes), (None, Vec::new()));
    }

    #[test]
    fn letters_start_at_one() {
        let data = tempfile::tempdir().unwrap();
        let name = |file: &str| format!("emnist-letters-{}", file.replace("t10k", "test"));
        put(&data.path().join("EMNIST/raw"), [1, 26, 2], name);
        let mut config = config(&EMNIST, data.path());
        let said = load(&config).unwrap_err().to_string();
        assert_eq!(said, "data.split: expected one of byclass, bymerge, balanced, letters, digits, mnist, found none");
        config.split = Some(EmnistSplit::Letters);
        let splits = load(&config).unwrap();
        assert_eq!(splits.train.labels(), &Labels::Classes { labels: vec![0, 25], classes: 26 });
        assert_eq!(splits.test.as_ref().unwrap().labels(), &Labels::Classes { labels: vec![1], classes: 26 });
        let said = Summary::of(&splits).warnings.join("\n");
        for part in [
            "stored transposed",
            "1 to 26 are taken as the classes 0 to 25",
            "for 27 outputs",
            "no training sample is of classes",
        ] {
            assert!(said.contains(part), "no {part:?} in {said}");
        }
        // The same files as if they were of the balanced set: its labels start at 0.
        put(data.path(), [0, 46, 1], |file| format!("emnist-balanced-{}.gz", file.replace("t10k", "test")));
        config.split = Some(EmnistSplit::Balanced);
        assert_eq!(load(&config).unwrap().train.labels(), &Labels::Classes { labels: vec![0, 46], classes: 47 });
    }

    /// The files of MNIST have the same names: they are not taken for those of another dataset.
    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let data = tempfile::tempdir().unwrap();
        put(data.path(), [3, 0, 9], str::to_string);
        let said = load(&config(&FASHION_MNIST, data.path())).unwrap_err();
        assert!(said.is_missing());
        let said = said.to_string();
        let folder = data.path().join("FashionMNIST/raw").display().to_string();
        for part in [
            "train-images-idx3-ubyte or train-images-idx3-ubyte.gz not found; looked in",
            &folder,
            "torchvision.datasets.FashionMNIST(folder, download=True) makes FashionMNIST/raw",
            "--data-dir or SALTFLAT_DATA",
        ] {
            assert!(said.contains(part), "no {part:?} in {said}");
        }
        let place = data.path().join("kmnist");
        put(&place, [3, 10, 9], str::to_string);
        let error = || load(&config(&KMNIST, data.path())).unwrap_err().to_string();
        assert!(error().ends_with("record 1 has label 10, expected less than 10"), "{}", error());
        fs::write(place.join("train-images-idx3-ubyte"), idx_file(0x803, &[0, 1, 2], &[])).unwrap();
        fs::write(place.join("train-labels-idx1-ubyte"), idx_file(0x801, &[0], &[])).unwrap();
        assert!(error().ends_with("train-images-idx3-ubyte: expected at least one image, found none"), "{}", error());
        put(&place, [3, 0, 9], str::to_string);
        fs::write(place.join("t10k-images-idx3-ubyte"), idx_file(0x803, &[1, 2, 1], &[1, 2])).unwrap();
        assert!(
            error().contains("expected test images like the training images, [1, 1, 2]; found [1, 2, 1]"),
            "{}",
            error()
        );
        let mut config = config(&KMNIST, data.path());
        config.split = Some(EmnistSplit::Digits);
        let said = load(&config).unwrap_err().to_string();
        assert_eq!(said, "data.split: expected only with data.kind = \"emnist\", found \"kmnist\"");
    }
}
