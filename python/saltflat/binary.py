"""Finds the program `saltflat` and runs it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from .errors import BadInputError, BinaryNotFoundError, DivergedError, SaltflatError, StoppedError

#: The environment variable that names the program.
VARIABLE = "SALTFLAT_BINARY"

#: Seconds in which an interrupted program may save what it has and end.
GRACE = 30.0

#: How the program begins an error.
ERROR = ("saltflat: ", "error: ")

#: Lines of a message at most that an exception takes from the program.
MOST_LINES = 60


def find_binary() -> Path:
    """The path of the program `saltflat`.

    It is looked for, in this order: where the environment variable ``SALTFLAT_BINARY`` says; among the scripts that were installed with
    this package (of the environment, of the interpreter that the environment was made from, of the user, and of ``pip install --prefix``
    and ``--target``); in ``PATH``.

    Raises:
        BinaryNotFoundError: It is in none of these places, or the variable names no file.

    Example:
        >>> import saltflat
        >>> saltflat.find_binary().is_file()
        True
    """
    given = os.environ.get(VARIABLE)
    if given:
        if Path(given).is_file():
            return Path(given)
        raise BinaryNotFoundError(f"{VARIABLE} is {given}, expected the path of the program saltflat; there is no such file")
    name = "saltflat" + (sysconfig.get_config_var("EXE") or "")
    folders = list(dict.fromkeys(_script_folders()))
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    found = shutil.which(name)
    if found:
        return Path(found)
    looked = "".join(f"\n  {folder}" for folder in folders)
    raise BinaryNotFoundError(
        f"the program saltflat was not found in PATH and in{looked}\nInstall it with this package (pip install ./python in a checkout of "
        f"Saltflat), or set {VARIABLE} to its path, such as target/release/saltflat after cargo build --release"
    )


def _script_folders() -> Iterable[Path]:
    """Where installers put the scripts of this package."""
    package = Path(__file__).resolve().parent
    paths = [
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", vars={"base": sys.base_prefix}),
        sysconfig.get_path("scripts", scheme=sysconfig.get_preferred_scheme("user")),
    ]
    yield from (Path(path) for path in paths if path)
    scripts = "Scripts" if os.name == "nt" else "bin"
    # pip install --target FOLDER, and --prefix FOLDER, where the package is FOLDER/lib/python3.X/site-packages/saltflat.
    yield package.parent / "bin"
    depth = 2 if os.name == "nt" else 3
    if package.parent.name == "site-packages" and len(package.parents) > depth:
        yield package.parents[depth] / scripts


def run(arguments: Iterable[str | os.PathLike[str]], *, quiet: bool = False) -> str:
    """Runs the program with these arguments and returns what it wrote to stdout.

    What it writes to stderr, such as progress and notes, goes to ``sys.stderr`` as it comes, unless ``quiet`` is true. An interrupt
    (Ctrl-C, or "interrupt the kernel" in a notebook) ends the program, which has half a minute to save, and then raises
    ``KeyboardInterrupt`` here; a second one ends it at once.

    Raises:
        BinaryNotFoundError: It is not there, or cannot be started.
        BadInputError: Exit code 2.
        DivergedError: Exit code 3.
        StoppedError: It was ended by a signal.
        SaltflatError: Any other exit code but 0.

    Example:
        >>> from saltflat.binary import run
        >>> run(["--version"]).startswith("saltflat ")
        True
    """
    command = [str(find_binary()), *(os.fspath(argument) for argument in arguments)]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="replace"
        )
    except OSError as error:
        raise BinaryNotFoundError(f"{command[0]} cannot be started: {error.strerror or error}; expected the program saltflat") from error
    assert process.stdout is not None and process.stderr is not None
    output: list[str] = []
    said: list[str] = []
    readers = [
        threading.Thread(target=_collect, args=(process.stdout, output), daemon=True),
        threading.Thread(target=_listen, args=(process.stderr, said, quiet), daemon=True),
    ]
    try:
        for reader in readers:
            reader.start()
        code = _wait(process)
    except BaseException:
        _end(process)
        raise
    for reader in readers:
        reader.join()
    if code != 0:
        raise _error(code, said)
    return "".join(output)


def _wait(process: subprocess.Popen[str]) -> int:
    """Waits for the end of the program. In steps: a wait without an end, like a read, would miss an interrupt that comes just before it."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=1.0)


def _collect(stream: IO[str], output: list[str]) -> None:
    """Keeps all of stdout."""
    with stream:
        output.append(stream.read())


def _listen(stream: IO[str], said: list[str], quiet: bool) -> None:
    """Passes stderr on, line by line, and keeps it."""
    is_error = False
    with stream:
        for line in stream:
            said.append(line)
            # An error is told by the exception, and all of its lines come last.
            is_error = is_error or line.startswith(ERROR)
            if not (quiet or is_error or sys.stderr is None):
                sys.stderr.write(line)
                sys.stderr.flush()


def _end(process: subprocess.Popen[str]) -> None:
    """Interrupts the program and waits for its end; the second interrupt kills it."""
    try:
        # In a terminal it has had the signal already, and takes two within a second for one.
        if os.name == "posix":
            process.send_signal(signal.SIGINT)
        else:
            process.terminate()
        process.wait(timeout=GRACE)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        process.kill()
        process.wait()


def _error(code: int, said: list[str]) -> SaltflatError:
    """The exception of an exit code, with what the program said."""
    if code in (129, 130, 143) or code < 0:
        number = -code if code < 0 else code - 128
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        return StoppedError(f"the program was ended by {name}" + _tail(said, ": "), code)
    message = _tail(said) or f"the program ended with exit code {code} and said nothing"
    given = os.environ.get(VARIABLE)
    if given and not any(line.startswith(ERROR) for line in said):
        message += f" (said by {given}, which {VARIABLE} names; expected the program saltflat)"
    kinds: dict[int, type[SaltflatError]] = {2: BadInputError, 3: DivergedError}
    return kinds.get(code, SaltflatError)(message, code)


def _tail(said: list[str], before: str = "") -> str:
    """The program's last error with the lines that belong to it, or all that it said if none begins like one."""
    starts = [i for i, line in enumerate(said) if line.startswith(ERROR)]
    lines = said[starts[-1] :] if starts else said
    text = "".join(lines[:MOST_LINES]).strip().removeprefix("saltflat: ").removeprefix("error: ")
    return before + text if text else ""
