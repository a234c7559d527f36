"""Statistics from data: batch-norm means and variances, and the ranges of activations."""

from __future__ import annotations

import numpy as np

from energysim.graph import BatchNorm, Cast, Embedding, LayerGraph, Node
from energysim.graph.shapes import Shape, product
from energysim.inference.base import Images, Plan
from energysim.inference.direct import ReferencePlan
from energysim.inference.reference.types import Array
from energysim.inference.weights import FloatArray, Weights, bell
from energysim.units import ceil_div

__all__ = ["calibrate", "random_images", "ranges"]

#: Share of a tensor's mean square that a channel's variance is at least taken as: a channel that is
#: constant on the calibration images would else be blown up on any other image.
_FLOOR = 1e-3


def random_images(graph: LayerGraph, count: int, seed: int = 0) -> FloatArray | dict[str, FloatArray]:
    """Return images of mean 0 and variance 1, the same on every machine.

    Squares of 1, 2, 4, ... pixels with a random value each, added up: like photographs, and unlike
    white noise, they differ at all scales, so that deep layers do not see the same average everywhere.
    What an embedding looks up is whole numbers that it has rows for.

    Parameters
    ----------
    graph : LayerGraph
    count : int
        N, at least 1.
    seed : int
        0 to 2**64 - 1.

    Returns
    -------
    float32 array of shape (N, C, H, W), or dict of input name to array
        A dict if the graph has several inputs.
    """
    found = {}
    for name in graph.inputs:
        shape = (count, *graph.tensor(name).shape[1:])
        entries = _entries(graph, name)
        found[name] = _indices(shape, seed, name, entries) if entries else _squares(shape, seed, name)
    return found if len(found) > 1 else next(iter(found.values()))


def _entries(graph: LayerGraph, tensor: str) -> int:
    """How many rows the smallest table has that a tensor, or a view of it, is looked up in; 0 if none."""
    sizes = []
    for node in graph.consumers(tensor):
        if isinstance(node.op, Embedding):
            sizes.append(node.op.entries)
        elif node.op.category == "view" or isinstance(node.op, Cast):
            sizes += [_entries(graph, output) for output in node.outputs]
    return min((size for size in sizes if size), default=0)


def _indices(shape: Shape, seed: int, name: str, entries: int) -> FloatArray:
    """Return whole numbers below a limit."""
    spread = np.abs(bell(product(shape), seed, f"index {name}")) * np.float32(entries)
    return np.asarray(np.floor(spread) % entries, dtype=np.float32).reshape(shape)


def _squares(shape: Shape, seed: int, name: str) -> FloatArray:
    """Return (N, C, H, W) as a sum of squares of all sizes; other shapes are plain noise."""
    if len(shape) != 4:
        return bell(product(shape), seed, f"image {name}").reshape(shape)
    n, c, h, w = shape
    octaves = max(1, max(h, w).bit_length() - 1)
    found = np.zeros(shape, np.float32)
    for octave in range(octaves):
        size = 1 << octave
        grid = (n, c, ceil_div(h, size), ceil_div(w, size))
        values = bell(product(grid), seed, f"image {name} {size}").reshape(grid)
        found += values.repeat(size, axis=2)[:, :, :h].repeat(size, axis=3)[:, :, :, :w]
    found *= np.float32(octaves**-0.5)
    return found


class _Calibrating(ReferencePlan):
    """Sets the statistics of each batch norm from its input, just before it runs."""

    def execute(self, node: Node, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        if isinstance(node.op, BatchNorm):
            (x,) = inputs
            axes = (0, *range(2, x.ndim))
            square = float(np.square(x, dtype=np.float64).mean())
            variance = np.maximum(x.var(axis=axes, dtype=np.float64), _FLOOR * square or 1.0)
            self._parameters[node.name]["running_mean"] = x.mean(axis=axes, dtype=np.float64).astype(
                np.float32
            )
            self._parameters[node.name]["running_var"] = variance.astype(np.float32)
        return super().execute(node, inputs)

    def statistics(self) -> dict[str, FloatArray]:
        """Return the statistics of all batch norms by full name."""
        return {
            f"{node.name}.{suffix}": self._parameters[node.name][suffix]
            for node in self.graph.nodes
            if isinstance(node.op, BatchNorm)
            for suffix in ("running_mean", "running_var")
        }


def calibrate(graph: LayerGraph, weights: Weights, images: Images) -> dict[str, FloatArray]:
    """Return the weights with batch-norm statistics measured on images, and nothing else changed.

    Each batch norm takes mean and variance, per channel, of what reaches it from the batch norms
    before it that were set already. A network without batch norm comes back as it is.

    Parameters
    ----------
    graph : LayerGraph
    weights : mapping of str to float32 array
    images : array of shape (N, C, H, W), or mapping of input name to array
        A few are enough (4 or more where the map shrinks to one pixel).

    Raises
    ------
    WeightsError, DataError
        If weights or images do not fit the network.
    """
    running = _Calibrating(graph, weights)
    for _ in running.walk(images):
        pass
    return {**weights, **running.statistics()}


def ranges(plan: Plan, images: Images) -> dict[str, float]:
    """Return the largest magnitude of every tensor on images."""
    found: dict[str, float] = {}
    for node, inputs, outputs in plan.walk(images):
        for tensor, array in zip((*node.inputs, *node.outputs), (*inputs, *outputs), strict=True):
            if tensor not in found:
                found[tensor] = float(np.abs(array).max())
    return found
