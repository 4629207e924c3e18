#!/usr/bin/env python3
"""Draws docs/quickstart.svg from a run: the flatness and the test accuracy against the epoch.

    pip install matplotlib
    python3 scripts/readme_figure.py results/quickstart docs/quickstart.svg
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "saltflat", "font.size": 9, "svg.fonttype": "none"})
import matplotlib.pyplot as plt
import matplotlib.ticker

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"  # Okabe and Ito: told apart by colour-blind readers


def main():
    run, out = Path(sys.argv[1]), sys.argv[2]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["kind"] == "measurement"]

    def curve(name):
        points = [(row["epoch"], row["metrics"][name]) for row in rows if row["metrics"].get(name, {}).get("value") is not None]
        return ([e for e, _ in points], [m["value"] for _, m in points], [m.get("std_error", 0.0) for _, m in points])

    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 2.9), layout="constrained")
    for name, label, colour, marker in [
        ("trace_hessian", "tr ∇²L (Hutchinson)", BLUE, "o"),
        ("trace_from_noise", "B‖label noise‖²", ORANGE, "s"),
        ("hessian_frobenius", "‖∇²L‖_F", GREEN, "^"),
    ]:
        x, y, e = curve(name)
        left.errorbar(x, y, yerr=e, label=label, color=colour, marker=marker, ms=3, lw=1, capsize=2)
    left.set(xlabel="epoch", yscale="log", title="flatness, ± one standard error")
    left.legend(frameon=False)
    for name, label, colour, style in [
        ("test_accuracy", "test accuracy", BLUE, "-"),
        ("accuracy", "training accuracy", ORANGE, "--"),
        ("mu", "alignment μ", GREEN, ":"),
    ]:
        x, y, _ = curve(name)
        right.plot(x, y, style, label=label, color=colour, lw=1.5)
    right.set(xlabel="epoch", ylim=(0, 1), title="accuracy and alignment")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(out, metadata={"Date": None}, facecolor="white")


if __name__ == "__main__":
    main()
