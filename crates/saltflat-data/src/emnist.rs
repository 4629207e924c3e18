//! EMNIST: G. Cohen, S. Afshar, J. Tapson, A. van Schaik, 2017, arXiv 1702.05373.

use crate::{
    dataset::{Dataset, EmnistSplit, Storage},
    error::DataError,
    idx::{Classes, TEN},
    idx_set::IdxSet,
};

/// Handwritten letters and digits, 1 × 28 × 28; the key `split` says which. The files (`emnist-letters-train-images-idx3-ubyte` and so on, plain or
/// compressed) are searched in the folders `emnist`, `emnist/gzip`, `gzip` (as the published archive unpacks), `EMNIST/raw` and `EMNIST/raw/gzip` (as
/// torchvision leaves it) of the data folder, and in the data folder itself.
///
/// The images are stored transposed, rows for columns. They are taken as they are stored, as torchvision takes them, so that a network that was
/// trained on torchvision's EMNIST is measured on the same images.
///
/// The labels of the split `letters` are 1 to 26 in its files. They become the classes 0 to 25. torchvision leaves them as they are, beside a class 0 of
/// which there is no sample, so that its networks have 27 outputs: such a network is measured on data that `saltflat.dataset` writes.
pub static EMNIST: Dataset = Dataset {
    name: "emnist",
    about: "handwritten letters and digits, 1 × 28 × 28, 10 to 62 classes",
    example: "split = \"letters\"\nlimit = 100",
    targets: None,
    channels: &[],
    own_keys: &["split"],
    storage: Storage::Generated(|config| {
        let Some(split) = config.split else {
            let reason = format!("expected one of {}, found none", EmnistSplit::NAMES.join(", "));
            return Err(DataError::Option { key: "data.split", reason });
        };
        let name = split.name();
        let classes = classes(split);
        let mut notes = vec![
            "the images of EMNIST are stored transposed, and are taken as they are stored, as torchvision does"
                .to_string(),
        ];
        if classes.first > 0 {
            notes.push(
                "the labels of EMNIST's letters start at 1: 1 to 26 are taken as the classes 0 to 25 (torchvision keeps them, for 27 outputs; for \
                 such a network use data.kind = \"tensors\", which saltflat.dataset in Python writes)"
                    .into(),
            );
        }
        let set = IdxSet {
            folders: &["emnist", "emnist/gzip", "EMNIST/raw", "EMNIST/raw/gzip", "gzip", "."],
            splits: [format!("emnist-{name}-train"), format!("emnist-{name}-test")],
            classes,
            how: "put the four files of this split of EMNIST into one of them, plain or as .gz (torchvision.datasets.EMNIST(folder, split, \
                  download=True) makes EMNIST/raw)"
                .into(),
            notes,
        };
        set.load(config)
    }),
};

/// The labels of a split: table II of the paper, and the labels in the files.
fn classes(split: EmnistSplit) -> Classes {
    match split {
        EmnistSplit::ByClass => Classes { first: 0, count: 62 },
        EmnistSplit::ByMerge | EmnistSplit::Balanced => Classes { first: 0, count: 47 },
        EmnistSplit::Letters => Classes { first: 1, count: 26 },
        EmnistSplit::Digits | EmnistSplit::Mnist => TEN,
    }
}
