"""Images and labels in an ``.npz`` file. Nothing is ever unpickled."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.data.base import Data, checked_data, checked_image_shape, checked_labels, chosen
from energysim.data.normalise import NONE, Normalisation
from energysim.errors import DataError, near_miss
from energysim.graph import LayerGraph
from energysim.graph.shapes import text
from energysim.npz import ArrayReader

__all__ = ["npz_data", "pixels_of"]

_ARRAYS = ("images", "labels")
_ACCEPTED = "accepted are the arrays images (N, C, H, W) and, if there are any, labels (N,)"


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
    arrays = _arrays(ArrayReader(path, "images", DataError, _ACCEPTED), graph)
    images = arrays["images"]
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


def _arrays(reader: ArrayReader, graph: LayerGraph) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file, once it is clear that the network takes such images."""
    with reader.reading(), reader.path.open("rb") as stream:
        start = stream.read(16)
        reader.refuse_others(start)
        if start[:2] != b"PK":
            reader.refuse("this is no .npz file")
        with zipfile.ZipFile(stream) as box:
            headers = reader.headers(box)
            for name in headers:
                if name not in _ARRAYS:
                    reader.refuse(f"unknown array {name!r}{near_miss(name, _ARRAYS)}")
            if "images" not in headers:
                reader.refuse("it has no array 'images'")
            shape = headers["images"].shape
            if len(shape) != 4:
                told = text(shape) or "one number"
                raise DataError(f"{reader.path}: images are an array (N, C, H, W), not {told}")
            checked_image_shape(graph, str(reader.path), shape[1:])
            return {name: reader.array(box, header) for name, header in headers.items()}
