#!/usr/bin/env python3
"""Kernel launches of a training step on a GPU, by kernel.

    cargo build --release --no-default-features --features wgpu,fusion     # without autotuning, whose trials would be counted too
    python3 scripts/bench/launches.py CONFIG.toml --device gpu --saltflat target/release/saltflat [--set KEY=VALUE ...]

Two runs without metrics, of 3 and of 5 steps, log every kernel that is launched (a `cubecl.toml` beside them says so); a step is half
the difference. A software adapter counts as well as a card.
"""

import argparse
import collections
import pathlib
import subprocess
import tempfile

CUBECL = '[profiling.logger]\nlevel = "minimal"\nfile = "{}"\n'


def launches(options, steps):
    """kernel: how often it was launched in a run of so many steps."""
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "log.txt")
        pathlib.Path(folder, "cubecl.toml").write_text(CUBECL.format(log))
        sets = [f"train.steps={steps}", "train.epochs=1000000", "metrics.enabled=false", *options.set]
        command = [str(options.saltflat.resolve()), "train", str(options.config.resolve()), "--device", options.device]
        command += ["--out", "run", *[part for key in sets for part in ("--set", key)]]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        names = [line.split(" ", 1)[1] for line in log.read_text().splitlines() if line.startswith("Executing ")]
    return collections.Counter(name.rpartition("_")[0] or name for name in names)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=pathlib.Path)
    parser.add_argument("--device", default="gpu")
    parser.add_argument("--saltflat", type=pathlib.Path, default=pathlib.Path("target/release/saltflat"))
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    few, many = launches(options, 3), launches(options, 5)
    step = {name: (many[name] - few[name]) / 2 for name in many if many[name] != few[name]}
    print("| kernel | launches a step |\n| --- | ---: |")
    for name, count in sorted(step.items(), key=lambda item: -item[1]):
        print(f"| `{name}` | {count:g} |")
    print(f"| all | {sum(step.values()):g} |")


if __name__ == "__main__":
    main()
