"""The handwritten digits that scikit-learn ships: 1797 images of 8x8 pixels, 0 to 16 (UCI, 1998).

The split is fixed for ever: the indices 0 to 1796 in the order of the raw 64-bit numbers that the
counter-based generator Philox (key 0) gives them, the first 1077 for training, the next 360 for
validation, the last 360 for testing. Nothing that is chosen or trained may see the test images.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np

from energysim.data.base import Data, IntArray, checked_image_shape, checked_labels, chosen
from energysim.data.normalise import NONE, Normalisation
from energysim.errors import DataError, UsageError, near_miss
from energysim.graph import LayerGraph

__all__ = ["SPLITS", "digits", "digits_split"]

_COUNT = 1797
#: Split -> its place in the shuffled order.
SPLITS = {"train": slice(0, 1077), "validation": slice(1077, 1437), "test": slice(1437, _COUNT)}


def digits_split(split: str) -> IntArray:
    """Return the indices of a split's images, ascending.

    Raises
    ------
    UsageError
        If there is no such split.
    """
    if split not in SPLITS:
        raise UsageError(f"digits have no split {split!r}{near_miss(split, SPLITS)} ({', '.join(SPLITS)})")
    raw = np.random.Philox(key=0).random_raw(_COUNT)
    return np.sort(np.argsort(raw, kind="stable")[SPLITS[split]]).astype(np.int64)


def digits(
    graph: LayerGraph, count: int | None, split: str = "test", normalisation: Normalisation | None = None
) -> Data:
    """Return digits as (N, 1, 8, 8) images of 0 to 1, with their labels.

    Parameters
    ----------
    graph : LayerGraph
    count : int, optional
        By default the whole split.
    split : {"train", "validation", "test"}
    normalisation : Normalisation, optional
        By default none.

    Raises
    ------
    UsageError, DataError
        scikit-learn is missing, there is no such split or not so many images, or the network does
        not take 1x8x8 images of ten classes.
    """
    order = digits_split(split)
    source = f"digits of scikit-learn, {split} split"
    checked_image_shape(graph, source, (1, 8, 8))
    try:
        load = import_module("sklearn.datasets").load_digits
    except ImportError:
        raise UsageError("the digits come with scikit-learn: pip install 'energysim[digits]'") from None
    found = load()
    pixels, labels = np.asarray(found.images), np.asarray(found.target)
    if pixels.shape != (_COUNT, 8, 8) or labels.shape != (_COUNT,):
        raise DataError(f"this scikit-learn has other digits: {pixels.shape} instead of {(_COUNT, 8, 8)}")
    used = order[chosen(len(order), count, source)]
    rule = normalisation or NONE
    return Data(
        rule(pixels[used, None] / 16),
        checked_labels(graph, source, labels[used], len(used)),
        f"{source}, {len(used)} of {len(order)} images",
        f"pixels divided by 16, {rule}",
    )
