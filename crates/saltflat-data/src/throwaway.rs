//! A throw-away kind.

use crate::{
    dataset::{Dataset, Storage, Targets},
    examples::{Examples, Inputs, Labels, Splits},
};

/// Two samples of one number, each its own target.
pub static THROWAWAY: Dataset = Dataset {
    name: "throwaway",
    about: "two numbers, 1 × 1 × 1, one real target",
    example: "",
    targets: Some(Targets::Real(1)),
    channels: &[],
    own_keys: &[],
    storage: Storage::Generated(|_| {
        let labels = Labels::Real { values: vec![1.0, 2.0], outputs: 1 };
        let train = Examples::new([1, 1, 1], Inputs::Floats(vec![1.0, 2.0]), labels)?;
        Ok(Splits { train, test: None, standardise: None, source: Vec::new() })
    }),
};
