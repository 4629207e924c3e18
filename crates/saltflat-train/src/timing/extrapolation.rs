//! The time of a whole from the time of its parts.

use crate::TrainError;

/// Samples with which a timing begins.
pub(super) const FIRST: usize = 4;

/// How much larger the next timed part is at most.
const GROWTH: usize = 16;

/// Repetitions of the whole at most.
const REPETITIONS: usize = 200;

/// Seconds of a work of the size `full`: `work` does a part of a size and gives its seconds, `cost` says what a part costs in any
/// unit. Parts grow until the whole is done or the next one would take longer than `budget` seconds; the last one is scaled by the
/// costs. The whole is repeated within the budget: the first time it may have been cold.
pub(crate) fn extrapolated(
    full: usize,
    budget: f64,
    cost: impl Fn(usize) -> f64,
    mut work: impl FnMut(usize) -> Result<f64, TrainError>,
) -> Result<f64, TrainError> {
    let mut size = FIRST.min(full);
    loop {
        let seconds = work(size)?;
        if size == full {
            let (mut spent, mut times) = (0.0, 0);
            while times < REPETITIONS && spent + seconds <= budget {
                spent += work(size)?;
                times += 1;
            }
            return Ok(if times > 0 { spent / times as f64 } else { seconds });
        }
        let growth = (budget / seconds.max(1e-9) / 2.0).clamp(2.0, GROWTH as f64) as usize;
        let next = size.saturating_mul(growth).min(full);
        if seconds * cost(next) / cost(size) > budget {
            return Ok(seconds * cost(full) / cost(size));
        }
        size = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A work of 1 ms and 1 µs a unit that is warm from the third call on: what is whole is the mean of the warm ones, what is scaled is
    /// at the rate of the largest part within the budget.
    #[test]
    fn what_is_not_timed_whole_is_scaled() {
        let seconds = |size: usize| 1e-3 + 1e-6 * size as f64;
        let timed = |full: usize, budget: f64| {
            let mut sizes = Vec::new();
            let found = extrapolated(
                full,
                budget,
                |size| size as f64,
                |size| {
                    sizes.push(size);
                    Ok(seconds(size) + if sizes.len() < 3 { 0.01 } else { 0.0 })
                },
            );
            (found.unwrap(), sizes)
        };
        let (found, sizes) = timed(1000, 1.0);
        assert_eq!(sizes[..4], [4, 64, 1000, 1000]);
        assert!((found - seconds(1000)).abs() < 1e-12, "{found}");
        // 10⁹ units take 1,000 s: no part above the budget is tried.
        let (found, sizes) = timed(1_000_000_000, 0.5);
        let last = *sizes.last().unwrap();
        assert!(seconds(last) < 0.5 && seconds(2 * last) > 0.1, "{sizes:?}");
        assert!((found - seconds(last) * 1e9 / last as f64).abs() < 1e-6, "{found}");
        // What is beyond any budget is done once, in the smallest part.
        assert_eq!(extrapolated(100, 0.1, |size| size as f64, |size| Ok(size as f64)).unwrap(), 100.0);
        assert_eq!(timed(1, 0.1).1[0], 1);
    }
}
