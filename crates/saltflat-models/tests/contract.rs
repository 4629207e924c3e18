//! One contract for every layer: jets against differences in f64, the backward pass of a jet against differences of
//! gradients, the per-sample Gram matrix against a loop of single samples. Values against PyTorch are in `pytorch.rs`.

#![allow(clippy::unwrap_used)]

use saltflat_models::{
    LayerCase, Layout, build_list,
    layers::LAYERS,
    testing::{CheckResult, LayerContract, Lead, check_layer, items_of},
};

/// Rows of several layers.
fn branches() -> Vec<LayerCase> {
    let conv = |outputs| {
        format!(
            "{{ kind = \"conv2d\", outputs = {outputs}, kernel = 3, padding = 1, bias = false, weight_init = {{ normal = 0.4 }} }}"
        )
    };
    vec![
        LayerCase::new(
            "residual",
            format!("[{{ kind = \"residual\", main = [{}], shortcut = [\"scale\"] }}]", conv(4)),
        ),
        LayerCase::new("residual, identity", format!("[{{ kind = \"residual\", main = [{}, \"tanh\"] }}]", conv(4))),
        LayerCase::new(
            "sum of three branches",
            format!("[{{ kind = \"parallel\", branches = [[{0}], [], [\"scale\", {0}]] }}]", conv(4)),
        ),
        LayerCase::new(
            "concatenation",
            format!(
                "[{{ kind = \"parallel\", join = \"concat\", branches = [[{}], [], [{}, \"tanh\"]] }}]",
                conv(2),
                conv(3)
            ),
        ),
        LayerCase::new(
            "product of three branches",
            format!(
                "[{{ kind = \"parallel\", join = \"product\", branches = [[{0}], [], [\"scale\", {0}]] }}]",
                conv(4)
            ),
        ),
        LayerCase::new(
            "product with a pixel",
            format!(
                "[{{ kind = \"parallel\", join = \"product\", branches = [[\"adaptive-avg-pool\", {}, \"sigmoid\"], []] }}]",
                conv(4)
            ),
        ),
    ]
}

/// Of these rows the lists start at the data, so that nothing before them has coefficients.
const FIRST: [&str; 4] = [
    r#"["bias", { kind = "conv2d", outputs = 3, kernel = 3, padding = 1, bias = false }, "silu"]"#,
    r#"[{ kind = "parallel", join = "concat", branches = [[], ["scale"], [{ kind = "conv2d", outputs = 2, kernel = 1 }]] }, "silu"]"#,
    r#"[{ kind = "parallel", join = "product", branches = [[{ kind = "conv2d", outputs = 2, kernel = 1 }, "softmax"], []] }, "silu"]"#,
    r#"[{ kind = "conv2d", outputs = 4, kernel = [2, 3], groups = 2 }, { kind = "max-pool", kernel = 3, stride = 1 }, "silu"]"#,
];

/// The rows of every layer in the list, each with inputs that have both coefficients, the first or none; and some of several layers.
fn contracts() -> Vec<LayerContract> {
    let mut contracts = Vec::new();
    for case in LAYERS.iter().flat_map(|kind| (kind.cases)()).chain(branches()) {
        for lead in Lead::ALL {
            let contract = LayerContract::of_case(&case, lead).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            if contract.has_parameters() {
                contracts.push(contract);
            }
        }
    }
    for list in FIRST {
        let mut layout = Layout::default();
        let built = build_list(&mut layout, "list", &items_of(list).unwrap(), [2, 7, 6]).unwrap();
        contracts.push(LayerContract::of_network(list, layout, built.stages));
    }
    contracts
}

fn all(check: fn(&LayerContract) -> CheckResult) {
    let problems: Vec<_> = contracts().iter().filter_map(|contract| check(contract).err()).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn jets_are_derivatives() {
    all(LayerContract::jets_are_derivatives);
}

#[test]
fn directions_share_a_pass() {
    all(LayerContract::directions_share_a_pass);
}

#[test]
fn the_backward_pass_of_a_jet_is_a_hessian_vector_product() {
    all(LayerContract::backward_pass_of_a_jet_is_a_hessian_vector_product);
}

#[test]
fn the_second_coefficient_is_the_curvature_along_v() {
    all(LayerContract::second_coefficient_is_the_curvature);
}

#[test]
fn gram_matrices_are_those_of_a_loop() {
    all(LayerContract::gram_matrix_is_that_of_a_loop);
}

/// Every layer has rows, each kind stands in one, and there are as many as there have been.
#[test]
fn every_layer_has_rows() {
    for kind in LAYERS {
        let cases = (kind.cases)();
        for name in kind.names {
            assert!(cases.iter().any(|case| case.layers.contains(&format!("\"{name}\""))), "{name} has no row");
        }
    }
    assert_eq!(LAYERS.iter().map(|kind| (kind.cases)().len()).sum::<usize>(), 82);
}

/// A layer whose rules are wrong is found by the helper that others check theirs with.
#[test]
fn a_wrong_layer_is_found() {
    use saltflat_models::{Jet, Pass, layers::Layer};

    #[derive(Debug)]
    struct Doubled;

    impl Layer for Doubled {
        fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
            // The coefficients are those of the identity.
            Jet { value: x.value.mul_scalar(2.0), ..x }
        }
    }

    let error = check_layer("doubled", |_| vec![Doubled.into()]).expect_err("ẏ is not 2 ẋ");
    assert!(error.starts_with("doubled: the first coefficient is off by 5.0e-1"), "{error}");
}
