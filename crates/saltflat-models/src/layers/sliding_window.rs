//! Windows that slide over an image, of convolutions and of pooling.

use burn::tensor::{Slice, Tensor};
use saltflat_kernels::Window;
use serde::Serialize;

use super::per_axis;
use crate::{ModelError, place::Place};

/// A window that slides over an image, each as `[height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SlidingWindow {
    /// Entries of the window.
    #[serde(serialize_with = "per_axis::write")]
    pub kernel: [usize; 2],
    /// Step between two positions.
    #[serde(serialize_with = "per_axis::write")]
    pub stride: [usize; 2],
    /// What is added on every side of the image.
    #[serde(serialize_with = "per_axis::write")]
    pub padding: [usize; 2],
    /// Step between two entries of the window.
    #[serde(serialize_with = "per_axis::write")]
    pub dilation: [usize; 2],
}

impl SlidingWindow {
    /// 2 × 2 with stride 2, for whose pooling `saltflat-kernels` has kernels.
    pub const TWO: Self = Self { kernel: [2; 2], stride: [2; 2], padding: [0; 2], dilation: [1; 2] };

    /// Height and width of the output for an image `[height, width]`; absent if the window is larger than the padded image.
    pub fn output(self, image: [usize; 2]) -> Option<[usize; 2]> {
        let along = |axis: usize| {
            let padded = image[axis].saturating_add(self.padding[axis].saturating_mul(2));
            Some(padded.checked_sub(self.extent()[axis])? / self.stride[axis].max(1) + 1)
        };
        Some([along(0)?, along(1)?])
    }

    /// Height and width of the output for the input of a layer at this place.
    ///
    /// # Errors
    /// [`ModelError::Config`] if the window is larger than the padded image.
    pub(super) fn output_at(self, place: &Place<'_>) -> Result<[usize; 2], ModelError> {
        let [_, height, width] = place.input();
        self.output([height, width]).ok_or_else(|| {
            let least = |axis: usize| self.extent()[axis].saturating_sub(self.padding[axis].saturating_mul(2)).max(1);
            place.error(format!("images of at least {} × {} pixels", least(0), least(1)))
        })
    }

    /// [`output_at`](Self::output_at) for pooling, of whose windows none may lie in the padding alone.
    ///
    /// # Errors
    /// [`ModelError::Config`] if one does, or if the padding is more than half of the window.
    pub(super) fn pooled_at(self, place: &Place<'_>) -> Result<[usize; 2], ModelError> {
        let extent = self.extent();
        if (0..2).any(|axis| self.padding[axis] > extent[axis] / 2) {
            let most = extent.map(|side| side / 2);
            return Err(place.error_of(
                format!("a padding of at most half of the window, {most:?}"),
                format!("{:?}", self.padding),
            ));
        }
        let (output, [_, height, width]) = (self.output_at(place)?, place.input());
        let reaches = |axis: usize, side: usize| {
            let (padding, dilation) = (self.padding[axis], self.dilation[axis]);
            (0..output[axis]).all(|position| {
                // The first entry of the window that is not before the image.
                let start = position * self.stride[axis];
                let before = padding.saturating_sub(start).div_ceil(dilation.max(1));
                before < self.kernel[axis] && start + before * dilation < side + padding
            })
        };
        match reaches(0, height) && reaches(1, width) {
            true => Ok(output),
            false => Err(place.error("an image of which every window has a pixel")),
        }
    }

    /// Pixels from the first entry of the window to the last, both counted.
    pub fn extent(self) -> [usize; 2] {
        let along = |axis: usize| {
            let steps = self.kernel[axis].saturating_sub(1);
            steps.saturating_mul(self.dilation[axis]).saturating_add(1)
        };
        [along(0), along(1)]
    }

    /// The same window as one of `saltflat-kernels`, if it is square and without dilation.
    pub fn square(self) -> Option<Window> {
        let Self { kernel, stride, padding, dilation } = self;
        let is_square = [kernel, stride, padding].iter().all(|[h, w]| h == w);
        (is_square && dilation == [1; 2]).then_some(Window {
            kernel: kernel[0],
            stride: stride[0],
            padding: padding[0],
        })
    }

    /// Entries of the window.
    pub fn area(self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The entries under the window at every position, zeros around the image: x `[batch, channels, height, width]` as
    /// `[batch, channels, area, positions]`.
    ///
    /// # Panics
    /// If the window is larger than the padded image.
    pub(crate) fn unfold(self, x: Tensor<4>) -> Tensor<4> {
        let [n, c, height, width] = x.dims();
        let [h, w] = self.output([height, width]).expect("a window that fits the image");
        let [above, left] = self.padding;
        let padded = match self.padding {
            [0, 0] => x,
            _ => x.pad([(0, 0), (0, 0), (above, above), (left, left)], 0.0),
        };
        let cut = |axis: usize, entry: usize, out: usize| {
            let (start, stride) = (entry * self.dilation[axis], self.stride[axis]);
            Slice::new(start as isize, Some((start + (out - 1) * stride + 1) as isize), stride as isize)
        };
        let columns = (0..self.area()).map(|k| {
            let (rows, columns) = (cut(0, k / self.kernel[1], h), cut(1, k % self.kernel[1], w));
            padded.clone().slice([Slice::from(0..n), Slice::from(0..c), rows, columns]).reshape([n, c, 1, h * w])
        });
        Tensor::cat(columns.collect(), 2)
    }
}

impl From<Window> for SlidingWindow {
    fn from(Window { kernel, stride, padding }: Window) -> Self {
        Self { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2], dilation: [1; 2] }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// Sides 7 and 6 with windows whose positions can be counted by hand.
    #[test]
    fn positions_are_counted() {
        let window = |kernel, stride, padding, dilation| SlidingWindow { kernel, stride, padding, dilation };
        for (window, expected) in [
            (window([3, 2], [1, 1], [0, 0], [1, 1]), Some([5, 5])),
            (window([3, 2], [2, 3], [0, 0], [1, 1]), Some([3, 2])),
            (window([3, 2], [2, 3], [1, 0], [2, 3]), Some([3, 1])),
            (window([7, 6], [1, 1], [0, 0], [1, 1]), Some([1, 1])),
            (window([8, 1], [1, 1], [0, 0], [1, 1]), None),
            (window([8, 1], [1, 1], [1, 0], [1, 1]), Some([2, 6])),
            (window([usize::MAX, 1], [1, 1], [0, 0], [usize::MAX, 1]), None),
        ] {
            assert_eq!(window.output([7, 6]), expected, "{window:?}");
        }
    }

    /// An image of the numbers 0, 1, …: entry (1, 0) of a window with dilation [2, 1] and stride [1, 2] is two rows below its start.
    #[test]
    fn unfolded_entries_are_those_under_the_window() {
        let image = Tensor::<1, burn::tensor::Int>::arange(0..12, &Device::flex()).float().reshape([1, 1, 4, 3]);
        let window = SlidingWindow { kernel: [2, 1], stride: [1, 2], padding: [0, 0], dilation: [2, 1] };
        let unfolded = window.unfold(image.clone()).try_into_vec_as::<f64>().expect("numbers");
        assert_eq!(unfolded, [0.0, 2.0, 3.0, 5.0, 6.0, 8.0, 9.0, 11.0]);
        let window = SlidingWindow { kernel: [1, 2], stride: [3, 2], padding: [0, 1], dilation: [1, 2] };
        let unfolded = window.unfold(image).try_into_vec_as::<f64>().expect("numbers");
        assert_eq!(unfolded, [0.0, 1.0, 0.0, 10.0, 1.0, 0.0, 10.0, 0.0]);
    }
}
