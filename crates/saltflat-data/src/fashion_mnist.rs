//! Fashion-MNIST: H. Xiao, K. Rasul, R. Vollgraf, 2017, arXiv 1708.07747.

use crate::{
    dataset::{Dataset, Storage, Targets},
    idx::TEN,
    idx_set::IdxSet,
};

/// 60,000 training and 10,000 test images of clothes, 1 × 28 × 28, in files with the names of MNIST's. They are searched in the folders
/// `fashion-mnist`, `fashion-mnist/data/fashion` (as in its repository) and `FashionMNIST/raw` (as torchvision leaves it) of the data folder, and not
/// in the data folder itself, where MNIST may be.
pub static FASHION_MNIST: Dataset = Dataset {
    name: "fashion-mnist",
    about: "60,000 + 10,000 images of clothes, 1 × 28 × 28, 10 classes",
    example: "limit = 100",
    targets: Some(Targets::Classes(10)),
    channels: &[],
    own_keys: &[],
    storage: Storage::Generated(|config| {
        let set = IdxSet {
            folders: &["fashion-mnist", "fashion-mnist/data/fashion", "FashionMNIST/raw"],
            splits: ["train".into(), "t10k".into()],
            classes: TEN,
            how: "put the four files of Fashion-MNIST into one of them, plain or as .gz (torchvision.datasets.FashionMNIST(folder, \
                  download=True) makes FashionMNIST/raw)"
                .into(),
            notes: Vec::new(),
        };
        set.load(config)
    }),
};
