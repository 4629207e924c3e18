//! Eigenvalues at both ends of the spectrum by the Lanczos method.

mod krylov;

use krylov::Krylov;
pub use krylov::{Eigenpairs, Eigenvalue, GUARANTEED_EIGENVALUES, LanczosOptions};
use saltflat_models::Vector;
use saltflat_random::Key;

use crate::{MetricError, Operator};

/// Vectors beside the basis: the one that is multiplied, its product, what the product itself holds, Gram–Schmidt's two.
const WORKING: usize = 8;

/// Products from one look at the Ritz values to the next.
const LOOK: usize = 3;
/// Products of the check for eigenvalues that the search has not seen.
const CHECK: usize = 8;

/// Eigenvalues at both ends of A's spectrum: Rayleigh–Ritz on the Krylov space of a random vector, with full
/// reorthogonalisation (Lanczos 1950; Parlett 1980), restarted with the wanted Ritz vectors when memory ends
/// (Wu and Simon 2000). `warm` are vectors to start from beside it, such as those of the last measurement.
///
/// One vector sees an eigenvalue of higher multiplicity once. So what was found is checked: from a new random vector,
/// orthogonal to all before, eight more products must bring no wanted eigenvalue to light; if they do, the search goes
/// on with both. A copy that lies close to the bulk of the spectrum can escape the check.
///
/// The residuals are those of the projected problem, √Σ (f·Au)² over the basis vectors f that were not yet multiplied;
/// equal to ‖Au − λu‖ up to rounding, about 1e−6 |λ₁| in f32.
///
/// # Errors
/// [`MetricError::Device`] if inner products cannot be read, [`MetricError::Interrupted`], [`MetricError::NotFinite`] if
/// a product overflows, and [`MetricError::Memory`] if more than [`GUARANTEED_EIGENVALUES`] eigenvalues are wanted whose vectors do not fit.
///
/// ```
/// # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/support/least_squares.rs")); }
/// # use support::LeastSquares;
/// use saltflat_metrics::{Curvature, CurvatureOperator, LanczosOptions, lanczos};
/// use saltflat_random::{Key, Stream};
///
/// // The square loss of w·x on the inputs (1, 0) and (0, 2): H = diag(1, 4)/2.
/// let model = LeastSquares::new(&[[1.0, 0.0], [0.0, 2.0]], &[0.0, 0.0]);
/// let objective = model.objective();
/// let hessian = CurvatureOperator::new(&objective, &model.weights, Curvature::Hessian);
/// let options = LanczosOptions { largest: 1, smallest: 1, ..LanczosOptions::default() };
/// let found = lanczos(&hessian, &options, &[], Key::new(1, Stream::Eigenvalue, 0))?;
/// assert!((found.largest[0].value - 2.0).abs() < 1e-9 && (found.smallest[0].value - 0.5).abs() < 1e-9);
/// # Ok::<(), saltflat_metrics::MetricError>(())
/// ```
pub fn lanczos(
    operator: &dyn Operator,
    options: &LanczosOptions,
    warm: &[Vector],
    key: Key,
) -> Result<Eigenpairs, MetricError> {
    let p = operator.space().len();
    let options = &LanczosOptions { largest: options.largest.min(p), smallest: options.smallest.min(p), ..*options };
    let wanted = (options.largest + options.smallest).min(p);
    // With fewer a restart keeps everything and makes no progress.
    let room = |waiting: usize| wanted + 2 * waiting + 2;
    let bytes = (p * operator.space().dtype().size()).max(1);
    let fits = options.memory / bytes;
    let least = room(2).min(p);
    if wanted > GUARANTEED_EIGENVALUES && least > fits {
        let what = format!("the vectors of {wanted} eigenvalues");
        return Err(MetricError::Memory {
            what,
            needed: least.saturating_mul(bytes) >> 20,
            limit: options.memory >> 20,
        });
    }
    let capacity = fits.saturating_sub(WORKING).max(room(2));
    let mut krylov = Krylov::new(operator, key);
    match warm {
        [first, rest @ ..] if capacity < room(2 + warm.len()) => {
            // There is room for one: the sum has a part of each.
            krylov.start(&rest.iter().fold(first.clone(), |sum, v| sum.plus(v)))?;
        }
        _ => {
            for v in warm {
                krylov.start(v)?;
            }
            krylov.start_random()?;
        }
    }
    let limit = options.products.max(wanted).min(if capacity >= p { p } else { usize::MAX });
    let mut next_look = wanted.max(LOOK);
    // Under a check: the wanted values before it.
    let mut before: Option<Vec<f64>> = None;
    loop {
        let invariant = krylov.step(before.is_some())?;
        let done = invariant || krylov.products >= limit;
        let full = krylov.basis.len() >= capacity;
        let due = krylov.products >= next_look;
        if !done && !full && !due {
            continue;
        }
        let ritz = krylov.ritz()?;
        if done {
            return krylov.pairs(&ritz, options);
        }
        if due {
            next_look = krylov.products + LOOK;
            let chosen = ritz.chosen(options);
            let converged = chosen.len() >= wanted && chosen.iter().all(|&i| ritz.is_converged(i, options.tolerance));
            let values: Vec<f64> = chosen.iter().map(|&i| ritz.values[i]).collect();
            let unchanged = |before: &Vec<f64>| {
                let same =
                    |(&i, before): (&usize, &f64)| (ritz.values[i] - before).abs() <= ritz.bound(i, options.tolerance);
                chosen.iter().zip(before).all(same)
            };
            if converged && (before.as_ref().is_some_and(unchanged) || !krylov.start_random()?) {
                return krylov.pairs(&ritz, options);
            }
            before = converged.then_some(values);
            if converged {
                next_look = krylov.products + CHECK;
            }
        }
        if full {
            krylov.restart(&ritz, options, capacity)?;
        }
    }
}
