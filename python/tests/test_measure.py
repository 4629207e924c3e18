"""``saltflat.measure`` beside full Hessians of torch.func in float64."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import saltflat
from saltflat.errors import BadInputError

N, D, C = 24, 3, 3


@pytest.fixture(scope="module")
def network(torch):
    torch.manual_seed(0)
    nn = torch.nn
    return nn.Sequential(nn.Linear(D, 3), nn.Tanh(), nn.Linear(3, C))


@pytest.fixture(scope="module")
def data(torch):
    """Inputs, labels, real targets."""
    torch.manual_seed(1)
    return torch.randn(N, D), torch.randint(0, C, (N,)), torch.randn(N, C)


def exact(*arguments, **options):
    from reference import exact

    return exact(*arguments, **options)


def check_hessian(result, expected, tolerance=1e-6):
    """Stochastic estimates within 4 of their errors, eigenvalues within their residuals, the rest exactly."""
    assert result["loss"] == pytest.approx(float(expected.loss), rel=tolerance)
    assert result["grad_norm"] == pytest.approx(float(expected.grad_norm), rel=tolerance)
    for name in ("trace_hessian", "hessian_frobenius"):
        error = result.errors[name]
        assert abs(result[name] - float(getattr(expected, name))) < 4 * error
        assert error < 0.1 * abs(float(expected.hessian_frobenius))
    for found, value in zip(result.json["metrics"]["top_eigenvalues"], expected.eigenvalues, strict=False):
        assert abs(found["value"] - float(value)) <= found["residual"] + tolerance
    assert result["min_eigenvalue"] == pytest.approx(float(expected.min_eigenvalue), abs=1e-3)


def test_cross_entropy(torch, network, data):
    x, y, _ = data
    loss = torch.nn.CrossEntropyLoss()
    result = saltflat.measure(network, x, y, loss=loss, probes=500, precision="f64", quiet=True)
    check_hessian(result, exact(network, x, y, loss))
    assert result["accuracy"] == pytest.approx(float((network(x).argmax(1) == y).double().mean()))
    by_tensor = result["trace_hessian_by_tensor"]
    assert sum(by_tensor.values()) == pytest.approx(result["trace_hessian"], rel=1e-9) and len(by_tensor) == 4
    assert (result.outputs, result.parameters) == (C, sum(p.numel() for p in network.parameters()))


@pytest.mark.parametrize("epsilon", [0.1, 0.4])
def test_label_smoothing_is_pytorchs(torch, network, data, epsilon):
    x, y, _ = data
    loss = torch.nn.CrossEntropyLoss(label_smoothing=epsilon)
    result = saltflat.measure(network, x, y, loss=loss, probes=500, precision="f64", quiet=True)
    check_hessian(result, exact(network, x, y, loss))
    assert result.json["measured_loss"]["smoothing"] == pytest.approx(epsilon * (C - 1) / C)


def test_mean_square_error_is_pytorchs(torch, network, data):
    """Every number that scales with the loss, with a learning rate and a batch size, at its value for nn.MSELoss."""
    x, _, q = data
    loss, lr, batch = torch.nn.MSELoss(), 0.3, 6
    result = saltflat.measure(
        network, x, q, loss=loss, metrics=["all"], probes=500, alignment_samples=N, precision="f64", lr=lr, batch_size=batch, quiet=True
    )
    expected = exact(network, x, q, loss, lr, batch, curvature=2 / C)
    check_hessian(result, expected)
    for name in [
        "trace_gram",
        "gram_frobenius",
        "gram_top_eigenvalue",
        "trace_noise",
        "noise_frobenius",
        "trace_gram_noise",
        "alpha",
        "beta",
        "mu",
        "mu1",
        "gd_critical_lr",
        "sharpness_along_gradient",
        "wu_bound_frobenius",
        "wu_growth_bound",
        "sgd_growth",
    ]:
        assert result[name] == pytest.approx(float(getattr(expected, name)), rel=1e-6), name
    assert abs(result["regularizer"] - float(expected.regularizer)) < 4 * result.errors["regularizer"]
    ratio = (N - batch) / (batch * (N - 1))
    of_mu1 = min(1 / (ratio * (1 - ratio) * result["mu1"]) ** 0.5, 2 / (ratio * result["mu1"])) / lr
    assert result["wu_bound_frobenius_mu1"] == pytest.approx(of_mu1, rel=1e-9)
    assert result["dexter_bound"] == pytest.approx(result["coherence"] / lr * (N / batch - 1) ** -0.5, rel=1e-9)
    # Of noise on real targets it is tr G, and so has its scale.
    assert result["trace_from_noise_expected"] == pytest.approx(result["trace_gram"], rel=1e-9)
    assert abs(result["trace_ggn"] - float(expected.trace_gram)) < 4 * result.errors["trace_ggn"]
    # Where the growth passes 1.
    from reference import growth

    below, above = (float(growth(expected.rows, result["sgd_critical_lr"] * factor, batch, 2 / C)) for factor in (0.999, 1.001))
    assert below <= 1.0 < above
    density = result.json["metrics"]["spectral_density"]
    assert max(density["deflated"]) == pytest.approx(float(expected.eigenvalues[0]), rel=1e-6)
    assert density["dimension"] == result.parameters
    assert result.json["measured_loss"]["factor"] == pytest.approx(2 / C) and result.json["lr"] == lr
    half = saltflat.measure(network, x, q, loss="square", metrics=["evaluate"], precision="f64", quiet=True)
    assert half["loss"] == pytest.approx(float(expected.loss) * C / 2, rel=1e-9)


@pytest.mark.parametrize("is_square", [False, True])
def test_weight_decay_is_in_the_hessian(torch, network, data, is_square):
    """L + (w/2) ‖θ‖²: the loss by the penalty, the trace by w p, every eigenvalue by w. The squared diagonal and eigenvalues by tensor too."""
    x, y, q = data
    decay = 0.3
    loss, targets = (torch.nn.MSELoss(), q) if is_square else (torch.nn.CrossEntropyLoss(label_smoothing=0.1), y)
    metrics = ["evaluate", "trace", "hessian_diagonal_sq", "eigenvalues", "top_eigenvalue_by_tensor"]
    result = saltflat.measure(network, x, targets, loss=loss, metrics=metrics, weight_decay=decay, probes=500, precision="f64", quiet=True)
    expected = exact(network, x, targets, loss)
    full = expected.hessian + decay * torch.eye(result.parameters)
    squared = sum(float((parameter.detach().double() ** 2).sum()) for parameter in network.parameters())
    assert result["loss"] == pytest.approx(float(expected.loss) + decay / 2 * squared, rel=1e-6)
    assert abs(result["trace_hessian"] - float(full.trace())) < 4 * result.errors["trace_hessian"]
    assert abs(result["hessian_diagonal_sq"] - float((full.diagonal() ** 2).sum())) < 4 * result.errors["hessian_diagonal_sq"]
    assert result["top_eigenvalues.0"] == pytest.approx(float(torch.linalg.eigvalsh(full)[-1]), rel=1e-6)
    first = next(network.parameters()).numel()
    by_tensor = result["top_eigenvalue_by_tensor.0.weight"]
    assert by_tensor == pytest.approx(float(torch.linalg.eigvalsh(full[:first, :first])[-1]), rel=1e-6)


def test_eigenvectors_in_a_file(torch, network, data, tmp_path):
    from safetensors.torch import load_file

    x, y, q = data
    result = saltflat.measure(network, x, y, metrics=["eigenvalues"], precision="f64", vectors=tmp_path, quiet=True)
    found = load_file(tmp_path / "eigenvectors.safetensors")
    vector = torch.cat([found[f"0.{name}"].reshape(-1).double() for name, _ in network.named_parameters()])
    product = exact(network, x, y, torch.nn.CrossEntropyLoss()).hessian @ vector
    assert torch.dist(product, result["top_eigenvalues.0"] * vector) < 1e-5 * product.norm()
    with pytest.raises(BadInputError, match="vectors: expected a loss in the scale of the program"):
        saltflat.measure(network, x, q, loss=torch.nn.MSELoss(), vectors=tmp_path)


def test_square_loss_of_classes(torch, network, data):
    x, y, _ = data
    result = saltflat.measure(network, x, y, loss="square", probes=500, alignment_samples=N, precision="f64", quiet=True)
    one_hot = torch.nn.functional.one_hot(y, C).double()
    expected = exact(network, x, one_hot, lambda f, q: 0.5 * ((f - q) ** 2).sum(1).mean())
    check_hessian(result, expected)
    assert result["mu"] == pytest.approx(float(expected.mu), rel=1e-6)


def test_data_as_dataset_file_and_folder(torch, network, data, tmp_path):
    x, y, _ = data
    options = {"metrics": ["trace_hessian", "loss"], "quiet": True}
    first = saltflat.measure(network, x, y, folder=tmp_path / "kept", **options)
    kept = {path.name for path in (tmp_path / "kept").iterdir()}
    assert {"model.toml", "weights.safetensors", "data.safetensors", "measure.toml", "measurement.json"} <= kept
    assert json.loads((tmp_path / "kept" / "measurement.json").read_text()) == first.json
    path = saltflat.dataset(list(zip(x, y, strict=True)), tmp_path / "data.safetensors")
    others = [
        saltflat.measure(network, x.double().numpy(), y.numpy(), **options),
        saltflat.measure(network, torch.utils.data.TensorDataset(x, y), **options),
        saltflat.measure(network, path, **options),
        saltflat.measure(tmp_path / "kept", path, **options),
    ]
    assert all(dict(other) == dict(first) for other in others)
    by_configuration = saltflat.measure(tmp_path / "kept" / "measure.toml", weights=tmp_path / "kept" / "weights.safetensors", **options)
    assert {name: by_configuration[name] for name in first} == dict(first)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=0.2)
    by_module, by_folder = (saltflat.measure(one, x, y, loss=loss, **options) for one in (network, tmp_path / "kept"))
    assert dict(by_module) == dict(by_folder)
    assert by_module["loss"] == pytest.approx(float(loss(network(x), y).detach()), rel=1e-6)


def test_images_of_8_bits_are_what_to_tensor_makes(torch):
    torch.manual_seed(2)
    nn = torch.nn
    module = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 2))
    images = np.random.default_rng(0).integers(0, 256, size=(8, 1, 3, 4), dtype=np.uint8)
    labels = np.arange(8) % 2
    result = saltflat.measure(module, list(zip(images, labels, strict=True)), metrics=["evaluate"], quiet=True)
    expected = nn.functional.cross_entropy(module(torch.from_numpy(images).float() / 255), torch.from_numpy(labels))
    assert result["loss"] == pytest.approx(float(expected.detach()), rel=1e-5)
    with pytest.raises(BadInputError, match="inputs: has numbers of type uint8, expected floating-point numbers as the module takes them"):
        saltflat.measure(module, images, labels)


def small_networks(torch):
    """A module with its inputs of four, three and three axes: images, a sequence with its channels first, tokens with their features last."""
    nn = torch.nn

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.first, self.head = nn.LayerNorm(4), nn.Linear(4, 2), nn.Linear(2, 3)

        def forward(self, x):
            return self.head(torch.tanh(self.first(self.norm(x))).mean(1))

    return {
        "cnn": (nn.Sequential(nn.Conv2d(1, 2, 3), nn.GELU(), nn.MaxPool2d(2), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 3)), (1, 6, 6)),
        "sequence": (nn.Sequential(nn.Conv1d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 3)), (2, 6)),
        "tokens": (Tokens(), (5, 4)),
    }


@pytest.mark.parametrize("name", ["cnn", "sequence", "tokens"])
def test_networks_of_layers(torch, name, tmp_path):
    torch.manual_seed(4)
    network, shape = small_networks(torch)[name]
    network.eval()
    x, y, loss = torch.randn(16, *shape), torch.randint(0, 3, (16,)), torch.nn.CrossEntropyLoss()
    expected = exact(network, x, y, loss)
    options = {"loss": loss, "probes": 500, "precision": "f64", "quiet": True}
    result = saltflat.measure(network, x, y, **options)
    check_hessian(result, expected)
    names = {parameter for parameter, _ in network.named_parameters()}
    assert set(result["trace_hessian_by_tensor"]) == names
    exported = saltflat.export(network, x[:3], tmp_path)
    assert dict(saltflat.measure(exported, x, y, **options)) == dict(result)
    if x.ndim == 3:
        with pytest.raises(BadInputError, match=r"inputs: has the shape \[16, \d, \d\], expected \[n, d\] or \[n, channels, height, width\]"):
            saltflat.measure(tmp_path, x, y, **options)


def test_a_module_that_cannot_be_exported(torch, data):
    nn = torch.nn
    x, y, _ = data
    with pytest.raises(saltflat.ExportError, match="(?s)1: .*[Dd]ropout"):
        saltflat.measure(nn.Sequential(nn.Linear(D, C), nn.Dropout(0.5)).train(), x, y, quiet=True)
    assert issubclass(saltflat.ExportError, saltflat.SaltflatError)


def test_errors_of_some_samples_are_in_the_error(torch, network, data):
    x, y, _ = data
    result = saltflat.measure(network, x, y, metrics=["trace_hessian"], samples=12, quiet=True)
    parts = result.json["metrics"]["trace_hessian"]
    assert parts["std_error"] > 0 and parts["subset_error"] > 0
    assert result.errors["trace_hessian"] ** 2 == pytest.approx(parts["std_error"] ** 2 + parts["subset_error"] ** 2)
    assert result.errors["trace_hessian"] > parts["std_error"]


OWNED = [
    ({"loss.kind": "square"}, "loss.kind", "loss"),
    ({"loss": {"smoothing": 0.1}}, "loss.smoothing", "loss"),
    ({"metrics.loss.smoothing": 0.1}, "metrics.loss.smoothing", "loss"),
    ({"metrics": {"loss": {"weight_decay": True}}}, "metrics.loss.weight_decay", "weight_decay"),
    ({"optimizer.lr": 0.1}, "optimizer.lr", "lr"),
    ({"optimizer": {"momentum": 0.5}}, "optimizer.momentum", "momentum"),
    ({"optimizer.batch_size": 3}, "optimizer.batch_size", "batch_size"),
    ({"optimizer.weight_decay": 0.1}, "optimizer.weight_decay", "weight_decay"),
    ({"data.standardise": True}, "data.standardise", "inputs"),
    ({"model.outputs": 2}, "model.outputs", "module"),
    ({"run.seed": 2}, "run.seed", "seed"),
    ({"train.init": "a"}, "train.init", "module"),
]


@pytest.mark.parametrize("case", OWNED, ids=lambda case: case[1])
def test_settings_that_an_argument_sets(torch, network, data, case):
    x, y, _ = data
    settings, key, argument = case
    with pytest.raises(BadInputError, match=f"settings: has the key {key}, which the argument {argument} of saltflat.measure sets"):
        saltflat.measure(network, x, y, settings={"metrics.trace.method": "xtrace", **settings}, quiet=True)


def test_scalars_of_numpy_and_torch(torch, network, data):
    x, y, _ = data
    plain = {"lr": 0.125, "momentum": 0.5, "batch_size": 6, "seed": 3, "samples": 12, "probes": 4, "alignment_samples": 8}
    options = {"metrics": ["trace_hessian", "alignment"], "quiet": True}
    expected = saltflat.measure(network, x, y, **plain, **options)
    assert dict(saltflat.measure(network, x, y, **{name: np.asarray(value)[()] for name, value in plain.items()}, **options)) == dict(expected)
    given = {name: torch.tensor(value) for name, value in plain.items()}
    assert dict(saltflat.measure(network, x, y, device=torch.device("cpu"), **given, **options)) == dict(expected)
    ways = ((None, np.float32(0.5)), ("cpu", 0.5))
    looser = [saltflat.measure(network, x, y, device=device, tolerance=at, **plain, **options) for device, at in ways]
    assert dict(looser[0]) == dict(looser[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": True}, "seed: is True, expected a whole number from 0 to"),
        ({"seed": -1}, "seed: is -1, expected"),
        ({"seed": 2**70}, "seed: is 1180591620717411303424, expected"),
        ({"seed": 1.5}, "seed: is 1.5, expected"),
        ({"lr": True}, "lr: is True, expected a number above 0"),
        ({"lr": "0.1"}, "lr: is '0.1', expected"),
        ({"lr": float("nan")}, "lr: is nan"),
        ({"batch_size": 2.0}, "batch_size: is 2.0, expected a whole number"),
        ({"momentum": None}, "momentum: is None"),
        ({"tolerance": 1.0}, r"tolerance: is 1.0, expected a number in \(0, 1\)"),
        ({"tolerance": -0.1}, "tolerance: is -0.1"),
        ({"samples": 0}, "samples: is 0, expected a whole number of at least 1"),
        ({"samples": N + 1}, f"samples: is {N + 1}, expected a whole number from 1 to {N}"),
        ({"alignment_samples": N + 1}, f"alignment_samples: is {N + 1}, expected"),
        ({"probes": 0}, "probes: is 0"),
        ({"probes": np.ones(1, int)}, "probes: is array"),
        ({"metrics": [1]}, r"metrics: is \[1\], expected a list of names"),
        ({"metrics": []}, "metrics: is "),
        ({"metrics": 3}, "metrics: is 3"),
        ({"metrics": ["help"]}, "(?s)metrics: help is no metric.*trace_hessian"),
        ({"metrics": "help"}, "(?s)metrics: help is no metric.*trace_hessian"),
        ({"device": 3}, "device: is 3, expected"),
        ({"settings": ["a"]}, "settings: is a list, expected a dictionary"),
        ({"folder": 3}, "folder: is a int, expected a path"),
    ],
    ids=str,
)
def test_options_that_are_refused_by_name(torch, network, data, options, message):
    x, y, _ = data
    with pytest.raises(BadInputError, match=message):
        saltflat.measure(network, x, y, quiet=True, **options)


def test_files_that_cannot_be_used(torch, network, data, tmp_path):
    from safetensors.numpy import save_file

    x, y, _ = data
    (tmp_path / "junk").write_bytes(b"no tensors")
    save_file({"inputs": x.numpy()}, tmp_path / "half")
    save_file({"labels": y.numpy()}, tmp_path / "other_half")
    for name, message in (
        ("none", "none: there is no such file, expected a file that saltflat.dataset wrote"),
        ("junk", "junk is no safetensors file"),
        ("", "is a folder, expected"),
        ("half", r"half has no tensor labels or targets \(it has inputs\)"),
        ("other_half", r"other_half has no tensor inputs \(it has labels\)"),
    ):
        with pytest.raises(BadInputError, match=f"inputs: .*{message}"):
            saltflat.measure(network, tmp_path / name, quiet=True)
    for folder in (tmp_path / "junk", tmp_path / "junk" / "below"):
        with pytest.raises(BadInputError, match="folder: .*cannot be written"):
            saltflat.measure(network, x, y, folder=folder, quiet=True)
    with pytest.raises(BadInputError, match=r"inputs: is a tensor of the layout torch.sparse_coo, expected torch.strided; use .to_dense\(\)"):
        saltflat.measure(network, x.to_sparse(), y, quiet=True)
    with pytest.raises(BadInputError, match="inputs: is on the meta device"):
        saltflat.measure(network, x.to("meta"), y, quiet=True)
    with pytest.raises(BadInputError, match="inputs: is a list that does not become an array"):
        saltflat.measure(network, [[1.0, 2.0, 3.0], [1.0]], [0, 1], quiet=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="model.toml: cannot be read"):
        saltflat.measure(tmp_path / "empty", x, y, quiet=True)


def test_the_description_of_a_network_stands_for_its_folder(torch, network, data, tmp_path):
    x, y, _ = data
    options = {"metrics": ["loss", "trace_hessian"], "quiet": True}
    exported = saltflat.export(network, x, tmp_path)
    assert dict(saltflat.measure(exported.model, x, y, **options)) == dict(saltflat.measure(tmp_path, x, y, **options))


def test_measurements_in_threads(torch, network, data):
    from concurrent.futures import ThreadPoolExecutor

    x, y, _ = data
    options = {"metrics": ["loss", "trace_hessian"], "quiet": True}
    expected = dict(saltflat.measure(network, x, y, **options))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: dict(saltflat.measure(network, x, y, **options)), range(8)))
    assert all(one == expected for one in found)


def test_what_was_not_given_is_said(torch, network, data):
    x, y, _ = data
    result = saltflat.measure(network, x, y, metrics=["all"], quiet=True)
    for name in ("regularizer", "regularizer_momentum_0.9", "wu_bound_frobenius", "sgd_growth"):
        assert result[name] is None and "needs the training's lr" in result.reasons[name]
    assert result.reasons["sgd_critical_lr"] == "needs the training's batch_size: saltflat.measure(…, batch_size=…)"
    assert result["gd_critical_lr"] > 0
    given = saltflat.measure(network, x, y, metrics=["all"], lr=0.1, batch_size=6, quiet=True)
    assert all(given[name] is not None for name in ("regularizer", "wu_bound_frobenius", "sgd_growth", "sgd_critical_lr", "gradient_snr"))


def test_the_module_is_left_as_it_was(torch, network, data):
    x, y, _ = data
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    saltflat.measure(network, x, y, metrics=["loss"], quiet=True)
    assert network.training and all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())


def test_settings_and_options(torch, network, data):
    x, y, _ = data
    result = saltflat.measure(
        network, x, y, metrics=["trace_hessian", "alignment"], probes=7, samples=10, alignment_samples=8, seed=3, quiet=True,
        settings={"metrics.alignment.subsets": 2, "metrics.trace.method": "xtrace"},
    )  # fmt: skip
    assert (result.json["n"], result.json["alignment_samples"], result.json["seed"]) == (10, 16, 3)
    assert result.to_dict()["mu"]["subset_error"] > 0
    with pytest.raises(BadInputError, match="acuracy is not a metric; did you mean accuracy?"):
        saltflat.measure(network, x, y, metrics=["acuracy"], quiet=True)


def losses(torch):
    nn = torch.nn
    return [
        (nn.CrossEntropyLoss(weight=torch.ones(C)), "has class weights"),
        (nn.CrossEntropyLoss(ignore_index=1), "has ignore_index=1, expected the default"),
        (nn.CrossEntropyLoss(reduction="sum"), 'has reduction="sum", expected "mean"'),
        (nn.MSELoss(reduction="none"), 'has reduction="none"'),
        (nn.BCEWithLogitsLoss(), "is BCEWithLogitsLoss, expected nn.CrossEntropyLoss"),
        (nn.functional.nll_loss, "is nll_loss, expected"),
        ("mse", 'is "mse", expected "cross_entropy"'),
        (nn.MSELoss(), "targets: are classes, expected floating-point numbers of the shape of the outputs for nn.MSELoss"),
    ]


@pytest.mark.parametrize("index", range(8))
def test_losses_that_are_refused(torch, network, data, index):
    x, y, _ = data
    loss, message = losses(torch)[index]
    with pytest.raises(BadInputError, match=message):
        saltflat.measure(network, x, y, loss=loss, quiet=True)


def wrong_data(torch, x, y, q):
    bad = x.clone()
    bad[5, 2] = float("nan")
    return [
        ((x, y[:-1]), {}, r"targets: has the shape \[23\], expected one target for each of the samples of inputs, which has the shape \[24, 3\]"),
        ((x, y.reshape(-1, 1)), {}, r"targets: is int64 of shape \[24, 1\], expected classes as integers \[n\]"),
        ((x, y + 1), {}, r"targets\[\d+\]: is 3, expected a class 0 to 2, since the module has 3 outputs"),
        ((x, y - 1), {}, r"targets\[\d+\]: is -1, expected a class 0, 1, 2"),
        ((x, q), {}, "targets: are floating-point numbers, expected classes as integers for cross_entropy"),
        ((x, q[:, :2]), {"loss": "square"}, "targets: have 2 numbers a sample, expected 3, as many as the module has outputs"),
        ((bad, y), {}, r"inputs\[5\]: has nan at \[2\]"),
        ((x.long(), y), {}, "inputs: has numbers of type int64"),
        ((x,), {}, "targets: is missing"),
        ((), {}, "inputs: is missing"),
        ((x, y), {"precision": "f16"}, "precision: is 'f16', expected"),
        ((x, y), {"lr": -1}, "lr: is -1, expected a number above 0"),
        ((x, y), {"momentum": 1.0}, "momentum: is 1.0"),
        ((x, y), {"batch_size": 25}, "optimizer.batch_size: expected at most 24, the number of training samples, got 25"),
        ((x, y), {"weights": "a"}, "weights: expected only with the path of a configuration"),
    ]


@pytest.mark.parametrize("index", range(15))
def test_data_and_options_that_are_refused(torch, network, data, index):
    arguments, options, message = wrong_data(torch, *data)[index]
    with pytest.raises(BadInputError, match=message):
        saltflat.measure(network, *arguments, quiet=True, **options)


def test_a_configuration_says_data_and_loss_itself(tmp_path):
    with pytest.raises(BadInputError, match="module: .*a.toml: there is no such file or folder"):
        saltflat.measure(tmp_path / "a.toml", np.ones((2, 3)), np.zeros(2, int))
    (tmp_path / "a.toml").write_text("[model]\n")
    for name, value in (("seed", 1), ("momentum", 0.9), ("weight_decay", 0.1)):
        with pytest.raises(BadInputError, match=f"{name}: expected nothing beside a configuration"):
            saltflat.measure(tmp_path / "a.toml", weights="b", **{name: value})
    with pytest.raises(BadInputError, match="inputs: expected nothing beside a configuration"):
        saltflat.measure(tmp_path / "a.toml", np.ones((2, 3)), weights="b")
    with pytest.raises(BadInputError, match="weights: is missing"):
        saltflat.measure(tmp_path / "a.toml")
    with pytest.raises(BadInputError, match="a.toml"):
        saltflat.measure(tmp_path / "a.toml", weights="b", quiet=True)


def test_a_run_of_the_program_can_be_measured_without_torch(quickstart):
    code = f"""
import sys; sys.modules["torch"] = None; sys.path[:0] = [{str(pathlib.Path(__file__).parent)!r}]
import conftest, saltflat
print(saltflat.measure({str(quickstart / "config.toml")!r}, weights={str(quickstart)!r}, metrics=["loss"], quiet=True)["loss"])
"""
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in (quickstart / "metrics.jsonl").read_text().splitlines()]
    assert float(found) == pytest.approx(rows[-1]["metrics"]["loss"]["value"], rel=1e-6)
