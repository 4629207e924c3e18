//! Work shared out over the cores.

use rayon::prelude::*;

/// Numbers of a task that reads each once: small enough for the second-level cache, large enough to be worth a task.
pub(crate) const CHUNK: usize = 1 << 14;

/// Multiplications below which waking another core costs more than it saves.
const SMALL: usize = 1 << 17;

/// Numbers that a thread sets to zero at a time.
const ZEROS: usize = 1 << 12;

/// Zeros, set on all cores if there are many.
pub(crate) fn zeros<T: Copy + Default + Send>(len: usize) -> Vec<T> {
    if len < SMALL {
        return vec![T::default(); len];
    }
    let chunk = || [T::default(); ZEROS];
    let chunks: Vec<[T; ZEROS]> = (0..len.div_ceil(ZEROS)).into_par_iter().map(|_| chunk()).collect();
    let mut zeros = chunks.into_flattened();
    zeros.truncate(len);
    zeros
}

/// Runs `make(index, chunk)` for every chunk of `size` numbers of `out`, on all cores if the whole has many multiplications. Chunks are
/// independent, so the result does not depend on which thread makes them.
pub(crate) fn each_chunk<T: Send>(
    out: &mut [T],
    size: usize,
    multiplications: usize,
    make: impl Fn(usize, &mut [T]) + Send + Sync,
) {
    each_chunk_with(out, size, multiplications, || (), |(), index, chunk| make(index, chunk));
}

/// [`each_chunk`] with a state, such as scratch memory, that a thread keeps from chunk to chunk.
pub(crate) fn each_chunk_with<T: Send, S>(
    out: &mut [T],
    size: usize,
    multiplications: usize,
    state: impl Fn() -> S + Send + Sync,
    make: impl Fn(&mut S, usize, &mut [T]) + Send + Sync,
) {
    let size = size.max(1);
    if multiplications < SMALL || out.len() <= size {
        let mut state = state();
        for (index, chunk) in out.chunks_mut(size).enumerate() {
            make(&mut state, index, chunk);
        }
    } else {
        let chunks = out.par_chunks_mut(size).enumerate();
        chunks.for_each_init(state, |state, (index, chunk)| make(state, index, chunk));
    }
}
