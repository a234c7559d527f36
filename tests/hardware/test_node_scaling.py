"""Energies at another technology node: only where a specification says so, and only those on the chip."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from energysim import GraphBuilder, estimate
from energysim.errors import SpecError
from energysim.hardware import Hardware, hardware_names, load_hardware
from energysim.hardware.node_scaling import NODES_NM, energy_factor, least_volts

from .base import messages, written

HEAD = "schema: energysim-hardware/1\nname: other\nextends: {}\n"


def other(folder: Path, base: str, scaling: str, more: str = "") -> Path:
    text = f"{HEAD.format(base)}node_scaling: {{{scaling}}}\n{more}"
    return written(folder, text, "other.yaml")


def test_the_example_of_the_authors() -> None:
    """Their correction of section 4.2.1: 1.3 V bulk at 65 nm and 0.9 V at 32 nm."""
    assert round(energy_factor(32, Fraction("0.9")), 4) == Fraction("0.4571")
    assert round(energy_factor(65, Fraction("1.3")), 3) == Fraction("2.604")


def test_a_smaller_node_needs_less() -> None:
    volts = [Fraction(v, 100) for v in range(80, 131, 5)]
    for larger, smaller in pairwise(NODES_NM):
        assert all(energy_factor(smaller, v) < energy_factor(larger, v) for v in volts)
    for node in NODES_NM:
        assert Fraction("0.1") < least_volts(node) < Fraction("0.6")
        assert energy_factor(node, volts[0]) > energy_factor(node, least_volts(node)) > 0


def constants(hardware: Hardware) -> dict[str, tuple[Fraction, str, str, int | None]]:
    return {c.path: (c.value, c.kind, c.source, c.node_nm) for c in hardware.constants}


@pytest.mark.parametrize("base", ["edge45", "eyeriss-jssc2017"])
def test_energies_on_the_chip_are_scaled_and_nothing_else(base: str, tmp_path: Path) -> None:
    before = load_hardware(base)
    volts = "from_voltage: 1.1 V, to_voltage: 0.8 V"
    after = load_hardware(other(tmp_path, base, f"to_nm: 7, {volts}"))
    factor = energy_factor(7, Fraction("0.8")) / energy_factor(before.node_nm or 0, Fraction("1.1"))
    was, now = constants(before), constants(after)
    assert list(was) == list(now)
    for path, (value, kind, source, _) in was.items():
        on_chip = path.split(".")[-1] in ("read", "write", "vector_op", "network", "8", "16", "32")
        if not on_chip or path.startswith("levels.dram."):
            assert now[path] == was[path]
            continue
        found, how, cited, node = now[path]
        assert abs(found - value * factor) <= Fraction(1, 2 * 10**6)  # half an attojoule
        assert how == ("assumed" if kind == "assumed" else "derived")
        assert cited.startswith(source) and "Stillmaker" in cited and node == 7
    assert (before.clock_hz, before.dram, before.array) == (after.clock_hz, after.dram, after.array)
    assert after.node_nm == 7 and before.digest != after.digest
    assert "scaled from" in after.description and "1.1 V to 7 nm at 0.8 V" in after.description


def test_by_hand(tmp_path: Path) -> None:
    hardware = load_hardware(other(tmp_path, "edge45", "to_nm: 7, from_voltage: 1 V, to_voltage: 700 mV"))
    # 0.1776 x 0.49 - 0.09097 x 0.7 + 0.02447 over 1.018 - 0.3107 + 0.1539
    factor = Fraction("0.047815") / Fraction("0.8612")
    assert hardware.mac_energy(8, 8).energy_aj == round(1_153_650 * factor)
    assert hardware.mac_energy(8, 8).note.startswith("x 0.05552, from 45 nm at 1 V to 7 nm at 0.7 V; ")


def test_nothing_that_ships_is_scaled() -> None:
    for name in hardware_names():
        assert not any("Stillmaker" in c.source for c in load_hardware(name).constants)


def test_an_estimate_says_so(tmp_path: Path) -> None:
    b = GraphBuilder("small", (4, 6, 6))
    graph = b.build(b.conv(b.input, 8, 3))
    path = other(tmp_path, "edge45", "to_nm: 7, from_voltage: 1.1 V, to_voltage: 0.8 V")
    reports = [estimate(graph, hardware=hardware, objective="dram") for hardware in ("edge45", path)]
    old, new = (report.runs[0].accesses for report in reports)
    assert [(a.level, a.bits) for a in old] == [(a.level, a.bits) for a in new]
    for before, after in zip(old, new, strict=True):
        assert after.energy_aj == before.energy_aj or before.level != "dram"
        assert after.energy_aj < before.energy_aj or before.level == "dram"
    assert "scaled from 45 nm at 1.1 V to 7 nm at 0.8 V" in str(reports[1])
    uses = {use.path: use for use in reports[1].setup.constants}
    assert uses["mac.8"].kind == "derived" and "Stillmaker" in uses["mac.8"].source


VOLTS = "from_voltage: 1 V, to_voltage: 1 V"


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        (
            f"to_nm: 8, {VOLTS}",
            "other.yaml:4:23: node_scaling.to_nm: no factor is known for 8 nm, only for 130, 90, 65, 45, 32, "
            "20, 16, 14, 10, 7",
        ),
        (
            "to_nm: 7, from_voltage: 0.1 V, to_voltage: 1 V",
            "other.yaml:4:40: node_scaling.from_voltage: 0.1 V is outside the fit for 45 nm: its energy "
            "rises with the voltage from 0.15 V only",
        ),
    ],
)
def test_what_no_factor_is_known_for(scaling: str, expected: str, tmp_path: Path) -> None:
    assert messages(other(tmp_path, "edge45", scaling)) == [expected]


def test_it_starts_from_a_known_node(tmp_path: Path) -> None:
    without = other(tmp_path, "edge45", f"to_nm: 7, {VOLTS}", "node_nm: null\n")
    known = "factors are known from and to 130, 90, 65, 45, 32, 20, 16, 14, 10, 7 nm"
    assert messages(without) == [f"other.yaml:4:15: node_scaling: the specification has no node_nm; {known}"]
    twenty_eight = other(tmp_path, "edge45", f"to_nm: 7, {VOLTS}", "node_nm: 28\n")
    assert messages(twenty_eight) == [f"other.yaml:4:15: node_scaling: the specification has 28 nm; {known}"]


def test_all_energies_are_of_one_node(tmp_path: Path) -> None:
    mixed = other(tmp_path, "edge45", f"to_nm: 7, {VOLTS}", "node_nm: 65\n")
    with pytest.raises(SpecError) as caught:
        load_hardware(mixed)
    assert "node_scaling starts from its 65 nm, but levels.buffer.read is an energy at 45 nm" in str(
        caught.value
    )
