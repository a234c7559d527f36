"""The different 2D supports of a kernel, against a plain count over the mask."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest

from energysim.kernels import DenseKernel, Kernel, MaskKernel, PeriodicKernel


def counted(kernel: Kernel) -> tuple[tuple[tuple[int, ...], int], ...]:
    windows = kernel.mask().reshape(-1, kernel.shape[2] * kernel.shape[3])
    return tuple(sorted(Counter(tuple(np.flatnonzero(w).tolist()) for w in windows).items()))


@pytest.mark.parametrize("seed", range(40))
def test_patterns(seed: int) -> None:
    draw = Random(seed)
    shape = (draw.randint(1, 9), draw.randint(1, 9), draw.randint(1, 4), draw.randint(1, 5))
    taps = shape[2] * shape[3]
    slots = tuple(
        tuple(sorted(draw.sample(range(taps), draw.randint(0, taps)))) for _ in range(draw.randint(1, 6))
    )
    mask = np.array([draw.random() < 0.6 for _ in range(int(np.prod(shape)))]).reshape(shape)
    for kernel in (DenseKernel(shape), PeriodicKernel(shape, slots), MaskKernel(mask)):
        assert kernel.patterns() == counted(kernel)
        assert kernel.distinct_patterns == len(counted(kernel))
