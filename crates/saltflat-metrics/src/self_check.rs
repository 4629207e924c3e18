//! Checks of the products themselves, on the network and the data at hand.

use saltflat_models::Vector;
use saltflat_random::Key;
use serde::Serialize;

use crate::{Curvature, CurvatureOperator, MetricError, Objective, Operator, gradient, operator::number};

/// Parameters up to which the trace is summed over a full basis.
pub const FULL_BASIS: usize = 5000;

/// One check: how far two routes to one number are apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What was compared.
    pub name: &'static str,
    /// The relative difference.
    pub difference: f64,
    /// What it may be.
    pub tolerance: f64,
    /// Why it was not made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

impl Check {
    fn new(name: &'static str, difference: f64, tolerance: f64) -> Self {
        Self { name, difference, tolerance, skipped: None }
    }

    /// True unless the check was made and failed.
    pub fn passed(&self) -> bool {
        self.skipped.is_some() || self.difference <= self.tolerance
    }
}

/// Checks Hv and vᵀHv at θ: against central differences of the gradient; symmetry uᵀHv = vᵀHu; vᵀHv by forward mode against
/// ⟨v, Hv⟩, for H and the Gauss–Newton matrix; equal bits of two passes; and, up to [`FULL_BASIS`] parameters, the trace by
/// random probes against the sum over a full basis. Meant for f64: the tolerances are its.
///
/// A network with kinks (relu, max pool) may cross one between the two points of a difference, so the step is small (1e−6 of
/// θ's length a coordinate) and the tolerance 1e−4.
///
/// # Errors
/// [`MetricError::Device`] if numbers cannot be read, and [`MetricError::Interrupted`].
pub fn self_check(objective: &Objective<'_>, theta: &Vector, key: Key) -> Result<Vec<Check>, MetricError> {
    let operator = CurvatureOperator::new(objective, theta, Curvature::Hessian);
    let ggn = CurvatureOperator::new(objective, theta, Curvature::GaussNewton);
    let (u, v) = (theta.normal_like(key.part(0)), theta.normal_like(key.part(1)));
    let (hu, hv) = (operator.apply(&u)?, operator.apply(&v)?);
    let size = |v: &Vector| Ok::<f64, MetricError>(number(v.norm_squared())?.sqrt());
    let mut checks = Vec::new();

    let h = 1e-6 * size(theta)?.max(1e-3) / size(&v)?;
    let (ahead, behind) =
        (gradient(objective, &theta.plus_scaled(h, &v))?, gradient(objective, &theta.plus_scaled(-h, &v))?);
    let difference = ahead.plus_scaled(-1.0, &behind).scale(0.5 / h);
    let scale = size(&hv)?.max(f64::MIN_POSITIVE);
    checks.push(Check::new(
        "Hv against differences of gradients",
        size(&difference.plus_scaled(-1.0, &hv))? / scale,
        1e-4,
    ));

    let (uhv, vhu) = (number(u.dot(&hv))?, number(v.dot(&hu))?);
    let natural = (size(&u)? * scale).max(f64::MIN_POSITIVE);
    checks.push(Check::new("symmetry, u·Hv against v·Hu", (uhv - vhu).abs() / natural, 1e-10));

    for (name, operator, product) in [
        ("v·Hv by forward mode against ⟨v, Hv⟩", &operator, hv.clone()),
        ("v·GGN v by forward mode against ⟨v, GGN v⟩", &ggn, ggn.apply(&v)?),
    ] {
        let form = operator.forms(std::slice::from_ref(&v))?.values().first().copied().unwrap_or(f64::NAN);
        let natural = (size(&v)? * size(&product)?).max(f64::MIN_POSITIVE);
        checks.push(Check::new(name, (form - number(v.dot(&product))?).abs() / natural, 1e-10));
    }

    let again = operator.apply(&v)?;
    checks.push(Check::new("two equal passes", size(&again.plus_scaled(-1.0, &hv))? / scale, 0.0));

    let p = theta.len();
    let name = "trace over a full basis, forward mode against Hv";
    if p > FULL_BASIS {
        let skipped = Some(format!("{p} parameters, more than {FULL_BASIS}"));
        checks.push(Check { name, difference: 0.0, tolerance: 0.0, skipped });
        return Ok(checks);
    }
    let (mut by_forms, mut by_products, mut absolute) = (0.0, 0.0, 0.0);
    for start in (0..p).step_by(64) {
        let units: Vec<Vector> = (start..(start + 64).min(p)).map(|i| unit(theta, i)).collect();
        by_forms += operator.forms(&units)?.values().iter().sum::<f64>();
        for e in &units {
            let diagonal = number(e.dot(&operator.apply(e)?))?;
            by_products += diagonal;
            absolute += diagonal.abs();
        }
    }
    checks.push(Check::new(name, (by_forms - by_products).abs() / absolute.max(f64::MIN_POSITIVE), 1e-10));
    Ok(checks)
}

/// The unit vector of coordinate i.
fn unit(theta: &Vector, i: usize) -> Vector {
    let mut start = 0;
    let parts = theta.parts().iter().map(|part| {
        let n = part.dims()[0];
        let zeros = part.zeros_like();
        let here = (start..start + n).contains(&i).then(|| i - start);
        start += n;
        match here {
            Some(at) => zeros.slice_fill(at..at + 1, 1.0),
            None => zeros,
        }
    });
    Vector::new(parts.collect())
}
