"""Sizes of real tensors: quantised, then measured in the formats activations are stored in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.formats import get_format

__all__ = ["FORMATS", "WIDTHS", "Sizes", "quantised", "sizes_of"]

WIDTHS = (8, 16)
FORMATS = ("dense", "bitmap", "rlc")


@dataclass(frozen=True)
class Sizes:
    """One tensor at one width, over all images.

    Attributes
    ----------
    zeros : int
        Zeros after rounding.
    dense, bitmap, rlc : int
        Bits, values and side information; each image is encoded for itself.
    """

    zeros: int = 0
    dense: int = 0
    bitmap: int = 0
    rlc: int = 0

    def __add__(self, other: Sizes) -> Sizes:
        return Sizes(
            self.zeros + other.zeros,
            self.dense + other.dense,
            self.bitmap + other.bitmap,
            self.rlc + other.rlc,
        )


def quantised(values: NDArray[Any], largest: float, bits: int) -> NDArray[np.int32]:
    """Return values as symmetric integers, ``largest`` as the largest integer, halves to even."""
    top = (1 << (bits - 1)) - 1
    scale = top / largest if largest > 0 else 0.0
    return np.clip(np.rint(values * np.float64(scale)), -top, top).astype(np.int32)


def sizes_of(values: NDArray[Any], largest: float, bits: int) -> Sizes:
    """Return the sizes of a batch (N, ...), image by image.

    Parameters
    ----------
    values : array
        Numbers, or integers that are no wider than ``bits``.
    largest : float
        Magnitude of the largest integer: one for the whole tensor and all images.
    bits : int
    """
    stored = values if values.dtype.kind == "i" else quantised(values, largest, bits)
    total = Sizes()
    for image in stored:
        mask = image != 0
        dense, bitmap, rlc = (get_format(name).size_bits(mask, bits).total_bits for name in FORMATS)
        total += Sizes(int(mask.size - np.count_nonzero(mask)), dense, bitmap, rlc)
    return total
