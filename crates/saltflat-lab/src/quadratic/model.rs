//! The model f(x; v) = ⟨v∘v, x⟩ and its gradient.

use rand_distr::{Distribution, StandardNormal};
use saltflat_random::{Key, Stream};

/// Rows are padded with zeros to a multiple of this, so that a processor takes several numbers at once.
const LANES: usize = 4;
/// As many rows are taken together; zero rows at the end make the samples a multiple of it.
const BLOCK: usize = 4;

/// Inputs xᵢ ~ N(0, I_d) and labels yᵢ = ⟨v⋆∘v⋆, xᵢ⟩ with v⋆ = (1, …, 1, 0, …, 0). HaoChen et al. 2021, section 2.1.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// d.
    pub dimension: usize,
    /// n.
    pub samples: usize,
    /// d rounded up.
    width: usize,
    /// `[n rounded up, width]`.
    inputs: Vec<f64>,
    /// v⋆∘v⋆, `[width]`.
    target: Vec<f64>,
}

impl Data {
    /// The data of a seed.
    pub fn new(dimension: usize, samples: usize, ones: usize, seed: u64) -> Self {
        let mut rng = Key::new(seed, Stream::Lab, 0).rng();
        let mut draw = || (0..dimension).map(|_| StandardNormal.sample(&mut rng)).collect();
        Self::of(&(0..samples).map(|_| draw()).collect::<Vec<_>>(), ones)
    }

    /// The data of these inputs, all of the length of the first; shorter ones are filled up with zeros.
    pub fn of(rows: &[Vec<f64>], ones: usize) -> Self {
        let (samples, dimension) = (rows.len(), rows.first().map_or(0, Vec::len));
        let width = dimension.next_multiple_of(LANES);
        let mut inputs = vec![0.0; samples.next_multiple_of(BLOCK) * width];
        for (to, row) in inputs.chunks_exact_mut(width.max(1)).zip(rows) {
            to.iter_mut().zip(row).for_each(|(to, x)| *to = *x);
        }
        let target = (0..width).map(|k| if k < ones { 1.0 } else { 0.0 }).collect();
        Self { dimension, samples, width, inputs, target }
    }

    fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.inputs.chunks_exact(self.width).take(self.samples)
    }

    /// (1/n) Σᵢ weightᵢ xᵢₖ for every k, `[d]`.
    pub fn mean_inputs(&self, weight: impl Fn(usize) -> f64) -> Vec<f64> {
        self.mean_of(weight, |x| x)
    }

    /// (1/n) Σᵢ weightᵢ xᵢₖ² for every k, `[d]`.
    pub fn mean_squares(&self, weight: impl Fn(usize) -> f64) -> Vec<f64> {
        self.mean_of(weight, |x| x * x)
    }

    fn mean_of(&self, weight: impl Fn(usize) -> f64, of: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut sums = vec![0.0; self.dimension];
        for (i, row) in self.rows().enumerate() {
            let weight = weight(i) / self.samples as f64;
            sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += weight * of(x));
        }
        sums
    }
}

/// The current v with room for what a step needs.
#[derive(Clone, Debug)]
pub struct Iterate<'a> {
    data: &'a Data,
    /// `[width]`; the padding stays 0.
    v: Vec<f64>,
    /// v∘v − v⋆∘v⋆.
    excess: Vec<f64>,
    /// Σᵢ cᵢ xᵢ.
    sum: Vec<f64>,
}

impl<'a> Iterate<'a> {
    /// v = scale · (1, …, 1).
    pub fn new(data: &'a Data, scale: f64) -> Self {
        let mut v = vec![0.0; data.width];
        v[..data.dimension].fill(scale);
        Self { data, v, excess: vec![0.0; data.width], sum: vec![0.0; data.width] }
    }

    /// v, `[d]`.
    pub fn v(&self) -> &[f64] {
        &self.v[..self.data.dimension]
    }

    /// rᵢ = f(xᵢ) − yᵢ, `[n]`.
    pub fn residuals(&self) -> Vec<f64> {
        let excess: Vec<f64> = self.v.iter().zip(&self.data.target).map(|(v, t)| v * v - t).collect();
        self.data.rows().map(|row| dot(row, &excess)).collect()
    }

    /// Moves to v − lr (Σᵢ (weightsᵢ rᵢ + addendsᵢ) xᵢ∘v + `more`(this gradient)).
    ///
    /// With ℓᵢ = ¼ rᵢ² (equation 1) and weights 1/n this is a step of gradient descent, since ∇ℓᵢ = rᵢ xᵢ∘v.
    pub fn step(&mut self, lr: f64, weights: &[f64], addends: &[f64], more: Option<&[f64]>) {
        for ((e, v), t) in self.excess.iter_mut().zip(&self.v).zip(&self.data.target) {
            *e = v * v - t;
        }
        self.sum.fill(0.0);
        // One pass over the inputs: a row is still near when it is added.
        let width = self.data.width;
        for (block, first) in self.data.inputs.chunks_exact(BLOCK * width).zip((0..).step_by(BLOCK)) {
            let rows = std::array::from_fn(|i| &block[i * width..(i + 1) * width]);
            let mut factors = dots(rows, &self.excess);
            for (i, r) in (first..).zip(&mut factors) {
                // The rows at the end that stand for no sample are zero, and so is what they add.
                *r = weights.get(i).copied().unwrap_or(0.0) * *r + addends.get(i).copied().unwrap_or(0.0);
            }
            add(&mut self.sum, factors, rows);
        }
        for (v, s) in self.v.iter_mut().zip(&self.sum) {
            *v -= lr * s * *v;
        }
        if let Some(more) = more {
            self.v.iter_mut().zip(more).for_each(|(v, z)| *v -= lr * z);
        }
    }

    /// (1/n) Σᵢ (f(xᵢ) − yᵢ)², and ‖v∘v − v⋆∘v⋆‖², the mean of (f(x) − y)² over fresh x (appendix A.1).
    pub fn errors(&self) -> (f64, f64) {
        let train: f64 = self.residuals().iter().map(|r| r * r).sum();
        let test = self.v.iter().zip(&self.data.target).map(|(v, t)| (v * v - t).powi(2)).sum();
        (train / self.data.samples as f64, test)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    dots([a; BLOCK], b)[0]
}

/// Products of several rows with one vector, which is read once.
#[inline(always)]
fn dots(rows: [&[f64]; BLOCK], vector: &[f64]) -> [f64; BLOCK] {
    let mut sums = [[0.0; LANES]; BLOCK];
    let [a, b, c, d] = rows.map(|row| row.as_chunks::<LANES>().0);
    for ((((x, a), b), c), d) in vector.as_chunks::<LANES>().0.iter().zip(a).zip(b).zip(c).zip(d) {
        for (sum, row) in sums.iter_mut().zip([a, b, c, d]) {
            for j in 0..LANES {
                sum[j] += row[j] * x[j];
            }
        }
    }
    sums.map(|s| (s[0] + s[2]) + (s[1] + s[3]))
}

/// Adds several rows, each times its factor, to a vector, which is read and written once.
#[inline(always)]
fn add(to: &mut [f64], factors: [f64; BLOCK], rows: [&[f64]; BLOCK]) {
    let [a, b, c, d] = rows.map(|row| row.as_chunks::<LANES>().0);
    for ((((to, a), b), c), d) in to.as_chunks_mut::<LANES>().0.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        let mut sum = *to;
        for (factor, row) in factors.iter().zip([a, b, c, d]) {
            for j in 0..LANES {
                sum[j] += factor * row[j];
            }
        }
        *to = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scripts/reference/quadratic.py: 40 steps in NumPy on 6 samples of dimension 11 with given weights, addends and noise.
    #[test]
    fn steps_are_those_of_numpy() {
        let case: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/fixtures/quadratic.json")).unwrap();
        let list = |value: &serde_json::Value| -> Vec<f64> {
            value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
        };
        let number = |key: &str| case[key].as_f64().unwrap();
        let inputs: Vec<Vec<f64>> = case["inputs"].as_array().unwrap().iter().map(list).collect();
        let data = Data::of(&inputs, number("ones") as usize);
        let mut point = Iterate::new(&data, number("start"));
        for draw in case["draws"].as_array().unwrap() {
            let [weights, addends, more] = ["weights", "addends", "more"].map(|key| list(&draw[key]));
            let more = more.iter().any(|z| *z != 0.0).then_some(&more[..]);
            point.step(number("lr"), &weights, &addends, more);
        }
        // Sums in another order: 40 steps of 1e-16 each.
        for (found, expected) in point.v().iter().zip(list(&case["v"])) {
            assert!((found - expected).abs() < 1e-13, "{found} {expected}");
        }
        let (train, test) = point.errors();
        assert!(
            (train / number("train_error") - 1.0).abs() < 1e-12 && (test / number("test_error") - 1.0).abs() < 1e-12
        );
    }

    /// With weights 1/n and rate 1 the step is minus the gradient of (1/n) Σ ¼ rᵢ², here by central differences.
    #[test]
    fn a_step_goes_down_the_quarter_of_the_mean_square() {
        let data = Data::new(7, 5, 2, 3);
        let loss = |v: &[f64]| Iterate { v: padded(v, &data), ..Iterate::new(&data, 0.0) }.errors().0 / 4.0;
        let mut point = Iterate::new(&data, 0.7);
        let (start, weights) = (point.v().to_vec(), vec![0.2; 5]);
        point.step(1.0, &weights, &[0.0; 5], None);
        for k in 0..7 {
            let at = |h: f64| {
                loss(&start.iter().enumerate().map(|(i, v)| v + if i == k { h } else { 0.0 }).collect::<Vec<_>>())
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((start[k] - point.v()[k] - slope).abs() < 1e-8, "{k}: {slope}");
        }
    }

    fn padded(v: &[f64], data: &Data) -> Vec<f64> {
        let mut all = v.to_vec();
        all.resize(data.width, 0.0);
        all
    }

    #[test]
    fn data_belong_to_their_seed() {
        assert_eq!(Data::new(10, 4, 2, 1), Data::new(10, 4, 2, 1));
        assert_ne!(Data::new(10, 4, 2, 1), Data::new(10, 4, 2, 2));
        // v⋆ fits.
        let data = Data::new(10, 4, 10, 1);
        assert_eq!(Iterate::new(&data, 1.0).errors(), (0.0, 0.0));
    }
}
