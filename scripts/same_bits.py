#!/usr/bin/env python3
"""Do two builds of saltflat train the same bits on the CPU?

usage: same_bits.py OLD NEW [--data-dir FOLDER] [--studies]

Trains short runs of every architecture, noise, optimizer and schedule with both programs and compares the final weights byte by
byte and the rows of metrics.jsonl entry by entry. Prints a line a run and exits with 1 if any weights differ. A metric that only one
of them writes, or whose value differs, is named beside.

With --studies: the quickstart, and every study and lab of the repository at its smoke scale instead, run by run.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

BASE = """
[run]
seed = 3
[data]
kind = "{data}"
limit = 60
test_limit = 20
{more_data}
[model]
{model}
[loss]
kind = "{loss}"
{more_loss}
[noise]
{noise}
[optimizer]
lr = 0.02
batch_size = {batch}
{optimizer}
{schedule}
[train]
epochs = 3
{train}
[metrics]
trace = {{ probes = 2 }}
alignment = {{ samples = 6 }}
stability = true
"""

MLP = 'kind = "mlp"\nhidden = [12, 8]'
MODELS = {
    "mlp": MLP,
    "mlp-gelu": MLP + '\nactivation = "gelu"',
    "lenet": 'kind = "lenet"\nwidth = 4',
    "linear-net": 'kind = "linear-net"\nhidden = [6, 6]',
    "vgg": 'kind = "vgg"\ndepth = 11\nwidth = 4',
    "resnet-group": 'kind = "resnet"\nwidth = 8\nblocks = [1, 1]\nchannels_per_group = 4',
    "resnet-batch": 'kind = "resnet"\nwidth = 8\nblocks = [1, 1]\nnorm = "batch"',
    "resnet-fixup": 'kind = "resnet-fixup"\ndepth = 8\nwidth = 4',
    "random-features": 'kind = "random-features"\nfeatures = 20',
    "layers": """kind = "layers"
layers = [
  { kind = "conv2d", outputs = 6, kernel = [5, 3], stride = 2, groups = 3 }, "leaky-relu",
  { kind = "dropout", probability = 0.2 },
  { kind = "parallel", join = "product", branches = [[], ["adaptive-avg-pool", { kind = "linear", outputs = 6 }, "sigmoid"]] },
  { kind = "max-pool", kernel = 3, stride = 2 }, "flatten", { kind = "linear", outputs = 10 },
]""",
    "transformer": """kind = "layers"
layers = [
  { kind = "patch-embedding", outputs = 8, patch = 8 }, "class-token", "position",
  { kind = "residual", main = ["layer-norm", { kind = "self-attention", heads = 2 }] },
  { kind = "residual", main = ["rms-norm", { kind = "linear", outputs = 12 }, "gelu", { kind = "linear", outputs = 8 }] },
  "select-token", { kind = "linear", outputs = 10 },
]""",
}
NOISES = {
    "none": 'kind = "none"',
    "label-flip": 'kind = "label-flip"\nprobability = 0.2',
    "label-flip-uniform": 'kind = "label-flip"\nprobability = 0.2\nto = "uniform"',
    "label-smoothing": 'kind = "label-smoothing"\nprobability = 0.2',
    "label-noise": 'kind = "label-noise"\nsigma = 0.3',
    "logit-gaussian": 'kind = "logit-gaussian"\nsigma = 0.1',
    "sgd-covariance": 'kind = "sgd-covariance"\nbatch_size = 5',
    "minibatch": 'kind = "minibatch"\nbatch_size = 3',
    "geometry-aware": 'kind = "geometry-aware"\nbatch_size = 5',
    "isotropic": 'kind = "isotropic"\nlike = { kind = "minibatch", batch_size = 3 }',
    "diagonal": 'kind = "diagonal"\nlike = { kind = "label-flip", probability = 0.2 }',
    "isotropic-loss-scaled": 'kind = "isotropic-loss-scaled"\nsigma = 0.01',
    "parameter-gaussian": 'kind = "parameter-gaussian"\nsigma = 0.001',
    "langevin": 'kind = "langevin"\ninverse_temperature = 1e5',
    "strength": 'kind = "label-flip"\nprobability = 0.2\nstrength = 0.01',
}


def cases():
    plain = dict(data="mnist-1k", more_data="", model=MLP, loss="cross_entropy", more_loss="", noise=NOISES["none"], batch="16",
                 optimizer="", schedule="", train="")
    for name, model in MODELS.items():
        data = "mnist-1k" if name in ("mlp", "mlp-gelu", "lenet", "linear-net", "random-features") else "cifar10-1k"
        yield name, plain | dict(model=model, data=data, noise=NOISES["label-flip"])
    for name, noise in NOISES.items():
        real = dict(more_data="binary = true", loss="square") if name == "label-noise" else {}
        yield "noise " + name, plain | dict(noise=noise) | real
    yield "square loss", plain | dict(loss="square", noise=NOISES["label-flip"])
    yield "smoothing", plain | dict(more_loss="smoothing = 0.1")
    yield "augmentation", plain | dict(data="cifar10-1k", more_data="augment = true")
    yield "momentum", plain | dict(optimizer="momentum = 0.9")
    yield "nesterov", plain | dict(optimizer="momentum = 0.9\nnesterov = true")
    yield "sam", plain | dict(optimizer="sam = { rho = 0.05 }", noise=NOISES["label-flip"])
    yield "full batch", plain | dict(batch='"full"')
    yield "microbatch", plain | dict(train="microbatch = 5", noise=NOISES["label-flip"])
    yield "drop_last", plain | dict(train="drop_last = true")
    yield "warmup", plain | dict(schedule='[schedule]\nkind = "warmup-cosine"\nwarmup_epochs = 1')


def run(program, config, folder, data_dir):
    command = [program, "train", str(config), "--device", "cpu", "--out", str(folder)]
    if data_dir:
        command += ["--data-dir", data_dir]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1:], None
    weights = sorted(p for p in (folder / "checkpoints").glob("step-*.safetensors") if ".state." not in p.name)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return hashlib.sha256(weights[-1].read_bytes()).hexdigest(), rows


def differences(old, new):
    """Names of metrics and row entries in which two runs differ."""
    names = set()
    if len(old) != len(new):
        names.add("number of rows")
    for a, b in zip(old, new):
        flat = [{**{k: v for k, v in row.items() if k != "metrics"}, **row.get("metrics", {})} for row in (a, b)]
        names |= {k for k in flat[0].keys() | flat[1].keys() if flat[0].get(k) != flat[1].get(k)}
    return sorted(names)


def studies(programs, place, data_dir):
    """Compares the quickstart and all studies and labs at smoke scale; the number of those that differ."""
    configs = pathlib.Path(__file__).resolve().parent.parent / "configs"
    known = sorted(path for path in configs.rglob("*.toml") if "[[stage]]" in path.read_text())
    # What has no smoke scale is a reproduction of hours.
    known = [path for path in known if "[scale.smoke" in path.read_text()]
    labs = [line.split()[0] for line in subprocess.run([programs[0], "lab"], capture_output=True, text=True).stdout.splitlines()
            if line and line[0].isalpha() and "-scale" not in line]
    jobs = [("quickstart", ["train", str(configs / "quickstart.toml"), "--device", "cpu"])]
    jobs += [(str(path.relative_to(configs)), ["study", str(path), "--scale", "smoke", "--devices", "cpu", "--jobs", "2"]) for path in known]
    jobs += [(f"lab {name}", ["lab", name, "--scale", "smoke"]) for name in labs]
    failed = 0
    for i, (name, command) in enumerate(jobs):
        results = []
        for side, program in enumerate(programs):
            out = place / f"{i}-{side}"
            data = ["--data-dir", data_dir] if data_dir and command[0] != "lab" else []
            done = subprocess.run([program, *command, "--out", str(out), *data], capture_output=True, text=True)
            results.append((done.returncode, contents(out)))
        (old_code, old), (new_code, new) = results
        other = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        weights = sum(key.endswith(".safetensors") for key in old)
        is_equal = not other and old_code == new_code and old
        failed += not is_equal
        print(f"{name:<32} {'equal' if is_equal else 'DIFFERENT'}: {weights} weights, {len(old) - weights} files of rows, exit codes {old_code} and {new_code}"
              + (f"; not equal: {', '.join(other[:5])}" if other else ""), flush=True)
    return failed


def contents(folder):
    """What must be equal in a folder of runs: the bytes of all weights, and all rows without times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        key = str(path.relative_to(folder))
        if path.suffix == ".safetensors":
            found[key] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.name == "metrics.jsonl":
            found[key] = [json.loads(line) for line in path.read_text().splitlines()]
    return found


def main():
    arguments = sys.argv[1:]
    data_dir = None
    of_studies = "--studies" in arguments
    arguments = [argument for argument in arguments if argument != "--studies"]
    if "--data-dir" in arguments:
        at = arguments.index("--data-dir")
        data_dir = arguments[at + 1]
        del arguments[at:at + 2]
    if len(arguments) != 2:
        sys.exit(__doc__)
    programs = [str(pathlib.Path(program).resolve()) for program in arguments]
    failed = 0
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        if of_studies:
            sys.exit(1 if studies(programs, place, data_dir) else 0)
        for i, (name, keys) in enumerate(cases()):
            text = BASE.format(**keys)
            config = place / f"{i}.toml"
            config.write_text(text)
            found = [run(program, config, place / f"{i}-{side}", data_dir) for side, program in enumerate(programs)]
            (old, old_rows), (new, new_rows) = found
            if old_rows is None or new_rows is None:
                failed += 1
                print(f"{name:<28} FAILED {old if old_rows is None else ''} {new if new_rows is None else ''}")
                continue
            other = differences(old_rows, new_rows)
            failed += old != new
            print(f"{name:<28} {'equal' if old == new else 'DIFFERENT'} weights"
                  + (f"; not equal: {', '.join(other)}" if other else ", all rows equal"), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
