"""Images and labels in an ``.npz`` file. Nothing is ever unpickled."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from energysim.data.base import Data, checked_data, checked_image_shape, checked_labels, chosen
from energysim.data.normalise import NONE, Normalisation
from energysim.errors import DataError, near_miss
from energysim.graph import LayerGraph
from energysim.graph.shapes import product, text

__all__ = ["npz_data", "pixels_of", "read_npy", "reading"]

_ARRAYS = ("images", "labels")
#: What broken files make NumPy and zipfile raise (NotImplementedError: an unknown compression).
_BROKEN = (
    *(ValueError, EOFError, KeyError, MemoryError, NotImplementedError, OverflowError, RecursionError),
    *(RuntimeError, SyntaxError, TypeError, Warning, zipfile.BadZipFile, zlib.error),
)


def npz_data(
    path: Path,
    graph: LayerGraph,
    count: int | None,
    most: int | None = None,
    normalisation: Normalisation | None = None,
) -> Data:
    """Return the arrays ``images`` (N, C, H, W) and, if there, ``labels`` (N,) of a file.

    Bytes are divided by 255; floating-point numbers are taken as they are.

    Raises
    ------
    DataError
        The file cannot be read, is a pickle or holds one, is cut short; or images or labels do not
        fit the network, or hold NaN.
    """
    with reading(path):
        with path.open("rb") as stream:
            start = stream.read(8)
        _refuse_others(path, start)
        with zipfile.ZipFile(path) as box:
            arrays = {name: _member(path, box, member) for name, member in _members(path, box).items()}
    images = arrays["images"]
    if images.ndim != 4:
        raise DataError(f"{path}: images are an array (N, C, H, W), not {text(images.shape) or 'one number'}")
    checked_image_shape(graph, str(path), images.shape[1:])
    used = chosen(len(images), count, str(path), most)
    labels = None
    if "labels" in arrays:
        labels = checked_labels(graph, str(path), arrays["labels"], len(images))[used]
    pixels, how = pixels_of(path, images[used])
    rule = normalisation or NONE
    source = f"file {path.name!r}, {len(used)} of {len(images)} images"
    return checked_data(graph, Data(rule(pixels), labels, source, f"{how}, {rule}"))


def pixels_of(path: Path, images: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """Return images as floating-point numbers, and what was done; raise DataError for other types."""
    if images.dtype == np.uint8:
        return images / 255, "bytes divided by 255"
    if images.dtype.kind == "f":
        return images, "numbers as they are in the file"
    raise DataError(f"{path}: images are floating-point numbers or bytes (uint8), not {images.dtype}")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a broken file makes the readers raise into one message."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except _BROKEN as error:
        what = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise DataError(f"{path}: the file is damaged or cut short ({what})") from None


def read_npy(path: Path, stream: Any, size: int, name: str) -> NDArray[Any]:
    """Return the array of an open ``.npy`` of so many bytes; its header is checked before it is read."""
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{path}: {name} has the array format {version}, readable are 1.0 and 2.0")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.hasobject:
        raise DataError(f"{path}: {name} is a pickle, which could run any program: it is not opened")
    length = product(shape) * dtype.itemsize
    if length > size:
        raise DataError(f"{path}: {name} is cut short: {length} bytes are announced, {size} are there")
    data = stream.read(length)
    if len(data) != length:
        raise DataError(f"{path}: {name} is cut short")
    found = np.frombuffer(data, dtype=dtype)
    return found.reshape(shape[::-1]).T if fortran else found.reshape(shape)


def _refuse_others(path: Path, start: bytes) -> None:
    if not start:
        raise DataError(f"{path}: the file is empty")
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise DataError(f"{path}: this is a pickle, which could run any program: it is not opened")
    if start[:2] != b"PK":
        raise DataError(f"{path}: this is no .npz file (arrays images and, if there are any, labels)")


def _members(path: Path, box: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the members of the two arrays by name."""
    found = {info.filename.removesuffix(".npy"): info for info in box.infolist()}
    for name in found:
        if name not in _ARRAYS:
            raise DataError(f"{path}: unknown array {name!r}{near_miss(name, _ARRAYS)} (images, labels)")
    if "images" not in found:
        raise DataError(f"{path}: it has no array 'images'")
    return found


def _member(path: Path, box: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with box.open(member) as stream:
        return read_npy(path, stream, member.file_size, repr(member.filename.removesuffix(".npy")))
