//! Numbers that are changed in place.

use crate::{
    simd::Real,
    tasks::{CHUNK, each_chunk},
};

/// y_i ← f(y_i, a_i); if `a` is the shorter one it is repeated.
pub(super) fn update<T: Real>(y: &mut [T], a: &[T], f: impl Fn(T, T) -> T + Send + Sync) {
    let arch = pulp::Arch::new();
    let work = y.len();
    each_chunk(y, CHUNK, work, |index, y| {
        let (mut y, mut first) = (y, index * CHUNK % a.len());
        // Up to the end of what is repeated at a time.
        while !y.is_empty() {
            let (now, rest) = y.split_at_mut(y.len().min(a.len() - first));
            let a = &a[first..][..now.len()];
            arch.dispatch(|| {
                for (y, &a) in now.iter_mut().zip(a) {
                    *y = f(*y, a);
                }
            });
            (y, first) = (rest, 0);
        }
    });
}
