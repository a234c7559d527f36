"""Cutting, padding and repeating; arrays of any type."""

from __future__ import annotations

import numpy as np

from energysim.graph import DepthToSpace, Expand, Pad, Slice, SpaceToDepth, Take, Tile
from energysim.inference.reference.types import Array, Parameters

__all__ = ["depth_to_space", "expand", "pad", "slice_", "space_to_depth", "take", "tile"]


def slice_(op: Slice, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Keep a range of each axis (a view)."""
    (x,) = inputs
    cuts = [slice(None)] * x.ndim
    for axis, kept in op.ranges(x.shape).items():
        stop = kept.stop if kept.stop >= 0 else None  # -1 is before the first element, not the last
        cuts[axis] = slice(kept.start, stop, kept.step)
    return (x[tuple(cuts)],)


def take(op: Take, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Pick elements of an axis by constant indices."""
    return (inputs[0].take(op.indices, axis=op.axis),)


def pad(op: Pad, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Crop where numbers are negative, then put elements around."""
    (x,) = inputs
    cuts = tuple(
        slice(max(0, -before), size - max(0, -after))
        for size, before, after in zip(x.shape, op.before, op.after, strict=True)
    )
    x = x[cuts]
    widths = [(max(0, before), max(0, after)) for before, after in zip(op.before, op.after, strict=True)]
    if op.mode == "constant":
        return (np.pad(x, widths, constant_values=op.value),)
    return (np.pad(x, widths, mode=op.mode),)


def tile(op: Tile, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Repeat the whole array along each axis."""
    return (np.tile(inputs[0], op.repeats),)


def expand(op: Expand, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Repeat axes of length 1."""
    (x,) = inputs
    return (np.broadcast_to(x, (len(x), *op.shape)).copy(),)


def depth_to_space(op: DepthToSpace, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Channels to squares of pixels: ``out[c, b*y + i, b*x + j]`` from channel (i*b + j)*C' + c (DCR)
    or c*b*b + i*b + j (CRD) at (y, x)."""
    (x,) = inputs
    n, c, h, w = x.shape
    b = op.block
    if op.mode == "DCR":
        table = x.reshape(n, b, b, c // b**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        table = x.reshape(n, c // b**2, b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
    return (table.reshape(n, c // b**2, h * b, w * b),)


def space_to_depth(op: SpaceToDepth, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Squares of pixels to channels: the inverse of depth to space, mode DCR."""
    (x,) = inputs
    n, c, h, w = x.shape
    b = op.block
    table = x.reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4)
    return (table.reshape(n, c * b**2, h // b, w // b),)
