//! Draws for tensors on their device.

use burn::tensor::{Tensor, TensorData};

use crate::{draw_kind::DrawKind, key::Key};

impl Key {
    /// Standard normal numbers for tensors of one device, one [draw](Self::box_muller) over all of them in order. A GPU draws in f32 by
    /// itself: the same numbers up to the rounding of its functions.
    pub fn normal_like(self, parts: &[Tensor<1>]) -> Vec<Tensor<1>> {
        self.draw_like(DrawKind::Normal, parts)
    }

    /// As [`normal_like`](Self::normal_like) with [signs](Self::signs), the same on every device.
    pub fn signs_like(self, parts: &[Tensor<1>]) -> Vec<Tensor<1>> {
        self.draw_like(DrawKind::Signs, parts)
    }

    /// The numbers `start`, `start` + 1, … of [uniform](Self::uniform) ones, as many as the tensor has and on its device, the same on every
    /// device.
    pub fn uniform_like(self, start: usize, like: &Tensor<1>) -> Tensor<1> {
        self.draw_at(DrawKind::Uniform, start, like)
    }

    fn draw_like(self, kind: DrawKind, parts: &[Tensor<1>]) -> Vec<Tensor<1>> {
        let sizes = parts.iter().map(|part| part.dims()[0]);
        let starts = sizes.clone().scan(0, |start, n| {
            *start += n;
            Some(*start - n)
        });
        #[cfg(feature = "gpu")]
        if parts.iter().all(crate::gpu::supports) {
            return starts.zip(parts).map(|(start, part)| crate::gpu::draw(self, kind, start, part)).collect();
        }
        let all = self.draw(kind, 0, sizes.sum());
        starts.zip(parts).map(|(start, part)| on_device(&all[start..start + part.dims()[0]], part)).collect()
    }

    fn draw_at(self, kind: DrawKind, start: usize, like: &Tensor<1>) -> Tensor<1> {
        #[cfg(feature = "gpu")]
        if crate::gpu::supports(like) {
            return crate::gpu::draw(self, kind, start, like);
        }
        on_device(&self.draw(kind, start, like.dims()[0]), like)
    }
}

/// These numbers on the device and of the number type of `like`.
fn on_device(numbers: &[f32], like: &Tensor<1>) -> Tensor<1> {
    let device = like.device().without_autodiff();
    Tensor::from_data(TensorData::new(numbers.to_vec(), [numbers.len()]), (&device, like.dtype()))
}
