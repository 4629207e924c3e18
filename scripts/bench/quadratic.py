"""Steps a second of the quadratic model (d = 100, n = 40, f64, one core): Saltflat, a NumPy loop, a JAX scan, alternately.

    pip install numpy jax
    cargo build --release --workspace --bins --examples
    python3 scripts/bench/quadratic.py [--repeat 5] [--steps 200000]

NumPy and JAX make the same step with data of their own; JAX compiles before the clock starts. Each program runs on one core.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOISES = ["full-batch", "label-noise", "gaussian"]


def worker(program, noise, steps):
    if program == "numpy":
        import numpy as np

        rng = np.random.default_rng(0)
        x, truth = rng.standard_normal((40, 100)), (np.arange(100) < 5).astype(float)
        y, v = x @ truth, np.ones(100)
        xt = np.ascontiguousarray(x.T)
        start = time.perf_counter()
        for _ in range(steps):
            c = (x @ (v * v) - y) / 40
            if noise == "label-noise":
                c[rng.integers(40)] -= rng.integers(2) * 2 - 1
            g = (xt @ c) * v
            if noise == "gaussian":
                g += 0.01 * rng.standard_normal(100)
            v -= 0.01 * g
    else:
        import jax
        import jax.numpy as np

        jax.config.update("jax_enable_x64", True)
        x = jax.random.normal(jax.random.key(0), (40, 100))
        truth = (np.arange(100) < 5).astype(float)
        y = x @ truth

        def step(state, _):
            v, key = state
            c = (x @ (v * v) - y) / 40
            if noise == "label-noise":
                key, a, b = jax.random.split(key, 3)
                c = c.at[jax.random.randint(a, (), 0, 40)].add(-jax.random.rademacher(b, (), dtype=float))
            g = (x.T @ c) * v
            if noise == "gaussian":
                key, a = jax.random.split(key)
                g = g + 0.01 * jax.random.normal(a, (100,))
            return (v - 0.01 * g, key), None

        run = jax.jit(lambda state: jax.lax.scan(step, state, None, length=steps)[0])
        state = (np.ones(100), jax.random.key(1))
        run(state)[0].block_until_ready()
        start = time.perf_counter()
        v = run(state)[0].block_until_ready()
    print(time.perf_counter() - start, float(((v * v - truth) ** 2).sum()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--worker", nargs=3, metavar=("PROGRAM", "NOISE", "STEPS"))
    arguments = parser.parse_args()
    if arguments.worker:
        program, noise, steps = arguments.worker
        return worker(program, noise, int(steps))
    one_core = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu",
                "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}
    ours = ROOT / "target/release/examples/quadratic"
    print(f"load before: {os.getloadavg()[0]:.2f}; thousand steps a second on one core, median of {arguments.repeat}")
    print("| noise | Saltflat | NumPy | JAX | to NumPy | to JAX |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for noise in NOISES:
        rates = {"saltflat": [], "numpy": [], "jax": []}
        for _ in range(arguments.repeat):
            for program, found in rates.items():
                steps = arguments.steps if program != "numpy" else arguments.steps // 4
                call = [ours, noise, str(steps)]
                if program != "saltflat":
                    call = [sys.executable, __file__, "--worker", program, noise, str(steps)]
                output = subprocess.run(["taskset", "-c", "0", *call], env=one_core, capture_output=True, text=True)
                if output.returncode == 0:
                    found.append(steps / float(output.stdout.split()[0]) / 1e3)
                elif not found:
                    said = output.stderr.strip().splitlines() or [f"ended with status {output.returncode}"]
                    print(f"{program}: {said[-1]}", file=sys.stderr)
        middle = {program: statistics.median(found) if found else float("nan") for program, found in rates.items()}
        a, b, c = middle["saltflat"], middle["numpy"], middle["jax"]
        print(f"| {noise} | {a:.0f} | {b:.1f} | {c:.1f} | {a / b:.1f} | {a / c:.1f} |", flush=True)


if __name__ == "__main__":
    main()
