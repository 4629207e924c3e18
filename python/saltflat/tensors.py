"""The `tensors` file: what samples of a dataset become, and how they are written.

A safetensors file with ``inputs`` ``[n, d]`` or ``[n, channels, height, width]`` (F32, or U8 for images of 8 bits, of which 255 stands for 1)
and ``labels`` ``[n]`` (I64) or ``targets`` ``[n, outputs]`` (F32); the test split has the same names with ``test_`` before them.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import BadInputError
from .files import to_path, writing

#: Labels are below this: a class is an output of a network.
MOST_CLASSES = 1 << 24


@dataclass
class Split:
    """The samples of one split.

    Attributes:
        inputs: ``[n, …]`` of two to four axes, float32 or uint8; in a file two, or four.
        targets: Labels ``[n]`` in int64, or real targets ``[n, outputs]`` in float32.
    """

    inputs: np.ndarray
    targets: np.ndarray

    @property
    def has_labels(self) -> bool:
        """True for classes, false for real targets."""
        return self.targets.dtype == np.int64

    def check(self, inputs: str, targets: str) -> Split:
        """Refuses numbers that are not finite and labels that are no classes; the names are those of both parts in messages."""
        if len(self.inputs) == 0:
            raise BadInputError(f"{inputs}: has no samples, expected at least one")
        for name, array in ((inputs, self.inputs), (targets, self.targets)):
            if array.dtype == np.float32 and not np.isfinite(array).all():
                index = np.argwhere(~np.isfinite(array))[0]
                raise BadInputError(
                    f"{name}[{index[0]}]: has {array[tuple(index)]} at {index[1:].tolist()}, expected finite numbers in the range of float32"
                )
        if self.has_labels:
            wrong = np.flatnonzero((self.targets < 0) | (self.targets >= MOST_CLASSES))
            if wrong.size:
                raise BadInputError(
                    f"{targets}[{wrong[0]}]: is {self.targets[wrong[0]]}, expected a class 0, 1, 2, …; leave samples out that have no class "
                    "(there is no ignore_index)"
                )
        return self


def to_array(value: Any, where: str) -> np.ndarray:
    """A tensor (of any device, without its gradient), a PIL image, an array, a number or a list as an array; messages call it ``where``."""
    layout = str(getattr(value, "layout", "torch.strided"))
    if layout != "torch.strided":
        raise BadInputError(f"{where}: is a tensor of the layout {layout}, expected torch.strided; use .to_dense()")
    if str(getattr(value, "device", "")) == "meta":
        raise BadInputError(f"{where}: is on the meta device and has no values, expected a tensor on the CPU or a GPU")
    try:
        if hasattr(value, "detach"):
            value = value.detach().cpu()
            if str(value.dtype) == "torch.bfloat16":
                value = value.float()
            value = value.resolve_conj().resolve_neg().numpy() if hasattr(value, "resolve_conj") else value.numpy()
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        first = str(error).partition("\n")[0]
        raise BadInputError(
            f"{where}: is a {type(value).__name__} that does not become an array ({first}), expected a tensor, an array, or numbers in lists "
            "of equal lengths"
        ) from error


def is_image(value: Any) -> bool:
    """True for an image of PIL."""
    return hasattr(value, "getbands") and hasattr(value, "mode")


def to_input(value: Any, where: str) -> np.ndarray:
    """One input of one to three axes, float32 or uint8; an image of PIL has its channels first."""
    if is_image(value):
        if value.mode not in ("L", "RGB", "RGBA"):
            raise BadInputError(f'{where}: is an image of mode {value.mode}, expected L, RGB or RGBA; use image.convert("RGB")')
        array = np.asarray(value)
        return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))
    array = to_number(to_array(value, where), where)
    if array.ndim == 0:
        return array.reshape(1)
    check_axes(array.shape, where)
    return array


def to_number(array: np.ndarray, where: str) -> np.ndarray:
    """An array of inputs as float32 or uint8."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return array.astype(np.float32)
    if array.dtype.kind in "iu":
        raise BadInputError(f"{where}: has numbers of type {array.dtype}, expected floating-point numbers or uint8; convert it with .float()")
    raise BadInputError(
        f"{where}: is {array.dtype}, expected a tensor, an array or an image of floating-point numbers or uint8; give the dataset a transform "
        "that makes one"
    )


def check_axes(shape: tuple[int, ...], where: str) -> None:
    """Refuses shapes of one input that no network takes."""
    if len(shape) not in (1, 2, 3):
        raise BadInputError(f"{where}: has the shape {list(shape)}, expected [d], [height, width] or [channels, height, width]")
    if 0 in shape:
        raise BadInputError(f"{where}: has the shape {list(shape)}, expected no axis of length 0")
    if len(shape) == 3 and shape[2] in (1, 3, 4) and shape[0] > 4 and shape[1] > 4:
        raise BadInputError(
            f"{where}: has the shape {list(shape)}, which seems to be [height, width, channels]; expected [channels, height, width]: "
            "use .permute(2, 0, 1), or .transpose(2, 0, 1) of an array"
        )


def to_target(value: Any, where: str) -> int | np.ndarray:
    """One target: a label, or the real targets ``[outputs]`` in float32."""
    array = to_array(value, where)
    if array.dtype.kind in "iub" and array.size == 1 and array.ndim <= 1:
        return int(array.reshape(()))
    if array.dtype.kind == "f" and array.ndim <= 1 and array.size > 0:
        with np.errstate(over="ignore"):
            return array.astype(np.float32).reshape(-1)
    what = f"{array.dtype} of shape {list(array.shape)}" if array.dtype.kind in "iubf" else repr(value)[:60]
    raise BadInputError(f"{where}: is {what}, expected a class as an integer, or a number or vector of floating-point numbers")


def write(path: str | os.PathLike[str], train: Split, test: Split | None) -> Path:
    """Writes the file; it is whole or absent."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    tensors = {}
    for prefix, split in (("", train), ("test_", test)):
        if split is not None:
            tensors[f"{prefix}inputs"] = np.ascontiguousarray(split.inputs)
            tensors[f"{prefix}{'labels' if split.has_labels else 'targets'}"] = np.ascontiguousarray(split.targets)
    path = to_path("path", path)
    if path.is_dir():
        raise BadInputError(f"{path}: is a folder, expected the path of the file to write, such as {path / 'data.safetensors'}")
    with writing(f"{path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    try:
        with writing(f"{path}"):
            save_file(tensors, temporary)
            # mkstemp makes files that only their owner may read.
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)
            os.replace(temporary, path)
    except SafetensorError as error:
        raise BadInputError(f"{path}: cannot be written: {error}") from error
    finally:
        # It is there no more if all went well.
        Path(temporary).unlink(missing_ok=True)
    return path
