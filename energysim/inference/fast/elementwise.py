"""Everything but convolutions, on the flat layout; what has no form here runs by the reference.

Sums and clamps work on whole planes, padding included: zeros stay zeros. A shift does not, so
borders and gaps are cleared again behind a batch norm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from energysim.graph import (
    AdaptivePool2d,
    Add,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Flatten,
    Linear,
    Node,
    Pool2d,
    Split,
)
from energysim.inference.fast.layout import AnyArray, Array
from energysim.inference.fast.path import Call, Share
from energysim.inference.fast.pooling import average_all, pool
from energysim.inference.fast.stages import Stage
from energysim.inference.fast.storage import Storage
from energysim.inference.reference import run_operator

__all__ = ["Weights", "bind", "scale_and_shift"]

Weights = Mapping[str, Array]
Binder = Callable[[Stage, Storage, Weights, Share, bool], "list[Call] | None"]


def scale_and_shift(weights: Weights, norm: Node) -> tuple[AnyArray, AnyArray]:
    """Return what a batch norm multiplies by and adds, per channel, in float64."""
    assert isinstance(norm.op, BatchNorm)
    mean, variance = (weights[f"{norm.name}.running_{s}"].astype(np.float64) for s in ("mean", "var"))
    scale = 1 / np.sqrt(variance + norm.op.epsilon)
    if f"{norm.name}.weight" in weights:
        scale = scale * weights[f"{norm.name}.weight"]
    shift = -mean * scale
    if f"{norm.name}.bias" in weights:
        shift = shift + weights[f"{norm.name}.bias"]
    return scale, shift


def clamp(stage: Stage, out: Array) -> list[Call]:
    """Return the functions that apply a stage's activation in place."""
    calls: list[Call] = []
    if stage.low > -np.inf:
        calls.append(partial(np.maximum, out, np.float32(stage.low), out=out))
    if stage.high < np.inf:
        calls.append(partial(np.minimum, out, np.float32(stage.high), out=out))
    return calls


def _add(stage: Stage, store: Storage, weights: Weights, share: Share, compiled: bool) -> list[Call] | None:
    shapes = {store.graph.tensors[t].shape for t in (*stage.inputs, *stage.last.outputs)}
    if len(shapes) > 1:
        return None
    is_map = store.is_map(stage.inputs[0])
    read = store.planes_of if is_map else store.array
    arrays = [read(t) for t in stage.inputs]
    out = read(stage.last.outputs[0])
    calls: list[Call] = []
    own = share.of(out.shape[1])
    for image in range(len(out)):
        parts = [a[image, own.start : own.stop] for a in arrays]
        target = out[image, own.start : own.stop]
        calls.append(partial(np.add, parts[0], parts[1], target))
        calls += [partial(np.add, target, part, target) for part in parts[2:]]
        calls += clamp(stage, target)
    return calls


def _norm(stage: Stage, store: Storage, weights: Weights, share: Share, compiled: bool) -> list[Call] | None:
    tensor = stage.inputs[0]
    if not store.is_map(tensor):
        return None
    scale, shift = (v.astype(np.float32)[:, None] for v in scale_and_shift(weights, stage.node))
    plane, source, out = store.plane(tensor), store.planes_of(tensor), store.planes_of(stage.last.outputs[0])
    calls: list[Call] = []
    step = max(1, (1 << 16) // plane.stride)
    channels = share.of(out.shape[1])
    for image in range(len(out)):
        for first in range(channels.start, channels.stop, step):
            own = slice(first, min(first + step, channels.stop))
            target = out[image, own, plane.head : plane.end]
            calls.append(partial(np.multiply, source[image, own, plane.head : plane.end], scale[own], target))
            calls.append(partial(np.add, target, shift[own], target))
            calls += clamp(stage, target)
    calls.append(partial(plane.clear_gaps, out[:, channels.start : channels.stop]))
    return calls


def _concat(
    stage: Stage, store: Storage, weights: Weights, share: Share, compiled: bool
) -> list[Call] | None:
    output = stage.last.outputs[0]
    if not store.is_map(output) or stage.node.op.axis not in (1, -3):  # type: ignore[attr-defined]
        return None
    out, calls, channel = store.planes_of(output), [], 0
    for tensor in stage.inputs:
        part = store.planes_of(tensor)
        place = out[:, channel : channel + part.shape[1]]
        if part.ctypes.data != place.ctypes.data and share.worker == 0:
            calls.append(partial(np.copyto, place, part))
        channel += part.shape[1]
    return list(calls)


def _split(stage: Stage, store: Storage, weights: Weights, share: Share, compiled: bool) -> list[Call] | None:
    views = all(store.same_memory(stage.inputs[0], t) for t in stage.last.outputs)
    return [] if views and store.is_map(stage.inputs[0]) else None


def _shuffle(
    stage: Stage, store: Storage, weights: Weights, share: Share, compiled: bool
) -> list[Call] | None:
    source, out = store.planes_of(stage.inputs[0]), store.planes_of(stage.last.outputs[0])
    groups = stage.node.op.groups  # type: ignore[attr-defined]
    calls: list[Call] = []
    for image in range(len(out)) if share.worker == 0 else ():
        taken = source[image].reshape(groups, -1, source.shape[2])
        place = out[image].reshape(-1, groups, out.shape[2])
        calls.append(partial(np.copyto, place, taken.transpose(1, 0, 2)))
    return calls


def _flatten(
    stage: Stage, store: Storage, weights: Weights, share: Share, compiled: bool
) -> list[Call] | None:
    if stage.node.op.start != 1 or not store.is_map(stage.inputs[0]):  # type: ignore[attr-defined]
        return None
    source, out = store.array(stage.inputs[0]), store.array(stage.last.outputs[0])
    return [partial(np.copyto, out.reshape(source.shape), source)] if share.worker == 0 else []


def _linear(
    stage: Stage, store: Storage, weights: Weights, share: Share, compiled: bool
) -> list[Call] | None:
    x, out = store.array(stage.inputs[0]), store.array(stage.last.outputs[0])
    weight = weights[f"{stage.node.name}.weight"]
    own = share.of(len(weight))
    if not own:
        return []
    part = slice(own.start, own.stop)
    target = out.reshape(-1, len(weight))[:, part]
    calls: list[Call] = [partial(np.matmul, x.reshape(-1, weight.shape[1]), weight[part].T, target)]
    if f"{stage.node.name}.bias" in weights:
        calls.append(partial(np.add, target, weights[f"{stage.node.name}.bias"][part], target))
    return calls + clamp(stage, target)


def _pool(stage: Stage, store: Storage, weights: Weights, share: Share, compiled: bool) -> list[Call] | None:
    return pool(stage, store, share, compiled)


def _adaptive(
    stage: Stage, store: Storage, weights: Weights, share: Share, compiled: bool
) -> list[Call] | None:
    op = stage.node.op
    whole = isinstance(op, AdaptivePool2d) and op.mode == "average" and op.output == (1, 1)
    return average_all(stage, store, share) if whole else None


_BINDERS: dict[type[Any], Binder] = {
    Add: _add,
    AdaptivePool2d: _adaptive,
    BatchNorm: _norm,
    ChannelShuffle: _shuffle,
    Concat: _concat,
    Flatten: _flatten,
    Linear: _linear,
    Pool2d: _pool,
    Split: _split,
}


def bind(
    stage: Stage, store: Storage, weights: Weights, share: Share, compiled: bool
) -> tuple[str, list[Call]]:
    """Return the name of the form that runs a stage, and its functions for one worker."""
    binder = _BINDERS.get(type(stage.node.op))
    found = None if binder is None else binder(stage, store, weights, share, compiled)
    if found is not None:
        return "flat", found
    return "reference", [partial(_by_reference, stage, store, weights)] if share.worker == 0 else []


def _by_reference(stage: Stage, store: Storage, weights: Weights) -> None:
    """Run a stage on views of its tensors, and copy the results where they belong."""
    name = stage.node.name
    own = {key[len(name) + 1 :]: a for key, a in weights.items() if key.rpartition(".")[0] == name}
    outputs = run_operator(stage.node, tuple(store.array(t) for t in stage.inputs), own)
    for tensor, values in zip(stage.last.outputs, outputs, strict=True):
        target = store.array(tensor)
        target[...] = values
        if stage.clamped:
            np.clip(target, stage.low, stage.high, out=target)
