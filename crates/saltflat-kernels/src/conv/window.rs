//! Sizes of a convolution.

use burn::tensor::Shape;

/// Kernel size, stride and zero padding, the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Side of the kernel.
    pub kernel: usize,
    /// Step between two positions.
    pub stride: usize,
    /// Zeros added on every side.
    pub padding: usize,
}

impl Window {
    /// 3 × 3 that keeps the size of the image at stride 1.
    pub fn three(stride: usize) -> Self {
        Self { kernel: 3, stride, padding: 1 }
    }

    /// 1 × 1.
    pub fn one(stride: usize) -> Self {
        Self { kernel: 1, stride, padding: 0 }
    }

    /// Side of the output of an image with this side.
    ///
    /// # Panics
    /// If the padded image is smaller than the kernel, or the stride is 0.
    pub fn output(self, side: usize) -> usize {
        (side + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// For every position of the output the pixel of an image `[height, width]` under each entry of the kernel, if it is not in the padding.
    pub(crate) fn pixels_under(self, [height, width]: [usize; 2]) -> Vec<Vec<Option<usize>>> {
        let (rows, columns) = (self.output(height), self.output(width));
        let inside = |position: usize, k: usize, side: usize| {
            (position * self.stride + k).checked_sub(self.padding).filter(|&pixel| pixel < side)
        };
        let pixel = |position: usize, entry: usize| {
            let row = inside(position / columns, entry / self.kernel, height)?;
            Some(row * width + inside(position % columns, entry % self.kernel, width)?)
        };
        (0..rows * columns).map(|position| (0..self.area()).map(|entry| pixel(position, entry)).collect()).collect()
    }

    /// Entries of the kernel.
    pub(crate) fn area(self) -> usize {
        self.kernel * self.kernel
    }
}

/// What a convolution goes from and to: `images` times `[inputs, height, width]` to `outputs` channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) images: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) window: Window,
}

impl Sizes {
    /// Of x `[images, inputs, height, width]` and a weight `[outputs, inputs, kernel, kernel]`.
    pub(crate) fn new(x: &Shape, weight: &Shape, window: Window) -> Self {
        Self { images: x[0], inputs: x[1], outputs: weight[0], height: x[2], width: x[3], window }
    }

    /// `[images, outputs, h, w]`.
    pub(crate) fn output_shape(&self) -> Shape {
        let [h, w] = self.output();
        Shape::new([self.images, self.outputs, h, w])
    }

    /// Height and width of the output.
    pub(crate) fn output(&self) -> [usize; 2] {
        [self.window.output(self.height), self.window.output(self.width)]
    }

    /// Numbers of one image.
    pub(crate) fn image(&self) -> usize {
        self.inputs * self.height * self.width
    }

    /// Multiplications of the value, and of either gradient.
    pub(crate) fn multiplications(&self) -> usize {
        self.images * self.outputs * self.inputs * self.window.area() * self.positions()
    }

    /// Positions of the output.
    pub(crate) fn positions(&self) -> usize {
        let [h, w] = self.output();
        h * w
    }
}

/// A convolution of stride 1 `[images, inputs, height, width]` → `[images, outputs, h, w]`: the value of one, or its gradient with
/// respect to the input, which is the convolution of the cotangent with the flipped kernel, inputs and outputs exchanged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sliding {
    pub(crate) images: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) h: usize,
    pub(crate) w: usize,
    pub(crate) kernel: usize,
    /// Zeros above and to the left of the image.
    pub(crate) before: usize,
    /// True for the gradient.
    pub(crate) flipped: bool,
}

impl Sliding {
    /// Whether a convolution is one, with its gradient.
    pub(crate) fn fits(sizes: &Sizes) -> bool {
        sizes.window.stride == 1 && sizes.window.padding < sizes.window.kernel
    }

    /// The value, or the gradient with respect to the input.
    pub(crate) fn new(sizes: &Sizes, gradient: bool) -> Self {
        let ([h, w], Sizes { images, inputs, outputs, height, width, window }) = (sizes.output(), *sizes);
        let (kernel, before) = (window.kernel, window.padding);
        match gradient {
            false => Self { images, inputs, outputs, height, width, h, w, kernel, before, flipped: false },
            true => Self {
                inputs: outputs,
                outputs: inputs,
                height: h,
                width: w,
                h: height,
                w: width,
                before: kernel - 1 - before,
                flipped: true,
                ..Self::new(sizes, false)
            },
        }
    }

    /// Numbers of one image, and of its result.
    pub(crate) fn image(&self) -> [usize; 2] {
        [self.inputs * self.height * self.width, self.outputs * self.h * self.w]
    }

    /// The start in the weight of the kernel from an input to an output, and the place of its entry k.
    #[inline(always)]
    pub(crate) fn entries(&self, output: usize, input: usize) -> (usize, impl Fn(usize) -> usize) {
        let (area, flipped) = (self.kernel * self.kernel, self.flipped);
        let start = if flipped { input * self.outputs + output } else { output * self.inputs + input };
        (start * area, move |k| if flipped { area - 1 - k } else { k })
    }
}
