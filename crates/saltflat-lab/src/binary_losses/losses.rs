//! The three losses, the minimum of each under flipped labels, and its closed form.

use crate::Row;

/// A loss l(x) of the margin x = y f with its first two derivatives, and what table 1 says of it.
pub(super) struct BinaryLoss {
    pub name: &'static str,
    slope: fn(f64) -> f64,
    curvature: fn(f64) -> f64,
    /// (c, σ², α) at p.
    closed: fn(f64) -> (f64, f64, f64),
}

pub(super) const LOSSES: [BinaryLoss; 3] = [
    // l = log(1 + e⁻ˣ)
    BinaryLoss {
        name: "logistic",
        slope: |x| -1.0 / (1.0 + x.exp()),
        curvature: |x| 0.25 / (x / 2.0).cosh().powi(2),
        closed: |p| (((1.0 - p) / p).ln(), p * (1.0 - p), p * (1.0 - p)),
    },
    // l = e⁻ˣ
    BinaryLoss {
        name: "exponential",
        slope: |x| -(-x).exp(),
        curvature: |x| (-x).exp(),
        closed: |p| (0.5 * ((1.0 - p) / p).ln(), 1.0, 2.0 * (p * (1.0 - p)).sqrt()),
    },
    // l = ½(x − 1)²
    BinaryLoss {
        name: "square",
        slope: |x| x - 1.0,
        curvature: |_| 1.0,
        closed: |p| (1.0 - 2.0 * p, 4.0 * p * (1.0 - p), 1.0),
    },
];

impl BinaryLoss {
    /// l̄′(x) = (1−p) l′(x) − p l′(−x).
    fn smoothed_slope(&self, p: f64, x: f64) -> f64 {
        (1.0 - p) * (self.slope)(x) - p * (self.slope)(-x)
    }

    /// l̄″(x) = (1−p) l″(x) + p l″(−x).
    fn smoothed_curvature(&self, p: f64, x: f64) -> f64 {
        (1.0 - p) * (self.curvature)(x) + p * (self.curvature)(-x)
    }

    /// c = argmin l̄: Newton's method on l̄′ inside a bracket that bisection narrows if a step leaves it.
    fn minimum(&self, p: f64) -> f64 {
        let (mut low, mut high) = (-1.0, 1.0);
        while self.smoothed_slope(p, low) > 0.0 {
            low *= 2.0;
        }
        while self.smoothed_slope(p, high) < 0.0 {
            high *= 2.0;
        }
        let mut x = 0.0;
        for _ in 0..200 {
            let slope = self.smoothed_slope(p, x);
            if slope > 0.0 {
                high = x;
            } else {
                low = x;
            }
            let newton = x - slope / self.smoothed_curvature(p, x);
            let next = if (low..=high).contains(&newton) { newton } else { 0.5 * (low + high) };
            if next == x {
                break;
            }
            x = next;
        }
        x
    }

    /// Everything of table 1 at p, found and in closed form, with the mean and variance of ε.
    pub fn row(&self, step: u64, p: f64) -> Row {
        let c = self.minimum(p);
        let (at, against) = ((self.slope)(c), (self.slope)(-c));
        let sigma_sq = p * (1.0 - p) * (at + against).powi(2);
        let alpha = self.smoothed_curvature(p, c);
        let (closed_c, closed_sigma_sq, closed_alpha) = (self.closed)(p);
        // Equation 8: the gradient of a sample with its label kept (1−p) or flipped (p), less that of the smoothed loss.
        let noise = [(1.0 - p, at - self.smoothed_slope(p, c)), (p, -against - self.smoothed_slope(p, c))];
        let expected = |of: fn(f64) -> f64| noise.iter().map(|(weight, epsilon)| weight * of(*epsilon)).sum::<f64>();
        let (mean, variance) = (expected(|epsilon| epsilon), expected(|epsilon| epsilon * epsilon));
        // Equation 9: the same two values.
        let two = [p * (at + against), -(1.0 - p) * (at + against)];
        let values = noise.iter().zip(two).map(|((_, epsilon), two)| (epsilon - two).abs()).fold(0.0, f64::max);
        Row::new(
            step,
            &[
                ("p", p),
                ("c", c),
                ("sigma_sq", sigma_sq),
                ("alpha", alpha),
                ("c_closed", closed_c),
                ("sigma_sq_closed", closed_sigma_sq),
                ("alpha_closed", closed_alpha),
                ("c_difference", (c - closed_c).abs()),
                ("sigma_sq_difference", (sigma_sq - closed_sigma_sq).abs()),
                ("alpha_difference", (alpha - closed_alpha).abs()),
                ("noise_mean", mean),
                ("noise_variance", variance),
                ("noise_difference", values.max((variance - sigma_sq).abs())),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At p = 1/5, by hand: log 4, 0.16, 0.16; ½ log 4 = log 2, 1, 0.8; 0.6, 0.64, 1.
    #[test]
    fn one_fifth_by_hand() {
        let log_2 = std::f64::consts::LN_2;
        let exact = [(2.0 * log_2, 0.16, 0.16), (log_2, 1.0, 0.8), (0.6, 0.64, 1.0)];
        for (loss, (c, sigma_sq, alpha)) in LOSSES.iter().zip(exact) {
            let row = loss.row(0, 0.2);
            for (name, exact) in [("c", c), ("sigma_sq", sigma_sq), ("alpha", alpha)] {
                assert!((row.values[name] - exact).abs() < 1e-14, "{} {name}: {}", loss.name, row.values[name]);
                assert!((row.values[&format!("{name}_closed")] - exact).abs() < 1e-15, "{} {name}", loss.name);
            }
        }
    }

    /// The derivatives against central differences of the losses, at error h² ~ 1e-10.
    #[test]
    fn derivatives_are_those_of_the_losses() {
        let losses: [fn(f64) -> f64; 3] = [|x| (-x).exp().ln_1p(), |x| (-x).exp(), |x| 0.5 * (x - 1.0).powi(2)];
        let h = 1e-5;
        for (loss, l) in LOSSES.iter().zip(losses) {
            for x in [-3.0, -0.4, 0.0, 1.2, 5.0] {
                let slope = (l(x + h) - l(x - h)) / (2.0 * h);
                let curvature = ((loss.slope)(x + h) - (loss.slope)(x - h)) / (2.0 * h);
                assert!(((loss.slope)(x) - slope).abs() < 1e-8, "{} at {x}", loss.name);
                assert!(((loss.curvature)(x) - curvature).abs() < 1e-8, "{} at {x}", loss.name);
            }
        }
    }
}
