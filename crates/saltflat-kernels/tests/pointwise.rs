//! relu, its coefficients and sums: exactly burn's.

mod common;

use burn::tensor::{DType, Tensor, activation};
use common::{difference, leaf, normal, numbers};
use saltflat_kernels::{add, add_scaled, gram, relu, relu_backward, row_products, row_sums, sgd_step, tap};

/// Longer than a task, with zeros of both signs and what is not a number.
fn input(dtype: DType) -> Tensor<4> {
    let x = normal([3, 7, 33, 29], 0, dtype);
    let x = x.clone().mask_fill(x.greater_elem(1.5), 0.0);
    let x = x.clone().mask_fill(x.lower_elem(-2.0), -0.0);
    x.clone().mask_fill(x.lower_elem(-1.9), f64::NAN)
}

/// Equal, or both not a number.
fn assert_same(a: Tensor<4>, b: Tensor<4>) {
    assert_eq!(a.dims(), b.dims());
    assert!(numbers(a).iter().zip(numbers(b)).all(|(&a, b)| a == b || a.is_nan() && b.is_nan()));
}

#[test]
fn relu_and_its_gradient() {
    for dtype in [DType::F32, DType::F64] {
        let found = |by: &dyn Fn(Tensor<4>) -> Tensor<4>| {
            let x = input(dtype).autodiff().require_grad();
            let y = by(x.clone());
            let mut gradients = (y.clone() * normal(y.dims(), 1, dtype).autodiff()).sum().backward();
            [y.without_autodiff(), x.grad_remove(&mut gradients).expect("it flowed back")]
        };
        let (ours, theirs) = (found(&relu), found(&activation::relu));
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            assert_same(ours, theirs);
        }
    }
}

#[test]
fn relu_backward_and_its_gradient() {
    let y = relu(input(DType::F32));
    let t = leaf([6, 7, 33, 29], 2, DType::F32);
    let off = y.clone().repeat_dim(0, 2).lower_equal_scalar(0.0);
    let passed = relu_backward(y.clone().autodiff(), t.clone());
    assert_same(passed.clone().without_autodiff(), t.clone().without_autodiff().mask_fill(off.clone(), 0.0));
    let delta = normal(passed.dims(), 3, DType::F32);
    let mut gradients = (passed * delta.clone().autodiff()).sum().backward();
    assert_same(t.grad_remove(&mut gradients).expect("it flowed back"), delta.mask_fill(off, 0.0));
}

#[test]
fn sum_and_its_gradient() {
    let (a, b) = (leaf([2, 3, 50, 70], 0, DType::F64), leaf([2, 3, 50, 70], 1, DType::F64));
    let total = add(a.clone(), b.clone());
    assert_same(total.clone().without_autodiff(), a.clone().without_autodiff() + b.clone().without_autodiff());
    let mut gradients = total.clone().square().sum().backward();
    for t in [a, b] {
        assert_same(t.grad_remove(&mut gradients).expect("it flowed back"), total.clone().without_autodiff() * 2.0);
    }
}

/// The cotangent at a tensor is the gradient of the leaf that watches it, and goes on to what the tensor is of.
#[test]
fn tap_and_its_cotangent() {
    let (x, leaf) =
        (leaf([2, 3, 4, 5], 0, DType::F64), normal([1; 4], 1, DType::F64).zeros_like().expand([2, 3, 4, 5]));
    let leaf = leaf.autodiff().require_grad();
    let y = tap(x.clone().mul_scalar(3.0), leaf.clone());
    assert_same(y.clone().without_autodiff(), x.clone().without_autodiff() * 3.0);
    let mut gradients = y.square().sum().backward();
    let at_y = x.clone().without_autodiff() * 6.0;
    assert_same(leaf.grad_remove(&mut gradients).expect("it flowed back"), at_y.clone());
    assert_same(x.grad_remove(&mut gradients).expect("it flowed back"), at_y * 3.0);
}

/// A step with momentum has the numbers of its two formulas, whoever holds its tensors, which stay as they are for others.
#[test]
fn a_step_with_momentum() {
    for (n, dtype) in [(1, DType::F64), (40_001, DType::F32), (70_000, DType::F64)] {
        let make = || [0, 1, 2].map(|part| normal::<1>([n], part, dtype));
        let [theta, u, g] = make();
        let expected_u = g.clone() + u.clone() * 0.9;
        let expected = [numbers(theta.clone() - expected_u.clone() * 0.1), numbers(expected_u)];
        let before = [&theta, &u, &g].map(|t| numbers(t.clone()));
        assert_eq!(sgd_step([theta.clone(), u.clone(), g.clone()], 0.9, 0.1).map(numbers), expected, "shared");
        assert_eq!([theta, u, g].map(numbers), before);
        assert_eq!(sgd_step(make(), 0.9, 0.1).map(numbers), expected, "its own");
    }
}

/// What somebody else still has is not written over.
#[test]
fn shared_tensors_stay() {
    let (a, b) = (normal([40_000], 0, DType::F32), normal([40_000], 1, DType::F32));
    let (a_before, b_before) = (numbers(a.clone()), numbers(b.clone()));
    let shared = numbers(add_scaled(a.clone(), 0.5, b.clone()));
    let (y, t) = (normal([2, 3, 60, 60], 2, DType::F32), normal([2, 3, 60, 60], 3, DType::F32));
    let (y_before, t_before) = (numbers(y.clone()), numbers(t.clone()));
    let _ = (relu(y.clone()), relu_backward(y.clone(), t.clone()));
    assert_eq!((numbers(a.clone()), numbers(b.clone())), (a_before, b_before));
    assert_eq!((numbers(y), numbers(t)), (y_before, t_before));
    // Its own, it is written in place, with the same numbers.
    let own = a.clone().mul_scalar(1.0);
    drop(a);
    assert_eq!(numbers(add_scaled(own, 0.5, b)), shared);
}

/// Rows around a vector and a chunk, and none.
#[test]
fn sums_and_products_of_rows() {
    for [rows, columns] in [[1, 1], [3, 15], [40, 257], [1000, 33], [5, 20_001], [4, 0], [0, 7]] {
        for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-12)] {
            let [a, b] = [0, 1].map(|part| normal::<2>([rows, columns], part, dtype));
            let found = [row_sums(a.clone()), row_products(a.clone(), b.clone())];
            let (a, b) = (numbers(a), numbers(b));
            for (found, f) in found.into_iter().zip([(|a, _| a) as fn(f64, f64) -> f64, |a, b| a * b]) {
                let found = numbers(found);
                assert_eq!(found.len(), rows);
                for (row, found) in found.into_iter().enumerate() {
                    let row = row * columns..(row + 1) * columns;
                    let terms = a[row.clone()].iter().zip(&b[row]).map(|(&a, &b)| f(a, b));
                    let (exact, size) = terms.fold((0.0, 0.0), |(sum, size), x| (sum + x, size + x.abs()));
                    assert!((found - exact).abs() <= tolerance * size, "{rows} × {columns} {dtype:?}: {found} {exact}");
                }
            }
        }
    }
}

/// Numbers of rows around those of a tile, of columns around those of a vector and of a task, and none of them.
#[test]
fn inner_products_of_rows() {
    for (rows, columns) in
        [(1, 1), (3, 15), (8, 16), (9, 257), (17, 1000), (32, 20_001), (70, 4_099), (5, 0), (1100, 300)]
    {
        for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-12)] {
            let x = normal([rows, columns], 0, dtype);
            let found = gram(x.clone());
            assert_eq!(found.dims(), [rows, rows]);
            if columns == 0 {
                assert!(numbers(found).iter().all(|&x| x == 0.0));
                continue;
            }
            let exact = normal([rows, columns], 0, DType::F64);
            let exact = exact.clone().matmul(exact.transpose());
            let off = difference(found.clone().cast(burn::tensor::FloatDType::F64), exact);
            assert!(off <= tolerance, "{rows} × {columns} {dtype:?}: {off:e}");
            assert_eq!(difference(found.clone(), found.transpose()), 0.0);
        }
    }
}
