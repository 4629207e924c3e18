"""Finding the program, running it, and what its exit codes become."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time
import tomllib

import pytest
from conftest import REPOSITORY

import saltflat
from saltflat.binary import run
from saltflat.errors import BadInputError, BinaryNotFoundError, DivergedError, SaltflatError, StoppedError

posix = pytest.mark.skipif(os.name != "posix", reason="needs a shell script as the program")


def program(tmp_path, monkeypatch, text):
    """A shell script in the place of the program."""
    path = tmp_path / "saltflat"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    monkeypatch.setenv("SALTFLAT_BINARY", str(path))


def test_version_is_that_of_the_workspace():
    workspace = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert saltflat.__version__ == workspace
    assert run(["-V"]) == f"saltflat {workspace}\n"
    assert run(["--version"]).splitlines()[0] == f"saltflat {workspace}"
    with pytest.raises(AttributeError, match="titel"):
        _ = saltflat.titel


def test_all_names_are_there():
    assert all(hasattr(saltflat, name) for name in saltflat.__all__)
    assert callable(saltflat.measure) and callable(saltflat.load) and callable(saltflat.dataset) and callable(saltflat.export)


def test_import_needs_neither_torch_nor_pandas():
    """In a process of its own, in which both fail to be imported."""
    here = pathlib.Path(__file__).parent
    code = f"""
        import sys
        sys.modules["torch"] = sys.modules["pandas"] = None
        sys.path[:0] = [{str(here)!r}]
        import conftest, saltflat
        try:
            saltflat.load(".")
        except ModuleNotFoundError as error:
            assert str(error) == "saltflat.load needs pandas: pip install pandas", error
        else:
            raise SystemExit("loaded without pandas")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, cwd=here)


def test_a_variable_that_names_no_file(monkeypatch):
    monkeypatch.setenv("SALTFLAT_BINARY", "/nowhere/saltflat")
    with pytest.raises(BinaryNotFoundError, match="SALTFLAT_BINARY is /nowhere/saltflat, expected the path of the program"):
        saltflat.find_binary()


@posix
def test_a_variable_that_names_another_program(monkeypatch, tmp_path):
    program(tmp_path, monkeypatch, "exit 0\n")
    (tmp_path / "model.toml").write_text("[optimizer]\nlr = 0.1\n")
    with pytest.raises(BinaryNotFoundError, match="saltflat wrote no measurement, so it is not the program saltflat .* SALTFLAT_BINARY"):
        saltflat.measure(tmp_path / "model.toml", weights=tmp_path)
    program(tmp_path, monkeypatch, "echo 'other: bad option' >&2; exit 2\n")
    with pytest.raises(SaltflatError, match="(?s)other: bad option.*which SALTFLAT_BINARY names; expected the program saltflat"):
        run(["measure"], quiet=True)
    (tmp_path / "text").write_text("no program")
    monkeypatch.setenv("SALTFLAT_BINARY", str(tmp_path / "text"))
    with pytest.raises(BinaryNotFoundError, match="text cannot be started"):
        run(["measure"])


def test_no_program_anywhere(monkeypatch, tmp_path):
    monkeypatch.delenv("SALTFLAT_BINARY", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("saltflat.binary._script_folders", lambda: [tmp_path / "bin"])
    with pytest.raises(BinaryNotFoundError, match="pip install ./python") as caught:
        saltflat.find_binary()
    assert str(tmp_path / "bin") in str(caught.value)


@posix
def test_scripts_come_before_the_path(monkeypatch, tmp_path):
    monkeypatch.delenv("SALTFLAT_BINARY", raising=False)
    for folder in ("scripts", "path"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "saltflat").write_text("#!/bin/sh\n")
        (tmp_path / folder / "saltflat").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr("saltflat.binary._script_folders", lambda: [tmp_path / "none", tmp_path / "scripts"])
    assert saltflat.find_binary() == tmp_path / "scripts" / "saltflat"
    monkeypatch.setattr("saltflat.binary._script_folders", lambda: [tmp_path / "none"])
    assert saltflat.find_binary() == tmp_path / "path" / "saltflat"


def test_bad_input_carries_the_programs_message(tmp_path, capsys):
    config = tmp_path / "run.toml"
    config.write_text("[optimizer]\nlr = -1.0\nmomentom = 0.9\n")
    with pytest.raises(BadInputError, match="optimizer.lr: expected a number above 0, got -1.0") as caught:
        run(["train", config, "--device", "cpu"])
    assert "did you mean momentum?" in str(caught.value)
    assert caught.value.code == 2
    assert isinstance(caught.value, ValueError)
    assert capsys.readouterr().err == ""


def test_an_option_that_does_not_exist():
    with pytest.raises(BadInputError, match="unexpected argument '--titel'"):
        run(["measure", "a.toml", "--weights", "b", "--titel", "3"])


def test_a_run_that_diverges(tmp_path):
    out = tmp_path / "diverged"
    config = REPOSITORY / "configs" / "quickstart.toml"
    with pytest.raises(DivergedError) as caught:
        run(["train", config, "--set", "optimizer.lr=1e20", "--device", "cpu", "--out", out], quiet=True)
    assert caught.value.code == 3 and str(caught.value)


@posix
@pytest.mark.parametrize(
    ("end", "kind", "text"),
    [
        ("exit 130", StoppedError, "SIGINT"),
        ("exit 143", StoppedError, "SIGTERM"),
        ("kill -9 $$", StoppedError, "SIGKILL"),
        ("echo 'saltflat: no room' >&2; echo '  on disk' >&2; exit 1", SaltflatError, "^no room\n  on disk$"),
        ("exit 7", SaltflatError, "exit code 7 and said nothing"),
    ],
)
def test_exit_codes(tmp_path, monkeypatch, end, kind, text):
    program(tmp_path, monkeypatch, end + "\n")
    with pytest.raises(kind, match=text):
        run([])


@posix
def test_stderr_is_passed_on_unless_quiet(tmp_path, monkeypatch, capsys):
    program(tmp_path, monkeypatch, "echo 'note: slow' >&2; echo data; echo \"$@\"\n")
    assert run(["a b", "c"]) == "data\na b c\n"
    assert capsys.readouterr().err == "note: slow\n"
    assert run([], quiet=True) == "data\n\n"
    assert capsys.readouterr().err == ""


@posix
def test_an_interrupt_ends_the_program_and_is_passed_on(tmp_path):
    """A run of many steps in another Python, which is interrupted as a notebook interrupts its kernel."""
    out = tmp_path / "run"
    code = f"""
        import sys
        sys.path[:0] = [{str(pathlib.Path(__file__).parent)!r}]
        import conftest
        from saltflat.binary import run
        run(["train", {str(REPOSITORY / "configs" / "quickstart.toml")!r}, "--set", "train.epochs=100000", "--device", "cpu", "--out", {str(out)!r}])
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (out / "metrics.jsonl").is_file() or not (out / "metrics.jsonl").read_bytes():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in said
    assert '"interrupted"' in (out / "status.json").read_text()
