//! Layers of transformers and options of normalisations in lists: what is refused, names and initial values, half precision. Their rules are
//! in `contract.rs`, their values in `pytorch.rs`.
#![allow(clippy::unwrap_used)]

use burn::tensor::{DType, Device, FloatDType, Tensor};
use saltflat_models::{
    Directions, Init, Layout, Network, Pass, Vector, build_list, layers::LAYERS, load, save, testing::items_of,
};
use saltflat_random::{Key, Stream};

fn network(list: &str, input: [usize; 3]) -> Result<Network, String> {
    let mut layout = Layout::default();
    let built = build_list(&mut layout, "model.layers", &items_of(list)?, input).map_err(|e| e.to_string())?;
    Ok(Network::new(layout, built.stages, input, built.output.iter().product()))
}

/// A layer that does not fit the one before it is named with its key, what it expects, the shape that it got and from where.
#[test]
fn layers_that_do_not_fit_their_input_are_refused() {
    for (list, expected) in [
        (
            r#"["relu", { kind = "attention", heads = 2 }]"#,
            "model.layers[1] (attention): expected 3 D channels (queries, keys and values of D each) with D divisible by 2 heads, got \
             [4, 6, 6] from model.layers[0] (relu)",
        ),
        (
            r#"[{ kind = "linear", outputs = 9 }, { kind = "attention", heads = 2 }]"#,
            "model.layers[1] (attention): expected 3 D channels (queries, keys and values of D each) with D divisible by 2 heads, got \
             [9, 6, 6] from model.layers[0] (linear)",
        ),
        (
            r#"["tokens", { kind = "self-attention", heads = 3 }]"#,
            "model.layers[1] (self-attention): expected channels divisible by 3 heads, got [4, 36, 1] from model.layers[0] (tokens)",
        ),
        (
            r#"["tokens", { kind = "select-token", index = 36 }]"#,
            "model.layers[1] (select-token): expected more than 36 tokens (the index counts from 0), got [4, 36, 1] from \
             model.layers[0] (tokens)",
        ),
        (
            r#"[{ kind = "patch-embedding", outputs = 2, patch = 4 }]"#,
            "model.layers[0] (patch-embedding): expected height and width divisible by patches of 4 × 4, got [4, 6, 6] from the data",
        ),
        (
            r#"[{ kind = "linear", outputs = 2, inputs = 144 }]"#,
            "model.layers[0] (linear): expected 144 inputs (put \"flatten\" before), got [4, 6, 6] from the data",
        ),
        (
            r#"[{ kind = "group-norm", groups = 3 }]"#,
            "model.layers[0] (group-norm): expected channels that 3 groups divide, got [4, 6, 6] from the data",
        ),
    ] {
        let error = network(list, [4, 6, 6]).expect_err(list);
        assert_eq!(error, expected);
    }
}

/// Keys out of their bounds are refused when the list is read.
#[test]
fn keys_out_of_bounds_are_refused() {
    for (list, expected) in [
        (r#"[{ kind = "attention", heads = 0 }]"#, "layers[0].heads: expected a whole number above 0, got 0"),
        (r#"[{ kind = "attention", heads = 1, scale = nan }]"#, "layers[0].scale: expected a finite number, got nan"),
        (r#"["self-attention"]"#, "layers[0].heads: is missing; expected a whole number above 0"),
        (r#"[{ kind = "layer-norm", eps = 0.0 }]"#, "layers[0].eps: expected a number above 0, got 0.0"),
        (r#"[{ kind = "layer-norm", over = "rows" }]"#, "layers[0].over: expected one of channels, all, got \"rows\""),
        (
            r#"[{ kind = "layer-norm", affine = false, bias = true }]"#,
            "layers[0].bias: expected false for a normalisation that is not affine, got true",
        ),
        (r#"[{ kind = "batch-norm", momentum = 1.5 }]"#, "layers[0].momentum: expected a number from 0 to 1, got 1.5"),
        (r#"[{ kind = "scale", per = "pixel" }]"#, "layers[0].per: expected one of all, channel, got \"pixel\""),
        (
            r#"[{ kind = "position", init = "kaiming-fan-in" }]"#,
            "layers[0].init: expected a number, or one of { normal = STD }, { uniform = BOUND }, { constant = C }, as these parameters have no fans, got \
             \"kaiming-fan-in\"",
        ),
        (r#"[{ kind = "rms-norm", bias = true }]"#, "layers[0].bias"),
        (r#"[{ kind = "patch-embedding", outputs = 2 }]"#, "layers[0].patch: is missing"),
    ] {
        let error = items_of(list).expect_err(list);
        assert!(error.contains(expected), "{error}");
    }
}

/// Positional parameters of another number of tokens: the file and the network are told apart by their shapes.
#[test]
fn positions_of_another_number_of_tokens_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let small = network(r#"["tokens", "position"]"#, [2, 3, 3]).unwrap();
    let (theta, buffers) = small.layout().init(0, &Device::flex(), DType::F32);
    std::fs::write(&path, save(small.layout(), &theta, &buffers).unwrap()).unwrap();
    let large = network(r#"["tokens", "position"]"#, [2, 4, 4]).unwrap();
    let error = load(&path, large.layout(), &Device::flex(), DType::F32).unwrap_err().to_string();
    assert!(error.contains("1            [1, 9, 2]   1               [1, 16, 2]"), "{error}");
}

/// Tensors and initial distributions of PyTorch's `nn.MultiheadAttention`: Xavier's bound √(6/(D + 3 D)), 1/√D, and 0.
#[test]
fn self_attention_starts_as_in_pytorch() {
    let network = network(r#"[{ kind = "self-attention", heads = 2, name = "attn" }]"#, [6, 5, 1]).unwrap();
    let found: Vec<_> =
        network.layout().parameters.iter().map(|p| (p.name.as_str(), p.shape.clone(), p.init)).collect();
    let uniform = |bound: f64| Init::Uniform { bound };
    let expected = [
        ("attn.in_proj_weight", vec![18, 6], uniform((6.0_f64 / 24.0).sqrt())),
        ("attn.in_proj_bias", vec![18], Init::ZERO),
        ("attn.out_proj.weight", vec![6, 6], uniform(6.0_f64.sqrt().recip())),
        ("attn.out_proj.bias", vec![6], Init::ZERO),
    ];
    assert_eq!(found, expected);
}

/// These layers take f16 whose squares are beyond its range, 65504, or vanish below it: value and first coefficient are those of the same
/// numbers in f32, up to the rounding of f16 (2⁻¹¹) in some operations. The scores of attention are of order 10, which rounds weights by
/// 10 · 2⁻¹¹.
#[test]
fn half_precision_neither_overflows_nor_vanishes() {
    let lists = [
        r#"["layer-norm"]"#,
        r#"[{ kind = "layer-norm", over = "all" }]"#,
        r#"["rms-norm"]"#,
        r#"[{ kind = "group-norm", groups = 2, eps = 1e-3 }]"#,
        r#"[{ kind = "attention", heads = 2, scale = 0.00004 }]"#,
    ];
    let input = [12, 4, 3];
    let shape = [2, input[0], input[1], input[2]];
    let draw = |part| {
        Tensor::<4>::from_data(
            burn::tensor::TensorData::new(
                Key::new(3, Stream::Probe, 0).part(part).normal(shape.iter().product()),
                shape,
            ),
            (&Device::flex(), DType::F16),
        )
    };
    for list in lists {
        for size in [300.0, 1e-3] {
            // A bias moves the input, so that there is a first coefficient.
            let list = format!("[{{ kind = \"position\", init = {{ normal = {size} }} }}, {}", &list[1..]);
            let network = network(&list, input).unwrap();
            let (theta, buffers) = network.layout().init(1, &Device::flex(), DType::F16);
            let direction = theta.normal_like(Key::new(4, Stream::Probe, 0)).scale(size);
            let of = |dtype: FloatDType| {
                let cast = |v: &Vector| v.map(|t| t.cast(dtype));
                let (theta, buffers, direction) = (cast(&theta), cast(&buffers), Directions::from(&cast(&direction)));
                let x = draw(0).mul_scalar(size).cast(dtype);
                let jet = network.forward(x, &mut Pass::jet(&theta, &buffers, &direction, 1));
                [jet.value, jet.first.unwrap()].map(|t| t.try_into_vec_as::<f64>().unwrap())
            };
            for (half, single) in of(FloatDType::F16).iter().zip(of(FloatDType::F32)) {
                let largest = single.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
                for (half, single) in half.iter().zip(&single) {
                    assert!((half - single).abs() <= 0.02 * largest, "{list}: {half} instead of {single} of {largest}");
                }
            }
        }
    }
}

/// What a configuration writes is read as the same configuration.
#[test]
fn configurations_are_read_again() {
    for kind in LAYERS {
        for case in (kind.cases)() {
            let items = items_of(&case.layers).unwrap();
            let written = toml::Value::try_from(&items).unwrap();
            assert_eq!(items_of(&written.to_string()).unwrap(), items, "{}", case.name);
        }
    }
}
