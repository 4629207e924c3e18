//! Lists of layers: what they build, the names of their tensors, and what is refused.
#![allow(clippy::unwrap_used)]

use burn::tensor::{DType, Device, Tensor, TensorData};
use saltflat_config::{Problems, Section, parse, problem_lines};
use saltflat_models::{ARCHITECTURES, Item, LIST_KINDS, ModelConfig, Network, layers::LAYERS, testing::items_of};
use toml::{Table, Value};

fn network(list: &str, input: [usize; 3], outputs: usize) -> Result<Network, String> {
    Network::from_layers(&items_of(list)?, input, outputs).map_err(|e| e.to_string())
}

fn names(network: &Network) -> Vec<&str> {
    let layout = network.layout();
    layout.parameters.iter().chain(&layout.buffers).map(|spec| spec.name.as_str()).collect()
}

/// The names of `nn.Sequential`, and those that the list gives.
#[test]
fn tensors_have_the_names_of_the_list() {
    let list = r#"[
        { kind = "conv2d", outputs = 2, kernel = 1 },
        { kind = "residual", main = ["relu", { kind = "conv2d", outputs = 2, kernel = 1 }], shortcut = ["scale"] },
        { kind = "residual", main = [{ kind = "conv2d", outputs = 2, kernel = 1 }], name = "block" },
        { kind = "parallel", branches = [[], ["batch-norm"]] },
        "flatten",
        { kind = "linear", outputs = 3, name = "fc" },
        { kind = "linear", outputs = 3, tensors = { weight = "head.in_proj_weight" } },
    ]"#;
    let network = network(list, [1, 2, 2], 3).unwrap();
    let expected = [
        "0.weight",
        "0.bias",
        "1.main.1.weight",
        "1.main.1.bias",
        "1.shortcut.0",
        "block.main.0.weight",
        "block.main.0.bias",
        "3.branches.1.0.weight",
        "3.branches.1.0.bias",
        "fc.weight",
        "fc.bias",
        "head.in_proj_weight",
        "6.bias",
        "3.branches.1.0.running_mean",
        "3.branches.1.0.running_var",
    ];
    assert_eq!(names(&network), expected);
}

/// The outputs of branches are summed, or their channels stand one after the other.
#[test]
fn branches_join() {
    let value = |list: &str, outputs| {
        // A scale of 1, since a network has parameters.
        let list = list.replacen('[', "[\"scale\", ", 1);
        let network = network(&list, [2, 1, 1], outputs).unwrap();
        let (theta, buffers) = network.layout().init(0, &Device::flex(), DType::F64);
        let x = Tensor::from_data(TensorData::new(vec![3.0, -5.0], [1, 2, 1, 1]), (&Device::flex(), DType::F64));
        network.value(&theta, &buffers, x).try_into_vec_as::<f64>().unwrap()
    };
    let doubled = r#"{ kind = "residual", main = ["identity"] }"#;
    assert_eq!(value(&format!("[{doubled}]"), 2), [6.0, -10.0]);
    let branches = format!(r#"branches = [[], ["relu"], [{doubled}]]"#);
    assert_eq!(value(&format!(r#"[{{ kind = "parallel", {branches} }}]"#), 2), [12.0, -15.0]);
    let concat = format!(r#"[{{ kind = "parallel", join = "concat", {branches} }}]"#);
    assert_eq!(value(&concat, 6), [3.0, -5.0, 3.0, 0.0, 6.0, -10.0]);
}

/// What a list cannot be, with the key, both layers and the shape between them.
#[test]
fn layers_that_do_not_fit_are_refused() {
    let convs = |a: &str, b: &str| format!("[{{ kind = \"conv2d\", {a} }}, {{ {b} }}]");
    let cases = [
        (
            convs("outputs = 6, kernel = 3", "kind = \"group-norm\", groups = 4"),
            "model.layers[1] (group-norm): expected channels that 4 groups divide, got [6, 6, 6] from model.layers[0] (conv2d)",
        ),
        (
            convs("outputs = 6, kernel = 3", "kind = \"linear\", outputs = 2, inputs = 216, name = \"a\""),
            "model.layers[1] (linear): expected 216 inputs (put \"flatten\" before), got [6, 6, 6] from model.layers[0] (conv2d)",
        ),
        (
            convs("outputs = 6, kernel = 9", "kind = \"relu\""),
            "model.layers[0] (conv2d): expected images of at least 9 × 9 pixels, got [1, 8, 8] from the data",
        ),
        (
            convs("outputs = 6, kernel = 3, inputs = 2", "kind = \"relu\""),
            "model.layers[0] (conv2d): expected 2 channels, got [1, 8, 8] from the data",
        ),
        (
            r#"["flatten", { kind = "linear", outputs = 2, inputs = 5 }]"#.into(),
            "model.layers[1] (linear): expected 5 inputs, got [64, 1, 1] from model.layers[0] (flatten)",
        ),
        (
            r#"["flatten", { kind = "linear", outputs = 2 }, "relu"]"#.into(),
            "model.layers: expected 10 outputs, got [2, 1, 1] from model.layers[2] (relu)",
        ),
        (
            r#"["max-pool", "max-pool", "max-pool", "max-pool"]"#.into(),
            "model.layers[3] (max-pool): expected images of at least 2 × 2 pixels, got [1, 1, 1] from model.layers[2] (max-pool)",
        ),
        (
            r#"[{ kind = "residual", main = [{ kind = "conv2d", outputs = 3, kernel = 1 }, "max-pool"] }]"#.into(),
            "model.layers[0] (residual): expected branches whose outputs have one shape, got [1, 8, 8] from shortcut and [3, 4, 4] from main",
        ),
        (
            r#"["relu", { kind = "residual", main = [{ kind = "conv2d", outputs = 3, kernel = 9 }] }]"#.into(),
            "model.layers[1].main[0] (conv2d): expected images of at least 9 × 9 pixels, got [1, 8, 8] from \
             model.layers[0] (relu)",
        ),
        (
            r#"[{ kind = "parallel", join = "concat", branches = [["max-pool"], []] }]"#.into(),
            "model.layers[0] (parallel): expected branches whose outputs have one height and width, got [1, 4, 4] from branches[0] and [1, 8, 8] \
             from branches[1]",
        ),
        (
            r#"["flatten", { kind = "linear", outputs = 10, tensors = { wieght = "a" } }]"#.into(),
            "model.layers[1] (linear): expected in tensors the names of weight, bias, got wieght; did you mean weight?",
        ),
        (
            r#"["scale", { kind = "scale", name = "0" }, "flatten", { kind = "linear", outputs = 10 }]"#.into(),
            "model.layers: expected a name of its own for every tensor, got two tensors 0",
        ),
        (
            r#"["flatten", { kind = "linear", outputs = 268435456 }, { kind = "linear", outputs = 10 }]"#.into(),
            "model: expected a network of at most 4294967296 numbers",
        ),
        (
            r#"["flatten", { kind = "linear", outputs = 9223372036854775807 }, "relu"]"#.into(),
            "model.layers[1] (linear): expected an output of at most 268435456 numbers a sample, got [9223372036854775807, 1, 1]",
        ),
        (
            r#"["flatten", { kind = "linear", outputs = 10, tensors = { weight = "__metadata__" } }]"#.into(),
            "model.layers: expected names of tensors that a file of weights can have: not empty, without control characters, not __metadata__, \
             got \"__metadata__\"",
        ),
        (
            r#"["flatten", { kind = "linear", outputs = 10, name = "a\u001b[31m" }]"#.into(),
            "model.layers: expected names of tensors that a file",
        ),
        (
            r#"["flatten", { kind = "linear", outputs = 10, trained = false }]"#.into(),
            "model.layers: expected at least one layer with trained parameters, got none",
        ),
        (
            r#"[{ kind = "conv2d", outputs = 2, kernel = 3, padding = 20000 }, "flatten", { kind = "linear", outputs = 10 }]"#.into(),
            "model.layers[0] (conv2d): expected an output of at most 268435456 numbers a sample, got [2, 40006, 40006]",
        ),
        (format!("[{}]", "\"relu\",".repeat(1001)), "model.layers: expected at most 1000 layers, got 1001"),
    ];
    for (list, expected) in cases {
        let error = network(&list, [1, 8, 8], 10).expect_err(expected);
        assert!(error.starts_with(expected), "{error}");
    }
}

/// Everything that is wrong with the text of a list is told at once.
#[test]
fn texts_that_say_no_list_are_refused() {
    let list = r#"["flaten", 3, { kind = "linear", outpts = 3 }, { kind = "residual", man = [] }, { kind = "parallel" },
        { kind = "parallel", branches = [3], join = "product of" }, { kind = "linear", outputs = 1, weight_init = { normal = -1.0 } },
        { kind = "group-norm" }, { kind = "group-norm", groups = 2, channels_per_group = 2 }, { kind = "linear", outputs = 1, tensors = 3 }]"#;
    let found = items_of(list).unwrap_err();
    for expected in [
        "did you mean flatten?",
        "layers[1]: expected a layer, such as \"relu\" or { kind = \"relu\" }, got 3",
        "layers[2].outpts: is not a key; did you mean outputs?",
        "layers[3].main: is missing; expected a list of layers",
        "layers[3].man: is not a key; did you mean main?",
        "layers[4].branches: is missing; expected a list of lists of layers",
        "layers[5].branches[0]: expected a list of layers, got 3",
        "layers[5].join: expected one of sum, concat",
        "layers[6].weight_init: expected a scheme",
        "layers[7].groups: expected one of groups and channels_per_group",
        "layers[8].groups: expected one of groups and channels_per_group",
        "layers[9].tensors: expected a table, got 3",
    ] {
        assert!(found.contains(expected), "{expected} is not in\n{found}");
    }
}

/// Every architecture is a list: written as `[model] kind = "layers"` and read again, it has the same tensors, and the same outputs at
/// the same point.
#[test]
fn architectures_are_lists() {
    for kind in ARCHITECTURES {
        let problems = Problems::default();
        let read = |mut table: Table, kind: &str| {
            table.insert("kind".into(), kind.into());
            ModelConfig::read(Section::named("model", table, &problems)).architecture
        };
        let architecture = read(parse(kind.example).unwrap(), kind.name);
        let input = if kind.name == "vgg" { [3, 32, 32] } else { [1, 8, 8] };
        let items: Vec<Item> = architecture.layers(input, 10).unwrap();
        let list = read(Table::from_iter([("layers".to_string(), Value::try_from(&items).unwrap())]), "layers");
        let found = problems.take();
        assert!(found.is_empty(), "{}: {}", kind.name, problem_lines(&found));
        let [built, again] = [&architecture, &list].map(|architecture| architecture.build(input, 10).unwrap());
        assert_eq!(built.layout(), again.layout(), "{}", kind.name);
        let (theta, buffers) = built.layout().init(3, &Device::flex(), DType::F32);
        let x = Tensor::ones([2, input[0], input[1], input[2]], &Device::flex());
        let outputs = [built, again].map(|network| network.value(&theta, &buffers, x.clone()).into_data());
        assert_eq!(outputs[0], outputs[1], "{}", kind.name);
    }
}

/// Every row of the contract test, written and read again, is the same list, and defaults are written out.
#[test]
fn lists_are_read_as_they_are_written() {
    for case in LAYERS.iter().flat_map(|kind| (kind.cases)()) {
        let items = items_of(&case.layers).unwrap();
        let written = Value::try_from(&items).unwrap().to_string();
        assert_eq!(items_of(&written).unwrap(), items, "{}: {written}", case.name);
    }
    let written =
        Value::try_from(items_of(r#"[{ kind = "max-pool", kernel = [3, 2], padding = 1 }]"#).unwrap()).unwrap();
    let expected = r#"x = [{ kind = "max-pool", kernel = [3, 2], stride = [3, 2], padding = 1, dilation = 1 }]"#;
    assert_eq!(written, parse(expected).unwrap()["x"]);
}

/// A list in a file of its own is read from the folder of the configuration.
#[test]
fn a_list_can_have_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let read = |text: &str| {
        std::fs::write(folder.path().join("net.toml"), text).unwrap();
        let problems = Problems::default();
        let table = parse("kind = \"layers\"\nfile = \"net.toml\"").unwrap();
        let config = ModelConfig::read(Section::root(table, folder.path(), &problems));
        (config, problems.take().iter().map(|problem| format!("{problem}\n")).collect::<String>())
    };
    let (config, problems) = read(r#"layers = ["flatten", { kind = "linear", outputs = 2 }]"#);
    assert_eq!(problems, "");
    assert_eq!(config.architecture.build([1, 2, 2], 2).unwrap().layout().len(), 10);
    let (_, problems) = read(r#"layers = ["flaten"]"#);
    assert!(problems.contains("file.layers[0].kind") && problems.contains("did you mean flatten?"), "{problems}");
    assert!(read("layer = []").1.contains("file.layer: is not a key; did you mean layers?"));
    assert!(read("layers = [").1.contains("net.toml"));
}

/// Every kind and every key of it stands in the table of docs/networks.md, in one row.
#[test]
fn every_layer_is_documented() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/networks.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    for kind in LAYERS {
        for name in kind.names {
            let is_of = |row: &&&str| row.split('|').nth(1).is_some_and(|cell| cell.contains(&format!("`{name}`")));
            let row = rows.iter().find(is_of).unwrap_or_else(|| panic!("{name} is not documented"));
            for key in Section::keys_of(|section| (kind.read)(name, section)) {
                assert!(row.contains(&format!("`{key}`")), "{key} of {name} is not documented");
            }
        }
    }
    for name in LIST_KINDS {
        assert!(rows.iter().any(|row| row.starts_with(&format!("| `{name}` |"))), "{name} is not documented");
    }
}
