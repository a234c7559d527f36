"""``profile``: run inputs and count the zeros of every tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.data import Data, batch_size, load_data
from energysim.errors import UsageError
from energysim.graph import LayerGraph
from energysim.graph.shapes import text as shape_text
from energysim.inference import Plan, plan
from energysim.profile.result import Profile, TensorProfile
from energysim.profile.sizes import WIDTHS, Sizes, sizes_of
from energysim.schemes import Scheme, parse_scheme
from energysim.weight_sets import loaded, weight_sets
from energysim.zoo import load_model

__all__ = ["profile"]

#: Memory from which on it is told before the run [B].
_MUCH = 10**9
_FLOAT = "exact zeros of float32 numbers; sizes and their zeros after rounding to so many bits"
_INTEGER = "zeros of {mode} integers, sums of products as they are; sizes after rounding to so many bits"

Arrays = Iterator[tuple[str, NDArray[Any]]]
Step = Callable[[str, int, int], None]


def profile(
    model: str | Path | LayerGraph,
    sparsity: str | Scheme = "dense",
    *,
    weights: Sequence[str | Path] = (),
    seed: int = 0,
    data: str | Path | Data = "random",
    inputs: int | None = None,
    normalise: str | None = None,
    mode: str = "float32",
    input: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    classes: int | None = None,
    tell: Callable[[str], None] | None = None,
    step: Step | None = None,
) -> Profile:
    """Run a network on inputs and record the zeros of every tensor.

    Parameters
    ----------
    model : str, Path or LayerGraph
    sparsity : str or Scheme
        One scheme: zeros are those of the network in this form.
    weights, seed, data, inputs, normalise, input, classes
        See :func:`energysim.validate.validate`; of several sets of weights the first is used.
    mode : {"float32", "int8", "int16"}
        Whether zeros are exact zeros of float32 numbers (after a ReLU), or of integers.
    tell, step : function, optional
        Called with messages, and with progress.

    Returns
    -------
    Profile
        The images are run twice: first for the largest magnitude of every tensor, which is what its
        integers are scaled by.

    Raises
    ------
    EnergysimError
        For anything that cannot be used.
    """
    graph = load_model(model, input, classes, 1)
    scheme = parse_scheme(sparsity)
    images = (
        data if isinstance(data, Data) else load_data(data, graph, inputs, seed=seed, normalise=normalise)
    )
    name = None if isinstance(model, LayerGraph) else str(model)
    chosen = weight_sets(weights, name, str(scheme), seed)[0]
    rewrite = scheme.apply(graph)
    sparse = rewrite.graph.with_batch(min(batch_size(graph), images.count))
    arrays = loaded(chosen, graph, rewrite, images)
    first = None if mode == "float32" else next(images.batches(sparse.batch)).images
    running = plan(sparse, arrays, mode=mode, calibration=first)  # type: ignore[arg-type]
    if tell is not None and running.memory_bytes > _MUCH:
        tell(f"this run needs about {running.memory_bytes / 1e9:.1f} GB of memory")
    largest: dict[str, float] = {}
    for tensor, array in _all(running, images, step, 0):
        largest[tensor] = max(largest.get(tensor, 0.0), float(np.abs(array).max()))
    counts = {tensor: _Counts(size) for tensor, size in largest.items()}
    for tensor, array in _all(running, images, step, 1):
        counts[tensor].add(array)
    return Profile(
        sparse.name,
        shape_text(graph.tensors[graph.inputs[0]].shape[1:]),
        images.count,
        images.source,
        images.normalisation,
        chosen.label if str(scheme) == "dense" else f"{chosen.label}, {scheme}",
        mode,
        chosen.random or images.random,
        _FLOAT if mode == "float32" else _INTEGER.format(mode=mode),
        tuple(_row(sparse, tensor, counts[tensor]) for tensor in sparse.tensors),
    )


class _Counts:
    """Zeros of one tensor, added up batch by batch."""

    def __init__(self, largest: float) -> None:
        self.largest = largest
        self.elements = 0
        self.channels: NDArray[np.int64] | None = None
        self.sizes = dict.fromkeys(WIDTHS, Sizes())

    def add(self, array: NDArray[Any]) -> None:
        """Count a batch (N, C, ...)."""
        axes = (0, *range(2, array.ndim))
        zeros = np.asarray((array == 0).sum(axis=axes, dtype=np.int64))
        self.elements += array.size
        self.channels = zeros if self.channels is None else self.channels + zeros
        for width in WIDTHS:
            narrow = array.dtype.kind == "i" and array.dtype.itemsize * 8 <= width
            self.sizes[width] += sizes_of(array if narrow else array.astype(np.float64), self.largest, width)


def _all(running: Plan, data: Data, step: Step | None, turn: int) -> Arrays:
    """Every tensor of every batch, inputs first, as the plan holds them."""
    graph, done = running.graph, 0
    for batch in data.batches(graph.batch):
        seen: set[str] = set()
        for number, (node, inputs, outputs) in enumerate(running.walk(batch.images)):
            for tensor, array in zip((*node.inputs, *node.outputs), (*inputs, *outputs), strict=True):
                if tensor not in seen:
                    seen.add(tensor)
                    yield tensor, array
            if step is not None:
                at = (turn * data.count + done) * len(graph) + number * batch.count
                step(node.name, at, 2 * data.count * len(graph))
        done += batch.count


def _row(graph: LayerGraph, tensor: str, counts: _Counts) -> TensorProfile:
    known = graph.tensors[tensor]
    if counts.channels is None:
        raise UsageError(f"tensor {tensor!r} was never made")
    return TensorProfile(
        tensor,
        "input" if known.producer is None else graph.node(known.producer).op.kind,
        shape_text(known.shape[1:]),
        counts.elements,
        int(counts.channels.sum()),
        tuple(counts.channels.tolist()),
        counts.sizes,
    )
