"""Counts, cycles and energies that Timeloop gives for the same mappings."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import pytest

from energysim.cost.base import LayerCost, Setting
from energysim.cost.hierarchy import HierarchyModel, evaluate_mapping
from energysim.hardware import load_hardware
from energysim.mapping import PRESETS
from energysim.mapping.hierarchy.mapping import Mapping, parse_mapping
from energysim.workload import LoopNest, MacWorkload, Operand

from .base import conv

EYERISS168 = "eyeriss168"

DATA = Path(__file__).parents[1] / "data"
ROWS = {
    row["layer"]: row for row in csv.DictReader((DATA / "eyeriss168_timeloop.csv").read_text().splitlines())
}
#: Layer -> its loop nest, the mapping Timeloop found, its lanes and tiles (buffer inputs and
#: outputs, weights of a PE), in words.
CASES = {
    "vgg16_conv3_2": (
        conv(256, 256, 56),
        "dram: Q14 M2 C4; buffer: M4 C4 P56; X: M2 Q4; Y: C4 S3; weight_rf: C4 R3; psum_rf: M16",
        (22_272, 28_672, 192),
    ),
    "vgg16_conv5_3": (
        conv(512, 512, 14),
        "dram: M4 C16; buffer: M8 C4 P14 Q7; X: M4 Q2; Y: M2 C2 S3; weight_rf: R3 C4; psum_rf: M2",
        (8_192, 25_088, 24),
    ),
    "resnet18_l1_3x3": (
        conv(64, 64, 56),
        "dram: Q7 M8; buffer: C16 Q8 P56; Y: M2 S3; weight_rf: R3 C4; psum_rf: M4",
        (37_120, 3_584, 48),
    ),
    "resnet18_l4_3x3": (
        conv(512, 512, 7),
        "dram: M2; buffer: C32 M8 Q7 P7; X: M8; Y: C4 S3; weight_rf: R3 C4; psum_rf: M4",
        (41_472, 12_544, 48),
    ),
}
PJ = 10**6


def setting() -> Setting:
    hw = load_hardware(EYERISS168)
    return Setting(hw, PRESETS["timeloop"], "energy", 16, 16, 16)


def work(nest: LoopNest) -> MacWorkload:
    inputs = Operand((nest.batch, nest.groups * nest.channels, nest.rows.inputs, nest.cols.inputs))
    outputs = Operand((nest.batch, nest.groups * nest.filters, nest.rows.outputs, nest.cols.outputs))
    return MacWorkload(nest, inputs, outputs)


def elements(cost: LayerCost, level: str, tensor: str, action: str) -> int:
    return sum(a.elements for a in cost.accesses if (a.level, a.tensor, a.action) == (level, tensor, action))


@pytest.mark.parametrize("name", CASES)
def test_every_count_cycle_and_energy(name: str) -> None:
    nest, text, _ = CASES[name]
    row, cost = ROWS[name], evaluate_mapping(work(nest), setting(), parse_mapping(text))
    assert {
        "dram_weight_reads": elements(cost, "dram", "weights", "read"),
        "dram_input_reads": elements(cost, "dram", "inputs", "read"),
        "dram_output_reads": elements(cost, "dram", "partial_sums", "read"),
        "dram_output_writes": elements(cost, "dram", "outputs", "write"),
        "glb_input_reads": elements(cost, "buffer", "inputs", "read"),
        "glb_input_fills": elements(cost, "buffer", "inputs", "fill"),
        "glb_output_reads": elements(cost, "buffer", "partial_sums", "read"),
        "glb_output_updates": elements(cost, "buffer", "partial_sums", "update"),
        "glb_output_fills": elements(cost, "buffer", "partial_sums", "fill"),
        "cycles": cost.cycles,
    } == {key: int(row[key]) for key in row if key.startswith(("dram_", "glb_", "cycles"))}
    assert elements(cost, "dram", "partial_sums", "write") == 0
    columns = {
        "MACs": "mac", "PsumRF": "psum_rf", "WeightRF": "weight_rf",
        "InputRF": "input_rf", "GLB": "buffer", "DRAM": "dram",
    }  # fmt: skip
    for column, level in columns.items():
        energy = sum(a.energy_aj for a in cost.accesses if a.level == level)
        per_mac = Fraction(1000 * energy, PJ * nest.macs)
        assert round(float(per_mac), 2) == float(row[f"fJ_per_MAC_{column}"]), column
    assert round(float(Fraction(1000 * cost.energy_aj, PJ * nest.macs)), 2) == float(row["fJ_per_MAC_Total"])
    assert round(cost.energy_aj / PJ / 1e6, 2) == float(row["energy_uJ_normalised"])
    assert round(float(100 * cost.utilisation), 2) == float(row["utilization_pct"])


@pytest.mark.parametrize("name", CASES)
def test_tiles(name: str) -> None:
    from energysim.cost.hierarchy_layer import HierarchyLayer
    from energysim.mapping.hierarchy.footprint import tile_elements

    nest, text, (inputs, outputs, weights) = CASES[name]
    walk = HierarchyLayer(work(nest), setting()).walk(parse_mapping(text))
    place = walk.tree.hierarchy.place
    assert tile_elements(walk, "inputs", place("buffer")) == inputs
    assert tile_elements(walk, "outputs", place("buffer")) == outputs
    assert tile_elements(walk, "weights", place("weight_rf")) == weights
    assert tile_elements(walk, "inputs", place("input_rf")) == 12


def test_the_model_finds_mappings_by_shape() -> None:
    nest, text, _ = CASES["vgg16_conv5_3"]
    model = HierarchyModel({nest: parse_mapping(text)})
    (cost,) = model.evaluate((work(nest),), setting())
    assert cost == evaluate_mapping(work(nest), setting(), parse_mapping(text))
    assert cost.mapping == str(parse_mapping(text)) and not cost.optimal


def test_an_empty_mapping_of_one_product() -> None:
    nest = conv(1, 1, 1, window=1)
    cost = evaluate_mapping(work(nest), setting(), Mapping(()))
    assert cost.cycles == 1 and elements(cost, "psum_rf", "partial_sums", "update") == 1
