"""Full Hessians and Jacobians of small modules with torch.func in float64: what the program's numbers are compared with. Written from the formulas
of ``docs/numerics.md`` alone, and for the loss as PyTorch computes it."""

from types import SimpleNamespace

import torch
from torch.func import functional_call, hessian, jacrev, vmap


def exact(module, inputs, targets, loss, lr=0.1, batch_size=None, curvature=1.0):
    """Every number of a module on samples. ``curvature`` is ∇²_f ℓ over the identity for losses in which it is a multiple of that."""
    double = {name: value.detach().double() for name, value in module.named_parameters()}
    names, shapes = list(double), [value.shape for value in double.values()]
    theta = torch.cat([value.reshape(-1) for value in double.values()])
    inputs = inputs.double()
    targets = targets.double() if targets.is_floating_point() else targets

    def outputs_of(vector, x):
        parts = vector.split([shape.numel() for shape in shapes])
        state = {name: part.reshape(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        return functional_call(module, state, (x,))

    def total(vector):
        return loss(outputs_of(vector, inputs), targets)

    def of_sample(vector, x, y):
        return loss(outputs_of(vector, x[None]), y[None])

    value = total(theta)
    full = hessian(total)(theta)
    eigenvalues = torch.linalg.eigvalsh(full).flip(0)
    gradients = vmap(jacrev(of_sample), (None, 0, 0))(theta, inputs, targets)
    mean = gradients.mean(0)
    n = len(inputs)
    rows = vmap(lambda x: jacrev(lambda vector: outputs_of(vector, x[None])[0])(theta))(inputs)
    gram = torch.einsum("ncp,ncq->pq", rows, rows) * curvature / n
    second = gradients.T @ gradients / n
    noise = second - torch.outer(mean, mean)
    found = SimpleNamespace(
        hessian=full,
        rows=rows,
        loss=value,
        grad_norm=mean.norm(),
        trace_hessian=full.trace(),
        hessian_frobenius=full.norm(),
        eigenvalues=eigenvalues,
        min_eigenvalue=eigenvalues[-1],
        regularizer=-(1 / (2 * lr)) * torch.log(1 - lr / 2 * eigenvalues).sum(),
        trace_gram=gram.trace(),
        gram_frobenius=gram.norm(),
        gram_top_eigenvalue=torch.linalg.eigvalsh(gram)[-1],
        trace_noise=noise.trace(),
        noise_frobenius=noise.norm(),
        trace_gram_noise=(gram * noise).sum(),
        alpha=(gram * noise).sum() / (gram.norm() * noise.norm()),
        beta=noise.norm() / (2 * value * gram.norm()),
        mu=(gram * noise).sum() / (2 * value * gram.norm() ** 2),
        mu1=(gram * second).sum() / (2 * value * gram.norm() ** 2),
        gd_critical_lr=2 / torch.linalg.eigvalsh(gram)[-1],
        sharpness_along_gradient=mean @ full @ mean / mean.norm() ** 2,
    )
    if batch_size is not None:
        found.wu_bound_frobenius = (batch_size / found.mu * (n - 1) / (n - batch_size)).sqrt() / lr
        ratio = (n - batch_size) / (batch_size * (n - 1))
        found.wu_growth_bound = lr**2 * ratio * found.mu * found.gram_frobenius**2
        found.sgd_growth = growth(rows, lr, batch_size, curvature)
    return found


def growth(rows, lr, batch_size, curvature):
    """The largest factor of E‖w‖² in a step of linearised SGD: the spectral radius of M ↦ E[(I − ηĤ) M (I − ηĤ)] as a matrix, on the span of the
    rows. Batches are drawn without replacement: E[Ĥ ⊗ Ĥ] = H ⊗ H + c ((1/n) Σ Hᵢ ⊗ Hᵢ − H ⊗ H), c = (n − B)/(B (n − 1))."""
    n = len(rows)
    basis, sizes, _ = torch.linalg.svd(rows.reshape(-1, rows.shape[-1]).T, full_matrices=False)
    basis = basis[:, sizes > 1e-9 * sizes[0]]
    within = rows @ basis
    each = curvature * torch.einsum("ncr,ncs->nrs", within, within)
    mean = each.mean(0)
    identity = torch.eye(len(mean), dtype=mean.dtype)
    ratio = (n - batch_size) / (batch_size * (n - 1))
    step = torch.kron(identity - lr * mean, identity - lr * mean)
    spread = sum(torch.kron(one, one) for one in each) / n - torch.kron(mean, mean)
    return torch.linalg.eigvals(step + lr**2 * ratio * spread).abs().max()
