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
    step = min(max(1, _BLOCK // (source.shape[2] * source.shape[3])), max(1, len(channels)))
    rows = np.full((step, out.shape[2], _line(op, source.shape[3], out.shape[3])), -np.inf, np.float32)
    space = rows, np.empty_like(rows)
    for image in range(len(out)):
        for first in range(channels.start, channels.stop, step):
            own = slice(first, min(first + step, channels.stop))
            calls += _maximum(op, source[image, own], out[image, own], space)
    return calls


def _span(outputs: int, size: int, stride: int, shift: int) -> tuple[slice, slice] | None:
    """Outputs o and inputs ``o*stride + shift`` that lie inside ``size``, as slices."""
    first = max(0, -(shift // stride))
    last = min(outputs, (size - 1 - shift) // stride + 1)
    if first >= last:
        return None
    start = first * stride + shift
    return slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride)


def _line(op: Pool2d, width: int, outputs: int) -> int:
    """Floats of a padded row."""
    return max(op.padding[2] + width, (outputs - 1) * op.stride[1] + (op.window[1] - 1) * op.dilation[1] + 1)


def _maximum(op: Pool2d, source: Array, out: Array, space: tuple[Array, Array]) -> list[Call]:
    """The maximum of windows of (C, H, W): over rows, then over columns.

    Columns are compared in whole runs of memory, which suits vector units, also where the stride
    then skips results. ``space`` is twice (C, outputs, line), the first -inf beside the pixels, so
    that padding never wins.
    """
    rows, found = (part[: len(out)] for part in space)
    left, step, apart = op.padding[2], op.stride[1], op.dilation[1]
    calls = _tallest(op, source, rows[:, :, left : left + source.shape[2]])
    if op.window[1] > 1:
        length = rows.size - (op.window[1] - 1) * apart
        run, largest = rows.reshape(-1), found.reshape(-1)[:length]
        parts = [run[s * apart : s * apart + length] for s in range(op.window[1])]
        calls.append(partial(np.maximum, parts[0], parts[1], out=largest))
        calls += [partial(np.maximum, largest, part, out=largest) for part in parts[2:]]
    kept = rows if op.window[1] == 1 else found
    return [*calls, partial(np.copyto, out, kept[:, :, : (out.shape[2] - 1) * step + 1 : step])]


def _tallest(op: Pool2d, source: Array, out: Array) -> list[Call]:
    """The maximum over the rows of a window: (C, H, W) into (C, outputs, W)."""
    parts = []
    for tap in range(op.window[0]):
        shift = tap * op.dilation[0] - op.padding[0]
        found = _span(out.shape[1], source.shape[1], op.stride[0], shift)
        if found is not None:
            parts.append((out[:, found[0]], source[:, found[1]]))
    parts.sort(key=lambda part: -part[0].shape[1])
    whole = [taken for place, taken in parts if place.shape == out.shape]
    calls: list[Call] = []
    if len(whole) > 1:
        calls.append(partial(np.maximum, whole[0], whole[1], out=out))
    elif whole:
        calls.append(partial(np.copyto, out, whole[0]))
    else:
        calls.append(partial(np.copyto, out, np.float32(-np.inf)))
    return calls + [
        partial(np.maximum, place, taken, out=place) for place, taken in parts[min(2, len(whole)) :]
    ]


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
