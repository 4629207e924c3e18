//! Winograd's F(2 × 2, 3 × 3): a 3 × 3 convolution of stride 1 with 16 multiplications for four positions instead of 36.
//!
//! Y = Aᵀ (Σ_c (G g Gᵀ) ⊙ (Bᵀ d B)) A for a tile of 2 × 2 outputs, its 4 × 4 inputs d and the kernel g of each input channel c. Of
//! the 16 entries of a tile each is a matrix product of its own, channels by tiles: with tiles innermost, as they lie in the images, for
//! the value and the gradient with respect to the input; with channels innermost for that with respect to the weight, which is
//! Gᵀ (Σ (A δ Aᵀ) ⊙ (Bᵀ d B)) G over all tiles, δ the cotangent of Y. The factors of A and B are 0 and ±1, those of G are 0, ½ and 1.
//!
//! Source: Lavin and Gray 2016, Fast algorithms for convolutional neural networks.

mod correlate;
mod images;
mod rows;
mod transforms;
mod weight_gradient;

pub(super) use self::{correlate::correlate, weight_gradient::weight_gradient};
