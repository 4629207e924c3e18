#!/usr/bin/env python3
"""What curvature costs: `saltflat measure` beside PyTorch, torch.func, pyhessian and curvlinops, on the same weights and data.

    pip install -r scripts/requirements.txt
    cargo build --release && cargo build --release --examples
    python3 scripts/bench/curvature.py                       # VGG-19 and ResNet-18, a Markdown table; about half an hour
    python3 scripts/bench/curvature.py --only tiny           # a smoke test, half a minute
    python3 scripts/bench/curvature.py --only vit --tools torch torch.func --rows gradient product probe --samples 64

Every program works in a process of its own, one after the other: no two at a time. The network gets a few steps
of SGD from a seeded start on the CIFAR-10 images that ship with Saltflat, is saved as safetensors, and is read by all.

  gradient    the gradient of the mean loss on n samples
  product     one Hessian-vector product; ours: reverse over forward. torch: double backward; torch.func: jvp of grad
  probe       one vᵀHv; ours without a backward pass, four at a time; the others by a product
  1 % trace   seconds of a probe times the probes that a relative standard error of 1 % takes, from the variance of 32 probes
              (ours, for all: the estimator is Hutchinson's everywhere; good to a quarter)
  top 5       the five largest eigenvalues at a residual of 1e-3 λ₁ (pyhessian: power iteration, its tolerance 1e-3 is on the
              change of λ; curvlinops and torch: scipy's eigsh, k=5, tol=1e-3)
  alignment   α, β, μ on `--gram-samples` samples with all ten outputs; no published tool has it; torch: jacobian rows by
              torch.func, one sample after the other, and one product of the rows

The vision transformer is exported by the Python package (`saltflat.export`).

The memory is the peak of the process's resident set (VmHWM), with its libraries.
"""

import argparse
import gzip
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from peers import ending  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
NETWORKS = {
    "tiny": {"kind": "resnet", "width": 8, "blocks": [1, 1], "channels_per_group": 4, "outputs": 10},
    "vgg19": {"kind": "vgg", "depth": 19, "width": 64, "outputs": 10},
    "resnet18": {"kind": "resnet", "width": 64, "blocks": [2, 2, 2, 2], "channels_per_group": 32, "outputs": 10},
}
# Of scripts/reference/exported_networks.py, with the arguments of their classes.
EXPORTED = {"vit": ("Vit", {"size": 32, "patch": 4, "dim": 64, "depth": 2, "heads": 2})}
TOOLS = ["torch", "pyhessian", "curvlinops"]
ALL_TOOLS = [*TOOLS, "torch.func"]
MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]


def images(n):
    """The first n shipped CIFAR-10 training images, standardised, and their labels."""
    import numpy as np
    import torch

    raw = gzip.decompress((ROOT / "crates/saltflat-data/datasets/cifar10-1k/data_batch.bin.gz").read_bytes())
    records = np.frombuffer(raw, np.uint8).reshape(-1, 3073)[:n]
    x = torch.tensor(records[:, 1:].reshape(-1, 3, 32, 32).copy()).float() / 255
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (MEAN, STD))
    return (x - mean) / std, torch.tensor(records[:, 0].astype("int64"))


def network(name):
    sys.path.insert(0, str(ROOT / "scripts/reference"))
    import torch
    from definitions import build

    torch.manual_seed(0)
    if name in EXPORTED:
        import exported_networks

        kind, options = EXPORTED[name]
        return getattr(exported_networks, kind)(**options)
    net = build(NETWORKS[name], [3, 32, 32])
    for module in net.modules():
        # Without normalisation PyTorch's default start lets the signal die in nineteen layers.
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return net


def prepare(name, folder, samples, gram_samples, binary):
    """Weights after some steps, the data, and the configuration."""
    import torch
    from safetensors.torch import save_file

    net, (x, y) = network(name), images(samples)
    warm, labels = images(64)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for step in range(12):
        part = slice(16 * (step % 4), 16 * (step % 4 + 1))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(warm[part]), labels[part]).backward()
        optimizer.step()
    few = folder / "few"
    few.mkdir()
    state = {k: v.detach().contiguous() for k, v in net.state_dict().items()}
    for place, count in [(folder, samples), (few, gram_samples)]:
        save_file(state, place / "weights.safetensors")
        save_file({"inputs": x[:count].contiguous(), "labels": y[:count].contiguous()}, place / "data.safetensors")
    values = {True: "true", False: "false"}
    if name in EXPORTED:
        sys.path.insert(0, str(ROOT / "python"))
        os.environ.setdefault("SALTFLAT_BINARY", str(binary))
        from saltflat import export

        model = export(net.eval(), x[:2], folder / "exported").model.read_text().split("[model]\n")[1]
    else:
        model = "\n".join(f"{k} = {json.dumps(values.get(v, v) if isinstance(v, bool) else v)}" for k, v in NETWORKS[name].items())
    text = (
        f'[data]\nkind = "tensors"\npath = "data.safetensors"\n[model]\n{model}\n[loss]\nkind = "cross_entropy"\n'
        f"[optimizer]\nlr = 0.1\nbatch_size = {max(1, gram_samples // 2)}\n"
    )
    for place in (folder, few):
        (place / "config.toml").write_text(text)


# Ours.


class Failed(Exception):
    """Our program gave no numbers; the reason is for the table."""


def ours(binary, folder, *options):
    """The JSON of a measurement, with the process's peak memory."""
    out = folder / "ours.json"
    command = [binary, "measure", folder / "config.toml", "--weights", folder / "weights.safetensors", "--device", "cpu",
               "--json", out, *options]
    done = subprocess.run([str(c) for c in command], stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        print(f"{' '.join(map(str, command))}: {ending(done.returncode)}: {done.stderr}", file=sys.stderr)
        raise Failed(ending(done.returncode))
    return json.loads(out.read_text())


def our_rows(binary, folder, args):
    """The rows; one that fails holds the error, and the others are measured."""
    rows = {}
    for names, measured in [(["gradient", "probe"], our_probes), (["product"], our_products), (["top 5"], our_top), (["alignment"], our_alignment)]:
        if names == ["top 5"] and "top 5" not in args.rows:
            continue
        try:
            rows.update(measured(binary, folder))
        except Failed as error:
            rows.update({name: {"error": str(error)} for name in names})
    return rows


def our_probes(binary, folder):
    found = ours(binary, folder, "--metrics", "grad_norm,trace_hessian", "--probes", 32, "--samples", "all")
    trace = found["metrics"]["trace_hessian"]
    cost = found["costs"]["trace"]
    probe = cost["seconds"] / cost["products"]
    needed = 32 * (trace["std_error"] / (0.01 * abs(trace["value"]))) ** 2
    peak = found["peak_bytes"]
    return {
        "gradient": {"seconds": found["costs"]["gradient"]["seconds"], "peak_bytes": peak},
        "probe": {"seconds": probe, "peak_bytes": peak, "value": trace["value"], "probes": needed},
    }


def our_products(binary, folder):
    found = ours(binary, folder, "--metrics", "trace", "--probes", 4, "--samples", "all")
    cost = found["costs"]["trace"]
    return {"product": {"seconds": cost["seconds"] / cost["products"], "peak_bytes": found["peak_bytes"]}}


def our_top(binary, folder):
    found = ours(binary, folder, "--metrics", "top_eigenvalues", "--samples", "all", "--set", "metrics.eigenvalues.smallest=0")
    values = [e["value"] for e in found["metrics"]["top_eigenvalues"]]
    return {"top 5": {**found["costs"]["eigenvalues"], "peak_bytes": found["peak_bytes"], "value": values}}


def our_alignment(binary, folder):
    found = ours(binary, folder / "few", "--metrics", "alignment", "--alignment-samples", "all")
    values = [found["metrics"][k]["value"] for k in ("alpha", "beta", "mu")]
    return {"alignment": {**found["costs"]["alignment"], "peak_bytes": found["peak_bytes"], "value": values}}


# The others: one process a row.


def peer_task(tool, row, name, folder, gram_samples):
    """A function that does the row once and returns (value, products)."""
    import numpy as np
    import torch
    from safetensors.torch import load_file

    net = network(name)
    net.load_state_dict(load_file(folder / "weights.safetensors"))
    net.eval()
    data = load_file(folder / "data.safetensors")
    x, y = data["inputs"], data["labels"]
    criterion = torch.nn.CrossEntropyLoss()
    parameters = [p for p in net.parameters() if p.requires_grad]
    signs = lambda: [torch.randint_like(p, 2) * 2 - 1 for p in parameters]
    dot = lambda a, b: sum(float((u * v).sum()) for u, v in zip(a, b))

    def product(v):
        from torch.nn.attention import SDPBackend, sdpa_kernel

        # The fused attention has no second derivative.
        with sdpa_kernel(SDPBackend.MATH):
            gradient = torch.autograd.grad(criterion(net(x), y), parameters, create_graph=True)
            return torch.autograd.grad(gradient, parameters, v)

    def forward_over_reverse(v):
        from torch.func import functional_call, grad, jvp
        from torch.nn.attention import SDPBackend, sdpa_kernel

        names, point = zip(*net.named_parameters())
        loss = lambda *all: criterion(functional_call(net, dict(zip(names, all)), (x,)), y)
        detached = tuple(p.detach() for p in point)
        # The fused attention has no derivative of forward mode.
        with sdpa_kernel(SDPBackend.MATH):
            return jvp(grad(loss, argnums=tuple(range(len(names)))), detached, tuple(v))[1]

    operator = None
    if tool == "curvlinops" and row != "gradient":
        from curvlinops import HessianLinearOperator

        operator = HessianLinearOperator(net, criterion, parameters, [(x, y)], progressbar=False, check_deterministic=False)
    if tool == "pyhessian" and row in ("probe", "product", "top 5"):
        import pyhessian.utils
        from pyhessian import hessian

        problem = hessian(net, criterion, data=(x, y), cuda=False)
        # pyhessian keeps the graph of one gradient and takes products from it.
        take = lambda v: pyhessian.utils.hessian_vector_product(problem.gradsH, problem.params, v)

    if row == "gradient":
        return lambda: (None, 0) if torch.autograd.grad(criterion(net(x), y), parameters) else None
    if row in ("product", "probe"):
        v = signs()
        if tool == "torch":
            return lambda: (dot(v, product(v)), 1)
        if tool == "torch.func":
            return lambda: (dot(v, forward_over_reverse(v)), 1)
        if tool == "pyhessian":
            return lambda: (dot(v, take(v)), 1)
        return lambda: (dot(v, operator @ v), 1)
    if row == "top 5":
        if tool == "pyhessian":
            return lambda: (problem.eigenvalues(maxIter=200, tol=1e-3, top_n=5)[0], None)
        from scipy.sparse.linalg import LinearOperator, eigsh

        count = [0]
        shapes = [p.shape for p in parameters]
        sizes = [p.numel() for p in parameters]

        def matvec(flat):
            count[0] += 1
            flat = torch.from_numpy(np.asarray(flat, dtype=np.float32).ravel())
            v = [part.reshape(shape) for part, shape in zip(flat.split(sizes), shapes)]
            image = product(v) if tool == "torch" else operator @ v
            return torch.cat([part.detach().reshape(-1) for part in image]).numpy()

        total = sum(sizes)
        linear = LinearOperator((total, total), matvec=matvec, dtype=np.float32)

        def run():
            count[0] = 0
            start = np.random.default_rng(0).standard_normal(total).astype(np.float32)
            values = eigsh(linear, k=5, which="LA", tol=1e-3, v0=start, return_eigenvectors=False)
            return sorted(map(float, values), reverse=True), count[0]

        return run
    if row == "alignment" and tool == "torch":
        return lambda: alignment(net, x[:gram_samples], y[:gram_samples])
    raise NotImplementedError("has none")


def alignment(net, x, y, chunk=1):
    """α, β, μ from all rows of the Jacobian, of `chunk` samples at once; the definitions are those of Wu, Wang, Su 2022."""
    import torch
    from torch.func import functional_call, jacrev, vmap

    parameters = {name: p.detach() for name, p in net.named_parameters()}
    of_sample = jacrev(lambda p, x: functional_call(net, p, (x[None],))[0])
    of_many = vmap(of_sample, in_dims=(None, 0))

    def jacobians():
        for x_some in x.split(chunk):
            found = of_sample(parameters, x_some[0]) if chunk == 1 else of_many(parameters, x_some)
            yield from torch.cat([j.reshape(len(x_some), 10, -1) for j in found.values()], 2)

    rows, gradients, loss = [], [], 0.0
    for x_i, y_i, jacobian in zip(x, y, jacobians()):
        f = net(x_i[None])[0].detach()
        p = torch.softmax(f, 0)
        root = torch.diag(p.sqrt()) - p.sqrt()[:, None] * p[None]
        residual = p.clone()
        residual[y_i] -= 1
        gradients.append(residual @ jacobian)
        rows.append(root @ jacobian)
        loss += float(torch.nn.functional.cross_entropy(f[None], y_i[None])) / len(x)
        del jacobian
    rows, gradients = torch.cat(rows), torch.stack(gradients)
    n = len(x)
    gram = (rows @ rows.T) / n
    centred = gradients - gradients.mean(0)
    g, s = float(gram.norm()), float((centred @ centred.T).norm()) / n
    both = float((rows @ centred.T).square().sum()) / n**2
    return [both / (g * s), s / (2 * loss * g), both / (2 * loss * g * g)], 0


def worker(tool, row, name, folder, gram_samples, repeat):
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(1)
    try:
        task = peer_task(tool, row, name, pathlib.Path(folder), gram_samples)
        times = []
        if row in ("gradient", "product", "probe"):
            task()
        for _ in range(repeat):
            start = time.perf_counter()
            value, products = task()
            times.append(time.perf_counter() - start)
        status = pathlib.Path("/proc/self/status").read_text()
        peak = 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        print(json.dumps({"seconds": statistics.median(times), "value": value, "products": products, "peak_bytes": peak}))
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}".splitlines()[0][:100]}))


def peer(tool, row, name, folder, args):
    repeat = 3 if row in ("gradient", "product", "probe") else 1
    command = [sys.executable, __file__, "--worker", tool, row, name, str(folder), str(args.gram_samples), str(repeat)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=args.time_budget)
    except subprocess.TimeoutExpired:
        return {"error": f"more than {args.time_budget} s"}
    if done.returncode < 0:
        return {"error": ending(done.returncode)}
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {"error": (done.stderr.splitlines() or [ending(done.returncode)])[-1][:100]}


def cell(found, reference, gradient):
    if "error" in found:
        return found["error"]
    text = f"{found['seconds']:.3g} s"
    if gradient:
        text += f", {found['seconds'] / gradient:.3g} g"
    if reference:
        text += f", {found['seconds'] / reference:.2f}×"
    return f"{text}, {found['peak_bytes'] / 2**20:.0f} MiB"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=["vgg19", "resnet18"], choices=[*NETWORKS, *EXPORTED])
    parser.add_argument("--samples", type=int, default=12, help="at least --gram-samples")
    parser.add_argument("--gram-samples", type=int, default=10)
    parser.add_argument("--time-budget", type=int, default=600, help="seconds of one row of one tool")
    parser.add_argument("--rows", nargs="*", default=["gradient", "product", "probe", "top 5", "alignment"])
    parser.add_argument("--tools", nargs="*", default=TOOLS, choices=ALL_TOOLS)
    parser.add_argument("--binary", default=ROOT / "target/release/saltflat")
    parser.add_argument("--json")
    args = parser.parse_args()
    results = {}
    print("| network | row | ours | " + " | ".join(args.tools) + " |\n|" + " --- |" * (3 + len(args.tools)))
    for name in args.only:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            prepare(name, folder, args.samples, args.gram_samples, args.binary)
            found = {"ours": our_rows(args.binary, folder, args)}
            for tool in args.tools:
                found[tool] = {row: peer(tool, row, name, folder, args) for row in args.rows}
            needed = found["ours"]["probe"].get("probes")
            for of_tool in found.values():
                if needed and "seconds" in of_tool.get("probe", {}):
                    of_tool["1 % trace"] = {**of_tool["probe"], "seconds": of_tool["probe"]["seconds"] * needed}
            results[name] = found
            own = {tool: (found[tool].get("gradient") or {}).get("seconds") for tool in found}
            own = {tool: seconds or own.get("torch") for tool, seconds in own.items()}
            for row in args.rows + (["1 % trace"] if needed and "probe" in args.rows else []):
                our = found["ours"][row]
                cells = [cell(our, None, own["ours"])]
                for tool in args.tools:
                    cells.append(cell(found[tool].get(row, {"error": "-"}), our.get("seconds"), own[tool]))
                label = f"1 % trace ({needed:.0f} probes)" if row == "1 % trace" else row
                print(f"| {name} | {label} | " + " | ".join(cells) + " |", flush=True)
            for row in ("probe", "top 5", "alignment"):
                values = {tool: of_tool[row].get("value") for tool, of_tool in found.items() if row in of_tool}
                print(f"{name} {row}: {json.dumps(values)}", file=sys.stderr)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    if "--worker" in sys.argv:
        at = sys.argv.index("--worker")
        tool, row, name, folder, gram, repeat = sys.argv[at + 1 : at + 7]
        worker(tool, row, name, folder, int(gram), int(repeat))
    else:
        main()
