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
        let all = match kind {
            DrawKind::Normal => self.box_muller(sizes.sum()),
            DrawKind::Signs => self.signs(sizes.sum()),
        };
        let cut = |(start, part): (usize, &Tensor<1>)| {
            let n = part.dims()[0];
            let device = part.device().without_autodiff();
            Tensor::from_data(TensorData::new(all[start..start + n].to_vec(), [n]), (&device, part.dtype()))
        };
        starts.zip(parts).map(cut).collect()
    }
}
