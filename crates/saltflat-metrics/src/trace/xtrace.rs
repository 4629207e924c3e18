//! XTrace.

use nalgebra::{DMatrix, DVector};
use saltflat_models::Vector;
use saltflat_random::Key;

use super::options::{TraceEstimate, TraceOptions};
use crate::{
    Estimate, Interrupt, MetricError, Operator,
    basis::{Basis, norm},
    operator::number,
};

/// The exchangeable estimator of Epperly, Tropp and Webber 2024 (arXiv 2301.07825): with Y = AΩ for k random columns, and
/// Qᵢ an orthonormal basis of Y without its column i, the mean over i of
/// tr(QᵢᵀAQᵢ) + ωᵢᵀ(I − QᵢQᵢᵀ)A(I − QᵢQᵢᵀ)ωᵢ. Only Y and Z = AQ are needed, 2 k products: QᵢQᵢᵀ = Q(I − sᵢsᵢᵀ)Qᵀ, where sᵢ is
/// column i of R^−ᵀ, scaled to length 1. The same with A² in place of A, whose forms are inner products of Y and Z, gives
/// ‖A‖_F². Unbiased; the standard error is that of the k estimates as if they were independent.
///
/// If memory holds fewer columns than half of the probes, groups of columns are averaged.
pub(super) fn estimate(
    operator: &dyn Operator,
    options: &TraceOptions,
    key: Key,
) -> Result<TraceEstimate, MetricError> {
    let p = operator.space().len();
    // Q, Z, Y and Ω are held.
    let columns = (options.probes / 2).clamp(1, (options.sketch(operator) / 2).max(2)).min(p);
    let (mut traces, mut squares) = (Vec::new(), Vec::new());
    let (mut used, mut drawn) = (0, 0);
    loop {
        // With a tolerance small groups first: the looks are at 16, 32, 64 … products.
        let size = match options.tolerance {
            Some(_) => columns.min((used / 2).max(8)),
            None => columns,
        };
        if used > 0 && used + 2 * size > options.probes {
            break;
        }
        let group = Group::draw(operator, size, key, drawn)?;
        drawn += size as u64;
        used += 2 * size;
        let (of_trace, of_square) = group.estimates(p, operator.interrupt())?;
        if group.w.nrows() >= p {
            // The range is the whole space: nothing is left to chance.
            (traces, squares) = (of_trace, of_square);
            break;
        }
        traces.extend(of_trace);
        squares.extend(of_square);
        if options.is_met(&Estimate::of_probes(&traces).with_probes(used)) {
            break;
        }
    }
    let with_products = |estimate: Estimate| estimate.with_probes(used);
    Ok(TraceEstimate {
        trace: with_products(Estimate::of_probes(&traces)),
        frobenius: match options.frobenius {
            true => with_products(Estimate::root_of_probes(&squares)),
            false => Estimate::absent("not asked for"),
        },
        by_tensor: Vec::new(),
        forms: None,
        diagonal: None,
    })
}

/// Inner products of Ω, Y = AΩ, Q and Z = AQ, all k × k.
struct Group {
    /// QᵀΩ.
    w: DMatrix<f64>,
    /// sᵢ in column i.
    s: DMatrix<f64>,
    /// For A and for A²: QᵀFQ, QᵀFΩ and the diagonal of ΩᵀFΩ.
    forms: [(DMatrix<f64>, DMatrix<f64>, DVector<f64>); 2],
}

impl Group {
    fn draw(operator: &dyn Operator, k: usize, key: Key, first: u64) -> Result<Self, MetricError> {
        let space = operator.space();
        let mut q = Basis::new(space, operator.interrupt());
        let (mut omegas, mut images) = (Vec::new(), Vec::new());
        // R of Y = QR; a column that depends on the others has a zero on the diagonal and no vector in Q.
        let mut r = DMatrix::zeros(k, k);
        for i in 0..k {
            let omega = space.signs_like(key.part(first + i as u64));
            let image = Basis::regroup(&operator.apply(&omega)?);
            let size = norm(&image)?;
            let (rest, coefficients) = q.remove(image.clone())?;
            coefficients.iter().enumerate().for_each(|(j, c)| r[(j, i)] = *c);
            let left = norm(&rest)?;
            if left > 1e-5 * size {
                r[(q.len(), i)] = left;
                q.push(&rest.scale(1.0 / left));
            }
            images.push(image);
            omegas.push(Basis::regroup(&omega));
        }
        let rank = q.len();
        let mut products: Vec<Vector> = Vec::with_capacity(rank);
        for i in 0..rank {
            products.push(Basis::regroup(&operator.apply(&q.vector(i))?));
        }
        let dots = |basis: &Basis<'_>, vectors: &[Vector]| -> Result<DMatrix<f64>, MetricError> {
            let all = vectors.iter().map(|v| basis.dots(v)).collect::<Result<Vec<_>, _>>()?;
            Ok(DMatrix::from_fn(rank, vectors.len(), |row, column| all[column][row]))
        };
        // Z as rows of a matrix, for inner products with many vectors at a time; it is not orthonormal.
        let mut z = Basis::new(space, operator.interrupt());
        products.iter().for_each(|product| z.push(product));
        let diagonal = |a: &[Vector], b: &[Vector]| -> Result<DVector<f64>, MetricError> {
            let all = a.iter().zip(b).map(|(x, y)| number(x.dot(y))).collect::<Result<Vec<_>, _>>()?;
            Ok(DVector::from_vec(all))
        };
        let w = dots(&q, &omegas)?;
        let symmetric = |a: DMatrix<f64>| (&a + a.transpose()) * 0.5;
        let first = (symmetric(dots(&q, &products)?), dots(&q, &images)?, diagonal(&omegas, &images)?);
        let second = (dots(&z, &products)?, dots(&z, &images)?, diagonal(&images, &images)?);
        let r = r.rows(0, rank).into_owned();
        let s = operator.interrupt().run(move || leaving_out(&r))?;
        Ok(Self { s, w, forms: [first, second] })
    }

    /// The k estimates of the trace and of ‖A‖_F².
    fn estimates(&self, p: usize, interrupt: Interrupt<'_>) -> Result<(Vec<f64>, Vec<f64>), MetricError> {
        let [trace, square] = &self.forms;
        let of = |(h, c, d): &(DMatrix<f64>, DMatrix<f64>, DVector<f64>)| -> Result<Vec<f64>, MetricError> {
            let total = h.trace();
            if h.nrows() >= p {
                return Ok(vec![total; d.len()]);
            }
            (0..d.len())
                .map(|i| {
                    interrupt.check()?;
                    let s = self.s.column(i);
                    // What of ωᵢ lies in the range of Qᵢ.
                    let inside = self.w.column(i) - s * s.dot(&self.w.column(i));
                    let left_out = (h * s).dot(&s);
                    Ok(total - left_out + d[i] - 2.0 * inside.dot(&c.column(i)) + (h * &inside).dot(&inside))
                })
                .collect()
        };
        Ok((of(trace)?, of(square)?))
    }
}

/// Column i: the unit vector s in the coordinates of Q with Rⱼ·s = 0 for every other column j of R `[rank, k]`, or 0 if
/// the others span everything. With Rᵀ = UT, U `[k, rank]` orthonormal: s is T⁻¹ times row i of U, scaled, and there is one
/// if that row has length 1 (the leverage of column i).
fn leaving_out(r: &DMatrix<f64>) -> DMatrix<f64> {
    let (u, t) = r.transpose().qr().unpack();
    let mut s = t.solve_upper_triangular(&u.transpose()).unwrap_or_else(|| DMatrix::zeros(r.nrows(), r.ncols()));
    for (i, mut column) in s.column_iter_mut().enumerate() {
        let needed = u.row(i).norm_squared() > 1.0 - 1e-6;
        let size = column.norm();
        if needed && size > 0.0 { column /= size } else { column.fill(0.0) }
    }
    s
}
