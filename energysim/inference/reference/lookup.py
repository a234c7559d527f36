"""Constants, and look-ups by computed indices."""

from __future__ import annotations

import numpy as np

from energysim.errors import DataError
from energysim.graph import Constant, Embedding, ExpandBatch, GatherElements
from energysim.inference.reference.types import Array, Parameters

__all__ = ["constant", "embedding", "expand_batch", "gather_elements"]


def _indices(values: Array, size: int) -> Array:
    """Return indices from 0 on; negative ones count from the end.

    Raises
    ------
    DataError
        If one is no whole number, or there is no such element.
    """
    found = values.astype(np.int64)
    if not np.array_equal(found, values):
        bad = values[found != values].flat[0]
        raise DataError(f"an index must be a whole number, not {bad}")
    if found.size and (found.min() < -size or found.max() >= size):
        bad = found[(found < -size) | (found >= size)].flat[0]
        raise DataError(f"index {bad} is outside of {size} elements")
    return np.where(found < 0, found + size, found)


def constant(op: Constant, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return the tensor itself, (1, ...)."""
    return (parameters["value"],)


def expand_batch(op: ExpandBatch, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Repeat the first tensor for each sample of the second."""
    x, like = inputs
    return (np.broadcast_to(x, (len(like), *x.shape[1:])).copy(),)


def embedding(op: Embedding, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return the rows of the table that the indices name."""
    return (parameters["weight"][_indices(inputs[0], op.entries)],)


def gather_elements(
    op: GatherElements, inputs: tuple[Array, ...], parameters: Parameters
) -> tuple[Array, ...]:
    """Pick elements along an axis, each by its own index."""
    data, indices = inputs
    at: list[Array] = list(np.indices(indices.shape, sparse=True))
    at[op.axis] = _indices(indices, data.shape[op.axis])
    return (data[tuple(at)],)
