"""Pooling on padded maps.

A maximum over a window is a maximum over rows, then over columns. An average over a window is a sum
over taps, divided by how many of them count.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from energysim.graph import Pool2d
from energysim.inference.fast.layout import Array
from energysim.inference.fast.path import Call, Share
from energysim.inference.fast.stages import Stage
from energysim.inference.fast.storage import Storage

__all__ = ["average_all", "pool"]

#: Floats of a block of channels that stays in the second-level cache.
_BLOCK = 1 << 16


def average_all(stage: Stage, store: Storage, share: Share) -> list[Call]:
    """The mean of whole maps: padding is zero, so whole rows of memory are summed."""
    source, out = store.planes_of(stage.inputs[0]), store.array(stage.last.outputs[0])
    plane = store.plane(stage.inputs[0])
    own = share.of(out.shape[1])
    rows = source[:, own.start : own.stop, plane.head : plane.end]
    target = out[:, own.start : own.stop, 0, 0]
    count = np.float32(plane.height * plane.width)

    def run() -> None:
        np.add.reduce(rows, axis=2, out=target)
        np.divide(target, count, out=target)

    return [run] if own else []


def pool(stage: Stage, store: Storage, share: Share, compiled: bool) -> list[Call] | None:
    """Return the functions of a pooling by windows; None if the reference has to run it."""
    op = stage.node.op
    assert isinstance(op, Pool2d)
    source, out = store.array(stage.inputs[0]), store.array(stage.last.outputs[0])
    channels = share.of(out.shape[1])
    if op.mode == "average":
        return _average(op, source, out, channels)
    if compiled:
        return _compiled(op, stage, store, channels)
    calls: list[Call] = []
    step = max(1, _BLOCK // (source.shape[2] * source.shape[3]))
    for image in range(len(out)):
        for first in range(channels.start, channels.stop, step):
            own = slice(first, min(first + step, channels.stop))
            calls.append(partial(_maximum, op, source[image, own], out[image, own]))
    return calls


def _span(outputs: int, size: int, stride: int, shift: int) -> tuple[slice, slice] | None:
    """Outputs o and inputs ``o*stride + shift`` that lie inside ``size``, as slices."""
    first = max(0, -(shift // stride))
    last = min(outputs, (size - 1 - shift) // stride + 1)
    if first >= last:
        return None
    start = first * stride + shift
    return slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride)


def _maximum(op: Pool2d, source: Array, out: Array) -> None:
    rows = np.empty((*out.shape[:2], source.shape[2]), dtype=np.float32)
    _largest(rows, source, 1, op, 0)
    _largest(out, rows, 2, op, 1)


def _largest(out: Array, source: Array, axis: int, op: Pool2d, side: int) -> None:
    """The maximum over the taps of one side of the window, along one axis of (C, H, W)."""
    parts = []
    for tap in range(op.window[side]):
        shift = tap * op.dilation[side] - op.padding[2 * side]
        found = _span(out.shape[axis], source.shape[axis], op.stride[side], shift)
        if found is not None:
            target, taken = ((slice(None),) * axis + (part,) for part in found)
            parts.append((target, out[target], source[taken]))
    whole = [part for part in parts if part[1].shape == out.shape]
    if len(whole) > 1:
        np.maximum(whole[0][2], whole[1][2], out=out)
    elif whole:
        np.copyto(out, whole[0][2])
    else:
        out[...] = -np.inf
    for part in parts:
        if not any(part is done for done in whole[:2]):
            np.maximum(part[1], part[2], out=part[1])


def _average(op: Pool2d, source: Array, out: Array, channels: range) -> list[Call] | None:
    """Sum over taps; only where every window counts alike or padding does not count."""
    if op.ceil_mode and any(op.padding):
        return None
    rows, cols = out.shape[2:]
    counts = np.zeros((rows, cols), dtype=np.float32)
    pairs = []
    own = slice(channels.start, channels.stop)
    for r in range(op.window[0]):
        for s in range(op.window[1]):
            high = _span(rows, source.shape[2], op.stride[0], r * op.dilation[0] - op.padding[0])
            wide = _span(cols, source.shape[3], op.stride[1], s * op.dilation[1] - op.padding[2])
            if high is not None and wide is not None:
                pairs.append((out[:, own, high[0], wide[0]], source[:, own, high[1], wide[1]]))
                counts[high[0], wide[0]] += 1
    if op.count_include_pad and any(op.padding):
        counts[...] = op.window[0] * op.window[1]
    np.maximum(counts, 1, out=counts)
    target = out[:, own]

    def run() -> None:
        target[...] = 0
        for place, taken in pairs:
            np.add(place, taken, out=place)
        np.divide(target, counts, out=target)

    return [run] if channels else []


def _compiled(op: Pool2d, stage: Stage, store: Storage, channels: range) -> list[Call]:
    from energysim.inference.fast.kernels import pool_max

    source, out = store.planes_of(stage.inputs[0]), store.planes_of(stage.last.outputs[0])
    taken, made = store.plane(stage.inputs[0]), store.plane(stage.last.outputs[0])
    calls: list[Call] = []
    for image in range(len(out)):
        arguments = (
            source[image].reshape(-1)[taken.head :],
            out[image].reshape(-1)[made.head :],
            *(channels.start, channels.stop, taken.stride, made.stride),
            (taken.height, taken.width, taken.pitch),
            (made.height, made.width, made.pitch),
            *(op.window, op.stride, op.dilation, (op.padding[0], op.padding[2])),
        )
        calls.append(partial(pool_max, *arguments))
    return calls
