"""The memory layout of the fast plan: flat padded channel planes with shared zero columns.

A map (N, C, H, W) lies in a buffer (N, C, S). Pixel (y, x) of channel c stands at
``head + y*pitch + x`` of its plane, with ``pitch = W + gap``: the ``gap`` zero columns behind a
row are also the left padding of the next one, the zeros before ``head`` and behind the last row
are the padding above and below. A tap of a convolution is then one constant offset, and all
windows of all rows form one run of memory: a matrix that BLAS takes without a copy.

Planes are an odd number of cache lines apart (S = 16 * odd floats): with a power of two the rows
of such a matrix fall on the same cache sets.

The layout depends on H and W only, the largest padding of all readers of maps of that size:
so additions, concatenations and splits work on whole planes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from energysim.graph import Conv2d, LayerGraph
from energysim.graph.shapes import Pads

__all__ = ["LINE", "SLACK", "AnyArray", "Array", "Plane", "planes", "stride_of", "window", "zeros"]

Array = NDArray[np.float32]
#: Tables and other arrays.
AnyArray = NDArray[Any]
#: Floats of a cache line.
LINE = 16
#: Floats kept free behind all buffers, where vector loads may run over.
SLACK = 256


def zeros(*shape: int) -> Array:
    """Return an array of zeros behind which vector loads may run over."""
    count = math.prod(shape)
    return np.zeros(count + SLACK, dtype=np.float32)[:count].reshape(shape)


def stride_of(floats: int) -> int:
    """Return the smallest odd number of cache lines that holds so many floats, in floats."""
    lines = -(-floats // LINE)
    return LINE * (lines + 1 - lines % 2)


@dataclass(frozen=True)
class Plane:
    """Where the pixels of one channel of an H x W map lie.

    Attributes
    ----------
    height, width : int
    pads : (int, int, int, int)
        Zeros available at the top, bottom, left and right.
    """

    height: int
    width: int
    pads: Pads = (0, 0, 0, 0)

    @property
    def gap(self) -> int:
        """Zero columns between two rows."""
        return max(self.pads[2], self.pads[3])

    @property
    def pitch(self) -> int:
        """Floats from a row to the next."""
        return self.width + self.gap

    @property
    def head(self) -> int:
        """Floats before the first pixel."""
        return -(-(self.pads[0] * self.pitch + self.gap) // LINE) * LINE

    @property
    def end(self) -> int:
        """Floats up to the end of the last row, its gap included."""
        return self.head + self.height * self.pitch

    @property
    def stride(self) -> int:
        """S: floats from a channel to the next."""
        return stride_of(self.end + self.pads[1] * self.pitch + self.gap)

    def pixels(self, planes: Array) -> Array:
        """Return the (..., C, H, W) view of the pixels of planes (..., C, S)."""
        rows = planes[..., self.head : self.end]
        return rows.reshape(*rows.shape[:-1], self.height, self.pitch)[..., : self.width]

    def clear_borders(self, planes: Array) -> None:
        """Zero everything but the rows of planes (..., C, S)."""
        planes[..., : self.head] = 0
        planes[..., self.end :] = 0

    def clear_gaps(self, planes: Array) -> None:
        """Zero the columns between the rows of planes (..., C, S)."""
        if self.gap:
            rows = planes[..., self.head : self.end]
            rows.reshape(*rows.shape[:-1], self.height, self.pitch)[..., self.width :] = 0


def planes(graph: LayerGraph) -> dict[tuple[int, int], Plane]:
    """Return the plane of every map size (H, W) in a graph.

    It has room for the padding of all convolutions that read such maps. The gap also takes the
    columns that a convolution with a stride, or without padding, computes beyond its last one,
    so that every convolution writes its output where it stays.
    """
    pads: dict[tuple[int, int], list[int]] = {}
    for tensor in graph.tensors.values():
        if len(tensor.shape) == 4:
            pads.setdefault((tensor.shape[2], tensor.shape[3]), [0, 0, 0, 0])
    for node in graph.nodes:
        if isinstance(node.op, Conv2d):
            source, target = (graph.tensors[t].shape[2:] for t in (*node.inputs, *node.outputs))
            known = pads[source[0], source[1]]
            known[:] = [max(a, b) for a, b in zip(known, node.op.padding, strict=True)]
            if source != target or node.op.stride != (1, 1):
                beyond = (node.op.window[1] - 1) * node.op.dilation[1] // node.op.stride[1]
                known = pads[target[0], target[1]]
                known[3] = max(known[3], beyond)
    return {size: Plane(*size, (p[0], p[1], p[2], p[3])) for size, p in pads.items()}


def window(flat: Array, start: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """Return a strided view of a flat array that begins at ``start``; strides in floats."""
    last = start + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if start < 0 or last >= flat.size:
        raise IndexError(f"a view of {start} to {last} leaves an array of {flat.size}")
    return as_strided(flat[start:], shape, tuple(flat.itemsize * s for s in strides))
