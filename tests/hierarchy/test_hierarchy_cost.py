"""Rows of the cost model by hand: network, leakage, stalls, widths, sparse kernels."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil

import pytest

from energysim.cost.base import LayerCost, Setting
from energysim.cost.hierarchy import HierarchyModel, evaluate_mapping
from energysim.errors import UsageError
from energysim.hardware import load_hardware
from energysim.hardware.hierarchy import Hierarchy, HierarchyHardware, SpatialAxis
from energysim.kernels import PeriodicKernel
from energysim.mapping import Rules
from energysim.mapping.hierarchy.mapping import parse_mapping
from energysim.workload import LoopNest, Operand, StreamWorkload

from .base import INPUTS, OUTPUTS, TENSORS, WEIGHTS, bits_per_cycle, conv, level, pj
from .test_hierarchy_timeloop import elements, work

EYERISS168 = "eyeriss168"

PJ = 10**6


def priced(
    two_levels: HierarchyHardware, hierarchy: Hierarchy, nest: LoopNest, text: str, rules: Rules | None = None
) -> LayerCost:
    hardware = replace(two_levels, hierarchy=hierarchy)
    setting = Setting(hardware, rules or Rules(), "energy", 16, 16, 16)
    return evaluate_mapping(work(nest), setting, parse_mapping(text))


def energy(cost: LayerCost, level: str, action: str) -> Fraction:
    return Fraction(sum(a.energy_aj for a in cost.accesses if (a.level, a.action) == (level, action)), PJ)


def test_a_matrix_product_on_four_lanes(two_levels: HierarchyHardware) -> None:
    # 8 filters x 6 channels, 5 positions; filters over X share inputs, channels over Y add sums.
    nest = conv(8, 6, 1, window=1)
    nest = replace(nest, rows=replace(nest.rows, outputs=5, inputs=5))
    axes = (
        SpatialAxis("X", 4, "M", network=pj(3), word_bits=16),
        SpatialAxis("Y", 2, "C", shared=(OUTPUTS,), network=pj(5), word_bits=8),
    )
    rf = level("rf", 8, 1, leakage=pj(2))
    hierarchy = Hierarchy((level("dram", None, 200), level("buffer", None, 6), *axes, rf), leakage=pj(1))
    cost = priced(two_levels, hierarchy, nest, "buffer: M2 C3 P5; X: M4; Y: C2")
    # rf: one word of each tensor. P is free for weights (48, once each); inputs change with every
    # step (2 x 3 x 5 = 30 steps, 8 lanes); sums: C3 inside M2 but outside P5, so 3 visits of 40.
    assert elements(cost, "rf", "weights", "fill") == 48
    assert elements(cost, "rf", "inputs", "fill") == 240
    assert elements(cost, "buffer", "weights", "read") == 48
    assert elements(cost, "buffer", "inputs", "read") == 60  # four lanes along X share
    assert elements(cost, "buffer", "partial_sums", "update") == 120  # two lanes along Y add up
    assert elements(cost, "buffer", "partial_sums", "read") == 80
    assert elements(cost, "rf", "partial_sums", "fill") == 80  # to one of the two
    assert elements(cost, "rf", "partial_sums", "update") == 240
    assert elements(cost, "rf", "partial_sums", "read") == 80
    # Y: 48 weights, 240 inputs, 240 sums out, 80 back; X: inputs 2 x 30 words to 4 places
    assert elements(cost, "Y", "weights", "transfer") == 48
    assert elements(cost, "Y", "inputs", "transfer") == 240
    assert elements(cost, "Y", "partial_sums", "transfer") == 240 + 80
    assert elements(cost, "X", "inputs", "transfer") == 240
    assert elements(cost, "X", "partial_sums", "transfer") == 120 + 80
    assert energy(cost, "Y", "transfer") == (48 + 240 + 320) * 2 * 5
    assert cost.cycles == 30 and cost.utilisation == 1
    assert energy(cost, "rf", "leak") == 30 * 8 * 2 and energy(cost, "mac", "leak") == 30 * 8
    assert cost.energy_aj == sum(a.energy_aj for a in cost.accesses)


def test_stalls(two_levels: HierarchyHardware) -> None:
    nest = conv(4, 4, 4, window=1)
    dram = level("dram", None, 1, bandwidth=bits_per_cycle("0.5"))
    buffer = level("buffer", None, 1, read_bandwidth=bits_per_cycle(64), write_bandwidth=bits_per_cycle(8))
    cost = priced(two_levels, Hierarchy((dram, buffer)), nest, "buffer: M4 C4 P4 Q4")
    moved = 16 * (16 + 64 + 64)  # each tensor once
    written = 16 * (16 + 64 + 256)  # fills, and an update for every product
    read = 16 * (256 + 256 + (256 - 64) + 64)  # operands, sums but the first, the drain
    assert dict(cost.times) == {"compute": 256, "dram": 2 * moved, "buffer": max(read // 64, written // 8)}
    assert cost.cycles == 2 * moved and cost.bound == "dram"


def test_ramp_up_comes_before_the_work(two_levels: HierarchyHardware) -> None:
    nest = conv(8, 4, 4, window=1)
    dram = level("dram", None, 1, ramp_up=((WEIGHTS, bits_per_cycle(4)),), bandwidth=bits_per_cycle(64))
    buffer = level("buffer", None, 1, ramp_up=((WEIGHTS, bits_per_cycle(5)), (INPUTS, bits_per_cycle(2))))
    nodes = (dram, SpatialAxis("X", 2, "M"), buffer, level("rf", None, 1))
    cost = priced(two_levels, Hierarchy(nodes), nest, "dram: P4; X: M2; buffer: M4; rf: C4 Q4")
    # The 32 weights stay in the buffers. Each of the two hands out its 16 weights for each of 4 rows, and
    # the 16 inputs of a row once: the loop over filters leaves them where they are.
    once, weights, inputs = Fraction(16 * 32, 4), Fraction(16 * 4 * 16, 5), Fraction(16 * 4 * 16, 2)
    times = dict(cost.times)
    assert times["compute"] == 256
    assert times["ramp_up"] == ceil(once + weights + inputs)
    assert cost.cycles == max(times["compute"], times["dram"]) + times["ramp_up"]
    assert cost.stall_cycles == cost.cycles - 256


def test_sparse_kernels_on_hardware_that_skips(two_levels: HierarchyHardware) -> None:
    kernel = PeriodicKernel((8, 8, 3, 3), ((0, 4), (1, 5), (2, 6), (3, 7)))
    nest = replace(conv(8, 8, 4), kernel=kernel)
    nodes = (level("dram", None, 1), level("buffer", None, 1), SpatialAxis("X", 4, "M"), level("rf", 99, 1))
    cost = priced(
        two_levels, Hierarchy(nodes), nest, "buffer: M2 C8 P4 Q4; X: M4; rf: R3 S3", Rules(padding="fetched")
    )
    # two of nine taps: balanced over the lanes, as each window keeps two
    assert cost.macs == cost.effective_macs == 128 * 16
    assert cost.cycles == 128 * 16 // 4 and cost.utilisation == 1
    assert elements(cost, "dram", "weights", "read") == 128
    assert elements(cost, "rf", "weights", "read") == 128 * 16
    plain = replace(two_levels, weights=replace(two_levels.weights, compute="gate", stored_compressed=False))
    gated = priced(plain, Hierarchy(nodes), nest, "buffer: M2 C8 P4 Q4; X: M4; rf: R3 S3")
    assert gated.cycles == 576 * 16 // 4 and gated.effective_macs == 128 * 16
    assert elements(gated, "dram", "weights", "read") == 576


def test_tiles_of_a_sparse_kernel_take_what_they_hold(two_levels: HierarchyHardware) -> None:
    from energysim.mapping.hierarchy.mapping import MappingError

    kernel = PeriodicKernel((8, 8, 3, 3), ((0, 4), (1, 5), (2, 6), (3, 7)))
    nest = replace(conv(8, 8, 4), kernel=kernel)
    rf = level("rf", 8, 1, bypass=(INPUTS, OUTPUTS))
    nodes = (level("dram", None, 1), level("buffer", None, 1), rf)
    # 2 filters x 2 channels x 2 taps: eight weights, not 36
    assert priced(two_levels, Hierarchy(nodes), nest, "buffer: M4 C4 P4 Q4; rf: M2 C2 R3 S3")
    uneven = "dram: M3 C2; buffer: C2 P4 Q4; rf: M3 C2 R3 S3"
    with pytest.raises(MappingError, match="tile of weights in level 'rf' needs 24 B and has 16 B"):
        priced(two_levels, Hierarchy(nodes), nest, uneven)


def test_streams_use_the_two_outermost_levels() -> None:
    hw = load_hardware(EYERISS168)
    stream = StreamWorkload((Operand((1, 4, 8, 8)),), (Operand((1, 4, 4, 4)),), (256,), 64)
    (cost,) = HierarchyModel().evaluate((stream,), Setting(hw, Rules(), "energy", 16, 16, 16))
    assert energy(cost, "dram", "read") == 256 * 200 and energy(cost, "buffer", "fill") == 256 * 6
    with pytest.raises(UsageError, match="'edge45' is written for the cost model 'two-level'"):
        HierarchyModel().evaluate((stream,), Setting(load_hardware("edge45"), Rules(), "energy", 8, 8, 32))
    assert set(TENSORS) == {WEIGHTS, INPUTS, OUTPUTS}
