"""The hierarchies that ship: every constant against values copied by hand, and that each can be searched."""

from __future__ import annotations

from fractions import Fraction

import pytest

from energysim import GraphBuilder, estimate
from energysim.hardware import HierarchyHardware, load_hardware
from energysim.hardware.hierarchy import Hierarchy

# path: (value in the base unit, kind); energies in pJ, capacities in bit, bandwidths in bit per cycle
EYERISS_JSSC2017 = {
    "clock": ("200000000", "published"),
    "levels.dram.read": ("2560", "published"),
    "levels.dram.write": ("2560", "assumed"),
    "levels.dram.ramp_up.weights": ("64", "derived"),  # 4 words of 16 bit
    "levels.buffer.capacity": ("819200", "published"),  # 25 banks of 512 x 64 bit
    "levels.buffer.read": ("54.3025", "derived"),  # CACTI 7, 65 nm: the next larger row, 108 KiB x 64 bit
    "levels.buffer.write": ("46.0033", "derived"),
    "axes.X.size": ("14", "published"),
    "axes.Y.size": ("12", "published"),
    "axes.Y.network": ("1", "assumed"),
    "levels.input_rf.capacity": ("192", "published"),  # 12 words
    "levels.input_rf.read": ("0.20559", "published"),
    "levels.input_rf.write": ("0.20559", "published"),
    "levels.weight_rf.capacity": ("3584", "published"),  # 224 words
    "levels.weight_rf.read": ("1.17742", "published"),
    "levels.weight_rf.write": ("3.41814", "published"),
    "levels.psum_rf.capacity": ("384", "published"),  # 24 words
    "levels.psum_rf.read": ("0.20559", "published"),
    "levels.psum_rf.write": ("0.20559", "published"),
    "mac.16": ("4.8257", "published"),
    "leakage": ("3.163690", "derived"),  # 106.3 mW / 200 MHz / 168
    "vector_op": ("0.14991", "published"),
}
EYERISS_ISCA2016 = {
    "clock": ("1000000000", "assumed"),
    "levels.dram.read": ("200", "published"),
    "levels.dram.write": ("200", "published"),
    "levels.buffer.capacity": ("1048576", "published"),
    "levels.buffer.read": ("6", "published"),
    "levels.buffer.write": ("6", "published"),
    "axes.X.size": ("16", "published"),
    "axes.Y.size": ("16", "published"),
    "axes.Y.network": ("2", "published"),
    "levels.rf.capacity": ("4096", "published"),
    "levels.rf.read": ("1", "published"),
    "levels.rf.write": ("1", "published"),
    "mac.16": ("1", "published"),
    "vector_op": ("1", "assumed"),
}
EYERISS_V2_PE = {
    "clock": ("200000000", "assumed"),
    "levels.dram.read": ("2560", "assumed"),
    "levels.dram.write": ("2560", "assumed"),
    "levels.spad.capacity": ("4096", "assumed"),
    "levels.spad.read": ("1.17742", "published"),
    "levels.spad.write": ("3.41814", "published"),
    "mac.8": ("1.28138", "published"),
    "vector_op": ("0.07496", "published"),
}
NVDLA_LIKE = {
    "clock": ("1000000000", "assumed"),
    "levels.dram.read": ("512", "published"),
    "levels.dram.write": ("512", "assumed"),
    "levels.dram.bandwidth": ("204.8", "assumed"),
    "levels.buffer.capacity": ("4194304", "assumed"),
    "levels.buffer.read": ("68.3493", "published"),
    "levels.buffer.write": ("51.346", "published"),
    "levels.accumulators.capacity": ("131072", "assumed"),
    "levels.accumulators.read": ("11.6097", "published"),
    "levels.accumulators.write": ("10.6968", "published"),
    "axes.kernels.size": ("16", "assumed"),
    "axes.channels.size": ("64", "assumed"),
    "levels.weight_register.capacity": ("8", "assumed"),
    "levels.weight_register.read": ("0.08286", "published"),
    "levels.weight_register.write": ("0.08286", "published"),
    "mac.8": ("1.15365", "derived"),
    "vector_op": ("0.12083", "published"),
}
TPU_LIKE = {
    "clock": ("1000000000", "assumed"),
    "levels.dram.read": ("56.24", "published"),  # 7.03 pJ/bit x 8
    "levels.dram.write": ("56.24", "published"),
    "levels.common.capacity": ("1073741824", "published"),
    "levels.common.read": ("15.04", "published"),  # 1.88 x 8
    "levels.common.write": ("18.88", "published"),  # 2.36 x 8
    "levels.local.capacity": ("33554432", "published"),
    "levels.local.read": ("1.992", "published"),  # 0.249 x 8
    "levels.local.write": ("2.344", "published"),  # 0.293 x 8
    "axes.columns.size": ("128", "assumed"),
    "axes.rows.size": ("128", "assumed"),
    "levels.weight_register.capacity": ("8", "assumed"),
    "levels.weight_register.read": ("0.01", "assumed"),
    "levels.weight_register.write": ("0.01", "assumed"),
    "mac.8": ("0.084", "published"),
    "vector_op": ("0.084", "assumed"),
}
MOBILE7 = {
    "clock": ("1000000000", "assumed"),
    "levels.dram.read": ("512", "published"),
    "levels.dram.write": ("512", "assumed"),
    "levels.dram.bandwidth": ("204.8", "assumed"),
    "levels.buffer.capacity": ("8388608", "assumed"),
    "levels.buffer.read": ("14", "published"),
    "levels.buffer.write": ("14", "assumed"),
    "levels.local.capacity": ("65536", "assumed"),
    "levels.local.read": ("7.5", "published"),
    "levels.local.write": ("7.5", "assumed"),
    "axes.filters.size": ("32", "assumed"),
    "axes.pixels.size": ("32", "assumed"),
    "mac.8": ("0.084", "published"),
    "vector_op": ("0.084", "assumed"),
}
GPU_L2 = {
    "clock": ("1410000000", "assumed"),
    "levels.dram.read": ("419.52", "measured"),  # 13.11 pJ/bit x 32
    "levels.dram.write": ("419.52", "assumed"),
    "levels.l2.capacity": ("335544320", "assumed"),
    "levels.l2.read": ("150.72", "measured"),  # 4.71 x 32
    "levels.l2.write": ("150.72", "assumed"),
    "axes.multiprocessors.size": ("108", "assumed"),
    "levels.l1.capacity": ("1572864", "assumed"),
    "levels.l1.read": ("50.88", "measured"),  # 1.59 x 32
    "levels.l1.write": ("50.88", "assumed"),
    "axes.lanes.size": ("64", "assumed"),
    "mac.32": ("1.7", "assumed"),
    "vector_op": ("0.4", "assumed"),
}
LIBRARY = {
    "eyeriss-jssc2017": EYERISS_JSSC2017,
    "eyeriss-isca2016": EYERISS_ISCA2016,
    "eyeriss-v2-pe": EYERISS_V2_PE,
    "nvdla-like": NVDLA_LIKE,
    "tpu-like": TPU_LIKE,
    "mobile7": MOBILE7,
    "gpu-l2": GPU_L2,
}
LANES = {
    "eyeriss-jssc2017": 168, "eyeriss-isca2016": 256, "eyeriss-v2-pe": 1, "nvdla-like": 1024,
    "tpu-like": 16384, "mobile7": 1024, "gpu-l2": 6912,
}  # fmt: skip


def hierarchy(name: str) -> Hierarchy:
    hardware = load_hardware(name)
    assert isinstance(hardware, HierarchyHardware)
    return hardware.hierarchy


@pytest.mark.parametrize("name", LIBRARY)
def test_every_constant(name: str) -> None:
    found = {c.path: (c.value, c.kind) for c in load_hardware(name).constants}
    assert found == {path: (Fraction(value), kind) for path, (value, kind) in LIBRARY[name].items()}


@pytest.mark.parametrize("name", LIBRARY)
def test_every_constant_is_accounted_for(name: str) -> None:
    hardware = load_hardware(name)
    assert hardware.name == name and hardware.cost_model == "hierarchy"
    assert all(c.source or (c.kind == "assumed" and c.note) for c in hardware.constants)
    assert hierarchy(name).lanes == LANES[name]


def test_the_chip_shares_inputs_along_diagonals_and_codes_activations() -> None:
    chip = load_hardware("eyeriss-jssc2017")
    assert all(axis.diagonal for axis in hierarchy("eyeriss-jssc2017").axes)
    assert (chip.activations.format, chip.activations.compute) == ("rlc", "gate")
    assert Fraction("3.163690") == round(Fraction("106.3") * 10**9 / (200 * 10**6) / 168, 6)  # mW to pJ


def test_main_figures_of_the_chip() -> None:
    """JSSC 2017: 33.6 GMAC/s at 200 MHz and 181.5 KiB of SRAM (Table IV), filters 64 bit a cycle (V-B)."""
    chip, levels = load_hardware("eyeriss-jssc2017"), hierarchy("eyeriss-jssc2017").levels
    assert chip.clock_hz * hierarchy("eyeriss-jssc2017").lanes == 33_600_000_000
    of = {level.name: level for level in levels}
    filters = 8 * 1024 * 8  # of the prefetch, no level of its own
    assert of["buffer"].capacity_bits + filters + 168 * of["weight_rf"].capacity_bits == 181.5 * 1024 * 8
    assert [(tensor, rate.value) for tensor, rate in of["dram"].ramp_up] == [("weights", 64)]
    assert not any(level.ramp_up for level in levels[1:])


def test_the_pe_skips_the_zeros_of_both() -> None:
    pe = load_hardware("eyeriss-v2-pe")
    assert (pe.weights.compute, pe.activations.compute) == ("skip", "skip")


@pytest.mark.parametrize("name", LIBRARY)
def test_a_small_network_runs(name: str) -> None:
    b = GraphBuilder("small", (4, 12, 12))
    x = b.relu(b.conv(b.input, 8, 3, padding=1))
    graph = b.build(b.linear(b.flatten(x), 10))
    report = estimate(graph, hardware=name)
    layers = report.to_frame()
    macs = 8 * 4 * 9 * 144 + 8 * 144 * 10
    assert layers.macs.sum() == macs
    assert layers[layers.macs > 0].optimal.all()
    assert layers.dram_bits.sum() >= layers.compulsory_bits.sum() > 0
    assert layers.cycles.sum() * LANES[name] >= macs
