"""Runs and studies as DataFrames, beside the program's own reader of them."""

import csv
import io
import json
import shutil

import pytest

import saltflat
from saltflat.binary import run
from saltflat.errors import BadInputError


@pytest.fixture(autouse=True)
def _needs_pandas(pandas):
    pass


def as_the_program_says(*folders):
    """(run, step, metric) to value and error, of the measurements, from ``saltflat report --format csv``."""
    rows = csv.DictReader(io.StringIO(run(["report", *folders, "--format", "csv", "--out", "-"], quiet=True)))
    return {(row["run"], int(row["step"]), row["metric"]): (row["value"], row["std_error"]) for row in rows if row["kind"] == "measurement"}


def check_against_program(pandas, frame, expected):
    """Every number that the program has. It reads decimal numbers up to their last bit, Python with it."""
    seen = 0
    for row in frame.to_dict("records"):
        for (name, step, metric), (value, error) in expected.items():
            if (name, step) == (row["run"].split("/")[-1], row["step"]):
                seen += 1
                if value:
                    assert row[metric] == pytest.approx(float(value), rel=1e-15), metric
                else:
                    assert pandas.isna(row[metric]), metric
                if error:
                    assert row[f"{metric}_std_error"] == pytest.approx(float(error), rel=1e-15), metric
    assert seen == len(expected) > 0


def test_a_run(quickstart, pandas):
    runs = saltflat.load(quickstart)
    assert list(runs.measurements["step"]) == [0, 20, 40, 60]
    assert list(runs.measurements["epoch"]) == [0, 1, 2, 3]
    assert list(runs.epochs["epoch"]) == [1, 2, 3]
    assert {"step", "lr", "running_loss", "running_accuracy"} <= set(runs.epochs)
    check_against_program(pandas, runs.measurements, as_the_program_says(quickstart))
    line = runs.runs.iloc[0]
    assert (line["run"], line["status"], line["seed"], line["optimizer.lr"], line["noise.kind"]) == ("quickstart", "finished", 0, 0.1, "label-flip")
    assert runs.axes == ()
    assert repr(runs) == "Runs(1 runs (1 finished): 4 measurements, 3 epochs)"
    assert pandas.api.types.is_float_dtype(runs.measurements["trace_hessian_by_tensor.layers.0.weight"])


def test_a_study(study, pandas):
    runs = saltflat.load(study)
    assert list(runs.runs["run"]) == ["start/s0", "escape/minibatch-sgd_s0", "escape/gaussian_s0", "escape/label-flip_s0"]
    assert runs.axes == ("noise",)
    assert list(runs.runs["stage"]) == ["start", "escape", "escape", "escape"]
    assert list(runs.runs["group"]) == ["start", "minibatch SGD", "Gaussian", "label flip"]
    assert set(runs.runs["seed"]) == {0}
    escapes = runs.measurements[runs.measurements["stage"] == "escape"]
    check_against_program(pandas, escapes, as_the_program_says(*sorted((study / "escape").iterdir())))
    last = runs.last()
    assert list(last["run"]) == list(runs.runs["run"])
    assert list(last["step"]) == [5, 4, 4, 4]
    assert last.groupby("noise")["trace_hessian"].mean().notna().all()


def test_several_runs_are_told_apart_by_what_differs(quickstart, tmp_path):
    other = tmp_path / "quickstart"
    shutil.copytree(quickstart, other)
    config = (other / "config.toml").read_text()
    (other / "config.toml").write_text(config.replace("lr = 0.1\n", "lr = 0.5\n"))
    runs = saltflat.load([quickstart, other])
    assert runs.axes == ("optimizer.lr",)
    assert list(runs.runs["optimizer.lr"]) == [0.1, 0.5]
    assert list(runs.runs["group"]) == ["lr 0.1", "lr 0.5"]
    assert list(runs.runs["run"]) == [str(quickstart), str(other)]
    assert len(runs.measurements) == 8


def test_a_run_that_is_named_twice_is_there_once(quickstart, study):
    assert len(saltflat.load([quickstart, quickstart / ".." / quickstart.name]).runs) == 1
    once = saltflat.load(study)
    for paths in ([study, study], [study, study / "escape" / "gaussian_s0"], [study / "escape" / "gaussian_s0", study]):
        runs = saltflat.load(paths)
        assert len(runs.runs) == len(once.runs) and len(runs.measurements) == len(once.measurements)
        assert set(runs.runs["run"]) == set(once.runs["run"]) and set(runs.runs["group"]) == set(once.runs["group"])


def test_a_run_that_is_under_way(quickstart, tmp_path):
    """A last line that is being written, a status that says running, rows of an epoch that was made again after a resume."""
    folder = tmp_path / "run"
    shutil.copytree(quickstart, folder)
    (folder / "status.json").write_text('{"schema": 1, "status": "running", "step": 60}')
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"kind":"epoch","epoch":3,"step":60,"running_loss":0.125}\n{"kind":"epoch","epoch":4,"st')
    runs = saltflat.load(folder)
    assert list(runs.runs["status"]) == ["running"]
    assert list(runs.epochs["epoch"]) == [1, 2, 3]
    assert runs.epochs["running_loss"].iloc[-1] == 0.125


def test_a_damaged_line_before_the_last(quickstart, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(quickstart, folder)
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text(lines[0] + "{\n" + "".join(lines[1:]))
    with pytest.raises(BadInputError, match="metrics.jsonl: line 2: expected a JSON object"):
        saltflat.load(folder)


def test_a_study_whose_runs_have_not_all_begun(study, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(study, folder)
    shutil.rmtree(folder / "escape")
    (folder / "escape" / "gaussian_s0").mkdir(parents=True)
    runs = saltflat.load(folder)
    assert list(runs.runs["status"]) == ["finished", "not started", "not started", "not started"]
    assert set(runs.measurements["run"]) == {"start/s0"}
    shutil.rmtree(folder / "start")
    runs = saltflat.load(folder)
    assert len(runs.measurements) == 0 and {"run", "group", "noise", "step"} <= set(runs.measurements)
    assert len(runs.last()) == 0


def test_labels_that_are_numbers(study, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(study, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry, rate in zip(manifest["runs"], [None, "0.1", "0.5", "1e-3"], strict=True):
        entry["labels"] = {} if rate is None else {"optimizer.lr": rate, "noise": "none"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    runs = saltflat.load(folder)
    assert runs.axes == ("noise", "optimizer.lr")
    assert list(runs.runs["optimizer.lr"])[1:] == [0.1, 0.5, 1e-3]
    assert list(runs.runs["group"]) == ["start", "noise none, lr 0.1", "noise none, lr 0.5", "noise none, lr 1e-3"]


def test_a_list_of_noises_as_flat_keys(quickstart, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(quickstart, folder)
    table = 'kind = "label-flip"\nprobability = 0.2\nto = "wrong"'
    config = (folder / "config.toml").read_text()
    assert f"[noise]\n{table}" in config
    config = config.replace(
        f'[noise]\n{table}\n\n[noise.schedule]\nkind = "constant"', f"[[noise]]\n{table}\n\n[[noise]]\nkind = 'langevin'\nsigma = 0.5"
    )
    (folder / "config.toml").write_text(config)
    line = saltflat.load(folder).runs.iloc[0]
    assert (line["noise.kind"], line["noise.label-flip.probability"], line["noise.langevin.sigma"]) == ("label-flip + langevin", 0.2, 0.5)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "nowhere: is not there, expected the folder of a run or of a study"),
        ("file", "file: is a file"),
        ("", "neither manifest.json nor"),
    ],
)
def test_what_is_no_run(tmp_path, path, message):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match=message):
        saltflat.load(tmp_path / path)
    with pytest.raises(BadInputError, match="run_or_study: is empty"):
        saltflat.load([])


def test_the_folder_of_a_lab(tmp_path):
    out = tmp_path / "lab"
    run(["lab", "regularizer", "--scale", "smoke", "--out", out], quiet=True)
    with pytest.raises(BadInputError, match="is the folder of a lab, expected that of a run or a study; saltflat report"):
        saltflat.load(out)
