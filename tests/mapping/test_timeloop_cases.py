"""Two-level cases computed with Timeloop (commit 4cf6d4c): optima and counts of fixed mappings.

``data/two_level.csv``: words between DRAM and one shared buffer of 16-bit words, batch 1, by an
exhaustive enumeration that Timeloop's own exhaustive mapper confirmed where it finished.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from energysim.cost import LayerCost, Setting
from energysim.cost.two_level import TwoLevel, evaluate_tiling
from energysim.hardware import load_hardware
from energysim.kernels import DenseKernel, Kernel, PeriodicKernel, random_support
from energysim.mapping import PRESETS, Fetches, Goal, Room, Tiling, fetches, footprint, search
from energysim.units import KIB
from energysim.windows import Axis
from energysim.workload import LoopNest, MacWorkload, Operand

TIMELOOP = PRESETS["timeloop"]
ROWS = list(csv.DictReader((Path(__file__).parents[1] / "data" / "two_level.csv").read_text().splitlines()))
#: Layer -> (filters, channels, rows = columns).
LAYERS = {"vgg16_conv3_2": (256, 256, 56), "vgg16_conv5_3": (512, 512, 14), "resnet18_l1_3x3": (64, 64, 56)}
FIXED_A = Tiling((1, 64, 1, 7, 56), "CPMNQ")
FIXED_B = Tiling((1, 64, 1, 28, 28), "CPQMN")
CONV5_3 = Tiling((1, 128, 1, 14, 14), "PQCMN")


def layer(name: str, kernel: Kernel | None = None) -> MacWorkload:
    """A 3x3 convolution with stride 1 and padding 1."""
    filters, channels, size = LAYERS[name]
    axis = Axis(size, size, 3, 1, 1, 1)
    nest = LoopNest(1, 1, filters, channels, axis, axis, kernel or DenseKernel((filters, channels, 3, 3)))
    return MacWorkload(nest, Operand((1, channels, size, size)), Operand((1, filters, size, size)))


def setting(kib: int) -> Setting:
    """DRAM 200, buffer 6, MAC 1 per 16-bit word, nothing shared in the array."""
    hardware = load_hardware("teaching")
    buffer = replace(hardware.buffer, capacity_bits=kib * KIB * 8)
    return Setting(replace(hardware, buffer=buffer), TIMELOOP, "dram", 16, 16, 16)


def words(cost: LayerCost, level: str) -> dict[tuple[str, str], int]:
    """Elements by tensor and action."""
    return {(row.tensor, row.action): row.elements for row in cost.accesses if row.level == level}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['layer']}-{row['buffer_kib']}")
class TestOptima:
    def test_search(self, row: dict[str, str]) -> None:
        nest = layer(row["layer"]).nest
        weights, outputs = nest.kernel.nonzeros, nest.output_elements

        def exact(moved: Fetches) -> tuple[int, ...]:
            sums = 2 * (moved.output_visits - 1) * outputs
            return (moved.weight_passes * weights + moved.input_elements + sums + outputs,)

        def bound(passes: Any, inputs: Any, visits: Any) -> Any:
            return passes * weights + inputs + (2.0 * visits - 1) * outputs

        room = Room(int(row["buffer_kib"]) * KIB * 8, None, 0, lambda m, c: m * c * 9 * 16, 16, 16)
        choice = search(nest, TIMELOOP, room, Goal(bound, exact))
        assert choice.moved is not None
        assert exact(choice.moved) == (int(row["optimal_dram_words"]),)
        assert choice.moved.weight_passes * weights == int(row["weight_words"])
        assert choice.moved.input_elements == int(row["input_words"])
        assert (choice.moved.output_visits - 1) * outputs == int(row["output_reads"])

    def test_cost_model(self, row: dict[str, str]) -> None:
        (cost,) = TwoLevel().evaluate((layer(row["layer"]),), setting(int(row["buffer_kib"])))
        found = words(cost, "dram")
        assert sum(found.values()) == int(row["optimal_dram_words"])
        assert found == {
            ("weights", "read"): int(row["weight_words"]),
            ("inputs", "read"): int(row["input_words"]),
            ("outputs", "write"): int(row["output_writes"]),
        }
        assert sum(a.bits for a in cost.accesses if a.level == "dram") == 16 * sum(found.values())

    def test_listed_mapping(self, row: dict[str, str]) -> None:
        p, q, c, k = (int(row[f"tile_{d}"]) for d in "pqck")
        order = row["dram_loop_order_inner_to_outer"].replace("K", "M") + "N"
        tiling = Tiling((1, k, c, p, q), order)
        cost = evaluate_tiling(layer(row["layer"]), setting(int(row["buffer_kib"])), tiling)
        assert words(cost, "dram") == {
            ("weights", "read"): int(row["weight_words"]),
            ("inputs", "read"): int(row["input_words"]),
            ("outputs", "write"): int(row["output_writes"]),
        }
        assert not cost.optimal


def test_the_table_is_whole() -> None:
    assert len(ROWS) == 12
    assert {row["output_reads"] for row in ROWS} == {"0"}


@pytest.mark.parametrize(
    ("tiling", "weights", "inputs", "energy"),
    [(FIXED_A, 4_718_592, 4_276_224, 48_250_880_000), (FIXED_B, 2_359_296, 3_686_400, 47_643_360_000)],
)
def test_fixed_mappings(tiling: Tiling, weights: int, inputs: int, energy: int) -> None:
    work = layer("vgg16_conv3_2")
    moved = fetches(work.nest, tiling, TIMELOOP)
    assert moved == Fetches(weights // 589_824, inputs, 1)
    cost = evaluate_tiling(work, setting(108), tiling)
    assert words(cost, "dram") == {
        ("weights", "read"): weights,
        ("inputs", "read"): inputs,
        ("outputs", "write"): 802_816,
    }
    assert words(cost, "buffer") == {
        ("weights", "read"): 1_849_688_064,
        ("inputs", "read"): 1_849_688_064,
        ("partial_sums", "update"): 1_849_688_064,
        ("partial_sums", "read"): 1_848_885_248,
        ("weights", "fill"): weights,
        ("inputs", "fill"): inputs,
    }
    # 1 x MACs + 6 x (buffer reads + fills + updates) + 200 x (DRAM reads + writes), given to 1e4.
    exact = (
        1_849_688_064
        + 6 * (3 * 1_849_688_064 + 1_848_885_248 + weights + inputs)
        + 200 * (weights + inputs + 802_816)
    )
    assert cost.energy_aj == exact * 10**6
    assert round(exact, -4) == energy


def test_weights_of_four_taps_in_nine() -> None:
    # conv5_3 with the mapping of the 64 KiB row; conv3_2 with the first fixed mapping.
    slots = tuple(tuple(sorted((start + step) % 9 for step in range(4))) for start in range(9))
    for name, tiling, dense, sparse in (
        ("vgg16_conv5_3", CONV5_3, 2_359_296, 1_048_576),
        ("vgg16_conv3_2", FIXED_A, 4_718_592, 2_097_152),
    ):
        filters, channels, _ = LAYERS[name]
        shape = (filters, channels, 3, 3)
        for kernel, expected in (
            (DenseKernel(shape), dense),
            (PeriodicKernel(shape, slots), sparse),
            (random_support(shape, 4, 1, 2), sparse),
        ):
            cost = evaluate_tiling(layer(name, kernel), setting(108), tiling)
            row = next(a for a in cost.accesses if (a.level, a.tensor) == ("dram", "weights"))
            assert row.elements == expected
            passes = expected // kernel.nonzeros
            if kernel.is_dense:
                assert row.bits == 16 * expected
            elif kernel.period is not None:
                # No metadata in the stream: the table of nine masks is read once and stays.
                assert row.bits == 16 * expected + 81
            else:
                assert row.bits == 16 * expected + passes * filters * channels * 9


def test_dense_energy_of_conv5_3() -> None:
    cost = evaluate_tiling(layer("vgg16_conv5_3"), setting(64), CONV5_3)
    assert round(cost.energy_aj / 10**6, -4) == 12_174_040_000


@pytest.mark.parametrize(("tiling", "name"), [(CONV5_3, "vgg16_conv5_3")])
def test_reservation_of_weight_tiles(tiling: Tiling, name: str) -> None:
    # 128 windows of one channel: a structured support reserves 4 words each, no worst case of 9.
    filters, channels, _ = LAYERS[name]
    slots = ((0, 1, 2, 3), (5, 6, 7, 8))
    structured = PeriodicKernel((filters, channels, 3, 3), slots)
    full = np.array([128]), np.array([1])
    assert structured.nonzeros_in_tile(*full).tolist() == [512]
    assert random_support((filters, channels, 3, 3), 4, 1, 2).nonzeros_in_tile(*full).tolist() == [512]
    assert DenseKernel((filters, channels, 3, 3)).nonzeros_in_tile(*full).tolist() == [1152]
    room = Room(None, None, 18, lambda m, c: structured.nonzeros_in_tile(m, c) * 16, 16, 16)
    weights, inputs, outputs = footprint(layer(name, structured).nest, tiling, TIMELOOP, room)
    assert weights == 512 * 16 + 18
    assert (inputs, outputs) == (16 * 16 * 16, 128 * 14 * 14 * 16)
