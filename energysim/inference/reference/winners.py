"""k-winners-take-all, by sorting; for arrays of any type."""

from __future__ import annotations

import numpy as np

from energysim.graph import KWinners
from energysim.inference.reference.types import Array, Parameters

__all__ = ["k_winners"]


def k_winners(op: KWinners, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Keep the winners of each contest, the first of equal values, and put zeros elsewhere."""
    (x,) = inputs
    n, channels = x.shape[:2]
    flat = x.reshape(n, channels, -1)
    if op.competing == "location":
        flat = flat.transpose(0, 2, 1)
    elif op.competing == "global":
        flat = flat.reshape(n, 1, -1)
    # A stable sort of the values in reverse order puts the first of equal ones last.
    order = np.argsort(flat[..., ::-1], axis=-1, kind="stable")[..., flat.shape[-1] - op.count :]
    kept = np.zeros(flat.shape, dtype=bool)
    np.put_along_axis(kept, flat.shape[-1] - 1 - order, True, axis=-1)
    found = np.where(kept, flat, flat.dtype.type(0))
    if op.competing == "location":
        found = found.transpose(0, 2, 1)
    return (np.ascontiguousarray(found.reshape(x.shape)),)
