"""The quadratically parametrised model of HaoChen, Wei, Lee, Ma 2021 (appendix A.1) in NumPy.

    python scripts/reference/quadratic.py --fixture crates/saltflat-lab/tests/fixtures/quadratic.json
    python scripts/reference/quadratic.py --published 123 0 1 2

--fixture writes a few steps on small data with given draws, for the tests. --published makes the trajectory with minibatch noise
of the code published with the paper (its data, its draws, f64) for some seeds, and prints the test error after 100,000 steps: the
default seed of that code, 123, ends at 0.144; seeds 0 to 6 end between 1.5 and 24.7.
"""

import argparse
import json

import numpy as np


def step(v, x, y, lr, weights, addends, more):
    """v - lr (sum_i (weights_i r_i + addends_i) x_i * v + more), r_i = <v * v, x_i> - y_i."""
    r = x @ (v * v) - y
    return v - lr * (x.T @ (weights * r + addends) * v + more)


def fixture(path):
    rng = np.random.default_rng(0)
    # Neither is a multiple of what the program takes at once.
    n, d, ones, lr, steps = 6, 11, 2, 0.01, 40
    x = rng.standard_normal((n, d))
    truth = (np.arange(d) < ones).astype(float)
    y = x @ truth
    v = np.full(d, 0.9)
    draws = []
    for k in range(steps):
        weights, addends, more = np.full(n, 1 / n), np.zeros(n), np.zeros(d)
        if k % 3 == 0:
            i, j = rng.integers(n, size=2)
            weights[i] += 1
            weights[j] -= 1
        elif k % 3 == 1:
            addends[rng.integers(n)] = rng.choice([-1.0, 1.0])
        else:
            more = rng.standard_normal(d)
        draws.append({"weights": weights.tolist(), "addends": addends.tolist(), "more": more.tolist()})
        v = step(v, x, y, lr, weights, addends, more)
    r = x @ (v * v) - y
    result = {
        "inputs": x.tolist(), "ones": ones, "start": 0.9, "lr": lr, "draws": draws, "v": v.tolist(),
        "train_error": float((r * r).mean()), "test_error": float(((v * v - truth) ** 2).sum()),
    }
    with open(path, "w") as file:
        json.dump(result, file)
        file.write("\n")


def published(seed, steps=100_000):
    np.random.seed(seed)
    n, d = 40, 100
    np.random.rand(d)  # The published code draws this and overwrites it.
    truth = (np.arange(d) < 5).astype(float)
    x = np.random.randn(n, d)
    y = x @ truth
    v = np.ones(d)
    for _ in range(steps):
        weights = np.full(n, 1 / n)
        weights[np.random.choice(n, 1, replace=False)[0]] += 1
        weights[np.random.choice(n, 1, replace=False)[0]] -= 1
        v = step(v, x, y, 0.01, weights, 0, 0)
    return float(((v * v - truth) ** 2).sum())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixture", metavar="FILE")
    parser.add_argument("--published", metavar="SEED", type=int, nargs="+", default=[])
    arguments = parser.parse_args()
    if arguments.fixture:
        fixture(arguments.fixture)
    for seed in arguments.published:
        print(f"seed {seed}: test error {published(seed):.4g}")
