//! The official files of MNIST, CIFAR-10 and CIFAR-100.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::cifar::{CIFAR10, CIFAR100, Record};
use crate::config::DataKind;
use crate::error::DataError;
use crate::examples::Examples;
use crate::files;
use crate::idx::{self, Idx};

/// A published file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its name.
    pub name: &'static str,
    /// Size of its content; of MNIST decompressed.
    pub bytes: u64,
    /// SHA-256 of its content, hexadecimal; where it has none, its size alone is checked.
    pub sha256: Option<&'static str>,
    /// True where it may also lie compressed, with `.gz` after its name.
    pub gzip: bool,
}

/// The files of a split.
enum Files {
    /// Images and labels in a file each.
    Idx { images: Published, labels: Published },
    /// Records of label and image.
    Records { record: Record, files: &'static [Published] },
}

/// A dataset of published files: what it is called, where its files are searched and what they are.
pub struct Official {
    kind: DataKind,
    /// Folders inside the data folder, in the order in which they are searched.
    folders: &'static [&'static str],
    train: Files,
    test: Files,
}

/// A split and its files, each with its SHA-256.
type Split = (Examples, Vec<(String, String)>);

impl Official {
    /// The dataset of this kind, if it is one of published files.
    pub fn of(kind: DataKind) -> Option<&'static Self> {
        match kind {
            DataKind::Mnist => Some(&MNIST),
            DataKind::Cifar10 => Some(&CIFAR_10),
            DataKind::Cifar100 => Some(&CIFAR_100),
            _ => None,
        }
    }

    /// Its files, training split first.
    pub fn files(&self) -> Vec<Published> {
        [self.train.published(), self.test.published()].concat()
    }

    /// Folders inside the data folder in which its files are searched, in this order, before the data folder itself.
    pub fn folders(&self) -> &'static [&'static str] {
        self.folders
    }

    /// Reads both splits from the folder `data`. Checks sizes, labels and, where published, checksums.
    pub(crate) fn load(&self, data: &Path) -> Result<(Split, Split), DataError> {
        let folders = self.folders.iter().map(|folder| data.join(folder)).chain([data.into()]).collect();
        let search = Search { kind: self.kind, folders };
        Ok((self.train.load(&search)?, self.test.load(&search)?))
    }
}

/// Where files of a dataset are searched.
struct Search {
    kind: DataKind,
    folders: Vec<PathBuf>,
}

impl Files {
    fn published(&self) -> Vec<Published> {
        match self {
            Self::Idx { images, labels } => vec![*images, *labels],
            Self::Records { files, .. } => files.to_vec(),
        }
    }

    fn load(&self, search: &Search) -> Result<Split, DataError> {
        match self {
            Self::Idx { images, labels } => {
                let (image, label) = (images.content(search)?, labels.content(search)?);
                let examples =
                    idx::examples(&Idx { file: &image.0, bytes: &image.1 }, &Idx { file: &label.0, bytes: &label.1 })?;
                Ok((examples, vec![images.verify(image)?, labels.verify(label)?]))
            }
            Self::Records { record, files } => {
                let contents = files.iter().map(|file| file.content(search)).collect::<Result<Vec<_>, _>>()?;
                let examples = record.examples(&contents)?;
                let verified = files.iter().zip(contents).map(|(file, content)| file.verify(content));
                Ok((examples, verified.collect::<Result<_, _>>()?))
            }
        }
    }
}

/// Where a file lies, and its content.
type Content = (String, Vec<u8>);

impl Published {
    /// The first of these folders that has it, plain or, where it may be, compressed. A file of which it cannot be told whether it
    /// is there counts as there: whoever reads it is told why.
    pub fn find(&self, folders: &[PathBuf]) -> Option<PathBuf> {
        let paths = folders.iter().flat_map(|folder| self.names().into_iter().map(|name| folder.join(name)));
        let absent = |e: std::io::Error| matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
        let may_be =
            |path: &PathBuf| std::fs::metadata(path).map_or_else(|error| !absent(error), |found| found.is_file());
        paths.into_iter().find(may_be)
    }

    /// Its content from this file, whose size and checksum must be the published ones.
    ///
    /// # Errors
    /// [`DataError`]; the message names the file.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>, DataError> {
        let content = files::read_sized(path, self.bytes)?;
        self.check(&path.display().to_string(), &content)?;
        Ok(content)
    }

    /// The SHA-256 of this content, whose size and checksum must be the published ones; `file` is what a message calls
    /// it.
    ///
    /// # Errors
    /// [`DataError::Size`], [`DataError::Checksum`].
    pub fn check(&self, file: &str, content: &[u8]) -> Result<String, DataError> {
        let (expected, found) = (self.bytes, content.len() as u64);
        if expected != found {
            return Err(DataError::Size { file: file.into(), expected, found });
        }
        let found = files::sha256(content);
        match self.sha256 {
            Some(expected) if expected != found => {
                Err(DataError::Checksum { file: file.into(), expected: expected.into(), found })
            }
            _ => Ok(found),
        }
    }

    fn names(&self) -> Vec<String> {
        let gzip = self.gzip.then(|| format!("{}.gz", self.name));
        [self.name.into()].into_iter().chain(gzip).collect()
    }

    /// Its content where it is found, of the published size.
    fn content(&self, search: &Search) -> Result<Content, DataError> {
        let missing = || DataError::Missing {
            kind: search.kind,
            file: self.names().join(" or "),
            looked: search.folders.clone(),
        };
        let path = self.find(&search.folders).ok_or_else(missing)?;
        Ok((path.display().to_string(), files::read_sized(&path, self.bytes)?))
    }

    /// Compares with the published checksum. Returns the file and the checksum found.
    fn verify(&self, (file, content): Content) -> Result<(String, String), DataError> {
        let found = self.check(&file, &content)?;
        Ok((file, found))
    }
}

const fn mnist(name: &'static str, bytes: u64, sha256: &'static str) -> Published {
    Published { name, bytes, sha256: Some(sha256), gzip: true }
}

const fn cifar10(name: &'static str, sha256: &'static str) -> Published {
    Published { name, bytes: 10_000 * CIFAR10.len() as u64, sha256: Some(sha256), gzip: false }
}

const fn cifar100(name: &'static str, records: u64, sha256: &'static str) -> Published {
    Published { name, bytes: records * CIFAR100.len() as u64, sha256: Some(sha256), gzip: false }
}

/// Y. LeCun, C. Cortes, C. Burges.
pub(crate) const MNIST: Official = Official {
    kind: DataKind::Mnist,
    folders: &["mnist", "MNIST/raw"],
    train: Files::Idx {
        images: mnist(
            "train-images-idx3-ubyte",
            16 + 60_000 * 784,
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        labels: mnist(
            "train-labels-idx1-ubyte",
            8 + 60_000,
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
    },
    test: Files::Idx {
        images: mnist(
            "t10k-images-idx3-ubyte",
            16 + 10_000 * 784,
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        labels: mnist(
            "t10k-labels-idx1-ubyte",
            8 + 10_000,
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    },
};

/// A. Krizhevsky, 2009; the binary version.
pub(crate) const CIFAR_10: Official = Official {
    kind: DataKind::Cifar10,
    folders: &["cifar10", "cifar-10-batches-bin"],
    train: Files::Records {
        record: CIFAR10,
        files: &[
            cifar10("data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
            cifar10("data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
            cifar10("data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
            cifar10("data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
            cifar10("data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
        ],
    },
    test: Files::Records {
        record: CIFAR10,
        files: &[cifar10("test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b")],
    },
};

/// A. Krizhevsky, 2009; the binary version. The checksums are those of torchvision-ruby
/// (`lib/torchvision/datasets/cifar100.rb`), whose tests download the archive and compare; it has the same checksums of
/// CIFAR-10 as above.
pub(crate) const CIFAR_100: Official = Official {
    kind: DataKind::Cifar100,
    folders: &["cifar100", "cifar-100-binary"],
    train: Files::Records {
        record: CIFAR100,
        files: &[cifar100("train.bin", 50_000, "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29")],
    },
    test: Files::Records {
        record: CIFAR100,
        files: &[cifar100("test.bin", 10_000, "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a")],
    },
};

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::examples::{Inputs, Labels};
    use crate::testing::{gzip, idx_file};

    const fn unchecked(name: &'static str, bytes: u64) -> Published {
        Published { name, bytes, sha256: None, gzip: false }
    }

    const fn unchecked_idx(name: &'static str, bytes: u64) -> Published {
        Published { gzip: true, ..unchecked(name, bytes) }
    }

    /// CIFAR-100 with two training records and one test record.
    const SMALL: Official = Official {
        train: Files::Records { record: CIFAR100, files: &[unchecked("train.bin", 2 * 3074)] },
        test: Files::Records { record: CIFAR100, files: &[unchecked("test.bin", 3074)] },
        ..CIFAR_100
    };

    fn records(labels: &[[u8; 2]]) -> Vec<u8> {
        labels.iter().enumerate().flat_map(|(i, label)| [&label[..], &[i as u8; 3072]].concat()).collect()
    }

    #[test]
    fn every_folder_of_cifar100_is_found() {
        for folder in ["cifar100", "cifar-100-binary", "."] {
            let data = tempfile::tempdir().unwrap();
            let inside = data.path().join(folder);
            fs::create_dir_all(&inside).unwrap();
            fs::write(inside.join("train.bin"), records(&[[3, 42], [19, 99]])).unwrap();
            fs::write(inside.join("test.bin"), records(&[[0, 5]])).unwrap();
            let ((train, source), (test, _)) = SMALL.load(data.path()).unwrap();
            assert_eq!(train.labels(), &Labels::Classes { labels: vec![42, 99], classes: 100 });
            assert_eq!(train.inputs(), &Inputs::Bytes([[0; 3072], [1; 3072]].concat()));
            assert_eq!(test.labels(), &Labels::Classes { labels: vec![5], classes: 100 });
            assert_eq!(source[0].1, files::sha256(&records(&[[3, 42], [19, 99]])));
        }
    }

    #[test]
    fn defects_of_cifar100_name_the_file() {
        let data = tempfile::tempdir().unwrap();
        let at = |name: &str| data.path().join(name);
        fs::write(at("test.bin"), records(&[[0, 5]])).unwrap();
        let error = || SMALL.load(data.path()).unwrap_err().to_string();
        let (first, second) = (at("cifar100").display().to_string(), at("cifar-100-binary").display().to_string());
        let looked = format!("train.bin not found; looked in {first}, {second}, {}", data.path().display());
        assert!(error().starts_with(&looked), "{}", error());
        let train = at("train.bin").display().to_string();
        fs::write(&train, &records(&[[0, 1], [0, 2]])[..6147]).unwrap();
        assert_eq!(error(), format!("{train}: expected 6148 bytes, found 6147"));
        fs::write(&train, records(&[[0, 1], [0, 100]])).unwrap();
        assert_eq!(error(), format!("{train}: record 1 has label 100, expected less than 100"));
    }

    /// What `sha256sum` says of the bytes 0 0 8 1 0 0 0 1 3.
    const LABELS: &str = "1e023d46f646a9594224597ffeb38a1e2137e06d2eebb1f6ca8a772dd766deab";

    /// MNIST with two training images and one test image of one pixel.
    const DIGITS: Official = Official {
        train: Files::Idx {
            images: unchecked_idx("train-images-idx3-ubyte", 18),
            labels: unchecked_idx("train-labels-idx1-ubyte", 10),
        },
        test: Files::Idx {
            images: unchecked_idx("t10k-images-idx3-ubyte", 17),
            labels: mnist("t10k-labels-idx1-ubyte", 9, LABELS),
        },
        ..MNIST
    };

    #[test]
    fn mnist_plain_or_gzip_in_either_folder_and_its_checksum() {
        let files = [
            ("train-images-idx3-ubyte", idx_file(0x803, &[2, 1, 1], &[7, 8])),
            ("train-labels-idx1-ubyte", idx_file(0x801, &[2], &[1, 2])),
            ("t10k-images-idx3-ubyte", idx_file(0x803, &[1, 1, 1], &[9])),
            ("t10k-labels-idx1-ubyte", idx_file(0x801, &[1], &[3])),
        ];
        for (folder, zipped) in [("mnist", false), ("MNIST/raw", true), (".", true)] {
            let data = tempfile::tempdir().unwrap();
            let inside = data.path().join(folder);
            fs::create_dir_all(&inside).unwrap();
            for (name, content) in &files {
                let (name, content) =
                    if zipped { (format!("{name}.gz"), gzip(content)) } else { (name.to_string(), content.clone()) };
                fs::write(inside.join(name), content).unwrap();
            }
            let ((train, _), (_, source)) = DIGITS.load(data.path()).unwrap();
            assert_eq!(train.inputs(), &Inputs::Bytes(vec![7, 8]));
            assert_eq!(source[1].1, LABELS);

            let name = if zipped { "t10k-labels-idx1-ubyte.gz" } else { "t10k-labels-idx1-ubyte" };
            let other = idx_file(0x801, &[1], &[4]);
            let path = inside.join(name);
            fs::write(&path, if zipped { gzip(&other) } else { other.clone() }).unwrap();
            let error = DIGITS.load(data.path()).unwrap_err().to_string();
            let expected = format!(
                "{name}: expected the published content with SHA-256 {LABELS}, found {}",
                files::sha256(&other)
            );
            assert!(error.ends_with(&expected), "{error}");
        }
    }
}
