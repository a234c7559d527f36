"""Two levels as a hierarchy: the fixed cases of Timeloop, and the model ``two-level``."""

from __future__ import annotations

import csv
import random
from dataclasses import replace
from pathlib import Path

import pytest

from energysim.cost.base import LayerCost, Setting
from energysim.cost.hierarchy import HierarchyModel, evaluate_mapping
from energysim.cost.two_level import evaluate_tiling
from energysim.hardware import load_hardware
from energysim.hardware.hierarchy import TENSORS, HierarchyHardware
from energysim.kernels import PeriodicKernel
from energysim.mapping import PRESETS, Rules, Tiling
from energysim.mapping.hierarchy.mapping import Loop, Mapping
from energysim.workload import LoopNest, MacWorkload

from .base import conv, random_nest
from .test_hierarchy_timeloop import elements, work

MAC, PJ = 1_849_688_064, 10**6
TIMELOOP = PRESETS["timeloop"]
ROWS = list(csv.DictReader((Path(__file__).parents[1] / "data" / "two_level.csv").read_text().splitlines()))
LAYERS = {
    "vgg16_conv3_2": conv(256, 256, 56),
    "vgg16_conv5_3": conv(512, 512, 14),
    "resnet18_l1_3x3": conv(64, 64, 56),
    "resnet18_l4_3x3": conv(512, 512, 7),
}


def mapping_of(nest: LoopNest, tiling: Tiling) -> Mapping:
    """A tiling of two levels as loops: groups outermost, taps and tiles in the buffer."""
    trips = tiling.trips(nest)
    outer = [Loop("G", nest.groups), *(Loop(dim, trips[dim]) for dim in reversed(tiling.order))]
    inner = [Loop(dim, tile) for dim, tile in zip("NMCPQ", tiling.tiles, strict=True)]
    inner += [Loop("R", nest.rows.window), Loop("S", nest.cols.window)]
    return Mapping((("dram", tuple(outer)), ("buffer", tuple(inner))))


def cost_of(
    nest: LoopNest, tiling: Tiling, hardware: HierarchyHardware, rules: Rules = TIMELOOP
) -> LayerCost:
    setting = Setting(hardware, rules, "energy", 16, 16, 16)
    return evaluate_mapping(work(nest), setting, mapping_of(nest, tiling))


def test_the_first_fixed_mapping(two_levels: HierarchyHardware) -> None:
    cost = cost_of(LAYERS["vgg16_conv3_2"], Tiling((1, 64, 1, 7, 56), "CPMNQ"), two_levels)
    assert elements(cost, "dram", "weights", "read") == 4_718_592
    assert elements(cost, "dram", "inputs", "read") == 4_276_224
    assert elements(cost, "dram", "partial_sums", "read") == 0
    assert elements(cost, "dram", "outputs", "write") == 802_816
    assert elements(cost, "buffer", "weights", "fill") == 4_718_592
    assert elements(cost, "buffer", "inputs", "fill") == 4_276_224
    assert elements(cost, "buffer", "weights", "read") == MAC
    assert elements(cost, "buffer", "inputs", "read") == MAC
    assert elements(cost, "buffer", "partial_sums", "read") == 1_848_885_248
    assert elements(cost, "buffer", "partial_sums", "update") == MAC
    assert round(cost.energy_aj / PJ / 1e6, 2) == 48_250.88


def test_the_second_fixed_mapping(two_levels: HierarchyHardware) -> None:
    cost = cost_of(LAYERS["vgg16_conv3_2"], Tiling((1, 64, 1, 28, 28), "CPQMN"), two_levels)
    assert elements(cost, "dram", "weights", "read") == 2_359_296
    assert elements(cost, "dram", "inputs", "read") == 3_686_400
    assert elements(cost, "dram", "outputs", "write") == 802_816
    assert round(cost.energy_aj / PJ / 1e6, 2) == 47_643.36


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['layer']}-{row['buffer_kib']}")
def test_the_optima(row: dict[str, str], two_levels: HierarchyHardware) -> None:
    levels = two_levels.hierarchy.levels
    buffer = replace(levels[1], capacity_bits=int(row["buffer_kib"]) * 8192)
    hardware = replace(two_levels, hierarchy=replace(two_levels.hierarchy, nodes=(levels[0], buffer)))
    tiles = (1, int(row["tile_k"]), int(row["tile_c"]), int(row["tile_p"]), int(row["tile_q"]))
    order = row["dram_loop_order_inner_to_outer"].replace("K", "M") + "N"
    cost = cost_of(LAYERS[row["layer"]], Tiling(tiles, order), hardware)
    assert elements(cost, "dram", "weights", "read") == int(row["weight_words"])
    assert elements(cost, "dram", "inputs", "read") == int(row["input_words"])
    assert elements(cost, "dram", "outputs", "write") == int(row["output_writes"])
    assert elements(cost, "dram", "partial_sums", "read") == int(row["output_reads"])
    total = sum(a.elements for a in cost.accesses if a.level == "dram")
    assert total == int(row["optimal_dram_words"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['layer']}-{row['buffer_kib']}")
def test_the_optima_are_found(row: dict[str, str], two_levels: HierarchyHardware) -> None:
    dram, buffer = two_levels.hierarchy.levels
    # Taps stay whole in the buffer, which holds all tensors.
    dram = replace(dram, loops="NGMCPQ")
    buffer = replace(buffer, capacity_bits=int(row["buffer_kib"]) * 8192, keep=TENSORS)
    hardware = replace(two_levels, hierarchy=replace(two_levels.hierarchy, nodes=(dram, buffer)))
    setting = Setting(hardware, TIMELOOP, "dram", 16, 16, 16)
    (cost,) = HierarchyModel().evaluate((work(LAYERS[row["layer"]]),), setting)
    assert cost.optimal
    assert sum(a.elements for a in cost.accesses if a.level == "dram") == int(row["optimal_dram_words"])


@pytest.mark.parametrize("seed", range(60))
def test_equal_to_the_two_level_model(seed: int, two_levels: HierarchyHardware) -> None:
    rng = random.Random(seed)
    nest = random_nest(rng, 20_000, dense=True)
    sizes = (nest.batch, nest.filters, nest.channels, nest.rows.outputs, nest.cols.outputs)
    tiling = Tiling(tuple(rng.randrange(1, size + 1) for size in sizes), "".join(rng.sample("NMCPQ", 5)))
    rules = Rules(
        padding=rng.choice(["skipped", "fetched"]),
        untouched=rng.choice(["skipped", "fetched"]),
        overlap=rng.choice(["one-axis", "none"]),
        first_read=rng.choice(["elided", "counted"]),
    )
    layer: MacWorkload = work(nest)
    plain = evaluate_tiling(layer, Setting(load_hardware("teaching"), rules, "energy", 16, 16, 16), tiling)
    cost = cost_of(nest, tiling, two_levels, rules)
    rows, found = (
        {(a.level, a.tensor, a.action): (a.elements, a.bits, a.energy_aj) for a in c.accesses if a.elements}
        for c in (plain, cost)
    )
    assert found == rows
    assert cost.cycles == nest.dense_macs == plain.cycles


def test_a_smaller_buffer_is_refused(two_levels: HierarchyHardware) -> None:
    from energysim.mapping.hierarchy.mapping import MappingError

    with pytest.raises(
        MappingError, match=r"'buffer' \(weights 72 KiB, inputs .*\) need 905728 B and have 108"
    ):
        cost_of(LAYERS["vgg16_conv3_2"], Tiling((1, 64, 64, 56, 56), "CPQMN"), two_levels)


def test_weights_of_four_taps_in_nine(two_levels: HierarchyHardware) -> None:
    # Sparseloop's case: four weights in nine; of these patterns no index is stored, but nine masks once.
    slots = tuple(tuple(sorted((start + step) % 9 for step in range(4))) for start in range(9))
    for name, tiling, dense, sparse in (
        ("vgg16_conv5_3", Tiling((1, 128, 1, 14, 14), "PQCMN"), 2_359_296, 1_048_576),
        ("vgg16_conv3_2", Tiling((1, 64, 1, 7, 56), "CPMNQ"), 4_718_592, 2_097_152),
    ):
        nest = LAYERS[name]
        assert elements(cost_of(nest, tiling, two_levels), "dram", "weights", "read") == dense
        kernel = PeriodicKernel(nest.kernel.shape, slots)
        cost = cost_of(replace(nest, kernel=kernel), tiling, two_levels)
        (row,) = (a for a in cost.accesses if (a.level, a.tensor) == ("dram", "weights"))
        assert (row.elements, row.bits) == (sparse, 16 * sparse + 81)
