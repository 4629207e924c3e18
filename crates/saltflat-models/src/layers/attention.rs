//! Scaled dot-product attention.

use burn::tensor::{DType, FloatDType, Tensor, activation};

use super::case::{CASE_INIT, CASE_INPUT, LayerCase, LayerCases};
use crate::{
    Jet, Layer, Layout, Pass, Stage,
    jet::{for_each_direction, sum},
    layers::Linear,
};

/// Attention without parameters (Vaswani et al. 2017, arXiv 1706.03762), PyTorch's `scaled_dot_product_attention`. The channels of the input
/// `[batch, 3 D, h, w]` are queries, keys and values, one after the other, each of them the heads one after the other. With S = s Qᵀ K,
/// s the scale, and A = softmax S over the keys, the output of a head is V Aᵀ, `[batch, D, h, w]` together. Positions are all h·w.
///
/// Jet: of the products by the product rule, of A by that of [`softmax`].
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
        let weights = softmax(scores, second_order);
        part(2).bilinear(weights, second_order, |v, a| v.matmul(a.swap_dims(1, 2))).linear(|t| {
            let rows = t.dims()[0] / heads;
            t.reshape([rows, width, h, w])
        })
    }
}

/// a = softmax s over the last dimension, and its jet: ȧ = a (ṡ − ⟨a, ṡ⟩) and ä = a (u − ⟨a, u⟩) with u = (ṡ − ⟨a, ṡ⟩)² + s̈, where ⟨a, ·⟩ are
/// means with the weights a.
///
/// Of half precision in f32.
pub(super) fn softmax(x: Jet<3>, second_order: bool) -> Jet<3> {
    match x.value.dtype() {
        half @ (DType::F16 | DType::BF16) => in_full_precision(x.linear(|t| t.cast(FloatDType::F32)), second_order)
            .linear(|t| t.cast(FloatDType::from(half))),
        _ => in_full_precision(x, second_order),
    }
}

fn in_full_precision(x: Jet<3>, second_order: bool) -> Jet<3> {
    let value = activation::softmax(x.value, 2);
    // t − ⟨a, t⟩.
    let centred = |t: Tensor<3>| {
        let mean = (for_each_direction(&value, &t) * t.clone()).sum_dim(2);
        t - mean
    };
    let weighted = |t: Tensor<3>| for_each_direction(&value, &t) * t;
    let first = x.first.map(centred);
    let second = if second_order {
        sum(first.clone().map(|t| t.square()), x.second).map(|t| weighted(centred(t)))
    } else {
        None
    };
    Jet { first: first.map(weighted), second, value }
}

impl LayerCases for Attention {
    fn cases() -> Vec<LayerCase> {
        let after_projection = |outputs: usize, heads: usize, scale: Option<f64>| {
            move |layout: &mut Layout| -> Vec<Stage> {
                let projection = Linear::new(layout, "in", [CASE_INPUT[0], 3 * outputs], CASE_INIT, Some(CASE_INIT));
                vec![projection.into(), Self::new(outputs, heads, scale).into()]
            }
        };
        vec![
            LayerCase { name: "attention", stages: Box::new(after_projection(4, 2, None)) },
            LayerCase { name: "attention of one head, scale 0.3", stages: Box::new(after_projection(2, 1, Some(0.3))) },
        ]
    }
}
