//! Sizes of a convolution.

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
    /// Where the padded image is smaller than the kernel, or the stride is 0.
    pub fn output(self, side: usize) -> usize {
        (side + 2 * self.padding - self.kernel) / self.stride + 1
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
