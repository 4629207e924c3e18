//! Scaled dot-product attention.

use saltflat_config::Section;
use serde::Serialize;

use super::{keys::heads, softmax::softmax};
use crate::{
    Jet, Layer, ModelError, Pass,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
};

/// Attention without parameters (Vaswani et al. 2017, arXiv 1706.03762), PyTorch's `scaled_dot_product_attention`. The channels of the input
/// `[batch, 3 D, h, w]` are queries, keys and values, one after the other, each of them the heads one after the other. With S = s Qᵀ K,
/// s the scale, and A = softmax S over the keys, the output of a head is V Aᵀ, `[batch, D, h, w]` together. Positions are all h·w.
///
/// Jet: of the products by the product rule; of a row a = softmax s by ȧ = a (ṡ − ⟨a, ṡ⟩) and ä = a (u − ⟨a, u⟩) with
/// u = (ṡ − ⟨a, ṡ⟩)² + s̈, where ⟨a, ·⟩ are means with the weights a.
#[derive(Debug)]
pub struct Attention {
    heads: usize,
    scale: f64,
}

impl Attention {
    /// Attention of these heads; `scale` is 1/√(D/heads) if it is left out, of `width` D channels, which the heads divide.
    pub fn new(width: usize, heads: usize, scale: Option<f64>) -> Self {
        let of_head = (width / heads.max(1)) as f64;
        Self { heads, scale: scale.unwrap_or_else(|| of_head.sqrt().recip()) }
    }
}

impl Layer for Attention {
    /// The scores and the weights of every head, and the three inputs by head.
    fn inner_activations(&self, [width, h, w]: [usize; 3]) -> usize {
        let positions = h * w;
        2 * self.heads * positions * positions + 3 * width * positions
    }

    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let [_, channels, h, w] = x.value.dims();
        let (width, heads, second_order) = (channels / 3, self.heads, pass.second_order());
        // One of the three, `[batch · heads, channels of a head, positions]`.
        let part = |index: usize| {
            x.clone().linear(|t| {
                let rows = t.dims()[0];
                let t = t.slice([0..rows, index * width..(index + 1) * width]);
                t.reshape([rows * heads, width / heads, h * w])
            })
        };
        let queries = part(0).linear(|t| t.mul_scalar(self.scale));
        let scores = queries.bilinear(part(1), second_order, |q, k| q.swap_dims(1, 2).matmul(k));
        let weights = softmax(scores, 2, second_order);
        part(2).bilinear(weights, second_order, |v, a| v.matmul(a.swap_dims(1, 2))).linear(|t| {
            let rows = t.dims()[0] / heads;
            t.reshape([rows, width, h, w])
        })
    }
}

/// The keys of attention in a list of layers; the channels of its input are queries, keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AttentionConfig {
    /// Heads.
    pub heads: usize,
    /// The factor of the scores, if it is not 1/√(channels of a head).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
}

impl LayerConfig for AttentionConfig {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let ([channels, h, w], heads) = (place.input(), self.heads);
        let width = channels / 3;
        if heads == 0 || !channels.is_multiple_of(3) || !width.is_multiple_of(heads) {
            let expected =
                format!("3 D channels (queries, keys and values of D each) with D divisible by {heads} heads");
            return Err(place.error(expected));
        }
        Ok(Built::new(Attention::new(width, heads, self.scale), [width, h, w]))
    }
}

impl LayerKeys for AttentionConfig {
    const NAMES: &'static [&'static str] = &["attention"];
    const EXAMPLE: &'static str = "heads = 1";

    fn read(_: &str, section: &mut Section) -> Self {
        let is_scale = |x: &f64| x.is_finite();
        Self { heads: heads(section), scale: section.optional("scale", "a finite number", is_scale) }
    }

    fn cases() -> Vec<LayerCase> {
        let case = |name, outputs: usize, keys| {
            let projection = format!("kind = \"linear\", outputs = {outputs}, weight_init = {{ normal = 0.4 }}");
            LayerCase::new(name, format!("[{{ {projection} }}, {{ kind = \"attention\", {keys} }}]"))
        };
        vec![case("attention", 12, "heads = 2"), case("attention of one head, scale 0.3", 6, "heads = 1, scale = 0.3")]
    }
}
