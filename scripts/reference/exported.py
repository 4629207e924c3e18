#!/usr/bin/env python3
"""Exported networks with the values that they must have: full Hessians, Jacobians and gradients of single samples by torch.func in float64.

    pip install torch safetensors numpy
    SALTFLAT_BINARY=target/release/saltflat python3 scripts/reference/exported.py [NAME ...]

Writes `crates/saltflat/tests/fixtures/exported/NAME/`: `model.toml` and `weights.safetensors` (saltflat.export of the networks of
`exported_networks.py`), `data.safetensors` (`inputs`, `labels`), `logits.safetensors` (float64) and `expected.json`. Independent of Saltflat's
code but for the export: the values are those of the PyTorch module. With n samples, cross-entropy losses l_i, g_i = grad l_i,
J_i the Jacobian of the logits (C x p), A_i = diag p_i - p_i p_i^T and L the mean loss:

    G     = (1/n) sum J_i^T A_i J_i;  Sigma = (1/n) sum (g_i - g)(g_i - g)^T
    alpha = tr(G Sigma)/(|G||Sigma|), beta = |Sigma|/(2 L |G|), mu = alpha beta
"""

import importlib.util
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path.insert(0, str(ROOT / "python"))

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from saltflat.export import export  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torch.func import functional_call, grad, jacrev, vjp, vmap  # noqa: E402
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402

spec = importlib.util.spec_from_file_location("exported_networks", FOLDER / "exported_networks.py")
networks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(networks)

OUT = ROOT / "crates/saltflat/tests/fixtures/exported"
SAMPLES, CLASSES, CHUNK = 10, 10, 64
EIGENVALUES = 3


def lanczos(matrix, steps=300):
    """The largest eigenvalues, with full reorthogonalisation; residuals below 1e-9 of the largest are asserted."""
    generator = torch.Generator().manual_seed(1)
    v = torch.randn(len(matrix), dtype=torch.float64, generator=generator)
    basis, alphas, betas = [v / v.norm()], [], []
    for _ in range(steps):
        w = matrix @ basis[-1]
        alphas.append(w @ basis[-1])
        q = torch.stack(basis)
        for _ in range(2):
            w = w - q.T @ (q @ w)
        betas.append(w.norm())
        basis.append(w / betas[-1])
    off = torch.stack(betas[:-1])
    values, vectors = torch.linalg.eigh(torch.diag(torch.stack(alphas)) + torch.diag(off, 1) + torch.diag(off, -1))
    values, vectors = values.flip(0)[:EIGENVALUES], torch.stack(basis[:-1]).T @ vectors.flip(1)[:, :EIGENVALUES]
    residuals = (matrix @ vectors - vectors * values).norm(dim=0)
    assert residuals.max() < 1e-9 * values[0], residuals
    return values


def values(net, x, labels):
    """What is measured of a network at its weights."""
    net = net.double().eval()
    names = [name for name, _ in net.named_parameters()]
    shapes = [parameter.shape for _, parameter in net.named_parameters()]
    sizes = [shape.numel() for shape in shapes]
    theta = torch.cat([parameter.detach().flatten() for parameter in net.parameters()])

    def f(theta, x):
        parts = {name: part.view(shape) for name, part, shape in zip(names, theta.split(sizes), shapes, strict=True)}
        return functional_call(net, parts, (x,))

    def mean_loss(theta):
        return F.cross_entropy(f(theta, x), labels)

    gradient, product = vjp(grad(mean_loss), theta)
    rows = []
    for start in range(0, len(theta), CHUNK):
        units = torch.zeros(min(CHUNK, len(theta) - start), len(theta), dtype=torch.float64)
        units[torch.arange(len(units)), start + torch.arange(len(units))] = 1.0
        rows.append(vmap(lambda v: product(v)[0])(units))
    hessian = torch.cat(rows)
    asymmetry = (hessian - hessian.T).abs().max() / hessian.abs().max()
    assert asymmetry < 1e-10, asymmetry
    hessian = (hessian + hessian.T) / 2
    top = lanczos(hessian) if len(theta) > 4000 else torch.linalg.eigvalsh(hessian).flip(0)[:EIGENVALUES]

    z = f(theta, x)
    jacobian = jacrev(lambda t: f(t, x), chunk_size=8)(theta)  # [n, C, p]
    p = z.softmax(1)
    residual = p - F.one_hot(labels, CLASSES)
    eigenvalues, vectors = torch.linalg.eigh(torch.diag_embed(p) - p[:, :, None] * p[:, None, :])
    roots = (vectors * eigenvalues.clamp(min=0).sqrt()[:, None, :]) @ vectors.transpose(1, 2)
    gram_rows = (roots @ jacobian).reshape(-1, len(theta))
    gradients = torch.einsum("nc,ncp->np", residual, jacobian)
    assert (gradients.mean(0) - gradient).abs().max() < 1e-12 * gradient.abs().max().clamp(min=1.0)
    centred, n, loss = gradients - gradient, len(x), mean_loss(theta)
    gram = torch.linalg.norm(gram_rows @ gram_rows.T) / n
    noise = torch.linalg.norm(centred @ centred.T) / n
    both = (gram_rows @ centred.T).square().sum() / n**2
    found = {
        "loss": loss, "grad_norm": gradient.norm(),
        "trace_hessian": hessian.trace(), "hessian_frobenius": hessian.norm(),
        "gram_frobenius": gram, "noise_frobenius": noise,
        "alpha": both / (gram * noise), "beta": noise / (2 * loss * gram), "mu": both / (2 * loss * gram**2),
    }  # fmt: skip
    by_tensor = {name: part.sum().item() for name, part in zip(names, hessian.diagonal().split(sizes), strict=True)}
    return {
        "n": n, "p": len(theta), "outputs": CLASSES,
        **{name: value.item() for name, value in found.items()},
        "top_eigenvalues": top.tolist(), "trace_hessian_by_tensor": by_tensor,
    }, z  # fmt: skip


def write(name):
    """The fixture of one network."""
    net, shape = networks.made(name)
    generator = torch.Generator().manual_seed(1000 + list(networks.NETWORKS).index(name))
    inputs = torch.randn((SAMPLES, *shape), generator=generator)
    labels = torch.randint(CLASSES, (SAMPLES,), generator=generator)
    exported = export(net, inputs, OUT / name)
    for note in exported.notes:
        print(f"{name}: {note}")
    with sdpa_kernel(SDPBackend.MATH):
        expected, logits = values(net, inputs.double(), labels)
    save_file({"inputs": inputs, "labels": labels}, OUT / name / "data.safetensors")
    save_file({"logits": logits.detach().contiguous()}, OUT / name / "logits.safetensors")
    (OUT / name / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    size = sum(path.stat().st_size for path in (OUT / name).iterdir())
    print(f"{name}: p = {expected['p']}, tr H = {expected['trace_hessian']:.6g}, lambda = {expected['top_eigenvalues']}, {size} bytes")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for one in sys.argv[1:] or networks.NETWORKS:
        write(one)
