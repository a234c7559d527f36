"""CIFAR-10 in its binary distribution: records of a label byte and 3072 pixel bytes, planes R, G, B.

Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009, binary version.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from energysim.data.base import Data, checked_image_shape, checked_labels, chosen
from energysim.data.normalise import KNOWN, Normalisation
from energysim.errors import DataError
from energysim.graph import LayerGraph

__all__ = ["cifar10", "is_cifar10_folder"]

_RECORD = 1 + 3 * 32 * 32
_TEST = "test_batch.bin"


def is_cifar10_folder(folder: Path) -> bool:
    """Return whether a folder is the unpacked distribution."""
    return (folder / _TEST).is_file()


def cifar10(
    path: Path,
    graph: LayerGraph,
    count: int | None,
    most: int | None = None,
    normalisation: Normalisation | None = None,
) -> Data:
    """Return images (N, 3, 32, 32) with their labels.

    Parameters
    ----------
    path : Path
        One file of the distribution, or its folder: then the test images.
    graph : LayerGraph
    count, most : int, optional
        See :func:`energysim.data.base.chosen`.
    normalisation : Normalisation, optional
        By default that of the training images.

    Raises
    ------
    DataError
        The file cannot be read or is cut short, holds labels above 9, or the network does not take
        3x32x32 images of ten classes.
    """
    file = path / _TEST if path.is_dir() else path
    source = file.name
    checked_image_shape(graph, f"CIFAR-10 file {source!r}", (3, 32, 32))
    try:
        size = file.stat().st_size
        if size == 0 or size % _RECORD:
            raise DataError(
                f"{file}: {size} bytes are no whole number of CIFAR-10 records of {_RECORD}: "
                "the file is cut short, or another one"
            )
        records = np.memmap(file, dtype=np.uint8, mode="r", shape=(size // _RECORD, _RECORD))
        used = chosen(len(records), count, source, most)
        part = np.array(records[used])
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from None
    beyond = np.flatnonzero(part[:, 0] > 9)
    if beyond.size:
        at = int(used[beyond[0]])
        raise DataError(f"{file}: label {part[beyond[0], 0]} of record {at} is none of CIFAR-10 (0 to 9)")
    rule = normalisation or KNOWN["cifar10"]
    return Data(
        rule(part[:, 1:].reshape(-1, 3, 32, 32) / 255),
        checked_labels(graph, source, part[:, 0], len(part)),
        f"CIFAR-10 file {source!r}, {len(used)} of {len(records)} images",
        f"pixels divided by 255, {rule}",
    )
