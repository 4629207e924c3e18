//! Synthetic datasets: Gaussian inputs and a function of them that a network is to learn, as in Wu, Wang, Su 2022 (arXiv 2207.02628,
//! appendix A.1).

use saltflat_random::{Key, Stream};
use saltflat_record::sha256_hex;

use crate::{
    dataset::{DataConfig, Dataset, Sample, Storage, Targets},
    error::DataError,
    examples::{Examples, Inputs, Labels, Splits},
};

/// x ~ N(0, I_d) with f*(x) = 0.2 x₁ + (Σ_{i=2}^d xᵢ − 1)²/3 + sin(Σ_{i=1}^{d−2} xᵢ xᵢ₊₂ / 4) (Wu, Wang, Su 2022, A.1).
pub static RANDOM_FEATURE_TEACHER: Dataset = Dataset {
    name: "random-feature-teacher",
    about: "Gaussian inputs and f*(x) of Wu, Wang, Su 2022, 10 × 1 × 1, one real target",
    example: "limit = 20",
    targets: Some(Targets::Real(1)),
    channels: &[],
    own_keys: &["dimension"],
    storage: Storage::Generated(|config| {
        draw(&Teacher { label: random_feature_teacher, dimension: 10, samples: 200 }, config)
    }),
};

/// x ~ N(0, I_d) with f*(x) = Σ xᵢ / d (Wu, Wang, Su 2022, A.1).
pub static LINEAR_TEACHER: Dataset = Dataset {
    name: "linear-teacher",
    about: "Gaussian inputs and their mean, 100 × 1 × 1, one real target",
    example: "limit = 20",
    targets: Some(Targets::Real(1)),
    channels: &[],
    own_keys: &["dimension"],
    storage: Storage::Generated(|config| draw(&Teacher { label: linear_teacher, dimension: 100, samples: 50 }, config)),
};

/// What a teacher is.
struct Teacher {
    /// f*.
    label: fn(&[f64]) -> f64,
    /// d, if the configuration does not say it.
    dimension: usize,
    /// Training samples, if the configuration does not say it.
    samples: usize,
}

fn random_feature_teacher(x: &[f64]) -> f64 {
    let sum: f64 = x[1..].iter().sum();
    let products: f64 = x.iter().zip(x.iter().skip(2)).map(|(a, b)| a * b).sum();
    0.2 * x[0] + (sum - 1.0).powi(2) / 3.0 + (products / 4.0).sin()
}

fn linear_teacher(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// Both splits: `limit` training samples and `test_limit` test samples (as many as for training if it is absent). The first
/// n samples of a seed are the same for every n.
///
/// # Errors
/// [`DataError::Option`] if a key does not suit a teacher.
fn draw(teacher: &Teacher, config: &DataConfig) -> Result<Splits, DataError> {
    let wrong = |key, reason: String| Err(DataError::Option { key, reason });
    let (train, dimension) = (config.limit.unwrap_or(teacher.samples), config.dimension.unwrap_or(teacher.dimension));
    let test = config.test_limit.unwrap_or(train);
    if config.sample == Sample::Random {
        let reason = format!("expected nothing, since a \"{}\" draws every sample; found \"random\"", config.kind.name);
        return wrong("data.sample", reason);
    }
    for (key, value) in [("data.dimension", dimension), ("data.limit", train), ("data.test_limit", test)] {
        if value == 0 {
            return wrong(key, "expected at least 1, found 0".into());
        }
        if key != "data.dimension" && value.checked_mul(dimension).is_none_or(|entries| entries > u32::MAX as usize) {
            return wrong(key, format!("expected at most {} numbers in all, found more", u32::MAX));
        }
    }
    let split = |step: u64, n: usize| {
        let inputs = Key::new(config.seed, Stream::Synthetic, step).normal(n * dimension);
        let label = |x: &[f32]| (teacher.label)(&x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>()) as f32;
        let values: Vec<f32> = inputs.chunks_exact(dimension).map(label).collect();
        let bytes: Vec<u8> = inputs.iter().chain(&values).flat_map(|x| x.to_le_bytes()).collect();
        let labels = Labels::Real { values, outputs: 1 };
        let examples = Examples { shape: [dimension, 1, 1], inputs: Inputs::Floats(inputs), labels };
        (examples, sha256_hex(&bytes))
    };
    let ((train, train_hash), (test, test_hash)) = (split(0, train), split(1, test));
    let source =
        vec![(format!("{} train", config.kind.name), train_hash), (format!("{} test", config.kind.name), test_hash)];
    Ok(Splits { train, test: Some(test), standardise: None, source, notes: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mnist::MNIST_1K;

    fn drawn(kind: &'static Dataset, change: impl Fn(&mut DataConfig)) -> Result<Splits, String> {
        let mut config = DataConfig::new(kind);
        change(&mut config);
        crate::load(&config).map_err(|e| e.to_string())
    }

    fn parts(examples: &Examples) -> (&[f32], &[f32]) {
        match (&examples.inputs, &examples.labels) {
            (Inputs::Floats(inputs), Labels::Real { values, outputs: 1 }) => (inputs, values),
            other => panic!("{other:?}"),
        }
    }

    /// By hand: x = (1, 2, 3, 4) gives 0.2 + (9 − 1)²/3 + sin((1·3 + 2·4)/4) and 10/4.
    #[test]
    fn teachers_at_a_point() {
        let x = [1.0, 2.0, 3.0, 4.0];
        assert!((random_feature_teacher(&x) - (0.2 + 64.0 / 3.0 + 2.75_f64.sin())).abs() < 1e-14);
        assert_eq!(linear_teacher(&x), 2.5);
        // One coordinate: the sums are empty, (0 − 1)²/3.
        assert!((random_feature_teacher(&[5.0]) - (1.0 + 1.0 / 3.0)).abs() < 1e-14);
    }

    #[test]
    fn sizes_of_the_paper() {
        let teachers: [(&'static Dataset, usize, usize); 2] =
            [(&RANDOM_FEATURE_TEACHER, 10, 200), (&LINEAR_TEACHER, 100, 50)];
        for (kind, dimension, n) in teachers {
            let splits = drawn(kind, |_| {}).unwrap();
            let test = splits.test.unwrap();
            assert_eq!((splits.train.shape(), splits.train.len(), test.len()), ([dimension, 1, 1], n, n));
            assert_ne!(splits.train, test);
            assert_eq!((splits.standardise, splits.source.len()), (None, 2));
        }
    }

    /// The mean of f* is 10/3: s = x₂ + … + x₁₀ has mean 0 and variance 9, so E (s − 1)²/3 = 10/3; the sine changes its sign
    /// with those of x₁, x₂, x₅, x₆, x₉, x₁₀, so its mean is 0. Standard deviations: √((2·81 + 4·9)/9) = √22 of the square,
    /// 0.2 of 0.2 x₁, at most 1 of the sine.
    #[test]
    fn moments() {
        let n = 200_000;
        let splits = drawn(&RANDOM_FEATURE_TEACHER, |config| config.limit = Some(n)).unwrap();
        let (inputs, values) = parts(&splits.train);
        let mean = |all: &[f32]| all.iter().map(|&x| f64::from(x)).sum::<f64>() / all.len() as f64;
        assert!(mean(inputs).abs() < 4.0 / (10.0 * n as f64).sqrt());
        let error = ((22.0_f64.sqrt() + 1.2) / (n as f64).sqrt()) * 4.0;
        assert!((mean(values) - 10.0 / 3.0).abs() < error, "{} {error}", mean(values));
        let splits = drawn(&LINEAR_TEACHER, |config| config.limit = Some(n / 10)).unwrap();
        let squares: Vec<f32> = parts(&splits.train).1.iter().map(|y| y * y).collect();
        // y ~ N(0, 1/d): the mean square is 1/100 with the standard error √2/100/√n.
        assert!((mean(&squares) * 100.0 - 1.0).abs() < 4.0 * (2.0 / (n as f64 / 10.0)).sqrt());
    }

    #[test]
    fn a_sample_depends_on_the_seed_and_its_place_alone() {
        let of = |seed: u64, n: usize| {
            drawn(&LINEAR_TEACHER, |config| {
                (config.seed, config.limit, config.dimension) = (seed, Some(n), Some(7));
            })
            .unwrap()
            .train
        };
        assert_eq!(parts(&of(3, 5)).0, &parts(&of(3, 900)).0[..35]);
        assert_eq!(parts(&of(3, 5)).1, &parts(&of(3, 900)).1[..5]);
        assert_ne!(of(3, 5), of(4, 5));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let error = |change: fn(&mut DataConfig)| drawn(&LINEAR_TEACHER, change).unwrap_err();
        assert_eq!(error(|c| c.dimension = Some(0)), "data.dimension: expected at least 1, found 0");
        assert_eq!(error(|c| c.limit = Some(0)), "data.limit: expected at least 1, found 0");
        assert_eq!(error(|c| c.test_limit = Some(0)), "data.test_limit: expected at least 1, found 0");
        let huge = "data.limit: expected at most 4294967295 numbers in all, found more";
        assert_eq!(error(|c| c.limit = Some(usize::MAX)), huge);
        assert_eq!(
            error(|c| c.sample = Sample::Random),
            "data.sample: expected nothing, since a \"linear-teacher\" draws every sample; found \"random\""
        );
        assert_eq!(error(|c| c.binary = true), "data.binary: expected a dataset of ten classes, found real targets");
        assert_eq!(
            error(|c| c.classes = Some(vec![0])),
            "data.classes: expected a dataset of classes, found one with real targets"
        );
        assert_eq!(error(|c| c.augment = true), "data.augment: expected images, found vectors of 100 numbers");
        assert_eq!(
            error(|c| c.path = Some("a.safetensors".into())),
            "data.path: expected only with data.kind = \"tensors\", found \"linear-teacher\""
        );
        assert_eq!(
            drawn(&MNIST_1K, |c| c.dimension = Some(3)).unwrap_err(),
            "data.dimension: expected only with data.kind = \"random-feature-teacher\" or \"linear-teacher\", found \"mnist-1k\""
        );
    }
}
