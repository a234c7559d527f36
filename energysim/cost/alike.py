"""Along which dimensions a part of a weight tensor can be told by counting."""

from __future__ import annotations

import numpy as np

from energysim.cost.layer_counts import LayerCounts
from energysim.cost.storage import StoredWeights

__all__ = ["alike_along"]

#: Formats that have no bits but those of each 2D kernel, and tables that are read once.
_PLAIN = ("dense", "periodic", "bitmap")


def alike_along(layer: LayerCounts) -> str:
    """Return the dimensions, of ``"CM"``, along which all weights are alike, in DRAM and on chip.

    Along C they are if each channel, with all filters, takes the same number of bits; along M if each
    filter does, with all channels. Of a kernel that is neither dense nor periodic all 2D kernels must
    take as many.
    """
    found = (_alike(weights) for weights in (layer.weights, layer.held))
    return "".join(sorted(set.intersection(*map(set, found))))


def _alike(weights: StoredWeights) -> str:
    kernel = weights.kernel
    if weights.extra.generated is not None or weights.extra.side_bits or str(weights.format) not in _PLAIN:
        return ""
    filters, channels = kernel.shape[:2]
    sizes = np.array([1, filters, 1]), np.array([1, 1, channels])
    # If the fullest of n parts takes an n-th of all, each of them does.
    each, channel, one = (int(bits) for bits in weights.tile_bits(*sizes))
    every = weights.stream_bits
    if each * filters * channels == every:
        return "CM"
    if kernel.period is None:
        return ""
    return "C" * (channel * channels == every) + "M" * (one * filters == every)
