"""The bound of DRAM traffic where multipliers that skip weights read DRAM themselves."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from energysim.cost.base import Setting
from energysim.cost.bound import met_inputs
from energysim.cost.hierarchy import HierarchyModel, evaluate_mapping
from energysim.hardware import ZeroHandling, load_hardware
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


SKIPPING = """
schema: energysim-hardware/1
name: skipping
cost_model: hierarchy
node_nm: 65
clock: {value: 1 GHz, kind: assumed, note: x}
bits: {weights: 16, activations: 16, accumulators: 16}
levels:
  - name: dram
    word_bits: 16
    read: {value: 200 pJ, kind: assumed, note: x}
    write: {value: 200 pJ, kind: assumed, note: x}
  - name: buffer
    word_bits: 16
    read: {value: 6 pJ, kind: assumed, note: x}
    write: {value: 7 pJ, kind: assumed, note: x}
    capacity: {value: 512 B, kind: assumed, note: x}
    keep: [weights]
axes:
  - {name: X, below: buffer, size: {value: 3, kind: assumed, note: x}, shared: [outputs, inputs]}
mac: {16: {value: 1 pJ, kind: assumed, note: x}}
vector_op: {value: 1 pJ, kind: assumed, note: x}
zeros:
  weights: {stored_compressed: false, compute: skip}
  activations: {stored_compressed: true, compute: none, format: index}
"""


@pytest.mark.parametrize("objective", ["energy", "delay", "edp", "dram"])
def test_filters_without_weights_leave_an_honest_gap(objective: str, tmp_path: Path) -> None:
    path = tmp_path / "skipping.yaml"
    path.write_text(SKIPPING)
    mask = np.zeros((8, 1, 1, 1), dtype=np.bool_)
    mask[[0, 4, 6]] = True
    nest = LoopNest(1, 2, 4, 1, Axis(3, 3, 1, 3, 2, 2), Axis(1, 1, 1, 2, 2), MaskKernel(mask))
    setting = Setting(load_hardware(path), Rules(), objective, 16, 16, 16)
    plain = work(nest)  # half of what it writes is zero
    given = replace(plain, outputs=replace(plain.outputs, stored_density=Fraction(1, 2)))
    (found,) = HierarchyModel().evaluate((given,), setting)
    better = evaluate_mapping(
        given, setting, parse_mapping("dram: M2; buffer: M2 P3; X: G2; bypass buffer: outputs")
    )
    value = {"energy": lambda c: c.energy_aj, "delay": lambda c: c.cycles,
             "edp": lambda c: c.energy_aj * c.cycles,
             "dram": lambda c: sum(a.bits for a in c.accesses if a.level == "dram")}[objective]  # fmt: skip
    assert found.mappings > 2000
    assert value(better) >= value(found) * (1 - found.gap)
