//! One contract for every layer: jets against differences in f64, the backward pass of a jet against differences of
//! gradients, the per-sample Gram matrix against a loop of single samples. Values against PyTorch are in `pytorch.rs`.

use saltflat_models::{
    Init, Layout, Stage,
    layers::{Activation, Bias, Conv2d, LAYERS, Scale, Window},
    testing::{CheckResult, LayerContract, Lead, check_layer},
};

const INIT: Init = Init::Normal { std: 0.4 };

/// The rows of every layer in the list, each with inputs that have both coefficients, the first or none; and some of several layers.
fn contracts() -> Vec<LayerContract> {
    let mut contracts = Vec::new();
    for case in LAYERS.iter().flat_map(|kind| (kind.cases)()) {
        for lead in [Lead::Curved, Lead::Linear, Lead::Constant] {
            let contract = LayerContract::of_layer(&format!("{}, {lead:?}", case.name), lead, &*case.stages);
            if contract.has_parameters() {
                contracts.push(contract);
            }
        }
    }
    contracts.push(LayerContract::of_layer("residual", Lead::Curved, |layout| {
        let main = vec![Conv2d::new(layout, "main", [4, 4], Window::three(1), INIT, None).into()];
        vec![Stage::Residual { main, shortcut: vec![Scale::new(layout, "shortcut").into()] }]
    }));
    let mut layout = Layout::default();
    let bias = Bias::new(&mut layout, "first");
    let conv = Conv2d::new(&mut layout, "layer", [2, 3], Window::three(1), INIT, None);
    let stages = vec![bias.into(), conv.into(), Activation::Silu.into()];
    contracts.push(LayerContract::of_network("scalar bias of the input", layout, stages));
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

/// Every layer has rows, and there are as many as there have been.
#[test]
fn every_layer_has_rows() {
    assert!(LAYERS.iter().all(|kind| !(kind.cases)().is_empty()));
    assert_eq!(LAYERS.iter().map(|kind| (kind.cases)().len()).sum::<usize>(), 45);
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
