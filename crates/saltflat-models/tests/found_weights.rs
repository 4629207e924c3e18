//! Weights as they are found: under other names, in half precision, in several files (`scripts/reference/state_dicts.py`).
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use safetensors::Dtype;
use saltflat_models::{
    Architecture, Initialisation, Loaded, Network, Norm, Renames, architectures::Resnet, layers::Activation,
    load_notes, weight_files,
};
use support::{All, check_logits, file, load, read, write};

/// The network of `cifar_resnet.safetensors`.
fn resnet(norm: Norm, width: usize) -> Network {
    let resnet = Resnet {
        width,
        blocks: vec![1, 1, 1, 1],
        norm,
        channels_per_group: 2,
        activation: Activation::Relu,
        init: Initialisation::Default,
    };
    resnet.build([3, 32, 32], 10).unwrap()
}

fn refused(path: &Path, renames: &[(&str, &str)]) -> String {
    load(path, &resnet(Norm::Batch, 2), renames).unwrap_err().to_string()
}

/// Names of another repository, what wraps a network, averages of models, several files, half precision: each is said, and gives PyTorch's logits at
/// the rounded weights.
#[test]
fn weights_of_pytorch_are_taken_as_they_are_found() {
    let network = resnet(Norm::Batch, 2);
    let kuangliu = "its names are read as those of the ResNet of kuangliu/pytorch-cifar";
    let wrapped = "the beginning \"_orig_mod.module.\" of its names, which torch.compile writes, is taken off";
    let module = "the beginning \"module.\" of its names, which torch.nn.DataParallel writes, is taken off";
    for (path, name, notes) in [
        ("cifar_resnet.safetensors", "logits.cifar_resnet", vec![kuangliu]),
        ("wrapped.safetensors", "logits.wrapped", vec![wrapped, "F16); they are read as f32"]),
        ("averaged.safetensors", "logits.averaged", vec![module, "BF16); they are read as f32"]),
        ("sharded/model.safetensors.index.json", "logits.sharded", vec![kuangliu]),
    ] {
        let path = file(path);
        let loaded = load(&path, &network, &[]).unwrap();
        assert_eq!(loaded.notes.len(), notes.len(), "{:?}", loaded.notes);
        for (note, part) in loaded.notes.iter().zip(notes) {
            assert!(note.starts_with(&path.display().to_string()), "{note}");
            assert!(note.contains(part), "no {part:?} in {note}");
        }
        assert_eq!(load_notes(&path, network.layout(), &Renames::new()).unwrap(), loaded.notes);
        check_logits(&network, &loaded, &file("cifar_resnet.logits.safetensors"), name);
    }
}

/// The tensors of `cifar_resnet.safetensors` after a change, in a file of that name in a folder.
fn changed(folder: &Path, change: impl FnOnce(All) -> All) -> PathBuf {
    let path = folder.join("cifar_resnet.safetensors");
    write(&path, &change(read(&file("cifar_resnet.safetensors"))));
    path
}

fn renamed(all: All, name: impl Fn(&str) -> String) -> All {
    all.into_iter().map(|(old, x)| (name(&old), x)).collect()
}

fn values(loaded: &Loaded) -> Vec<f64> {
    let parts = loaded.theta.parts().iter().chain(loaded.buffers.parts());
    parts.flat_map(|part| part.clone().try_into_vec_as::<f64>().unwrap()).collect()
}

/// Beginnings, parts and whole names; what no name has, and two tensors of one name, are refused.
#[test]
fn a_map_of_names() {
    let (folder, network) = (tempfile::tempdir().unwrap(), resnet(Norm::Batch, 2));
    let exact = load(&file("cifar_resnet.safetensors"), &network, &[]).unwrap();
    let path = changed(folder.path(), |all| {
        renamed(all, |name| {
            let name = if name == "linear.bias" { "offset".into() } else { name.replace("linear", "head.last") };
            format!("net.{}", name.replace("layer", "stages.").replace("shortcut", "skip"))
        })
    });
    let said = refused(&path, &[]);
    for part in
        ["the beginning \"net.\" of its names is taken off", "net.stages.1.0.bn1.running_mean", "--rename OLD=NEW"]
    {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    let stages: Vec<(String, String)> = (1..=4).map(|i| (format!("net.stages.{i}."), format!("layer{i}."))).collect();
    let mut map = vec![("net.head.last.", "fc."), ("net.offset", "fc.bias"), (".skip.", ".downsample."), ("net.", "")];
    map.extend(stages.iter().map(|(old, new)| (old.as_str(), new.as_str())));
    let loaded = load(&path, &network, &map).unwrap();
    assert_eq!(values(&loaded), values(&exact));
    assert_eq!(loaded.notes, Vec::<String>::new());
    let said = refused(&path, &[("net.offsets", "fc.bias")]);
    assert!(said.ends_with("rename: no name in the file has \"net.offsets\"; did you mean net.offset?"), "{said}");
    let said = refused(&path, &[("net.offset", "net.head.last.weight")]);
    assert!(said.ends_with("net.head.last.weight and net.offset would both be net.head.last.weight; expected a name of its own for each"), "{said}");
}

/// A 1 × 1 convolution as the matrix that it is, and vectors with axes for the positions: the same numbers in the same order.
#[test]
fn axes_of_length_one_are_of_no_importance() {
    let (folder, network) = (tempfile::tempdir().unwrap(), resnet(Norm::Batch, 2));
    let exact = load(&file("cifar_resnet.safetensors"), &network, &[]).unwrap();
    let path = changed(folder.path(), |mut all| {
        for (name, x) in &mut all {
            match *x.shape.as_slice() {
                [outputs, inputs, 1, 1] => x.shape = vec![outputs, inputs],
                [channels] if name.ends_with("bn1.weight") => x.shape = vec![channels, 1, 1],
                _ => {}
            }
        }
        all
    });
    let loaded = load(&path, &network, &[]).unwrap();
    assert_eq!(values(&loaded), values(&exact));
    // The first such tensor in the order of the network; bn1 of the stem and of four blocks, and three shortcuts.
    let note = "tensors that differ by axes of length 1 only are taken (bn1.weight: [2, 1, 1] for [2], and 7 more)";
    assert!(loaded.notes[1].ends_with(note), "{:?}", loaded.notes);
    // Axes that are no 1 are not moved.
    let path = changed(folder.path(), |mut all| {
        let x = all.get_mut("linear.weight").unwrap();
        x.shape.reverse();
        all
    });
    let said = refused(&path, &[]);
    assert!(
        said.contains("1 of them with another shape") && said.contains("[16, 10]") && said.contains("[10, 16]"),
        "{said}"
    );
}

/// The tensors of the file stand beside those of the network, the most alike first.
#[test]
fn names_that_do_not_fit_are_shown_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    // The beginning of all names but one.
    let path = changed(folder.path(), |all| {
        renamed(all, |name| {
            if name == "linear.bias" {
                "bias".into()
            } else {
                format!("encoder.{}", name.replace("shortcut", "downsample").replace("linear", "fc"))
            }
        })
    });
    let said = refused(&path, &[]);
    let row = |text: &str| {
        said.lines().find(|line| line.contains(text)).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    assert!(said.contains("61 of the network's 62 tensors are in the file (the beginning \"encoder.\" of its names is taken off), 1 tensor of"), "{said}");
    assert_eq!(row("  bias ").as_deref(), Some("bias [10] fc.bias [10]"), "{said}");
    // Another width: the names fit, the shapes do not.
    let said = load(&file("cifar_resnet.safetensors"), &resnet(Norm::Batch, 3), &[]).unwrap_err().to_string();
    let words = "(its names are read as those of the ResNet of kuangliu/pytorch-cifar), 61 of them with another shape";
    assert!(said.contains(words) && said.contains("and 53 more") && !said.contains("--rename"), "{said}");
    assert!(
        said.lines()
            .any(|line| line.split_whitespace().eq("conv1.weight [2, 3, 3, 3] conv1.weight [3, 3, 3, 3]".split(' '))),
        "{said}"
    );
    // Without buffers of its own the file's have no place.
    let said = load(&file("cifar_resnet.safetensors"), &resnet(Norm::Group, 2), &[]).unwrap_err().to_string();
    for part in
        ["24 tensors of the file are not the network's", "trained with batch normalisation", "model.norm = \"batch\""]
    {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert!(!said.contains("state.pop"), "{said}");
    let path =
        changed(folder.path(), |all| renamed(all, |name| name.replace("bn2.running_mean", "norm2.running_mean")));
    let said = refused(&path, &[]);
    assert!(said.contains("--rename") && !said.contains("batch normalisation"), "{said}");
    let group = load(&file("resnet18.safetensors"), &resnet(Norm::Batch, 4), &[]).unwrap_err().to_string();
    assert!(group.contains("the file has no running statistics: it was trained with another normalisation"), "{group}");
    let path = changed(folder.path(), |mut all| {
        let head = all["linear.bias"].clone();
        all.insert("aux.bias".into(), head);
        all
    });
    let said = refused(&path, &[]);
    assert!(said.contains("as state.pop('aux.bias') before the state_dict is saved"), "{said}");
    // Another network altogether: eight rows.
    let said = refused(&file("vgg11.safetensors"), &[]);
    assert!(
        said.contains("0 of the network's 62 tensors are in the file, 22 tensors of the file are not the network's"),
        "{said}"
    );
    assert_eq!(said.lines().filter(|line| line.starts_with("  ")).count(), 1 + 8 + 1, "{said}");
}

/// Whatever is wrong with an index names the file and the tensor.
#[test]
fn an_index_that_is_wrong_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let [first, second] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let index = place.join("model.safetensors.index.json");
    let restore = || {
        for name in [first, second, "model.safetensors.index.json"] {
            fs::copy(file("sharded").join(name), place.join(name)).unwrap();
        }
    };
    restore();
    let exact = load(&file("cifar_resnet.safetensors"), &resnet(Norm::Batch, 2), &[]).unwrap();
    assert_eq!(values(&load(&index, &resnet(Norm::Batch, 2), &[]).unwrap()), values(&exact));
    assert_eq!(weight_files(&index).unwrap(), [index.clone(), place.join(first), place.join(second)]);
    let said = |parts: &[&str]| {
        let said = refused(&index, &[]);
        assert!(parts.iter().all(|part| said.contains(part)), "no {parts:?} in {said}");
        restore();
    };
    fs::remove_file(place.join(second)).unwrap();
    said(&[second, "the index ", "places layer3.0.bn1.num_batches_tracked and", "more tensors in it"]);
    let mut shard = read(&place.join(first));
    let gone = shard.remove("conv1.weight").unwrap();
    write(&place.join(first), &shard);
    said(&[first, "has no tensor conv1.weight, which the index", "places in it"]);
    shard.insert("conv1.weight".into(), gone.clone());
    shard.insert("more".into(), gone);
    write(&place.join(first), &shard);
    said(&[first, "holds the tensor more, which the index", "does not place in it"]);
    fs::write(place.join(first), b"short").unwrap();
    said(&[first, "is not a safetensors file"]);
    let text = fs::read_to_string(&index).unwrap();
    for name in ["../model-00001-of-00002.safetensors", "/etc/passwd", "", "..\\\\x", "."] {
        fs::write(&index, text.replacen(first, name, 1)).unwrap();
        said(&["index.json: places bn1.bias in the file", "expected the name of a file in the folder of the index"]);
    }
    for wrong in ["{", "[]", "{}", "{\"weight_map\": {\"a\": 1}}", "{\"weight_map\": []}"] {
        fs::write(&index, wrong).unwrap();
        said(&["is not an index of safetensors files", "expected JSON with \"weight_map\""]);
    }
    fs::write(&index, "{\"weight_map\": {}}").unwrap();
    said(&["0 of the network's 62 tensors are in the file"]);
}

/// What keeps a file from being taken: numbers that are none, and types that hold no weights.
#[test]
fn numbers_that_cannot_be_weights() {
    let folder = tempfile::tempdir().unwrap();
    let path = changed(folder.path(), |mut all| {
        all.get_mut("conv1.weight").unwrap().bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        all
    });
    assert!(refused(&path, &[]).contains("conv1.weight holds NaN, expected finite numbers"));
    let path = changed(folder.path(), |mut all| {
        all.get_mut("linear.weight").unwrap().dtype = Dtype::I32;
        all
    });
    let said = refused(&path, &[]);
    assert!(
        said.contains("linear.weight is I32, expected F32, F64, F16 or BF16") && said.contains(".float()"),
        "{said}"
    );
}

/// Of the number of groups a file says nothing, so that a note says what the network takes.
#[test]
fn groups_are_an_assumption() {
    let said = [
        "group norm with 2 groups of 2 channels",
        "group norm with 4 groups of 2 channels",
        "group norm with 8 groups of 2 channels",
    ];
    let one = "group norm with 1 group of 2 channels";
    assert_eq!(resnet(Norm::Group, 2).assumptions(), [&[one], &said[..]].concat());
    assert_eq!(resnet(Norm::Batch, 2).assumptions(), Vec::<String>::new());
}
