//! The thirteen functions, their gradients, and how fast the angle grows for small η.

use std::f64::consts::TAU;

use rand::{Rng, RngExt};
use saltflat_config::named_enum;

/// (x, y, z₁, z₂, z₃, z₄).
pub(super) type Theta = [f64; 6];

/// Names of the moving averages of zᵢ² in rows.
pub(super) const Z_SQ: [&str; 4] = ["z1_sq", "z2_sq", "z3_sq", "z4_sq"];

named_enum! {
    /// The noise of a trajectory.
    pub(super) enum GradientNoise {
        /// The functions of each step are drawn.
        Minibatch = "minibatch",
        /// One label of the full gradient is disturbed by ±σ.
        LabelNoise = "label noise",
        /// None: gradient descent.
        Nothing = "no noise",
    }
}

/// Functions f₁ to f₁₃.
const FUNCTIONS: usize = 13;
/// f₁ to f₁₂ of equations 198–200: (1 + s·w) z + o as (s, place of w, place of z, o).
const PRODUCTS: [(f64, usize, usize, f64); 12] = [
    (-1.0, 1, 2, -1.0),
    (-1.0, 1, 2, 1.0),
    (1.0, 1, 3, -1.0),
    (1.0, 1, 3, 1.0),
    (-1.0, 0, 4, -1.0),
    (-1.0, 0, 4, 1.0),
    (1.0, 0, 5, -1.0),
    (1.0, 0, 5, 1.0),
    (-1.0, 0, 2, 0.0),
    (1.0, 0, 3, 0.0),
    (1.0, 1, 4, 0.0),
    (-1.0, 1, 5, 0.0),
];
/// σ² of label noise whose covariance σ²G has the trace of the minibatch noise on the circle: 12/13 over tr G = 22/13.
const LABEL_NOISE: f64 = 6.0 / 11.0;

/// fᵢ(θ) and its two derivatives that are not zero, as (place, derivative).
fn function(i: usize, theta: &Theta) -> (f64, [(usize, f64); 2]) {
    match PRODUCTS.get(i) {
        Some(&(sign, w, z, offset)) => {
            let factor = 1.0 + sign * theta[w];
            (factor * theta[z] + offset, [(w, sign * theta[z]), (z, factor)])
        }
        None => {
            let [x, y, ..] = *theta;
            (x * x + y * y - 1.0, [(0, 2.0 * x), (1, 2.0 * y)])
        }
    }
}

/// Adds `weight(fᵢ) ∇fᵢ`.
fn add(sum: &mut Theta, i: usize, theta: &Theta, weight: impl Fn(f64) -> f64) {
    let (value, derivatives) = function(i, theta);
    for (place, derivative) in derivatives {
        sum[place] += weight(value) * derivative;
    }
}

/// ∇L, L = (1/13) Σ ½ fᵢ².
fn gradient(theta: &Theta) -> Theta {
    let mut sum = Theta::default();
    for i in 0..FUNCTIONS {
        add(&mut sum, i, theta, |value| value / FUNCTIONS as f64);
    }
    sum
}

impl GradientNoise {
    /// The gradient of a step with a batch of `batch_size` functions, drawn with replacement.
    pub fn gradient(self, theta: &Theta, batch_size: u64, rng: &mut impl Rng) -> Theta {
        let share = 1.0 / batch_size as f64;
        match self {
            Self::Minibatch => {
                let mut sum = Theta::default();
                for _ in 0..batch_size {
                    add(&mut sum, rng.random_range(0..FUNCTIONS), theta, |value| share * value);
                }
                sum
            }
            Self::LabelNoise => {
                let mut sum = gradient(theta);
                for _ in 0..batch_size {
                    let sign = if rng.random::<bool>() { 1.0 } else { -1.0 };
                    add(&mut sum, rng.random_range(0..FUNCTIONS), theta, |_| share * sign * LABEL_NOISE.sqrt());
                }
                sum
            }
            Self::Nothing => gradient(theta),
        }
    }
}

/// aᵢ and bᵢ with ∂²L/∂zᵢ² = (2aᵢ² + bᵢ²)/13; aᵢ² is also the strength of the minibatch noise along zᵢ.
fn factors(x: f64, y: f64) -> [(f64, f64); 4] {
    [(1.0 - y, 1.0 - x), (1.0 + y, 1.0 + x), (1.0 - x, 1.0 + y), (1.0 + x, 1.0 - y)]
}

/// E zᵢ² · B/η if (x, y) stands still and η is small: aᵢ²/(2aᵢ² + bᵢ²).
pub(super) fn stationary(x: f64, y: f64) -> [f64; 4] {
    factors(x, y).map(|(a, b)| if a == 0.0 { 0.0 } else { a * a / (2.0 * a * a + b * b) })
}

/// Speed of the angle in units of η²/B, in radians a step: −½ Σ E zᵢ² ∂/∂φ (∂²L/∂zᵢ²).
fn speed(angle: f64) -> f64 {
    let (y, x) = angle.sin_cos();
    let slopes = [(-x, y), (x, -y), (y, x), (-y, -x)];
    let terms = factors(x, y).into_iter().zip(slopes).zip(stationary(x, y));
    terms.map(|(((a, b), (da, db)), z_sq)| -z_sq * (2.0 * a * da + b * db)).sum::<f64>() / FUNCTIONS as f64
}

/// Steps of a turn in units of B/η²: ∫ dφ/speed, by the midpoint rule, which is exact to rounding for a smooth period.
pub(super) fn period() -> f64 {
    let parts = 1000;
    (0..parts).map(|i| TAU / f64::from(parts) / speed(TAU * (f64::from(i) + 0.5) / f64::from(parts))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOMEWHERE: Theta = [0.3, -0.7, 0.11, -0.23, 0.31, 0.05];

    fn loss(theta: &Theta) -> f64 {
        (0..FUNCTIONS).map(|i| 0.5 * function(i, theta).0.powi(2)).sum::<f64>() / FUNCTIONS as f64
    }

    fn on_circle(angle: f64) -> Theta {
        [angle.cos(), angle.sin(), 0.0, 0.0, 0.0, 0.0]
    }

    /// Equations 198 to 201 written out once more, at x = 2, y = 3 and z = (5, 7, 11, 13).
    #[test]
    fn values_by_hand() {
        let theta = [2.0, 3.0, 5.0, 7.0, 11.0, 13.0];
        let exact = [-11.0, -9.0, 27.0, 29.0, -12.0, -10.0, 38.0, 40.0, -5.0, 21.0, 44.0, -26.0, 12.0];
        assert_eq!(std::array::from_fn::<f64, FUNCTIONS, _>(|i| function(i, &theta).0), exact);
    }

    /// Central differences with h = 1e-6; a polynomial of degree 4 with coefficients of order 1 leaves 1e-10.
    #[test]
    fn gradients_are_differences() {
        let h = 1e-6;
        for (place, slope) in gradient(&SOMEWHERE).into_iter().enumerate() {
            let moved = |by: f64| std::array::from_fn(|j| SOMEWHERE[j] + if j == place { by } else { 0.0 });
            let difference = (loss(&moved(h)) - loss(&moved(-h))) / (2.0 * h);
            assert!((slope - difference).abs() < 1e-9, "{place}: {slope} {difference}");
        }
    }

    /// Eight functions are ±1 and five are 0 there, so L = 8/26, and their gradients cancel.
    #[test]
    fn the_circle_is_minimal() {
        for i in 0..12 {
            let theta = on_circle(0.1 + TAU * f64::from(i) / 12.0);
            assert!((loss(&theta) - 4.0 / 13.0).abs() < 1e-15);
            assert!(gradient(&theta).iter().all(|slope| slope.abs() < 1e-15));
            // (1/13) Σ fᵢ²‖∇fᵢ‖² = 12/13 for minibatches, σ² tr G with tr G = 22/13 for labels.
            let square = |i| function(i, &theta).1.iter().map(|(_, d)| d * d).sum::<f64>();
            let trace = |weight: fn(f64) -> f64| {
                (0..FUNCTIONS).map(|i| weight(function(i, &theta).0) * square(i)).sum::<f64>() / FUNCTIONS as f64
            };
            assert!((trace(|f| f * f) - 12.0 / 13.0).abs() < 1e-14);
            assert!((LABEL_NOISE * trace(|_| 1.0) - 12.0 / 13.0).abs() < 1e-14);
        }
    }

    /// A quarter turn (x, y) → (−y, x) with z₁ → z₄ → z₂ → z₃ → z₁ changes nothing.
    #[test]
    fn a_quarter_turn_is_a_symmetry() {
        let [x, y, z1, z2, z3, z4] = SOMEWHERE;
        assert!((loss(&[-y, x, z3, z4, z2, z1]) - loss(&SOMEWHERE)).abs() < 1e-15);
        assert!((speed(0.4) - speed(0.4 + TAU / 4.0)).abs() < 1e-15);
    }

    /// At (1, 0) by hand: E zᵢ² = ½, 1/6, 0, 4/9 and ∂(2aᵢ² + bᵢ²)/∂y = −4, 4, 2, −2: speed (2 − 2/3 + 8/9)/26.
    #[test]
    fn speed_by_hand() {
        let exact = (2.0 - 2.0 / 3.0 + 8.0 / 9.0) / 26.0;
        assert!((speed(0.0) - exact).abs() < 1e-15, "{} {exact}", speed(0.0));
        // scripts/reference/cycling.py (sympy, scipy): derivatives and integral by other means.
        assert!((period() - 79.524_345_148).abs() < 1e-8, "{}", period());
    }

    /// The noises by their moments at a point: unbiased, with the stated trace, in 200 000 draws (5 standard errors).
    #[test]
    fn both_noises_are_unbiased() {
        let theta = on_circle(0.5);
        let mut rng = saltflat_random::Key::new(1, saltflat_random::Stream::LabNoise, 0).rng();
        for (noise, batch_size) in [
            (GradientNoise::Minibatch, 1),
            (GradientNoise::Minibatch, 4),
            (GradientNoise::LabelNoise, 1),
            (GradientNoise::LabelNoise, 4),
        ] {
            let draws = 200_000;
            let (mut sum, mut squares, mut fourth) = (Theta::default(), 0.0, 0.0);
            for _ in 0..draws {
                let drawn = noise.gradient(&theta, batch_size, &mut rng);
                let square: f64 = drawn.iter().map(|d| d * d).sum();
                (squares, fourth) = (squares + square, fourth + square * square);
                sum.iter_mut().zip(drawn).for_each(|(sum, d)| *sum += d);
            }
            let n = f64::from(draws);
            let (trace, exact) = (squares / n, 12.0 / 13.0 / batch_size as f64);
            let error = ((fourth / n - trace * trace) / n).sqrt();
            assert!((trace - exact).abs() < 5.0 * error, "{noise:?} {batch_size}: {trace} ± {error}, {exact}");
            assert!(
                sum.iter().all(|sum| (sum / n).abs() < 5.0 * (exact / n).sqrt()),
                "{noise:?} {batch_size}: {sum:?}"
            );
        }
    }
}
