"""The bound of DRAM traffic where multipliers that skip weights read DRAM themselves."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from energysim.cost.base import Setting
from energysim.cost.bound import met_inputs
from energysim.cost.hierarchy import evaluate_mapping
from energysim.hardware import ZeroHandling
from energysim.hardware.hierarchy import HierarchyHardware
from energysim.kernels import DenseKernel, MaskKernel
from energysim.mapping import Rules
from energysim.mapping.hierarchy.mapping import parse_mapping
from energysim.windows import Axis
from energysim.workload import LoopNest

from .test_hierarchy_timeloop import work


@pytest.mark.parametrize("compressed", [False, True])
def test_zeros_that_are_skipped_need_not_move(two_levels: HierarchyHardware, compressed: bool) -> None:
    # a vector of 6 values times 6 x 2 weights, of which 3 exist; both filters use channel 0, one channel 4
    mask = np.zeros((2, 6, 1, 1), dtype=np.bool_)
    mask[0, 0] = mask[1, 0] = mask[1, 4] = True
    given = work(LoopNest(1, 1, 2, 6, Axis(1, 1), Axis(1, 1), MaskKernel(mask)))
    bits = 3 * 8 + 12 if compressed else 3 * 8  # in DRAM a bitmap; plain weights are 12 x 8 bits
    for keep, inputs, weights in (((), 2, bits), (("inputs", "weights"), 6, bits if compressed else 12 * 8)):
        levels = (two_levels.hierarchy.levels[0], replace(two_levels.hierarchy.levels[1], keep=keep))
        hw = replace(
            two_levels,
            hierarchy=replace(two_levels.hierarchy, nodes=levels),
            weights=ZeroHandling(compressed, "skip", "bitmap" if compressed else None),
        )
        bypass = "" if keep else "; bypass buffer: inputs weights"
        text = f"buffer: M2 C6{bypass}" if keep else f"dram: C6; buffer: M2{bypass}"
        cost = evaluate_mapping(given, Setting(hw, Rules(), "energy", 8, 8, 32), parse_mapping(text))
        moved = sum(access.bits for access in cost.accesses if access.level == "dram")
        assert cost.dram_bound_bits == inputs * 8 + weights + 2 * 8
        assert cost.dram_bound_bits <= moved


def test_met_inputs_are_those_of_an_enumeration() -> None:
    rng = random.Random(5)
    for _ in range(300):
        batch, groups, filters, channels = (rng.choice([1, 2, 3]) for _ in range(4))
        axes = []
        for _ in "PQ":
            window, stride, dilation = rng.choice([1, 2, 3]), rng.choice([1, 2, 3]), rng.choice([1, 2])
            outputs = rng.choice([1, 2, 4])
            inputs = max(1, (outputs - 1) * stride + (window - 1) * dilation - 1)
            axes.append(Axis(outputs, inputs, window, stride, dilation, 1))
        rows, cols = axes
        mask = np.random.default_rng(rng.randrange(1000)).random(
            (groups * filters, channels, rows.window, cols.window)
        )
        nest = LoopNest(
            batch, groups, filters, channels, rows, cols, MaskKernel(mask < rng.choice([0.1, 0.5]))
        )
        met = set()
        for f, c, r, s in np.argwhere(nest.kernel.mask()).tolist():
            for p in range(rows.outputs):
                for q in range(cols.outputs):
                    y, x = p * rows.stride + r * rows.dilation - 1, q * cols.stride + s * cols.dilation - 1
                    if 0 <= y < rows.inputs and 0 <= x < cols.inputs:
                        met.add((f // filters, c, y, x))
        assert met_inputs(nest) == batch * len(met)
        dense = replace(nest, kernel=DenseKernel(nest.kernel.shape))
        assert met_inputs(dense) == nest.touched_inputs
