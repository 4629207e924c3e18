//! What is said of layers that do not fit the one before them, and of keys that make no layer.

use saltflat_models::{Layout, build_list, testing::items_of};

/// What the list is refused with, for inputs `[4, 7, 6]`.
fn error_of(list: &str) -> String {
    match items_of(list) {
        Err(problems) => problems,
        Ok(items) => match build_list(&mut Layout::default(), "model.layers", &items, [4, 7, 6]) {
            Err(error) => error.to_string(),
            Ok(built) => panic!("{list}: {:?}", built.output),
        },
    }
}

fn all(cases: &[(&str, &str)]) {
    for (list, expected) in cases {
        let found = error_of(list);
        assert!(found.contains(expected), "{list}: {found}\ninstead of: {expected}");
    }
}

/// The layer, what it expects, the shape that it got and the layer before it.
#[test]
fn layers_that_do_not_follow_the_one_before() {
    all(&[
        (
            r#"["relu", { kind = "conv2d", outputs = 3, kernel = [9, 3], padding = [0, 1] }]"#,
            "model.layers[1] (conv2d): expected images of at least 9 × 1 pixels, got [4, 7, 6] from model.layers[0] (relu)",
        ),
        (
            r#"[{ kind = "conv2d", outputs = 3, kernel = 3, dilation = 4, padding = [0, 2] }]"#,
            "model.layers[0] (conv2d): expected images of at least 9 × 5 pixels, got [4, 7, 6] from the data",
        ),
        (
            r#"[{ kind = "conv2d", outputs = 6, kernel = 1, groups = 3 }]"#,
            "model.layers[0] (conv2d): expected channels divisible by 3 groups, got [4, 7, 6] from the data",
        ),
        (
            r#"[{ kind = "conv2d", outputs = 6, kernel = 1, groups = 4 }]"#,
            "model.layers[0] (conv2d): expected outputs divisible by 4 groups, got 6",
        ),
        (
            r#"[{ kind = "conv2d", outputs = 6, kernel = 1, inputs = 3 }]"#,
            "model.layers[0] (conv2d): expected 3 channels, got [4, 7, 6] from the data",
        ),
        (
            r#"[{ kind = "max-pool", kernel = [2, 7] }]"#,
            "model.layers[0] (max-pool): expected images of at least 2 × 7 pixels, got [4, 7, 6] from the data",
        ),
        (
            r#"[{ kind = "avg-pool", kernel = 3, padding = [1, 2] }]"#,
            "model.layers[0] (avg-pool): expected a padding of at most half of the window, [1, 1], got [1, 2]",
        ),
        // Along six pixels padded by four the third window of two entries, eight apart, has neither on one.
        (
            r#"[{ kind = "max-pool", kernel = [1, 2], dilation = [1, 8], padding = [0, 4], stride = 1 }]"#,
            "model.layers[0] (max-pool): expected an image of which every window has a pixel, got [4, 7, 6] from the data",
        ),
    ]);
}

#[test]
fn branches_that_do_not_fit_each_other() {
    let list = |join: &str, branches: &str| {
        error_of(&format!("[\"tanh\", {{ kind = \"parallel\", join = \"{join}\", branches = {branches} }}]"))
    };
    let conv =
        |outputs: usize, kernel: usize| format!("{{ kind = \"conv2d\", outputs = {outputs}, kernel = {kernel} }}");
    for (join, branches, expected) in [
        (
            "sum",
            format!("[[], [{}]]", conv(3, 1)),
            "have one shape, got [4, 7, 6] from branches[0] and [3, 7, 6] from branches[1]",
        ),
        (
            "concat",
            format!("[[], [{}]]", conv(3, 3)),
            "have one height and width, got [4, 7, 6] from branches[0] and [3, 5, 4] from branches[1]",
        ),
        (
            "product",
            format!("[[], [{}]]", conv(3, 1)),
            "single pixel, got [4, 7, 6] from branches[0] and [3, 7, 6] from branches[1]",
        ),
        (
            "product",
            format!("[[{}], []]", conv(4, 3)),
            "single pixel, got [4, 5, 4] from branches[0] and [4, 7, 6] from branches[1]",
        ),
        (
            "product",
            format!("[[\"adaptive-avg-pool\", {}], []]", conv(3, 1)),
            "single pixel, got [3, 1, 1] from branches[0] and [4, 7, 6] from branches[1]",
        ),
    ] {
        let found = list(join, &branches);
        assert!(found.starts_with("model.layers[1] (parallel): expected branches whose outputs"), "{found}");
        assert!(found.ends_with(expected), "{found}");
    }
}

#[test]
fn keys_that_make_no_layer() {
    let whole = "a whole number from 1 to 65536, or [height, width]";
    all(&[
        (r#"[{ kind = "conv2d", outputs = 3 }]"#, &format!("layers[0].kernel: is missing; expected {whole}")),
        (r#"[{ kind = "conv2d", outputs = 3, kernel = 0 }]"#, &format!("layers[0].kernel: expected {whole}, got 0")),
        (r#"[{ kind = "conv2d", outputs = 3, kernel = [3] }]"#, &format!("expected {whole}, got [3]")),
        (r#"[{ kind = "conv2d", outputs = 3, kernel = [3, 70000] }]"#, &format!("expected {whole}, got [3, 70000]")),
        (
            r#"[{ kind = "conv2d", outputs = 3, kernel = 3, stride = "2" }]"#,
            &format!("layers[0].stride: expected {whole}"),
        ),
        (
            r#"[{ kind = "conv2d", outputs = 3, kernel = 3, padding = -1 }]"#,
            "expected a whole number from 0 to 65536, or",
        ),
        (
            r#"[{ kind = "conv2d", outputs = 3, kernel = 3, groups = 0 }]"#,
            "layers[0].groups: expected a whole number above 0",
        ),
        (r#"[{ kind = "max-pool", stride = 0 }]"#, &format!("layers[0].stride: expected {whole}, got 0")),
        (r#"[{ kind = "avg-pool", dilation = 2 }]"#, "dilation"),
        (
            r#"[{ kind = "avg-pool", count_include_pad = 1 }]"#,
            "layers[0].count_include_pad: expected true or false, got 1",
        ),
        (r#"[{ kind = "adaptive-avg-pool", output = 0 }]"#, &format!("layers[0].output: expected {whole}, got 0")),
        (
            r#"[{ kind = "dropout", probability = 1.0 }]"#,
            "layers[0].probability: expected a number from 0 to below 1, got 1.0",
        ),
        (r#"[{ kind = "dropout", probability = -0.1 }]"#, "expected a number from 0 to below 1, got -0.1"),
        (r#"[{ kind = "dropout", probability = nan }]"#, "expected a number from 0 to below 1, got nan"),
        (r#"[{ kind = "leaky-relu", slope = inf }]"#, "layers[0].slope: expected a finite number, got inf"),
        (r#"[{ kind = "elu", alpha = nan }]"#, "layers[0].alpha: expected a finite number, got nan"),
        (r#"[{ kind = "gelu", approximate = "erf" }]"#, "layers[0].approximate"),
        (r#"[{ kind = "relu", approximate = "tanh" }]"#, "approximate"),
    ]);
}

/// A network that a line asks for and no machine holds.
#[test]
fn outputs_that_no_machine_holds_are_refused() {
    all(&[
        (
            r#"[{ kind = "conv2d", outputs = 16777216, kernel = 1, padding = 65536 }]"#,
            "model.layers[0] (conv2d): expected an output of at most 268435456 numbers a sample",
        ),
        (
            r#"[{ kind = "adaptive-avg-pool", output = 65536 }]"#,
            "model.layers[0] (adaptive-avg-pool): expected an output of at most 268435456 numbers a sample",
        ),
    ]);
}
