#!/usr/bin/env python3
"""Saltflat's speed and memory beside PyTorch's: the same work on the same shapes, in turn, in one go.

    pip install torch numpy
    python3 scripts/bench/peers.py                    # everything on the CPU, 7 repetitions, a Markdown table
    python3 scripts/bench/peers.py --only mlp --repeat 3 --json peers.json
    python3 scripts/bench/peers.py --device gpu --torch-device cuda --modes eager tf32 compile --tasks "step resnet18@256"

`scripts/bench/gpu.sh` runs the last form over what matters on a card.

Two processes, one of Saltflat (the example `peer` of saltflat-bench, built here unless `--ours` names it) and one of
PyTorch (this file with `--worker`), live through all repetitions of a task and do it alternately; the one that is not
asked waits. A task starts with a fresh pair, so that no task's memory counts for the next one.

A worker reads one task a line and answers with one line of JSON, {"seconds": ..., "peak_bytes": ...}: it does the task until 0.2
seconds have passed, at least once, as a training run makes one step after the other, and says the mean. The first request of a task does
it once before, untimed. A worker that fails, is killed or gives no answer in `--timeout` leaves failed cells (–), with the reason below the
table. A task is a kind and a network, such as `step mlp`:

  step  one training step: forward, backward, SGD with momentum 0.9
  grad  the gradient alone
  hvp   one exact Hessian-vector product; in PyTorch by double backward
  probes  four quadratic forms v'Hv; ours in one pass, without a backward pass; in PyTorch four products
  gram  the 50 x 50 inner products of the per-sample gradients of one cotangent; in PyTorch by vmap(grad)
  alignment  alpha, beta, mu of 50 samples with all ten outputs; in PyTorch from the rows of the Jacobian by vmap(jacrev)

  mlp       784-512-512-10, relu, batch 256
  vgg11     VGG-11, no normalisation, global average pool, one linear layer; 3x32x32, batch 32
  vgg19     VGG-19, likewise
  lenet     LeNet, 4 channels at first; 1x28x28, batch 256
  fixup26   Fixup ResNet-26 of Wu, Wang, Su 2022; 3x32x32, batch 32
  resnet18  ResNet-18, 3x3 stem, group normalisation of 32 channels a group; 3x32x32, batch 32

`resnet18@256` is the same with batch 256, `resnet18@32,pairs=20` with Gram matrices of 20 samples. The loss is cross-entropy, the numbers are float32. PyTorch's modes: eager with TF32
off, eager with TF32 allowed in matrix products and convolutions (CUDA), torch.compile with TF32 off (the tasks step and grad). The memory is the peak of the process's resident set during the task
(VmHWM, reset before it), with everything it holds: libraries, weights, and what the allocator keeps. On a GPU it is what the
allocator has reserved on the card. A reply may carry `idle_bytes`, the resident set before the first task, which is printed beside:
PyTorch's libraries alone are large.
"""

import argparse
import json
import os
import pathlib
import platform
import queue
import signal
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Seconds before every request, and those it takes at least.
PAUSE = 0.3
LEAST = 0.2
# Seconds that a worker has for one answer.
TIMEOUT = 3600
KINDS = ["step", "grad", "hvp", "probes", "gram", "alignment"]
MODES = ["eager", "tf32", "compile"]
# name: (model, shape of a sample, batch)
NETWORKS = {
    "mlp": ({"kind": "mlp", "hidden": [512, 512], "outputs": 10}, [784], 256),
    "vgg11": ({"kind": "vgg", "depth": 11, "width": 64, "outputs": 10}, [3, 32, 32], 32),
    "lenet": ({"kind": "lenet", "width": 4, "outputs": 10}, [1, 28, 28], 256),
    "fixup26": ({"kind": "resnet-fixup", "depth": 26, "width": 16, "outputs": 10}, [3, 32, 32], 32),
    "vgg19": ({"kind": "vgg", "depth": 19, "width": 64, "outputs": 10}, [3, 32, 32], 32),
    "resnet18": (
        {"kind": "resnet", "width": 64, "blocks": [2, 2, 2, 2], "channels_per_group": 32, "outputs": 10},
        [3, 32, 32],
        32,
    ),
}
GRAM_SAMPLES = 50
# Samples whose gradients vmap takes at once: the fastest of 1, 2, 5, 10, 25 on two cores, and little memory.
GRAM_CHUNK = {"mlp": 10, "lenet": 10, "vgg11": 1, "vgg19": 1, "resnet18": 2, "fixup26": 10}
PROBES = 4
# Products of a layer's weight with a batch that our form of a task takes, and those of the first layer, whose input has neither a
# gradient nor coefficients. A Gram matrix has a form for every layer, so no one number.
PRODUCTS = {"step": (3, 2), "grad": (3, 2), "hvp": (8, 3), "probes": (4 * PROBES + 1, PROBES + 1)}
MIB = 2**20


# The PyTorch worker.


def sized(network):
    """`resnet18@256,pairs=32`: its name, its entry in NETWORKS with this batch size, and the samples of a Gram matrix."""
    name, _, rest = network.partition("@")
    model, shape, batch = NETWORKS[name]
    size, *others = rest.split(",")
    named = dict(part.split("=") for part in others)
    if set(named) - {"pairs"}:
        raise ValueError("PyTorch's networks here have one width and one side")
    return name, model, shape, int(size or batch), int(named.get("pairs", GRAM_SAMPLES))


def torch_task(kind, network_name, device, mode):
    """A function that does the task once, and waits for it."""
    import torch
    from torch.nn import functional as F

    sys.path.insert(0, str(ROOT / "scripts/reference"))
    from definitions import build

    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = mode == "tf32"
    name, model, shape, batch, pairs = sized(network_name)
    network = build(model, shape).to(device)
    parameters = list(network.parameters())
    inputs = torch.randn(pairs if kind in ("gram", "alignment") else batch, *shape, device=device)
    labels = torch.randint(10, [len(inputs)], device=device)
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9)
    direction = [torch.randn_like(p) for p in parameters]
    if mode == "compile" and kind not in ("step", "grad"):
        raise ValueError("not compiled")
    forward = torch.compile(network) if mode == "compile" else network

    def step():
        optimizer.zero_grad()
        F.cross_entropy(forward(inputs), labels).backward()
        optimizer.step()

    def grad():
        return torch.autograd.grad(F.cross_entropy(forward(inputs), labels), parameters)

    def hvp():
        loss = F.cross_entropy(network(inputs), labels)
        gradient = torch.autograd.grad(loss, parameters, create_graph=True)
        return torch.autograd.grad(gradient, parameters, direction)

    def probes():
        loss = F.cross_entropy(network(inputs), labels)
        gradient = torch.autograd.grad(loss, parameters, create_graph=True)
        found = []
        for _ in range(PROBES):
            v = [torch.randint_like(p, 2) * 2 - 1 for p in parameters]
            products = torch.autograd.grad(gradient, parameters, v, retain_graph=True)
            found.append(sum((a * b).sum() for a, b in zip(v, products)))
        return torch.stack(found).cpu()

    def gram():
        cotangents = torch.ones(pairs, 10, device=device)
        return per_sample_gram(network, inputs, cotangents, pairs if device == "cuda" else GRAM_CHUNK[name])

    def alignment():
        from curvature import alignment

        return alignment(network, inputs, labels, 5 if device == "cuda" else 1)

    task = {"step": step, "grad": grad, "hvp": hvp, "probes": probes, "gram": gram, "alignment": alignment}[kind]

    def finished():
        task()
        if device == "cuda":
            torch.cuda.synchronize()

    return finished


def per_sample_gram(network, inputs, cotangents, chunk):
    """<g_i, g_j> with g_i the gradient of <cotangent i, outputs of sample i>; vmap takes `chunk` samples at once."""
    import torch
    from torch.func import functional_call, grad, vmap

    parameters = {name: p.detach() for name, p in network.named_parameters()}

    def along_cotangent(parameters, x, cotangent):
        return functional_call(network, parameters, (x[None],))[0] @ cotangent

    per_sample = vmap(grad(along_cotangent), in_dims=(None, 0, 0))
    n = len(inputs)
    rows = {name: p.new_empty(n, p.numel()) for name, p in parameters.items()}
    for i in range(0, n, chunk):
        for name, g in per_sample(parameters, inputs[i : i + chunk], cotangents[i : i + chunk]).items():
            rows[name][i : i + chunk] = g.flatten(1)
    return torch.stack([r @ r.T for r in rows.values()]).sum(0)


def reset_peak():
    """Makes VmHWM start anew; where the system forbids it, it stays the peak since the process began."""
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def memory(key):
    """VmHWM (peak) or VmRSS (now) of this process, in bytes."""
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith(key))


def worker(device, mode):
    """Answers tasks from stdin until it ends."""
    import torch

    def peak():
        return torch.cuda.max_memory_reserved() if device == "cuda" else memory("VmHWM")

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.optim.SGD([torch.zeros(1)])  # loads what the first optimizer loads
    idle = memory("VmRSS")
    ready = {}
    for line in sys.stdin:
        task = line.strip()
        try:
            if task not in ready:
                ready[task] = torch_task(*task.split(), device, mode)
                ready[task]()
            reset_peak()
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            start, count = time.perf_counter(), 0
            while count == 0 or time.perf_counter() - start < LEAST:
                ready[task]()
                count += 1
            seconds = (time.perf_counter() - start) / count
            reply = {"seconds": seconds, "peak_bytes": peak()} | ({} if device == "cuda" else {"idle_bytes": idle})
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


# The driver.


class Worker:
    """A process that does one task a line. One that ends, hangs or answers with something else has failed: from then on every
    reply holds the error, so that the table has a failed cell and goes on."""

    def __init__(self, name, command, timeout=TIMEOUT, **environment):
        self.name, self.timeout, self.failure = name, timeout, None
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        try:
            self.process = subprocess.Popen(command, env=os.environ | environment, **pipes)
        except OSError as error:
            raise SystemExit(f"{name}: {error}") from error
        self.lines = queue.SimpleQueue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        """Hands on every line, and nothing where the process has closed its output."""
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def ask(self, task):
        if self.failure is None:
            # The other program's threads spin for a while after its task, waiting for more of it.
            time.sleep(PAUSE)
            reply = self.answer(task)
            if reply is not None:
                return reply
            self.process.kill()
        return {"error": self.failure}

    def answer(self, task):
        """The reply; none where the worker has failed."""
        try:
            self.process.stdin.write(f"{task}\n")
            self.process.stdin.flush()
            line = self.lines.get(timeout=self.timeout)
        except OSError:
            line = None
        except queue.Empty:
            self.failure = f"no answer in {self.timeout:g} s"
            return None
        if line is None:
            self.failure = self.death()
            return None
        try:
            reply = json.loads(line)
            if "error" in reply:
                return reply
            return {**reply, "seconds": float(reply["seconds"]), "peak_bytes": int(reply["peak_bytes"])}
        except (ValueError, KeyError, TypeError):
            self.failure = f"answered with {line.strip()!r}"
            return None

    def death(self):
        """How the process ended; it has closed its output, so it has ended or is about to."""
        try:
            return ending(self.process.wait(timeout=10))
        except subprocess.TimeoutExpired:
            return "closed its output"

    def close(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass  # a line that a dead worker has not read
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join()
        self.process.stdout.close()


def ending(status):
    """An exit status in words."""
    if status >= 0:
        return f"ended with exit status {status}"
    name = signal.Signals(-status).name
    return f"was ended by {name}" + (", as the system does where memory runs out" if name == "SIGKILL" else "")


def measure(task, commands, repeat, timeout=TIMEOUT):
    """name: list of replies; the order of the workers alternates."""
    workers = [Worker(name, command, timeout) for name, command in commands.items()]
    replies = {worker.name: [] for worker in workers}
    for repetition in range(repeat):
        for worker in workers[:: -1 if repetition % 2 else 1]:
            time.sleep(0.1)  # the other's threads have stopped spinning
            replies[worker.name].append(worker.ask(task))
    for worker in workers:
        worker.close()
    return replies


def medians(replies):
    """Of the time and the memory; none where a task failed."""
    if any("error" in reply for reply in replies):
        return None
    return {key: statistics.median(reply[key] for reply in replies) for key in ("seconds", "peak_bytes")}


def digits(x):
    """Three significant digits, whole numbers from 100 on."""
    return f"{x:.0f}" if x >= 100 else f"{x:.3g}"


def row(task, replies):
    """The task's cells: milliseconds of each, ours over each peer's with its range, MiB of each and that ratio."""
    found = {name: medians(r) for name, r in replies.items()}
    ours, *peers = replies.values()
    cells = [f"`{task}`"]
    for key, unit in [("seconds", 1e-3), ("peak_bytes", MIB)]:
        cells += [digits(m[key] / unit) if m else "–" for m in found.values()]
        for theirs in peers:
            if not medians(ours) or not medians(theirs):
                cells.append("–")
                continue
            ratios = [a[key] / b[key] for a, b in zip(ours, theirs)]
            spread = f" ({digits(min(ratios))}–{digits(max(ratios))})" if key == "seconds" else ""
            cells.append(f"**{digits(statistics.median(ratios))}**{spread}")
    return cells


def rates(results):
    """Images a second of each training step."""
    rows = []
    for task, replies in results.items():
        kind, network = task.split()
        if kind == "step":
            found = [medians(r) for r in replies.values()]
            rows.append([f"`{network}`", *[digits(sized(network)[3] / m["seconds"]) if m else "–" for m in found]])
    return rows


def errors(results):
    """What did not work, once each."""
    lines = {}
    for task, replies in results.items():
        for name, found in replies.items():
            lines.update({(task, name): reply["error"] for reply in found if "error" in reply})
    return [f"`{task}`, {name}: {error}" for (task, name), error in lines.items()]


def table(header, rows):
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def header(names):
    ratios = [f"ours / {n}" for n in names[1:]]
    return ["task", *[f"{n}, ms" for n in names], *ratios, *[f"{n}, MiB" for n in names], *ratios]


def in_gradients(results):
    """Median time of each second-order task in units of the same program's own gradient."""
    rows = []
    for task, replies in results.items():
        kind, network = task.split()
        own = results.get(f"grad {network}")
        if kind in ("hvp", "probes", "gram", "alignment") and own:
            both = [(medians(replies[n]), medians(own[n])) for n in replies]
            share = PROBES if kind == "probes" else 1
            rows.append([f"`{task}`", *[f"{a['seconds'] / b['seconds'] / share:.2f}" if a and b else "–" for a, b in both]])
    return rows


def multiplications(network_name):
    """Of the first layer's weight with one batch, and of all others."""
    import torch

    sys.path.insert(0, str(ROOT / "scripts/reference"))
    from definitions import build

    _, model, shape, batch, _ = sized(network_name)
    found = []

    def count(layer, _, output):
        found.append(batch * output[0].numel() * layer.weight[0].numel())

    network = build(model, shape)
    for layer in network.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            layer.register_forward_hook(count)
    network(torch.zeros(1, *shape))
    return found[0], sum(found[1:])


def shares(results, peak):
    """Share of the peak (GFLOP/s), by the arithmetic of our form of the task without shortcuts."""
    rows = []
    for task, replies in results.items():
        kind, network = task.split()
        if kind not in PRODUCTS:
            continue
        (first, others), (of_other, of_first) = multiplications(network), PRODUCTS[kind]
        work = 2e-9 * (of_first * first + of_other * others)
        found = [medians(r) for r in replies.values()]
        rows.append([f"`{task}`", *[f"{work / m['seconds'] / peak:.0%}" if m else "–" for m in found]])
    return rows


def idle(results):
    """name: median resident set before any task, in MiB, of those that report it."""
    found = {}
    for replies in results.values():
        for name, r in replies.items():
            found.setdefault(name, []).extend(reply["idle_bytes"] / MIB for reply in r if "idle_bytes" in reply)
    return {name: statistics.median(values) for name, values in found.items() if values}


def version(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def card():
    """The NVIDIA card and its driver, where there is one."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "none"


def machine():
    import torch

    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    return {
        "cpu": next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown"),
        "cores": len(os.sched_getaffinity(0)),
        "nvidia": card(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "pytorch": torch.__version__,
        "rustc": version(["rustc", "--version"]),
        "saltflat": version(["git", "describe", "--always", "--dirty"]),
    }


def build_ours():
    command = ["cargo", "build", "--release", "--workspace", "--bins", "--example", "peer"]
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        raise SystemExit(f"`{' '.join(command)}` failed")
    return ROOT / "target/release/examples/peer"


def main():
    parser = argparse.ArgumentParser(description="Saltflat's speed and memory beside PyTorch's.")
    parser.add_argument("--ours", type=pathlib.Path, help="Saltflat's worker; absent: built and taken from target/")
    parser.add_argument("--torch-only", action="store_true", help="PyTorch alone")
    parser.add_argument("--repeat", type=int, default=7, help="repetitions of each task (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=[*KINDS, *NETWORKS], help="these kinds or networks")
    parser.add_argument("--tasks", nargs="+", help="these tasks instead, such as \"step resnet18@256\"")
    parser.add_argument("--device", default="cpu", help="Saltflat's device, as its --device has it (%(default)s)")
    parser.add_argument("--torch-device", default="cpu", choices=["cpu", "cuda"], help="PyTorch's (%(default)s)")
    parser.add_argument("--modes", nargs="+", default=["eager"], choices=MODES, help="PyTorch's modes (%(default)s)")
    parser.add_argument("--peak", type=float, help="the machine's GFLOP/s: its share that each task uses is printed")
    parser.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds for one answer (%(default)s)")
    parser.add_argument("--json", type=pathlib.Path, help="every measurement goes to this file")
    parser.add_argument("--worker", choices=MODES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return worker(options.torch_device, options.worker)
    if options.repeat < 1:
        parser.error("--repeat is at least 1")

    only = set(options.only or [])
    kinds = [k for k in KINDS if not only & set(KINDS) or k in only]
    networks = [n for n in NETWORKS if not only & set(NETWORKS) or n in only]
    tasks = options.tasks or [f"{kind} {network}" for network in networks for kind in kinds]
    for task in tasks:
        kind, _, network = task.partition(" ")
        if kind not in KINDS or network.partition("@")[0] not in NETWORKS:
            parser.error(f"expected a kind and a network, such as \"step mlp\", got {task!r}")
    commands = {} if options.torch_only else {"ours": [str(options.ours or build_ours()), options.device]}
    for mode in options.modes:
        name = "PyTorch" if mode == "eager" else f"PyTorch, {mode}"
        command = [sys.executable, str(pathlib.Path(__file__).resolve()), "--torch-device", options.torch_device]
        commands[name] = [*command, "--worker", mode]
    about = machine()
    results = {}
    for task in tasks:
        print(task, file=sys.stderr, flush=True)
        results[task] = measure(task, commands, options.repeat, options.timeout)

    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print(f"\nMedians of {options.repeat}; ours on {options.device}, PyTorch on {options.torch_device}; ratios within one repetition.\n")
    print(table(header(list(commands)), [row(task, replies) for task, replies in results.items()]))
    if rows := rates(results):
        print("\nImages a second, training:\n")
        print(table(["network", *commands], rows))
    if rows := in_gradients(results):
        print("\nIn gradients of the same program, of a probe for `probes`:\n")
        print(table(["task", *commands], rows))
    if options.peak and (rows := shares(results, options.peak)):
        print(f"\nShare of {options.peak:.0f} GFLOP/s, by the arithmetic of our form, done directly:\n")
        print(table(["task", *commands], rows))
    for name, size in idle(results).items():
        print(f"\n{name} holds {size:.0f} MiB before any task.")
    for line in errors(results):
        print(f"\n{line}")
    if options.json:
        record = {"machine": about, "repeat": options.repeat, "tasks": results}
        options.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
