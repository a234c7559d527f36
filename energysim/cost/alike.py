"""Whether parts of a weight tensor can be told apart by counting its 2D kernels."""

from __future__ import annotations

import numpy as np

from energysim.cost.layer_counts import LayerCounts
from energysim.cost.storage import StoredWeights

__all__ = ["weights_alike"]


def weights_alike(layer: LayerCounts) -> bool:
    """Whether every 2D kernel takes the same number of bits, in DRAM and on chip, whatever is beside it.

    So it is where zeros are stored like all else, and where all kernels keep as many taps and the format
    has no bits but those of each kernel (periodic, N:M, bitmap).
    """
    return _alike(layer.weights) and _alike(layer.held)


def _alike(weights: StoredWeights) -> bool:
    if weights.extra.generated is not None or weights.extra.side_bits:
        return False
    filters, channels = weights.kernel.shape[:2]
    uniform = str(weights.format) == "dense" or len(weights.kernel.weights_per_window()) == 1
    one, whole = (int(n) for n in weights.tile_bits(np.array([1, filters]), np.array([1, channels])))
    return uniform and weights.stream_bits == whole == filters * channels * one
