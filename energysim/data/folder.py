"""A folder of images that need no decoder: binary PPM and PGM, and NPY arrays.

Folders inside it are classes, numbered in the order of their names; without any there are no labels.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.data.base import Data, checked_data, checked_image_shape, checked_labels, chosen
from energysim.data.normalise import NONE, Normalisation
from energysim.data.npz import pixels_of
from energysim.errors import DataError
from energysim.graph import LayerGraph
from energysim.npz import ArrayReader

__all__ = ["folder_data", "read_pnm"]

_ACCEPTED = "accepted are binary .ppm (P6) and .pgm (P5) images, and .npy arrays (C, H, W)"
_SUFFIXES = (".npy", ".pgm", ".ppm")
#: Magic, width, height and largest value, with blanks and comments between them.
_HEADER = re.compile(rb"(P[1-7])" + rb"(?:\s|#[^\n]*\n)+(\d{1,9})" * 3 + rb"\s")


def folder_data(
    path: Path,
    graph: LayerGraph,
    count: int | None,
    most: int | None = None,
    normalisation: Normalisation | None = None,
) -> Data:
    """Return the images of a folder in the order of their names.

    Pixels are divided by the largest value their file allows; floating-point NPY arrays are taken as
    they are.

    Raises
    ------
    DataError
        A file of another kind (all accepted ones are named), one that is cut short, an image of the
        wrong size, NaN, or more classes than the network has.
    """
    files, labels, classes = _listed(path)
    used = chosen(len(files), count, str(path), most)
    found: list[NDArray[np.float32]] = []
    ways: dict[str, None] = {}
    for number in used:
        pixels, how = _image(files[number])
        checked_image_shape(graph, str(files[number]), pixels.shape)
        with np.errstate(over="ignore"):  # told below, as infinity
            found.append(pixels.astype(np.float32))
        ways[how] = None
    rule = normalisation or NONE
    named = None
    if classes:
        given = np.array([labels[i] for i in used], dtype=np.int64)
        named = checked_labels(graph, str(path), given, len(used))
    where = f"folder {path.name!r}" + (f" of {len(classes)} classes" if classes else "")
    return checked_data(
        graph,
        Data(
            rule(np.stack(found)),
            named,
            f"{where}, {len(used)} of {len(files)} images",
            f"{' or '.join(ways)}, {rule}",
        ),
    )


def _listed(path: Path) -> tuple[list[Path], list[int], list[str]]:
    """Return files, the class of each, and the names of the classes."""
    with _reader(path).reading():
        entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
        folders = [entry for entry in entries if entry.is_dir()]
        if not folders:
            return _accepted(entries), [0] * len(entries), []
        loose = [entry.name for entry in entries if not entry.is_dir()]
        if loose:
            raise DataError(f"{path}: {loose[0]!r} lies beside folders, so it is of no class")
        files, labels = [], []
        for number, folder in enumerate(folders):
            inside = _accepted(sorted(f for f in folder.iterdir() if not f.name.startswith(".")))
            files += inside
            labels += [number] * len(inside)
    return files, labels, [folder.name for folder in folders]


def _accepted(files: list[Path]) -> list[Path]:
    for file in files:
        if file.suffix.lower() not in _SUFFIXES:
            raise DataError(f"{file}: no image that can be read without other programs; {_ACCEPTED}")
    return files


def _image(file: Path) -> tuple[NDArray[Any], str]:
    """Return an image (C, H, W), and what was done to its pixels."""
    reader = _reader(file)
    if file.suffix.lower() == ".npy":
        return pixels_of(file, reader.single())
    with reader.reading():
        return read_pnm(file), "pixels divided by the largest value of their file"


def _reader(path: Path) -> ArrayReader:
    return ArrayReader(path, "images", DataError, _ACCEPTED)


def read_pnm(file: Path) -> NDArray[np.float64]:
    """Return a binary PPM or PGM image as (C, H, W) numbers from 0 to 1.

    Raises
    ------
    DataError
        If it is another kind of file, or cut short.
    """
    data = file.read_bytes()
    header = _HEADER.match(data)
    if header is None or header[1] not in (b"P5", b"P6"):
        raise DataError(f"{file}: this is no binary PPM or PGM file; {_ACCEPTED}")
    width, height, largest = (int(header[i]) for i in (2, 3, 4))
    if not (width and height and 0 < largest < 65536):
        raise DataError(f"{file}: an image of {width}x{height} pixels up to {largest} makes no sense")
    channels = 3 if header[1] == b"P6" else 1
    kind = np.dtype(np.uint8 if largest < 256 else ">u2")
    needed = width * height * channels * kind.itemsize
    body = data[header.end() :]
    if len(body) < needed:
        raise DataError(f"{file}: the file is cut short: {needed} bytes of pixels needed, {len(body)} there")
    pixels = np.frombuffer(body, dtype=kind, count=width * height * channels)
    if int(pixels.max()) > largest:
        raise DataError(f"{file}: a pixel is {pixels.max()}, the largest value is said to be {largest}")
    return pixels.reshape(height, width, channels).transpose(2, 0, 1).astype(np.float64) / largest
