"""Layers that only stream, by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from energysim.cost.two_level import TwoLevel
from energysim.hardware import ZeroHandling
from energysim.workload import Operand, StreamWorkload

from .small import hardware, pj, rows, setting

HALF = Fraction(1, 2)


def test_an_addition_of_two_maps() -> None:
    # 2 x 10 elements in, 10 out, 10 additions on 4 lanes. DRAM: 30 words at 7 bit a cycle: 34.3.
    maps = Operand((1, 2, 5)), Operand((1, 2, 5), 4)
    work = StreamWorkload(maps, (Operand((1, 2, 5)),), (10, 10), other_ops=10)
    (cost,) = TwoLevel().evaluate((work,), setting(hardware(2, 2, dram_bandwidth=7)))
    assert rows(cost) == {
        "dram inputs read": (10, 80),
        "buffer inputs fill": (10, 80),
        "buffer inputs read": (10, 80),
        "dram inputs_2 read": (10, 40),
        "buffer inputs_2 fill": (10, 40),
        "buffer inputs_2 read": (10, 40),
        "dram outputs write": (10, 80),
        "buffer outputs update": (10, 80),
        "buffer outputs drain": (10, 80),
        "vector  compute": (10, 0),
    }
    assert pj(cost, "dram inputs_2 read") == 500
    assert pj(cost, "dram outputs write") == 2000
    assert pj(cost, "buffer inputs fill") == 200
    assert pj(cost, "buffer outputs drain") == 100
    assert pj(cost, "vector  compute") == 30
    assert cost.times == (("compute", 3), ("dram", 29))
    assert (cost.cycles, cost.bound) == (29, "dram")
    assert (cost.macs, cost.effective_macs, cost.other_ops, cost.utilisation) == (0, 0, 10, 0)
    assert cost.compulsory_bits == 200
    assert (cost.mapping, cost.mappings) == ("", 0)


def test_only_what_is_needed_is_read() -> None:
    # Pooling 1x1 with stride 2 on 5 columns needs 3 of them.
    work = StreamWorkload((Operand((1, 1, 1, 5)),), (Operand((1, 1, 1, 3)),), (3,))
    (cost,) = TwoLevel().evaluate((work,), setting())
    assert rows(cost)["dram inputs read"] == (3, 24)
    assert "vector  compute" not in rows(cost)
    assert cost.cycles == 0


def test_parameters_are_read_along() -> None:
    work = StreamWorkload((Operand((1, 4)),), (Operand((1, 4)),), (4,), parameters=8)
    (cost,) = TwoLevel().evaluate((work,), setting())
    assert rows(cost)["dram weights read"] == rows(cost)["buffer weights read"] == (8, 64)
    assert (cost.weight_bits, cost.side_bits) == (64, 0)
    assert cost.compulsory_bits == 32 + 32 + 64


@pytest.mark.parametrize(("density", "bits", "expected"), [(HALF, 40, True), (Fraction(1), 64, False)])
def test_compressed_maps(density: Fraction, bits: int, expected: bool) -> None:
    hw = replace(hardware(), activations=ZeroHandling(True, "none", "bitmap"))
    operand = Operand((1, 2, 4), None, density, density)
    (cost,) = TwoLevel().evaluate((StreamWorkload((operand,), (operand,), (8,)),), setting(hw))
    assert rows(cost)["dram inputs read"] == rows(cost)["dram outputs write"] == (8, bits)
    assert {a.expected for a in cost.accesses if a.level == "dram"} == {expected}
    assert rows(cost)["buffer inputs fill"] == (8, 64)
    assert not any(a.expected for a in cost.accesses if a.level == "buffer")


def test_nothing_at_all() -> None:
    (cost,) = TwoLevel().evaluate((StreamWorkload((), (), ()),), setting())
    assert (cost.energy_aj, cost.cycles, cost.accesses) == (0, 0, ())
