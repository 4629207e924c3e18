//! Convolutions against burn's own kernels.

mod common;

use burn::tensor::{DType, Tensor, module, ops::ConvOptions};
use common::{difference, leaf, normal};
use rand::RngExt;
use saltflat_kernels::{Window, convolution, patch_products, sample_gradients};
use saltflat_random::{Key, Stream};

#[derive(Clone, Copy, Debug)]
struct Case {
    images: usize,
    inputs: usize,
    outputs: usize,
    side: [usize; 2],
    window: Window,
    bias: bool,
}

/// Shapes at the edges of tiles and blocks, then random ones.
fn cases() -> Vec<Case> {
    let edge = |images, inputs, outputs, side, window| Case { images, inputs, outputs, side, window, bias: false };
    let mut cases = vec![
        edge(1, 1, 1, [1, 1], Window::one(1)),
        edge(2, 16, 16, [4, 4], Window::three(1)),
        edge(3, 17, 15, [5, 6], Window::three(1)),
        edge(2, 33, 49, [8, 8], Window::three(2)),
        edge(5, 8, 8, [7, 7], Window::three(1)),
        edge(2, 3, 64, [32, 32], Window::three(1)),
        edge(70, 5, 9, [1, 2], Window::three(1)),
        edge(2, 20, 9, [6, 6], Window::one(2)),
        // A stride that skips inputs, and padding beyond the kernel.
        edge(2, 3, 4, [7, 9], Window { kernel: 2, stride: 3, padding: 0 }),
        edge(2, 3, 4, [4, 5], Window { kernel: 1, stride: 1, padding: 2 }),
        edge(1, 2, 3, [11, 9], Window { kernel: 5, stride: 3, padding: 4 }),
        // Many channels: tiles of 2 × 2, with odd sides, one image to a task and several, and every padding they serve.
        edge(2, 64, 40, [32, 32], Window::three(1)),
        edge(3, 129, 133, [15, 9], Window::three(1)),
        edge(19, 260, 257, [4, 4], Window::three(1)),
        edge(2, 70, 72, [19, 16], Window { kernel: 3, stride: 1, padding: 0 }),
        edge(2, 72, 70, [13, 21], Window { kernel: 3, stride: 1, padding: 2 }),
        edge(20, 40, 36, [5, 5], Window::three(1)),
        // The same with small images side by side, the last task with fewer: each width of rows that has code of its own, and others.
        edge(21, 70, 66, [4, 4], Window::three(1)),
        edge(9, 34, 36, [8, 8], Window::three(1)),
        edge(7, 40, 44, [14, 14], Window::three(1)),
        edge(5, 36, 33, [16, 16], Window::three(1)),
        edge(3, 66, 64, [12, 10], Window::three(1)),
        edge(9, 40, 40, [10, 10], Window { kernel: 3, stride: 1, padding: 0 }),
        edge(9, 40, 40, [6, 6], Window { kernel: 3, stride: 1, padding: 2 }),
        // Tiny images: more than a vector of them and less, every stride and padding.
        edge(35, 64, 64, [2, 2], Window::three(1)),
        edge(17, 13, 25, [2, 2], Window::three(2)),
        edge(40, 24, 13, [1, 1], Window::three(1)),
        edge(16, 5, 7, [1, 4], Window::three(1)),
        edge(18, 20, 30, [2, 2], Window { kernel: 1, stride: 1, padding: 1 }),
        edge(21, 14, 12, [2, 1], Window { kernel: 3, stride: 2, padding: 2 }),
        // Small images whose gradient with respect to the weight has the images of one position together.
        edge(20, 40, 36, [4, 4], Window::three(2)),
        edge(41, 9, 50, [3, 5], Window { kernel: 4, stride: 2, padding: 1 }),
        // 1 × 1, with strides and without.
        edge(3, 40, 33, [9, 11], Window::one(3)),
        edge(2, 64, 48, [8, 8], Window::one(1)),
        edge(2, 50, 64, [16, 18], Window::one(2)),
        // Few channels and long rows, more images than tasks.
        edge(37, 3, 5, [9, 10], Window::three(1)),
        edge(2, 16, 16, [32, 32], Window::three(1)),
        edge(2, 40, 17, [33, 12], Window { kernel: 5, stride: 1, padding: 2 }),
        edge(3, 4, 16, [12, 12], Window { kernel: 5, stride: 1, padding: 0 }),
        edge(3, 9, 20, [8, 14], Window { kernel: 1, stride: 1, padding: 0 }),
        edge(3, 9, 20, [8, 14], Window { kernel: 3, stride: 1, padding: 2 }),
    ];
    let mut rng = Key::new(1, Stream::Probe, 0).rng();
    let mut pick = move |from: usize, to: usize| rng.random_range(from..=to);
    for _ in 0..60 {
        let window = Window { kernel: pick(1, 5), stride: pick(1, 3), padding: pick(0, 3) };
        let least = window.kernel.saturating_sub(2 * window.padding).max(1);
        let side = [pick(least, least + 9), pick(least, least + 9)];
        let [images, inputs, outputs] = [pick(1, 5), pick(1, 40), pick(1, 40)];
        cases.push(Case { images, inputs, outputs, side, window, bias: pick(0, 1) == 1 });
    }
    cases
}

/// Value and gradients of Σ δ (W ∗ x + b).
fn all(case: Case, dtype: DType, by: impl Fn(Tensor<4>, Tensor<4>, Option<Tensor<1>>) -> Tensor<4>) -> Vec<Tensor<1>> {
    let Case { images, inputs, outputs, side: [h, w], window, bias } = case;
    let x = leaf([images, inputs, h, w], 0, dtype);
    let weight = leaf([outputs, inputs, window.kernel, window.kernel], 1, dtype);
    let bias = bias.then(|| leaf([outputs], 2, dtype));
    let y = by(x.clone(), weight.clone(), bias.clone());
    assert_eq!(y.dims(), [images, outputs, window.output(h), window.output(w)]);
    let mut gradients = (y.clone() * normal(y.dims(), 3, dtype).autodiff()).sum().backward();
    let mut found = vec![y.flatten::<1>(0, 3)];
    found.extend([x, weight].map(|t| t.grad_remove(&mut gradients).expect("it flowed back").flatten::<1>(0, 3)));
    found.extend(bias.map(|b| b.grad_remove(&mut gradients).expect("it flowed back")));
    found
}

fn burns(window: Window) -> impl Fn(Tensor<4>, Tensor<4>, Option<Tensor<1>>) -> Tensor<4> {
    let options = ConvOptions::new([window.stride; 2], [window.padding; 2], [1; 2], 1);
    move |x, weight, bias| module::conv2d(x, weight, bias, options.clone())
}

#[test]
fn equals_burns_kernels() {
    for case in cases() {
        for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-12)] {
            let ours = all(case, dtype, |x, weight, bias| convolution(x, weight, bias, case.window));
            let theirs = all(case, dtype, burns(case.window));
            for (i, (ours, theirs)) in ours.into_iter().zip(theirs).enumerate() {
                let found = difference(ours, theirs);
                assert!(found <= tolerance, "{case:?} {dtype:?}, result {i}: {found:e}");
            }
        }
    }
}

/// What kernels leave in the memory that they use again does not get into other results.
#[test]
fn nothing_is_left_of_earlier_work() {
    for case in cases() {
        let run = || all(case, DType::F32, |x, weight, bias| convolution(x, weight, bias, case.window));
        let clean = run().into_iter().map(common::numbers).collect::<Vec<_>>();
        let nothing = |x: Tensor<4>| x.mul_scalar(f32::NAN);
        all(case, DType::F32, |x, weight, bias| convolution(nothing(x), nothing(weight), bias, case.window));
        assert_eq!(run().into_iter().map(common::numbers).collect::<Vec<_>>(), clean, "{case:?}");
    }
}

/// The gradients of the samples sum to the batch's.
#[test]
fn gradients_of_samples_sum_to_the_batchs() {
    for case in cases() {
        for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-12)] {
            let Case { images, inputs, outputs, side: [h, w], window, .. } = case;
            let (x, weight) = (
                normal([images, inputs, h, w], 0, dtype),
                leaf([outputs, inputs, window.kernel, window.kernel], 1, dtype),
            );
            let delta = normal([images, outputs, window.output(h), window.output(w)], 3, dtype);
            let each = sample_gradients(x.clone(), delta.clone(), window);
            let y = burns(window)(x.autodiff(), weight.clone(), None);
            let all = weight.grad_remove(&mut (y * delta.autodiff()).sum().backward()).expect("it flowed back");
            let found = difference(each.sum_dim(0).flatten::<1>(0, 1), all.flatten::<1>(0, 3));
            assert!(found <= tolerance, "{case:?} {dtype:?}: {found:e}");
        }
    }
}

/// The inner products of sample gradients, from those of pixels and of cotangents: of some samples with two cotangents of all, by our kernel and
/// by burn's operations.
#[test]
fn products_of_patches_are_those_of_sample_gradients() {
    let shapes = [
        (Window::three(1), [5, 4]),
        (Window::three(2), [7, 6]),
        (Window::one(2), [3, 5]),
        (Window { kernel: 2, stride: 3, padding: 0 }, [5, 8]),
        (Window { kernel: 4, stride: 1, padding: 3 }, [2, 3]),
    ];
    let (n, inputs, outputs) = (5, 3, 4);
    for (window, [h, w]) in shapes {
        let (image, positions) = (h * w, window.output(h) * window.output(w));
        let x = normal([n, inputs, h, w], 0, DType::F64);
        let deltas = [1, 2].map(|part| normal([n, outputs, window.output(h), window.output(w)], part, DType::F64));
        let gradients = Tensor::cat(deltas.iter().map(|d| sample_gradients(x.clone(), d.clone(), window)).collect(), 0);
        let depth = gradients.dims()[1];
        // Samples 1 and 2, first cotangent.
        let expected = gradients.clone().slice([1..3, 0..depth]).matmul(gradients.transpose());

        let x = x.reshape([n, inputs, image]);
        let delta = Tensor::stack::<4>(deltas.map(|d| d.reshape([n, outputs, positions])).to_vec(), 0);
        let mine = x.clone().slice([1..3, 0..inputs, 0..image]).swap_dims(1, 2).reshape([2 * image, inputs]);
        let pixels = mine.matmul(x.permute([1, 2, 0]).reshape([inputs, image * n]));
        let mine = delta.clone().slice([0..1, 1..3, 0..outputs, 0..positions]).swap_dims(2, 3);
        let mine = mine.reshape([2 * positions, outputs]);
        let cotangents = mine.matmul(delta.permute([2, 3, 0, 1]).reshape([outputs, positions * 2 * n]));
        let by = |pixels, cotangents| patch_products(pixels, cotangents, window, [h, w]);
        let ours = difference(by(pixels.clone(), cotangents.clone()), expected.clone());
        let theirs = difference(by(pixels.autodiff(), cotangents.autodiff()), expected);
        assert!(ours <= 1e-12 && theirs <= 1e-12, "{window:?}: {ours:e}, by burn {theirs:e}");
    }
}

/// No images: an empty value, and a weight gradient of zeros.
#[test]
fn takes_an_empty_batch() {
    let weight = leaf([4, 3, 3, 3], 0, DType::F32);
    let y = convolution(normal([0, 3, 5, 5], 1, DType::F32).autodiff(), weight.clone(), None, Window::three(2));
    assert_eq!(y.dims(), [0, 4, 3, 3]);
    let gradient = weight.grad_remove(&mut y.sum().backward()).expect("it flowed back");
    assert_eq!(common::numbers(gradient.flatten::<1>(0, 3)), vec![0.0; 4 * 27]);
}

/// A transposed input is a view; the kernels must not read it as it lies in memory.
#[test]
fn takes_views() {
    let (x, weight) = (normal([2, 3, 6, 5], 0, DType::F64), normal([4, 3, 3, 3], 1, DType::F64));
    let view = x.clone().swap_dims(2, 3);
    let copy = Tensor::from_data(view.clone().into_data(), (&view.device(), DType::F64));
    let by = |x: Tensor<4>| convolution(x, weight.clone(), None, Window::three(1));
    assert_eq!(difference(by(view), by(copy)), 0.0);
}

/// What half precision and other number types have is burn's own.
#[test]
fn falls_back_for_other_number_types() {
    let (x, weight) = (normal([1, 2, 4, 4], 0, DType::F16), normal([3, 2, 3, 3], 1, DType::F16));
    let window = Window::three(1);
    let ours = convolution(x.clone(), weight.clone(), None, window);
    assert_eq!(ours.dtype(), DType::F16);
    assert_eq!(difference(ours, burns(window)(x, weight, None)), 0.0);
}

/// Every sum has one order, whoever computes it.
#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    for case in cases() {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let found = pool.install(|| all(case, DType::F32, |x, w, b| convolution(x, w, b, case.window)));
            found.into_iter().map(common::numbers).collect::<Vec<_>>()
        };
        let one = run(1);
        for threads in [2, 3, 8] {
            assert_eq!(run(threads), one, "{case:?} with {threads} threads");
        }
    }
}
