"""What a path is: one way to run one convolution on the flat layout.

A path packs its weights when it is made. ``bind`` fixes it to buffers and returns plain functions
without arguments; a run of the plan only calls them, so nothing is looked up or allocated then.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from energysim.inference.fast.geometry import Convolution
from energysim.inference.fast.layout import SLACK, AnyArray, Array
from energysim.kernels import IntArray

__all__ = ["Buffers", "Call", "Path", "Share", "Walk", "epilogue"]

Call = Callable[[], object]


@dataclass(frozen=True)
class Share:
    """Which part of the work one of several workers does."""

    worker: int = 0
    workers: int = 1

    def of(self, count: int) -> range:
        """Return this worker's share of ``count`` equal units."""
        return range(count * self.worker // self.workers, count * (self.worker + 1) // self.workers)


@dataclass(frozen=True, eq=False)
class Buffers:
    """What a path is bound to.

    Attributes
    ----------
    source : float32 array (N, C, S)
    target : float32 array (N, M, S')
    residual : float32 array (N, M, S') or None
        Added before the activation.
    space : float32 array
        At least ``Path.scratch`` floats, this worker's own.
    share : Share
    """

    source: Array
    target: Array
    residual: Array | None
    space: Array
    share: Share = Share()


@dataclass(frozen=True, eq=False)
class Walk:
    """One index table as the loop walks it: these filters, each with these rows.

    Attributes
    ----------
    filters, channels, taps : int64 arrays
        Filters on weight axis 0; rows (channel of the map, tap) each of them multiplies.
    columns : int
        Output positions of one image the product computes, those between the rows included.
    lanes : int
        Filters it computes, those that only fill up a block included.
    """

    filters: IntArray
    channels: IntArray
    taps: IntArray
    columns: int
    lanes: int

    def macs(self, pixels: int) -> int:
        """Return the multiply-adds over ``pixels`` valid outputs."""
        return len(self.filters) * len(self.taps) * pixels

    def overhead(self, pixels: int) -> int:
        """Return the multiply-adds whose results are thrown away: between the rows and in tails."""
        return self.lanes * len(self.taps) * self.columns - self.macs(pixels)


class Path(ABC):
    """One way to run one convolution; see the module.

    Attributes
    ----------
    name : str
    transform : bool
        Whether it multiplies in a transformed domain, so that its MACs are not those of the layer.
    """

    name: ClassVar[str]
    transform: ClassVar[bool] = False

    def __init__(self, conv: Convolution) -> None:
        self.conv = conv

    @classmethod
    @abstractmethod
    def fits(cls, conv: Convolution) -> bool:
        """Return whether this path can run a convolution."""

    @property
    @abstractmethod
    def packed(self) -> tuple[AnyArray, ...]:
        """The arrays the path holds besides the graph's weights."""

    @property
    @abstractmethod
    def scratch(self) -> int:
        """Floats of scratch each worker needs."""

    @abstractmethod
    def bind(self, to: Buffers) -> list[Call]:
        """Return the functions that run this worker's share, in order."""

    def walks(self) -> tuple[Walk, ...]:
        """Return the index tables the loop walks; empty if the path has none."""
        return ()

    @property
    def operand_floats(self) -> int:
        """Floats of scratch for one image's operand, vector loads past its end included."""
        size = self.conv.operand.size
        return size + SLACK if size else 0

    def operands(self, to: Buffers) -> list[tuple[list[Call], Array]]:
        """Return for each image the functions that lay out its operand, and the operand (flat)."""
        found: list[tuple[list[Call], Array]] = []
        for image in to.source:
            load = self.conv.operand.loader(self.conv.geometry, image, to.space)
            found.append(([], image.reshape(-1)) if load is None else ([load], to.space))
        return found


def epilogue(conv: Convolution, out: Array, bias: Array | None, residual: Array | None) -> list[Call]:
    """Return the functions that add bias and residual to a block of outputs and clamp it."""
    calls: list[Call] = []
    if bias is not None:
        calls.append(partial(np.add, out, bias, out))
    if residual is not None:
        calls.append(partial(np.add, out, residual, out))
    if conv.low > -np.inf:
        calls.append(partial(np.maximum, out, np.float32(conv.low), out=out))
    if conv.high < np.inf:
        calls.append(partial(np.minimum, out, np.float32(conv.high), out=out))
    return calls
