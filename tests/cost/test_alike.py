"""Along which dimensions weights are alike: by hand, and against masks."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from energysim.cost.alike import alike_along
from energysim.cost.layer_counts import LayerCounts
from energysim.hardware import ZeroHandling
from energysim.kernels import DenseKernel, Kernel, MaskKernel, PeriodicKernel
from energysim.windows import Axis
from energysim.workload import LoopNest

from .small import conv, hardware, setting

STORED = setting(replace(hardware(), weights=ZeroHandling(True, "none")))
PLAIN = setting(replace(hardware(), weights=ZeroHandling(False, "none")))


def along(kernel: Kernel, plain: bool = False) -> str:
    filters, channels, rows, cols = kernel.shape
    work = conv(filters, channels, Axis(9, 9, rows), Axis(9, 9, cols), kernel)
    return alike_along(LayerCounts(work, PLAIN if plain else STORED))


def test_dense_weights() -> None:
    assert along(DenseKernel((6, 4, 3, 3))) == "CM"


def test_zeros_that_are_stored() -> None:
    mask = np.zeros((3, 2, 1, 1), dtype=np.bool_)
    mask[0] = True
    assert along(MaskKernel(mask), plain=True) == "CM" and along(MaskKernel(mask)) == ""


def test_periods() -> None:
    """Slots of 3 and 1 taps: a period of 2 divides 6 filters and not 5 channels."""
    slots = ((0, 1, 2), (4,))
    assert along(PeriodicKernel((6, 5, 3, 3), slots)) == "C"
    assert along(PeriodicKernel((5, 6, 3, 3), slots)) == "M"
    assert along(PeriodicKernel((6, 4, 3, 3), slots)) == "CM"
    assert along(PeriodicKernel((5, 3, 3, 3), slots)) == ""
    # As many taps in each slot: all alike, whatever the period.
    assert along(PeriodicKernel((5, 3, 3, 3), ((0, 1), (4, 5)))) == "CM"


def test_masks_need_kernels_of_one_size() -> None:
    two = np.zeros((2, 2, 2, 1), dtype=np.bool_)
    two[:, :, 0] = True
    assert along(MaskKernel(two)) == "CM"
    # Each channel and each filter has two weights, but they are not spread alike.
    lumps = np.zeros((2, 2, 2, 1), dtype=np.bool_)
    lumps[0, 0] = lumps[1, 1] = True
    assert along(MaskKernel(lumps)) == ""


def test_formats_with_other_bits() -> None:
    kernel = PeriodicKernel((6, 4, 3, 3), ((0, 1), (4, 5)))
    work = conv(6, 4, Axis(9, 9, 3), Axis(9, 9, 3), kernel)
    assert alike_along(LayerCounts(work, replace(STORED, weight_format="csr"))) == ""
    assert alike_along(LayerCounts(work, replace(STORED, weight_format="bitmap"))) == "CM"


@pytest.mark.parametrize("seed", range(30))
def test_against_the_mask(seed: int) -> None:
    draw = Random(seed)
    slots = tuple(tuple(sorted(draw.sample(range(4), draw.randint(0, 4)))) for _ in range(draw.randint(1, 4)))
    groups, filters = draw.choice([1, 2]), draw.randint(1, 8)
    kernel = PeriodicKernel((groups * filters, draw.randint(1, 8), 2, 2), slots)
    taps = kernel.mask().sum(axis=(2, 3))
    nest = LoopNest(1, groups, filters, taps.shape[1], Axis(8, 9, 2), Axis(8, 9, 2), kernel)
    work = replace(conv(taps.shape[0], taps.shape[1], nest.rows, nest.cols, kernel), nest=nest)
    channels, rows = set(taps.sum(axis=0).tolist()), set(taps.sum(axis=1).tolist())
    assert alike_along(LayerCounts(work, STORED)) == "C" * (len(channels) == 1) + "M" * (len(rows) == 1)
