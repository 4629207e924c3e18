//! Memory that kernels work in and use again, so that the system need not clear pages for every call.

use std::ops::{Deref, DerefMut};

use crate::simd::Real;

/// Buffers that are kept when nobody uses them.
const KEPT: usize = 6;

/// Bytes of a line of the cache, and of the widest vector: one that is not aligned to it lies in two lines.
const LINE: usize = 64;

/// Numbers to work in, from the start of a line on; what they are at first is left over from other work.
pub(crate) struct Buffer<T: Real> {
    numbers: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Real> Buffer<T> {
    /// Of `len` numbers.
    pub(crate) fn new(len: usize) -> Self {
        let room = len + LINE / size_of::<T>();
        let mut kept = T::buffers().lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let fits = |(_, numbers): &(usize, &Vec<T>)| numbers.len() >= room && numbers.len() / 4 <= room;
        let best = kept.iter().enumerate().filter(fits).min_by_key(|(_, numbers)| numbers.len());
        let numbers = match best.map(|(index, _)| index) {
            Some(index) => kept.swap_remove(index),
            None => {
                drop(kept);
                vec![T::default(); room]
            }
        };
        let start = numbers.as_ptr().align_offset(LINE);
        Self { numbers, start, len }
    }
}

impl<T: Real> Drop for Buffer<T> {
    /// Keeps the memory, in place of the oldest one if enough are kept.
    fn drop(&mut self) {
        let mut kept = T::buffers().lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.push(std::mem::take(&mut self.numbers));
        if kept.len() > KEPT {
            kept.remove(0);
        }
    }
}

impl<T: Real> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.numbers[self.start..][..self.len]
    }
}

impl<T: Real> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.numbers[self.start..][..self.len]
    }
}
