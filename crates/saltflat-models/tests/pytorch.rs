//! Layers, networks and initialisations against PyTorch's numbers; `scripts/reference/` made the fixtures.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::PathBuf,
};

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::{SafeTensors, tensor::TensorView};
use saltflat_config::{Problems, Section};
use saltflat_models::{
    Architecture, Directions, Init, Initialisation, Layout, ModelConfig, Network, Pass, TensorSpec, Vector,
    architectures::Mlp, build_list, layers::Activation, load, testing::items_of,
};
use serde_json::Value;
use toml::Table;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn values(view: &TensorView<'_>) -> Vec<f64> {
    view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
}

/// Of any rank, as images: missing dimensions are 1.
fn images(view: &TensorView<'_>, dtype: DType) -> Tensor<4> {
    let mut shape = view.shape().to_vec();
    shape.resize(4, 1);
    let shape: [usize; 4] = shape.try_into().unwrap();
    Tensor::from_data(TensorData::new(values(view), shape), (&Device::flex(), dtype))
}

fn assert_close(name: &str, found: Vec<f64>, expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        let off = (found - expected).abs();
        assert!(off <= tolerance * expected.abs().max(1.0), "{name}: {found} instead of {expected}");
    }
}

/// Files of cases, and how many are in each.
const FILES: [(&str, usize); 3] =
    [("layers.safetensors", 30), ("transformer_layers.safetensors", 33), ("window_layers.safetensors", 29)];

/// The layers of the cases of [`FILES`]: the beginning of the cases' names, of which the longest that fits counts, and the list in
/// TOML. The shape of the data and the names of the tensors are the case's.
const LAYERS: &[(&str, &str)] = &[
    ("activation_gelu", r#"["gelu"]"#),
    ("activation_identity", r#"["identity"]"#),
    ("activation_relu", r#"["relu"]"#),
    ("activation_silu", r#"["silu"]"#),
    ("activation_softplus", r#"["softplus"]"#),
    ("activation_tanh", r#"["tanh"]"#),
    ("avg_pool", r#"["avg-pool"]"#),
    ("batch_norm", r#"["batch-norm"]"#),
    ("bias", r#"[{ kind = "bias", name = "0.bias" }]"#),
    ("conv_1x1", r#"[{ kind = "conv2d", outputs = 5, kernel = 1, stride = 2, bias = false }]"#),
    ("conv_3x3", r#"[{ kind = "conv2d", outputs = 4, kernel = 3, padding = 1, bias = false }]"#),
    ("conv_3x3_odd", r#"[{ kind = "conv2d", outputs = 4, kernel = 3, padding = 1 }]"#),
    ("conv_3x3_stride_2", r#"[{ kind = "conv2d", outputs = 4, kernel = 3, padding = 1, stride = 2, bias = false }]"#),
    ("conv_3x3_stride_2_odd", r#"[{ kind = "conv2d", outputs = 4, kernel = 3, padding = 1, stride = 2 }]"#),
    ("conv_5x5", r#"[{ kind = "conv2d", outputs = 4, kernel = 5, padding = 2 }]"#),
    ("fixup_shortcut", r#"["fixup-shortcut"]"#),
    ("global_avg_pool", r#"["adaptive-avg-pool"]"#),
    ("group_norm_1_group", r#"[{ kind = "group-norm", groups = 1 }]"#),
    ("group_norm_4_groups", r#"[{ kind = "group-norm", groups = 4 }]"#),
    ("group_norm_6_groups", r#"[{ kind = "group-norm", channels_per_group = 1 }]"#),
    ("linear", r#"[{ kind = "linear", outputs = 5 }]"#),
    ("linear_no_bias", r#"[{ kind = "linear", outputs = 5, bias = false }]"#),
    ("max_pool", r#"["max-pool"]"#),
    ("scale", r#"[{ kind = "scale", name = "0.scale" }]"#),
    // Cases of transformer_layers.safetensors.
    ("attention", r#"[{ kind = "attention", heads = 2 }]"#),
    ("attention_scale", r#"[{ kind = "attention", heads = 1, scale = 0.3 }]"#),
    ("batch_norm_eps", r#"[{ kind = "batch-norm", eps = 0.01, momentum = 0.3 }]"#),
    ("batch_norm_not_affine", r#"[{ kind = "batch-norm", affine = false }]"#),
    ("bias_per_channel", r#"[{ kind = "bias", per = "channel", name = "0.values" }]"#),
    ("class_token", r#"[{ kind = "class-token", name = "0.token" }]"#),
    (
        "encoder_layer",
        r#"[
            { kind = "residual", main = [
                { kind = "layer-norm", name = "norm1" },
                { kind = "self-attention", heads = 2, name = "self_attn" },
            ] },
            { kind = "residual", main = [
                { kind = "layer-norm", name = "norm2" },
                { kind = "linear", outputs = 10, name = "linear1" },
                "gelu",
                { kind = "linear", outputs = 6, name = "linear2" },
            ] },
        ]"#,
    ),
    (
        "encoder_layer_norm_last",
        r#"[
            { kind = "residual", main = [{ kind = "self-attention", heads = 3, bias = false, name = "self_attn" }] },
            { kind = "layer-norm", bias = false, name = "norm1" },
            { kind = "residual", main = [
                { kind = "linear", outputs = 7, bias = false, name = "linear1" },
                "relu",
                { kind = "linear", outputs = 6, bias = false, name = "linear2" },
            ] },
            { kind = "layer-norm", bias = false, name = "norm2" },
        ]"#,
    ),
    ("group_norm_eps", r#"[{ kind = "group-norm", groups = 3, eps = 0.01 }]"#),
    ("group_norm_not_affine", r#"[{ kind = "group-norm", groups = 3, affine = false }]"#),
    ("layer_norm", r#"["layer-norm"]"#),
    ("layer_norm_eps", r#"[{ kind = "layer-norm", eps = 0.01 }]"#),
    ("layer_norm_no_bias", r#"[{ kind = "layer-norm", bias = false }]"#),
    ("layer_norm_not_affine", r#"[{ kind = "layer-norm", affine = false }]"#),
    ("layer_norm_over_all", r#"[{ kind = "layer-norm", over = "all" }]"#),
    ("layer_norm_over_all_no_bias", r#"[{ kind = "layer-norm", over = "all", bias = false }]"#),
    ("linear_at_positions", r#"[{ kind = "linear", outputs = 5 }]"#),
    ("linear_at_positions_no_bias", r#"[{ kind = "linear", outputs = 5, bias = false }]"#),
    ("patch_embedding", r#"[{ kind = "patch-embedding", outputs = 5, patch = 2 }]"#),
    ("patch_embedding_no_bias", r#"[{ kind = "patch-embedding", outputs = 5, patch = 4, bias = false }]"#),
    ("position", r#"[{ kind = "position", name = "0.table" }]"#),
    ("rms_norm", r#"["rms-norm"]"#),
    ("rms_norm_eps", r#"[{ kind = "rms-norm", eps = 0.01 }]"#),
    ("rms_norm_not_affine", r#"[{ kind = "rms-norm", affine = false }]"#),
    ("rms_norm_over_all", r#"[{ kind = "rms-norm", over = "all" }]"#),
    ("scale_per_channel", r#"[{ kind = "scale", per = "channel", name = "0.values" }]"#),
    ("select_token", r#"[{ kind = "select-token", index = 4 }]"#),
    ("self_attention", r#"[{ kind = "self-attention", heads = 2 }]"#),
    ("self_attention_no_bias", r#"[{ kind = "self-attention", heads = 3, bias = false }]"#),
    ("tokens", r#"["tokens"]"#),
    // Cases of window_layers.safetensors.
    ("adaptive_avg_pool", r#"[{ kind = "adaptive-avg-pool", output = [3, 4] }]"#),
    ("adaptive_avg_pool_to_more", r#"[{ kind = "adaptive-avg-pool", output = [9, 2] }]"#),
    ("avg_pool_by_axis", r#"[{ kind = "avg-pool", kernel = [3, 2], stride = [2, 1], padding = [1, 0] }]"#),
    (
        "avg_pool_of_pixels",
        r#"[{ kind = "avg-pool", kernel = 3, stride = 2, padding = 1, count_include_pad = false }]"#,
    ),
    ("avg_pool_overlapping", r#"[{ kind = "avg-pool", kernel = 3, stride = 2, padding = 1 }]"#),
    ("conv_2_groups", r#"[{ kind = "conv2d", outputs = 4, kernel = 3, padding = 1, groups = 2 }]"#),
    (
        "conv_by_axis",
        r#"[{ kind = "conv2d", outputs = 4, kernel = [3, 2], stride = [2, 1], padding = [1, 2], dilation = [1, 3] }]"#,
    ),
    ("conv_depthwise", r#"[{ kind = "conv2d", outputs = 4, kernel = 3, padding = 1, groups = 4, bias = false }]"#),
    (
        "conv_depthwise_stride_2",
        r#"[{ kind = "conv2d", outputs = 6, kernel = 3, stride = 2, padding = 1, groups = 3 }]"#,
    ),
    ("conv_dilated", r#"[{ kind = "conv2d", outputs = 4, kernel = 3, padding = 2, dilation = 2, bias = false }]"#),
    ("conv_patches", r#"[{ kind = "conv2d", outputs = 5, kernel = 4, stride = 4 }]"#),
    ("conv_wide_padding", r#"[{ kind = "conv2d", outputs = 2, kernel = [1, 5], padding = [2, 4] }]"#),
    ("dropout_eval", r#"[{ kind = "dropout", probability = 0.3 }]"#),
    ("elu", r#"["elu"]"#),
    ("elu_alpha", r#"[{ kind = "elu", alpha = 0.7 }]"#),
    ("flatten", r#"["flatten"]"#),
    (
        "gated",
        r#"[{ kind = "parallel", join = "product", branches = [[], [
            "adaptive-avg-pool",
            { kind = "conv2d", outputs = 2, kernel = 1, name = "squeeze" },
            "relu",
            { kind = "conv2d", outputs = 6, kernel = 1, name = "excite" },
            "sigmoid",
        ]] }]"#,
    ),
    ("gelu_tanh", r#"[{ kind = "gelu", approximate = "tanh" }]"#),
    ("hard_sigmoid", r#"["hard-sigmoid"]"#),
    ("hard_swish", r#"["hard-swish"]"#),
    ("leaky_relu", r#"["leaky-relu"]"#),
    ("leaky_relu_slope", r#"[{ kind = "leaky-relu", slope = 0.3 }]"#),
    (
        "max_pool_by_axis",
        r#"[{ kind = "max-pool", kernel = [2, 3], stride = [1, 2], padding = [1, 0], dilation = [3, 2] }]"#,
    ),
    ("max_pool_overlapping", r#"[{ kind = "max-pool", kernel = 3, stride = 2, padding = 1 }]"#),
    ("relu6", r#"["relu6"]"#),
    ("sigmoid", r#"["sigmoid"]"#),
    ("softmax_of", r#"["softmax"]"#),
];

#[test]
fn every_layer_has_pytorchs_values() {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for (name, count) in FILES {
        let bytes = fs::read(fixture(name)).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let cases: Vec<_> = file.names().into_iter().filter_map(|name| name.strip_suffix("/x")).collect();
        assert_eq!(cases.len(), count);
        for case in cases {
            let (prefix, list) =
                LAYERS.iter().filter(|(prefix, _)| case.starts_with(prefix)).max_by_key(|(p, _)| p.len()).unwrap();
            used.insert(prefix);
            for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 2e-5)] {
                has_pytorchs_values(&file, case, list, dtype, tolerance);
            }
        }
    }
    assert_eq!(used.len(), LAYERS.len(), "a kind of layer has no case");
}

/// The derivative of an activation, also at its kinks, is PyTorch's: the first coefficient behind a bias that moves at rate 1, and the
/// gradient of the backward pass.
#[test]
fn derivatives_of_activations_are_pytorchs() {
    let bytes = fs::read(fixture("window_layers.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut count = 0;
    for (case, list) in LAYERS {
        let Ok(expected) = file.tensor(&format!("{case}/df")) else { continue };
        count += 1;
        // PyTorch's 1/6 of hard-sigmoid is that of float32.
        let tolerance = if *case == "hard_sigmoid" { 1e-7 } else { 1e-12 };
        let x = images(&file.tensor(&format!("{case}/x")).unwrap(), DType::F64);
        let list = format!("[\"bias\", {}", list.trim_start_matches('['));
        let [_, c, h, w] = x.dims();
        let mut layout = Layout::default();
        let built = build_list(&mut layout, case, &items_of(&list).unwrap(), [c, h, w]).unwrap();
        let network = Network::new(layout, built.stages, [c, h, w], built.output.iter().product());
        let (theta, buffers) = network.layout().init(0, &Device::flex(), DType::F64);
        let direction = Directions::from(&theta.map(|t| t.ones_like()));
        let first = network.forward(x.clone(), &mut Pass::jet(&theta, &buffers, &direction, 1)).first.unwrap();
        assert_close(case, first.try_into_vec_as::<f64>().unwrap(), &values(&expected), tolerance);
        let x = x.autodiff().require_grad();
        let gradients = network.value(&theta, &buffers, x.clone()).sum().backward();
        let gradient = x.grad(&gradients).unwrap().try_into_vec_as::<f64>().unwrap();
        assert_close(case, gradient, &values(&expected), tolerance);
    }
    assert_eq!(count, 9);
}

fn has_pytorchs_values(file: &SafeTensors<'_>, case: &str, list: &str, dtype: DType, tolerance: f64) {
    let x = images(&file.tensor(&format!("{case}/x")).unwrap(), dtype);
    let [_, c, h, w] = x.dims();
    let mut layout = Layout::default();
    let built = build_list(&mut layout, case, &items_of(list).unwrap(), [c, h, w]).unwrap();
    let read = |specs: &[TensorSpec]| {
        let parts = specs.iter().map(|spec| {
            let view = file.tensor(&format!("{case}/{}", spec.name.trim_start_matches("0."))).unwrap();
            assert_eq!(view.shape(), spec.shape, "{case}");
            Tensor::from_data(TensorData::new(values(&view), [spec.len()]), (&Device::flex(), dtype))
        });
        Vector::new(parts.collect())
    };
    let (theta, buffers) = (read(&layout.parameters), read(&layout.buffers));
    let of_case = |name: &&str| name.strip_prefix(case).is_some_and(|rest| rest.starts_with('/'));
    let not_tensors = file.names().into_iter().filter(of_case).filter(|name| {
        let name = &name[case.len() + 1..];
        ["x", "y", "df"].contains(&name) || name.starts_with("after/")
    });
    let (all, not_tensors) = (file.names().into_iter().filter(of_case).count(), not_tensors.count());
    assert_eq!(layout.parameters.len() + layout.buffers.len(), all - not_tensors, "{case}");

    let network = Network::new(layout, built.stages, [c, h, w], built.output.iter().product());
    let pass = Pass::value(&theta, &buffers);
    let mut pass = if case.ends_with("train") { pass.training() } else { pass };
    let y = network.forward(x, &mut pass).value;
    let expected = values(&file.tensor(&format!("{case}/y")).unwrap());
    assert_close(case, y.try_into_vec_as::<f64>().unwrap(), &expected, tolerance);
    let after = pass.updated_buffers();
    for (spec, part) in network.layout().buffers.iter().zip(after.parts()) {
        if let Ok(view) = file.tensor(&format!("{case}/after/{}", spec.name.trim_start_matches("0."))) {
            let name = format!("{case} {}", spec.name);
            assert_close(&name, part.clone().try_into_vec_as::<f64>().unwrap(), &values(&view), tolerance);
        }
    }
}

/// The network that a `[model]` section describes, for images `[channels, height, width]`.
fn network(model: &Table, input: [usize; 3]) -> Network {
    let problems = Problems::default();
    let config = ModelConfig::read(Section::root(model.clone(), "".as_ref(), &problems));
    assert!(problems.take().is_empty(), "{model}");
    config.architecture.build(input, config.outputs.unwrap()).unwrap()
}

/// A state_dict of PyTorch loads under its own names and gives PyTorch's logits.
#[test]
fn every_network_has_pytorchs_logits() {
    let mut count = 0;
    for entry in fs::read_dir(fixture("networks")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().unwrap() != "toml" {
            continue;
        }
        count += 1;
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let model: Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let model = model["model"].as_table().unwrap();
        let bytes = fs::read(path.with_extension("safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let state: HashMap<_, _> = file
            .tensors()
            .into_iter()
            .filter_map(|(name, view)| Some((name.strip_prefix("state/")?.to_string(), view)))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let weights = folder.path().join("weights.safetensors");
        safetensors::serialize_to_file(state, None, &weights).unwrap();

        let inputs = file.tensor("inputs").unwrap();
        for (dtype, tolerance) in [(DType::F64, 1e-10), (DType::F32, 1e-4)] {
            let x = images(&inputs, dtype);
            let [_, c, h, w] = x.dims();
            let network = network(model, [c, h, w]);
            let (theta, buffers) = load(&weights, network.layout(), &Device::flex(), dtype).unwrap();
            let logits = network.value(&theta, &buffers, x.clone()).try_into_vec_as::<f64>().unwrap();
            assert_close(&name, logits, &values(&file.tensor("logits").unwrap()), tolerance);
            if let Ok(expected) = file.tensor("logits_train") {
                let mut pass = Pass::value(&theta, &buffers).training();
                let logits = network.forward(x, &mut pass).value.try_into_vec_as::<f64>().unwrap();
                assert_close(&format!("{name} in training"), logits, &values(&expected), tolerance);
                for (spec, part) in network.layout().buffers.iter().zip(pass.updated_buffers().parts()) {
                    let expected = values(&file.tensor(&format!("after/{}", spec.name)).unwrap());
                    assert_close(&spec.name, part.clone().try_into_vec_as::<f64>().unwrap(), &expected, tolerance);
                }
            }
        }
    }
    assert_eq!(count, 15);
}

#[test]
fn parameter_counts_are_pytorchs() {
    let cases: Value = serde_json::from_slice(&fs::read(fixture("parameter_counts.json")).unwrap()).unwrap();
    for case in cases.as_array().unwrap() {
        let mut shape: Vec<usize> =
            case["shape"].as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as usize).collect();
        shape.resize(3, 1);
        let network = network(&Table::try_from(&case["model"]).unwrap(), shape.try_into().unwrap());
        assert_eq!(network.layout().len() as u64, case["parameters"].as_u64().unwrap(), "{}", case["name"]);
    }
}

#[test]
fn initialisations_are_pytorchs() {
    let cases: Value = serde_json::from_slice(&fs::read(fixture("init.json")).unwrap()).unwrap();
    for kind in ["conv", "linear"] {
        let case = &cases[kind];
        let fans = ["fan_in", "fan_out"].map(|key| case[key].as_u64().unwrap() as usize);
        let near = |found: Init, expected: &Value| {
            let (found, expected) = match found {
                Init::Normal { std } => (std, &expected["std"]),
                Init::Uniform { bound } => (bound, &expected["bound"]),
                Init::Constant(c) => panic!("{c}"),
            };
            assert!((found / expected.as_f64().unwrap() - 1.0).abs() < 1e-12, "{kind}: {found} {expected}");
        };
        let relu = |scheme: Initialisation| scheme.of(fans, Activation::Relu);
        near(relu(Initialisation::KaimingFanIn).0, &case["kaiming_normal_fan_in"]);
        near(relu(Initialisation::KaimingFanOut).0, &case["kaiming_normal_fan_out"]);
        near(relu(Initialisation::Xavier).0, &case["xavier_uniform"]);
        near(relu(Initialisation::Pytorch).0, &case["default_weight"]);
        near(relu(Initialisation::Pytorch).1, &case["default_bias"]);
    }
    let gains = &cases["gains"];
    for (activation, name) in [(Activation::Relu, "relu"), (Activation::Tanh, "tanh"), (Activation::Identity, "linear")]
    {
        assert!((activation.gain() - gains[name].as_f64().unwrap()).abs() < 1e-15);
    }
}

/// Draws have the stated distribution: mean and variance within 4 standard errors, and uniform ones keep to their bound.
#[test]
fn initial_values_are_drawn_as_stated() {
    let network = Mlp { hidden: vec![1000], activation: Activation::Relu, init: Initialisation::KaimingFanIn }
        .build([100, 1, 1], 10)
        .unwrap();
    let moments = |network: &Network, seed| {
        let (theta, _) = network.layout().init(seed, &Device::flex(), DType::F64);
        let values = theta.parts()[0].clone().try_into_vec_as::<f64>().unwrap();
        let n = values.len() as f64;
        let largest = values.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        (n, values.iter().sum::<f64>() / n, values.iter().map(|x| x * x).sum::<f64>() / n, largest)
    };
    let (n, mean, square, _) = moments(&network, 1);
    let variance = 2.0 / 100.0;
    assert!(mean.abs() < 4.0 * (variance / n).sqrt());
    assert!((square - variance).abs() < 4.0 * variance * (2.0 / n).sqrt());
    assert_ne!(moments(&network, 2).1, mean);

    let uniform = Mlp { hidden: vec![1000], activation: Activation::Relu, init: Initialisation::Pytorch }
        .build([100, 1, 1], 10)
        .unwrap();
    let (n, mean, square, largest) = moments(&uniform, 1);
    let variance = 0.01 / 3.0; // bound²/3
    assert!(mean.abs() < 4.0 * (variance / n).sqrt());
    // Var x² = bound⁴ (1/5 − 1/9).
    assert!((square - variance).abs() < 4.0 * 0.01 * ((0.2 - 1.0 / 9.0) / n).sqrt());
    assert!(largest <= 0.1 + 1e-9 && largest > 0.0999);
}
