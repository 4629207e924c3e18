#!/usr/bin/env python3
"""Diagonals, blocks and eigenvectors of full Hessians, weight decay and label smoothing, with PyTorch in float64.

    pip install torch safetensors numpy
    python3 scripts/reference/curvature.py            # compares the committed values, exit code 1 where one differs
    python3 scripts/reference/curvature.py --write    # writes them

Independent of Saltflat's code: the Hessian of a network of `golden.py` is the Jacobian of the gradient (torch.func), a p x p matrix.

    tests/golden/NAME.curvature.json of saltflat-metrics:
        diagonal, diagonal_sq           H_ii by tensor, sum of H_ii^2
        top_eigenvalue_by_tensor        lambda_1 of the diagonal block of each tensor (eigvalsh)
        eigenvalues, eigenvectors       the largest, with vectors of length 1 whose largest entry is positive
        off_diagonal_sq                 |H|^2 - sum of H_ii^2, the variance of the estimate of the diagonal
        weight_decay                    loss, gradient and Hessian of L + (w/2)|theta|^2
        label_smoothing                 of nn.functional.cross_entropy(..., label_smoothing=epsilon), which is not counted from its minimum
    tests/fixtures/sgd.json of saltflat-train:
        theta after each step of torch.optim.SGD with given gradients
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.func import functional_call, grad, jacrev

from definitions import build
from golden import CASES, FOLDER

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
NAMES = ["mlp_softplus_ce", "mlp_tanh_two_classes"]
EIGENVECTORS = 3
WEIGHT_DECAY = 0.05
EPSILON = 0.15
SGD = Path(__file__).parents[2] / "crates/saltflat-train/tests/fixtures/sgd.json"


def curvature(name):
    model, loss, s, _, _ = CASES[name]
    assert loss == "ce"
    data = load_file(FOLDER / f"{name}.data.safetensors")
    weights = {k: v.double() for k, v in load_file(FOLDER / f"{name}.weights.safetensors").items()}
    x, labels, classes = data["inputs"].double(), data["labels"], model["outputs"]
    network = build(model, list(x.shape[1:])).eval()
    names = [k for k, _ in network.named_parameters()]
    sizes = [weights[k].numel() for k in names]
    theta = torch.cat([weights[k].flatten() for k in names])
    hard = torch.nn.functional.one_hot(labels, classes).double()
    q = hard * (1 - s) + (1 - hard) * s / (classes - 1)
    floor = float(-(q[0] * q[0].log()).sum())

    def logits(theta):
        parts = theta.split(sizes)
        return functional_call(network, {k: t.view_as(weights[k]) for k, t in zip(names, parts)}, (x,))

    def L(theta):
        return -(q * logits(theta).log_softmax(1)).sum(1).mean()

    def by_tensor(v):
        return {k: t.tolist() for k, t in zip(names, v.split(sizes))}

    def of(function, floor=0.0):
        H = jacrev(grad(function), chunk_size=64)(theta)
        H = (H + H.T) / 2
        numbers = {
            "loss": float(function(theta)) - floor, "grad_norm": float(grad(function)(theta).norm()),
            "trace_hessian": float(H.trace()), "hessian_frobenius": float(H.norm()),
            "top_eigenvalue": float(torch.linalg.eigvalsh(H)[-1]),
        }
        return H, numbers

    H, _ = of(L)
    diagonal = H.diagonal()
    values, vectors = torch.linalg.eigh(H)
    vectors = vectors.flip(1)[:, :EIGENVECTORS].T
    vectors = [v * v[v.abs().argmax()].sign() for v in vectors]
    starts = torch.tensor([0, *sizes]).cumsum(0).tolist()
    blocks = [H[a:b, a:b] for a, b in zip(starts, starts[1:])]
    _, decayed = of(lambda theta: L(theta) + 0.5 * WEIGHT_DECAY * theta.square().sum(), floor)
    smoothed = lambda theta: torch.nn.functional.cross_entropy(logits(theta), labels, label_smoothing=EPSILON)
    _, smoothed = of(smoothed)
    return {
        "diagonal": by_tensor(diagonal), "diagonal_sq": float(diagonal.square().sum()),
        "off_diagonal_sq": float(H.square().sum() - diagonal.square().sum()),
        "top_eigenvalue_by_tensor": {k: float(torch.linalg.eigvalsh(b)[-1]) for k, b in zip(names, blocks)},
        "eigenvalues": values.flip(0)[:EIGENVECTORS].tolist(), "eigenvectors": [by_tensor(v) for v in vectors],
        "weight_decay": {"weight_decay": WEIGHT_DECAY} | decayed,
        "label_smoothing": {"epsilon": EPSILON} | smoothed,
    }


def sgd():
    gradients, start, lr = [1.0, 2.0, -0.5, 0.25, 3.0], 4.0, 0.1
    cases = []
    for momentum, nesterov, weight_decay in [(0.0, False, 0.5), (0.5, False, 0.5), (0.5, True, 0.5), (0.9, True, 0.01), (0.9, False, 0.0)]:
        theta = torch.nn.Parameter(torch.tensor([start]))
        optimizer = torch.optim.SGD([theta], lr, momentum, weight_decay=weight_decay, nesterov=nesterov)
        path = []
        for g in gradients:
            theta.grad = torch.tensor([g])
            optimizer.step()
            path.append(theta.item())
        cases.append({"momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay, "theta": path})
    return {"start": start, "lr": lr, "gradients": gradients, "cases": cases}


def worst(found, expected):
    if isinstance(expected, dict):
        return max(worst(found[k], v) for k, v in expected.items())
    if isinstance(expected, list):
        return max(worst(a, b) for a, b in zip(found, expected, strict=True))
    return abs(found - expected)


def main():
    files = {FOLDER / f"{name}.curvature.json": lambda name=name: curvature(name) for name in NAMES} | {SGD: sgd}
    bad = False
    for path, compute in files.items():
        found = compute()
        if sys.argv[1:2] == ["--write"]:
            path.write_text(json.dumps(found) + "\n")
            continue
        deviation = worst(found, json.loads(path.read_text()))
        print(f"{path.name}: largest deviation {deviation:.1e}")
        bad |= deviation > 1e-10
    sys.exit(bad)


if __name__ == "__main__":
    main()
