//! Kuzushiji-MNIST: T. Clanuwat et al. 2018, arXiv 1812.01718.

use crate::{
    dataset::{Dataset, Storage, Targets},
    idx::TEN,
    idx_set::IdxSet,
};

/// 60,000 training and 10,000 test images of Japanese characters, 1 × 28 × 28, in files with the names of MNIST's. They are searched in the folders
/// `kmnist` and `KMNIST/raw` (as torchvision leaves it) of the data folder, and not in the data folder itself, where MNIST may be.
pub static KMNIST: Dataset = Dataset {
    name: "kmnist",
    about: "60,000 + 10,000 Japanese characters, 1 × 28 × 28, 10 classes",
    example: "limit = 100",
    targets: Some(Targets::Classes(10)),
    channels: &[],
    own_keys: &[],
    storage: Storage::Generated(|config| {
        let set = IdxSet {
            folders: &["kmnist", "KMNIST/raw"],
            splits: ["train".into(), "t10k".into()],
            classes: TEN,
            how: "put the four files of KMNIST into one of them, plain or as .gz (torchvision.datasets.KMNIST(folder, download=True) makes \
                  KMNIST/raw)"
                .into(),
            notes: Vec::new(),
        };
        set.load(config)
    }),
};
