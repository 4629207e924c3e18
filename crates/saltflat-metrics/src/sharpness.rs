//! Curvature along the directions in which SGD moves.

use saltflat_models::Vector;
use saltflat_random::Key;

use crate::{
    Curvature, CurvatureOperator, Estimate, MetricError, Objective, Operator, gradient, mean_and_error,
    operator::number,
};

/// Sharpness of batches and along directions.
#[derive(Clone, Debug)]
pub struct Sharpness {
    /// E[g_Bᵀ H_B g_B] / E‖g_B‖² over random batches of B samples, with its standard error by the delta method.
    pub batch_sharpness: Estimate,
    /// ‖∇L‖² / E‖g_B − ∇L‖², from the same batches. The noise is that of batches of all the training samples.
    pub gradient_snr: Estimate,
    /// ∇Lᵀ H ∇L / ‖∇L‖².
    pub along_gradient: Estimate,
    /// uᵀHu / ‖u‖² along the last update u.
    pub along_update: Estimate,
}

/// Measures on `batches` random batches of `batch_size` samples each, drawn without replacement within a batch (Andreyev
/// and Beneventano 2024, arXiv 2412.20553: at stability SGD holds the batch sharpness at 2/η). Costs a gradient and a
/// quadratic form of B samples a batch, and two quadratic forms of all m samples of the objective.
///
/// Training draws its batches from n = `training_samples`, here they come from the objective's m. A random batch of a random
/// subset is a random batch of the whole, so the batch sharpness needs no correction; but E‖g_B − ∇L‖² = S²(1/B − 1/n), S²
/// the unbiased variance of the samples' gradients, and here 1/m stands in place of 1/n: the noise is multiplied by
/// (1/B − 1/n)/(1/B − 1/m). If m < n is not larger than B there is but one batch, and no value.
///
/// # Errors
/// [`MetricError::Device`] if numbers cannot be read, and [`MetricError::Interrupted`].
pub fn sharpness(
    objective: &Objective<'_>,
    theta: &Vector,
    update: Option<&Vector>,
    training_samples: usize,
    batch_size: usize,
    batches: usize,
    key: Key,
) -> Result<Sharpness, MetricError> {
    let (m, n) = (objective.len(), training_samples);
    let one_batch = m < n && m <= batch_size;
    let batches = if one_batch { 0 } else { batches };
    let whole = gradient(objective, theta)?;
    let signal = number(whole.norm_squared())?;
    let (mut forms, mut squares, mut noises) = (Vec::new(), Vec::new(), Vec::new());
    for b in 0..batches {
        let order = key.part(b as u64).permutation(m);
        let of_batch =
            objective.on(order.iter().take(batch_size.min(m)).map(|&i| objective.indices[i as usize]).collect());
        let g = gradient(&of_batch, theta)?;
        let operator = CurvatureOperator::new(&of_batch, theta, Curvature::Hessian);
        forms.extend(operator.forms(std::slice::from_ref(&g))?.values());
        squares.push(number(g.norm_squared())?);
        noises.push(number(g.plus_scaled(-1.0, &whole).norm_squared())?);
    }
    let operator = CurvatureOperator::new(objective, theta, Curvature::Hessian);
    let along = |v: Option<&Vector>, absent: &str| -> Result<Estimate, MetricError> {
        let Some(v) = v else { return Ok(Estimate::absent(absent)) };
        let square = number(v.norm_squared())?;
        if square == 0.0 {
            return Ok(Estimate::absent("the direction is zero"));
        }
        let form = operator.forms(std::slice::from_ref(v))?.values();
        Ok(Estimate::quotient(form.first().copied().unwrap_or(f64::NAN), square, "the direction is zero"))
    };
    let only = format!("needs more than one batch of {batch_size} samples, and was measured on {m} of {n}");
    let batch_sharpness = if one_batch { Estimate::absent(&only) } else { ratio(&forms, &squares) };
    let gradient_snr = if one_batch {
        Estimate::absent(only)
    } else if batch_size >= n {
        Estimate::absent("a batch of all samples has no gradient noise")
    } else {
        let part = |samples: usize| 1.0 / batch_size as f64 - 1.0 / samples as f64;
        let noises: Vec<f64> = noises.iter().map(|noise| noise * part(n) / part(m)).collect();
        ratio(&vec![signal; noises.len()], &noises)
    };
    Ok(Sharpness {
        batch_sharpness,
        gradient_snr,
        along_gradient: along(Some(&whole), "")?,
        along_update: along(update, "no last update is known: the weights come without momentum")?,
    })
}

/// Mean of a over mean of b from pairs, with the standard error of the residuals a − (a/b) b over mean b.
fn ratio(a: &[f64], b: &[f64]) -> Estimate {
    let ((top, _), (bottom, _)) = (mean_and_error(a), mean_and_error(b));
    if a.is_empty() {
        return Estimate::absent("0 batches were asked for");
    }
    let value = top / bottom;
    let residuals: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - value * b).collect();
    let (_, error) = mean_and_error(&residuals);
    let quotient = Estimate::quotient(top, bottom, "the gradients are zero");
    quotient.with_std_error(error.map(|e| e / bottom)).with_probes(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a = 2 b exactly: ratio 2 with no error; a = (1, 3), b = (1, 1): 2 with residuals ∓1, error 1.
    #[test]
    fn ratios_and_their_errors() {
        let exact = ratio(&[2.0, 4.0, 6.0], &[1.0, 2.0, 3.0]);
        assert_eq!((exact.value, exact.std_error), (Some(2.0), Some(0.0)));
        let spread = ratio(&[1.0, 3.0], &[1.0, 1.0]);
        assert_eq!(spread.value, Some(2.0));
        assert!((spread.std_error.expect("two pairs") - 1.0).abs() < 1e-15);
        assert!(ratio(&[], &[]).value.is_none() && ratio(&[0.0], &[0.0]).value.is_none());
    }
}
