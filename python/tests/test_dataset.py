"""What becomes of datasets, read back by the library of the format and by the program."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import saltflat
from saltflat.binary import run
from saltflat.errors import BadInputError


def pairs(inputs, targets):
    return list(zip(inputs, targets, strict=True))


def floats(n, *shape):
    return np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)


def program_loss(tmp_path, data, kind, inputs, targets):
    """Loss and accuracy of an MLP with random weights on a file, as the program has them, and the outputs of the same MLP in NumPy."""
    rng = np.random.default_rng(1)
    d, outputs = inputs[0].size, int(np.max(targets)) + 1 if targets.ndim == 1 and targets.dtype.kind == "i" else targets.shape[1]
    w0, b0, w1, b1 = rng.normal(size=(5, d)) / 4, rng.normal(size=5), rng.normal(size=(outputs, 5)), rng.normal(size=outputs)
    named = {"layers.0.weight": w0, "layers.0.bias": b0, "layers.1.weight": w1, "layers.1.bias": b1}
    save_file({name: value.astype(np.float32) for name, value in named.items()}, tmp_path / "weights.safetensors")
    w0, b0, w1, b1 = (value.astype(np.float32).astype(np.float64) for value in named.values())
    config = tmp_path / "read.toml"
    config.write_text(
        f'[data]\nkind = "tensors"\npath = "{data.name}"\n[model]\nkind = "mlp"\nhidden = [5]\nactivation = "tanh"\n[loss]\nkind = "{kind}"\n'
        '[optimizer]\nlr = 0.1\nbatch_size = "full"\n'
    )
    command = ["measure", config, "--weights", tmp_path / "weights.safetensors", "--metrics", "evaluate", "--precision", "f64", "--json", "-"]
    metrics = json.loads(run(command, quiet=True))["metrics"]
    f = np.tanh(inputs.reshape(len(inputs), -1).astype(np.float64) @ w0.T + b0) @ w1.T + b1
    return metrics, f


def cross_entropy(f, labels):
    shifted = f - f.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(f)), labels]))


def test_vectors_and_classes_are_read_by_the_program(tmp_path):
    x, y = floats(12, 7), np.arange(12) % 3
    path = saltflat.dataset(pairs(x, y), tmp_path / "data.safetensors", test=pairs(x[:5], y[:5]))
    found = load_file(path)
    assert {name: (value.dtype, value.shape) for name, value in found.items()} == {
        "inputs": (np.float32, (12, 7)),
        "labels": (np.int64, (12,)),
        "test_inputs": (np.float32, (5, 7)),
        "test_labels": (np.int64, (5,)),
    }
    np.testing.assert_array_equal(found["inputs"], x)
    metrics, f = program_loss(tmp_path, path, "cross_entropy", x, y)
    assert metrics["loss"]["value"] == pytest.approx(cross_entropy(f, y), rel=1e-12)
    assert metrics["test_loss"]["value"] == pytest.approx(cross_entropy(f[:5], y[:5]), rel=1e-12)
    assert metrics["accuracy"]["value"] == pytest.approx(np.mean(f.argmax(1) == y))


def test_images_of_8_bits_stand_for_numbers_up_to_1(tmp_path):
    images = np.random.default_rng(2).integers(0, 256, size=(9, 2, 4, 3), dtype=np.uint8)
    y = np.arange(9) % 2
    path = saltflat.dataset(pairs(images, y), tmp_path / "data.safetensors")
    assert load_file(path)["inputs"].dtype == np.uint8
    metrics, f = program_loss(tmp_path, path, "cross_entropy", images.astype(np.float64) / 255, y)
    assert metrics["loss"]["value"] == pytest.approx(cross_entropy(f, y), rel=1e-6)


def test_arrays_of_two_axes_are_images_of_one_channel(tmp_path, torch):
    x = floats(4, 2, 3)
    for samples in (pairs(x, range(4)), torch.utils.data.TensorDataset(torch.from_numpy(x), torch.arange(4))):
        found = load_file(saltflat.dataset(samples, tmp_path / "data.safetensors"))["inputs"]
        np.testing.assert_array_equal(found, x[:, None])


@pytest.mark.parametrize("width", [1, 4])
def test_real_targets(tmp_path, width):
    x, q = floats(8, 3), floats(8, width)
    targets = q[:, 0] if width == 1 else q
    path = saltflat.dataset(pairs(x, targets), tmp_path / "data.safetensors")
    assert load_file(path)["targets"].shape == (8, width)
    metrics, f = program_loss(tmp_path, path, "square", x, q)
    assert metrics["loss"]["value"] == pytest.approx(0.5 * np.mean(((f - q) ** 2).sum(1)), rel=1e-12)


def test_limit_and_classes(tmp_path):
    x, y = floats(10, 2), np.array([3, 7, 3, 0, 7, 3, 7, 7, 0, 3])
    path = saltflat.dataset(pairs(x, y), tmp_path / "a" / "data.safetensors", test=pairs(x, y), limit=3, classes=[7, 3])
    found = load_file(path)
    np.testing.assert_array_equal(found["labels"], [1, 0, 1])
    np.testing.assert_array_equal(found["inputs"], x[[0, 1, 2]])
    np.testing.assert_array_equal(found["test_labels"], [1, 0, 1, 0, 1, 0, 0, 1])
    with pytest.raises(BadInputError, match="limit: is 9, expected at most 8"):
        saltflat.dataset(pairs(x, y), tmp_path / "b", limit=9, classes=[7, 3])
    with pytest.raises(BadInputError, match="has no samples to write"):
        saltflat.dataset(pairs(x, y), tmp_path / "b", classes=[5])
    assert not (tmp_path / "b").exists()


def test_a_dataset_of_tensors_is_read_at_once(tmp_path, torch):
    x, y = torch.randn(6, 1, 3, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 2], dtype=torch.int32)
    path = saltflat.dataset(torch.utils.data.TensorDataset(x, y), tmp_path / "data.safetensors", limit=4, classes=[0, 2])
    found = load_file(path)
    np.testing.assert_array_equal(found["inputs"], x[[0, 2, 3, 5]].float().numpy())
    np.testing.assert_array_equal(found["labels"], [0, 1, 0, 1])


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64", "uint8"])
def test_types_of_tensors(tmp_path, torch, kind):
    x = (torch.arange(24) * 2).to(getattr(torch, kind)).reshape(2, 3, 2, 2)
    samples = [(image.requires_grad_() if image.is_floating_point() else image, torch.tensor(i)) for i, image in enumerate(x)]
    found = load_file(saltflat.dataset(samples, tmp_path / "data.safetensors"))["inputs"]
    assert found.dtype == (np.uint8 if kind == "uint8" else np.float32)
    np.testing.assert_array_equal(found, np.arange(24).reshape(2, 3, 2, 2) * 2)


def test_a_dataset_that_raises(tmp_path):
    class Raises:
        def __len__(self):
            return 5

        def __getitem__(self, index):
            if index == 3:
                raise KeyError("broken")
            return np.ones(2, np.float32), 0

    with pytest.raises(KeyError, match="broken") as caught:
        saltflat.dataset(Raises(), tmp_path / "data.safetensors")
    assert caught.value.__notes__ == ["dataset: sample 3: the dataset raised this as the sample was read"]


def test_files_that_cannot_be_written(tmp_path):
    samples = pairs(np.ones((2, 3)), [0, 1])
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="cannot be written"):
        saltflat.dataset(samples, tmp_path / "file" / "data.safetensors")
    with pytest.raises(BadInputError, match="is a folder, expected the path of the file to write"):
        saltflat.dataset(samples, tmp_path)
    with pytest.raises(BadInputError, match="path: is a int, expected a path"):
        saltflat.dataset(samples, 3)
    for limit in (True, 0, 1.5):
        with pytest.raises(BadInputError, match=f"limit: is {limit}, expected a whole number of at least 1"):
            saltflat.dataset(samples, tmp_path / "data", limit=limit)


def test_images_of_pil(tmp_path):
    """As CIFAR10 and MNIST of torchvision give them without a transform."""
    image = pytest.importorskip("PIL.Image", reason="PIL is not installed")
    pixels = np.random.default_rng(3).integers(0, 256, size=(4, 5, 6, 3), dtype=np.uint8)
    found = load_file(saltflat.dataset([(image.fromarray(one), i) for i, one in enumerate(pixels)], tmp_path / "a"))
    np.testing.assert_array_equal(found["inputs"], pixels.transpose(0, 3, 1, 2))
    found = load_file(saltflat.dataset([(image.fromarray(one[..., 0]), i) for i, one in enumerate(pixels)], tmp_path / "b"))
    np.testing.assert_array_equal(found["inputs"], pixels[None, ..., 0].transpose(1, 0, 2, 3))
    with pytest.raises(BadInputError, match="input of dataset: sample 0: is an image of mode 1, expected L, RGB or RGBA; use image.convert"):
        saltflat.dataset([(image.fromarray(pixels[0]).convert("1"), 0)], tmp_path / "c")


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (pairs([np.ones(2, np.float32), np.ones(3, np.float32)], [0, 1]), r"sample 1 is float32 \[3\], expected float32 \[2\] like those before it"),
        (pairs([np.ones(2, np.float32), np.ones(2, np.uint8)], [0, 1]), r"sample 1 is uint8 \[2\], expected float32"),
        (pairs(np.array([[1.0, 2.0], [np.nan, 0.0]]), [0, 1]), r"dataset: inputs\[1\]: has nan at \[0\], expected finite numbers"),
        (pairs(np.array([[1e39], [0.0]]), [0, 1]), r"dataset: inputs\[0\]: has inf at \[0\], expected finite numbers in the range of float32"),
        (pairs(np.ones((2, 3)), [np.float32(1), np.float32("nan")]), r"dataset: targets\[1\]: has nan"),
        (pairs(np.ones((2, 3)), [0, -100]), r"dataset: targets\[1\]: is -100, expected a class 0, 1, 2, …"),
        (pairs(np.ones((2, 3)), [0, 0.5]), "target of dataset: sample 1 is 1 real numbers, expected a class like those before it"),
        (pairs(np.ones((2, 3)), ["cat", "dog"]), "target of dataset: sample 0: is 'cat', expected a class as an integer"),
        (pairs(np.ones((2, 3)), np.eye(2, 3, dtype=int)), r"is int64 of shape \[3\], expected a class as an integer"),
        (
            pairs(np.ones((2, 3), dtype=int), [0, 1]),
            r"has numbers of type int64, expected floating-point numbers or uint8; convert it with .float\(\)",
        ),
        (pairs(np.ones((2, 8, 8, 3)), [0, 1]), r"seems to be \[height, width, channels\]; expected \[channels, height, width\]"),
        (pairs(np.ones((2, 1, 2, 3, 4)), [0, 1]), r"has the shape \[1, 2, 3, 4\], expected \[d\], \[height, width\] or \[channels, height, width\]"),
        ([{"image": 1, "label": 2}], r"sample 0 is a dict, expected a pair \(input, target\)"),
        ([], "has no samples"),
        (iter([]), r"without __len__, expected a map-style dataset"),
        (SimpleNamespace(), r"is a SimpleNamespace without __len__"),
    ],
)
def test_what_is_refused(tmp_path, samples, message):
    with pytest.raises(BadInputError, match=message):
        saltflat.dataset(samples, tmp_path / "data.safetensors")
    assert not any(tmp_path.iterdir())


def test_splits_must_be_alike(tmp_path):
    train, test = pairs(floats(2, 3), [0, 1]), pairs(floats(2, 4), [0, 1])
    with pytest.raises(BadInputError, match=r"test: its inputs are float32 \[4\] a sample, expected float32 \[3\]"):
        saltflat.dataset(train, tmp_path / "a", test=test)
    with pytest.raises(BadInputError, match="test: its targets are float32"):
        saltflat.dataset(train, tmp_path / "a", test=pairs(floats(2, 3), [0.5, 1.5]))


def test_a_loader_is_no_dataset(tmp_path, torch):
    loader = torch.utils.data.DataLoader([(torch.ones(2), 0)])
    with pytest.raises(BadInputError, match="is a DataLoader"):
        saltflat.dataset(loader, tmp_path / "a")
