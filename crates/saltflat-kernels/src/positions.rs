//! Inner products of the sample gradients of a convolution's weight from inner products at pairs of positions.

use crate::{Real, Window, tasks::each_chunk};

/// Images `[height, width]` and what reads them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Positions {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) window: Window,
}

/// A pixel that lies in the padding.
const OUTSIDE: usize = usize::MAX;

impl Positions {
    /// Pixels of an image.
    pub(crate) fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Positions of the output.
    pub(crate) fn outputs(&self) -> usize {
        self.window.output(self.height) * self.window.output(self.width)
    }

    /// For every position of the output the pixel under each entry of the kernel.
    fn pixels_under(&self) -> Vec<Vec<usize>> {
        let Window { kernel, stride, padding } = self.window;
        let inside = |out: usize, entry: usize, side: usize| {
            (out * stride + entry).checked_sub(padding).filter(|&pixel| pixel < side)
        };
        let columns = self.window.output(self.width);
        let under = |position: usize| {
            let entries = (0..self.window.area()).map(|k| {
                let row = inside(position / columns, k / kernel, self.height);
                let column = inside(position % columns, k % kernel, self.width);
                row.zip(column).map_or(OUTSIDE, |(row, column)| row * self.width + column)
            });
            entries.collect()
        };
        (0..self.outputs()).map(under).collect()
    }
}

/// Σ over positions t, s and entries k of the kernel of D[i t, s r] P[i (t + k), (s + k) j(r)] `[rows, columns]`, from P `[rows · pixels,
/// pixels · samples]` and D `[rows · positions, positions · columns]`; columns are a multiple of the samples, r = (…, j).
pub(crate) fn products<T: Real>([p, d]: [&[T]; 2], [rows, columns]: [usize; 2], sizes: Positions) -> Vec<T> {
    let (pixels, positions) = (sizes.pixels(), sizes.outputs());
    let samples = p.len() / (rows * pixels * pixels).max(1);
    let under = sizes.pixels_under();
    let arch = pulp::Arch::new();
    let mut out = vec![T::default(); rows * columns];
    let make = |sum: &mut Vec<T>, row: usize, out: &mut [T]| {
        arch.dispatch(|| {
            for (t, t_under) in under.iter().enumerate() {
                for (s, s_under) in under.iter().enumerate() {
                    // The inner products of patch t of this sample and patch s of every one.
                    sum.fill(T::default());
                    for (&a, &b) in t_under.iter().zip(s_under).filter(|&(&a, &b)| a != OUTSIDE && b != OUTSIDE) {
                        let p = &p[((row * pixels + a) * pixels + b) * samples..][..samples];
                        for (sum, &p) in sum.iter_mut().zip(p) {
                            *sum += p;
                        }
                    }
                    let d = &d[((row * positions + t) * positions + s) * columns..][..columns];
                    for (out, d) in out.chunks_exact_mut(samples).zip(d.chunks_exact(samples)) {
                        for ((out, &d), &sum) in out.iter_mut().zip(d).zip(&*sum) {
                            *out += d * sum;
                        }
                    }
                }
            }
        });
    };
    each_chunk(&mut out, columns, p.len() * sizes.window.area() + d.len(), || vec![T::default(); samples], make);
    out
}
