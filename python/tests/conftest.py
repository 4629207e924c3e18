"""Finds the package and the program of this checkout, and what else the tests share."""

import importlib.util
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]

if importlib.util.find_spec("saltflat") is None:
    sys.path.insert(0, str(HERE.parent))
BUILT = REPOSITORY / "target" / "release" / ("saltflat.exe" if os.name == "nt" else "saltflat")
if "SALTFLAT_BINARY" not in os.environ and BUILT.is_file():
    os.environ["SALTFLAT_BINARY"] = str(BUILT)
#: Files that import torch as they are read.
collect_ignore = [] if importlib.util.find_spec("torch") else sorted(path.name for path in HERE.glob("test_export*.py"))


def pytest_report_header():
    """Says what the tests run with."""
    import saltflat

    try:
        program = str(saltflat.find_binary())
    except saltflat.SaltflatError:
        program = "not found"
    found = {name: "yes" if importlib.util.find_spec(name) else "no" for name in ("torch", "pandas", "PIL")}
    left_out = [f"left out without torch: {', '.join(collect_ignore)}"] if collect_ignore else []
    return [f"saltflat: {program}", ", ".join(f"{name}: {is_there}" for name, is_there in found.items()), *left_out]


@pytest.fixture(scope="session")
def torch():
    """torch in one thread, or a skipped test."""
    module = pytest.importorskip("torch", reason="torch is not installed")
    module.set_num_threads(1)
    return module


@pytest.fixture(scope="session")
def pandas():
    """pandas, or a skipped test."""
    return pytest.importorskip("pandas", reason="pandas is not installed")


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory):
    """A finished run of the quickstart, three epochs."""
    from saltflat.binary import run

    folder = tmp_path_factory.mktemp("runs") / "quickstart"
    run(["train", REPOSITORY / "configs" / "quickstart.toml", "--set", "train.epochs=3", "--device", "cpu", "--out", folder], quiet=True)
    return folder


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """The quickstart's study at its smallest scale."""
    from saltflat.binary import run

    folder = tmp_path_factory.mktemp("studies") / "study"
    run(["study", REPOSITORY / "configs" / "quickstart-study.toml", "--scale", "smoke", "--devices", "cpu", "--out", folder], quiet=True)
    return folder
