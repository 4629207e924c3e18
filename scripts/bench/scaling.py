#!/usr/bin/env python3
"""How Saltflat's time grows: with width, depth, batch, image side, samples and parameters; a log-log figure with slopes.

    pip install matplotlib
    python3 scripts/bench/scaling.py docs/scaling-cpu.svg                # builds the worker; some ten minutes on two cores
    python3 scripts/bench/scaling.py gpu.svg --device gpu --full         # the networks at full width
    python3 scripts/bench/scaling.py cpu.svg --burn --cores              # beside burn's own kernels, and on half the cores
    python3 scripts/bench/scaling.py after.svg --ours NEW --before OLD   # two binaries, alternately

All points of a panel are measured in turn, repetition by repetition, so that what the machine does beside falls on all of them;
a point is the median. A slope is that of the least squares line through the logarithms: 1 is proportional.
"""

import argparse
import math
import os
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from peers import PROBES, Worker, build_ours  # noqa: E402


def series(full):
    """title, label of x, task, [(x, shape, times that the task is in one unit of y)], unit of y."""
    wide = [16, 32, 64, 128] if full else [8, 16, 32, 64]
    usual = 64 if full else 16
    batch = 256 if full else 32
    at = f"@{batch},width={usual}"
    depths = {10: "resnet10", 18: "resnet18", 26: "resnet26", 34: "resnet34"}
    batches = [batch // 4, batch // 2, batch, 2 * batch, 4 * batch]
    many = [10, 20, 40, 80]
    image = "s an image"
    return [
        ("training, width", "width", "step", [(w, f"resnet18@{batch},width={w}", batch) for w in wide], image),
        ("training, depth", "layers", "step", [(d, f"{name}{at}", batch) for d, name in depths.items()], image),
        ("training, image side", "side", "step", [(s, f"resnet18{at},side={s}", batch) for s in (16, 32, 64)], image),
        ("training, batch", "batch", "step", [(b, f"resnet18@{b},width={usual}", 1) for b in batches], "s a step"),
        ("v'Hv, width", "width", "probes", [(w, f"resnet18@{batch},width={w}", batch * PROBES) for w in wide], "s a probe and image"),
        ("v'Hv, samples", "n", "probes", [(b, f"resnet18@{b},width={usual}", PROBES) for b in batches], "s a probe"),
        ("alignment, width", "width", "alignment", [(w, f"resnet18@8,width={w},pairs=20", 1) for w in wide], "s"),
        ("alignment, samples", "n", "alignment", [(n, f"resnet18@8,width={usual},pairs={n}", 1) for n in many], "s"),
    ]


def slope(xs, ys):
    """Of the points that were measured."""
    both = [(math.log(x), math.log(y)) for x, y in zip(xs, ys) if not math.isnan(y)]
    if len(both) < 2:
        return math.nan
    xs, ys = zip(*both)
    mx, my = statistics.mean(xs), statistics.mean(ys)
    return sum((x - mx) * (y - my) for x, y in zip(xs, ys)) / sum((x - mx) ** 2 for x in xs)


def measure(points, task, workers, repeat):
    """name of a worker: seconds of every point; not a number where the worker failed."""
    found = {name: [[] for _ in points] for name in workers}
    for repetition in range(repeat):
        for i, (_, shape, _) in enumerate(points):
            for name in list(workers)[:: -1 if repetition % 2 else 1]:
                reply = workers[name].ask(f"{task} {shape}")
                if "error" in reply:
                    print(f"`{task} {shape}`, {name}: {reply['error']}", file=sys.stderr)
                found[name][i].append(reply.get("seconds", math.nan))
    return {name: [statistics.median(s) for s in all_points] for name, all_points in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path, help="the figure (SVG)")
    parser.add_argument("--ours", type=pathlib.Path, help="the worker; absent: built")
    parser.add_argument("--before", type=pathlib.Path, help="another worker to compare with")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--full", action="store_true", help="networks of full width, batches of 256")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--burn", action="store_true", help="also with burn's own kernels on the CPU")
    parser.add_argument("--cores", action="store_true", help="also with half as many threads")
    parser.add_argument("--only", nargs="+", help="panels whose title holds one of these words")
    options = parser.parse_args()

    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "saltflat"
    from matplotlib import pyplot

    ours = [str(options.ours or build_ours()), options.device]
    commands = {"now": (ours, {})}
    if options.before:
        commands["before"] = ([str(options.before), options.device], {})
    if options.burn:
        commands["burn's kernels"] = (ours, {"SALTFLAT_KERNELS": "burn"})
    if options.cores:
        half = max(1, len(os.sched_getaffinity(0)) // 2)
        commands[f"{half} thread{'s' if half > 1 else ''}"] = (ours, {"RAYON_NUM_THREADS": str(half)})
    panels = [s for s in series(options.full) if not options.only or any(word in s[0] for word in options.only)]
    rows = min(2, len(panels))
    columns = math.ceil(len(panels) / rows)
    figure, axes = pyplot.subplots(rows, columns, figsize=(3.3 * columns, 4.0 * rows), squeeze=False)
    print("| | slope | points |\n| --- | ---: | --- |")
    for (title, label, task, points, unit), axis in zip(panels, axes.flat):
        workers = {name: Worker(name, command, **environment) for name, (command, environment) in commands.items()}
        found = measure(points, task, workers, options.repeat)
        xs = [x for x, _, _ in points]
        for name, seconds in found.items():
            ys = [s / share for s, (_, _, share) in zip(seconds, points)]
            k = slope(xs, ys)
            axis.loglog(xs, ys, marker="o", label=f"{name}: {k:.2f}")
            cells = ", ".join(f"{x}: {y:.3g}" for x, y in zip(xs, ys))
            print(f"| {title}, {unit}{'' if len(found) == 1 else ', ' + name} | {k:.2f} | {cells} |", flush=True)
        axis.set(title=title, xlabel=label, ylabel=unit)
        axis.set_xticks(xs, [str(x) for x in xs])
        axis.minorticks_off()
        axis.legend(title="slope", fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.34))
        for worker in workers.values():
            worker.close()
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    figure.tight_layout()
    figure.savefig(options.out, metadata={"Date": None})


if __name__ == "__main__":
    main()
