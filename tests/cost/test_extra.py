"""Quantities that a scheme states of a node: counts, bits and energies by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from energysim.cost import LayerCost
from energysim.cost.two_level import TwoLevel
from energysim.errors import SchemeError, SpecError
from energysim.extra import NOTHING, Extra, Generated
from energysim.windows import Axis
from energysim.workload import MacWorkload, StreamWorkload

from .small import conv, hardware, pj, rows, setting

#: 4 filters, 3 channels, 1x1 on 5x2: 12 weights, 10 positions, 120 multiply-adds, unlimited buffer.
WORK = conv(4, 3, Axis(5, 5), Axis(2, 2))


def cost(extra: Extra = NOTHING, work: MacWorkload | StreamWorkload = WORK) -> LayerCost:
    (found,) = TwoLevel().evaluate((replace(work, extra=extra),), setting())
    return found


def test_nothing_changes_nothing() -> None:
    assert cost() == cost(Extra())
    assert (cost().macs, cost().weight_bits, cost().side_bits) == (120, 96, 0)


def test_floating_point_beside_integers() -> None:
    wide = replace(hardware(), mac=(*hardware().mac, (32, replace(hardware().mac[0][1], value=5))))
    work = replace(WORK, extra=Extra(float_macs=7))
    (found,) = TwoLevel().evaluate((work,), setting(wide))
    assert (found.macs, found.effective_macs, found.float_macs) == (127, 127, 7)
    assert pj(found, "mac  compute") == 120
    assert pj(found, "mac  compute_float") == 35
    assert dict(found.times)["compute"] == 127
    with pytest.raises(SpecError, match="no MAC for 32-bit"):
        cost(Extra(float_macs=7))


def test_additions_cost_an_elementary_operation() -> None:
    found = cost(Extra(additions=True, weight_bits=2))
    assert (found.macs, found.additions, found.weight_bits) == (120, 120, 24)
    assert pj(found, "mac  add") == 360
    assert rows(found)["dram weights read"] == (12, 24)
    assert "mac  compute" not in rows(found)


def test_side_bits_and_tables() -> None:
    """Without a limit of the buffer the weights are read once: 96 bits, 40 beside them, a table of 9."""
    found = cost(Extra(side_bits=40, table_bits=9))
    assert (found.weight_bits, found.side_bits) == (96, 49)
    assert rows(found)["dram weights read"] == (12, 96 + 40 + 9)
    assert rows(found)["buffer weights read"] == (12 * 10, (96 + 40) * 10)
    assert found.compulsory_bits == cost().compulsory_bits + 49


def test_gathered_reads() -> None:
    found = cost(Extra(gathers=50))
    assert found.gathers == 50
    assert rows(found)["buffer inputs gather"] == (50, 400)
    assert pj(found, "buffer inputs gather") == 500


def test_weights_made_on_chip() -> None:
    """5 values of 6 bits cross DRAM in the place of 96 bits; 30 multiply-adds make the weights."""
    found = cost(Extra(generated=Generated(5, 6, macs=30)))
    assert (found.weight_bits, found.macs, found.expansion_macs, found.load_bits) == (30, 120, 30, 0)
    assert rows(found)["dram weights read"] == (5, 30)
    assert rows(found)["buffer weights fill"] == (12, 96)
    assert rows(found)["mac weights expand"] == (30, 0)
    assert pj(found, "mac weights expand") == 30
    assert dict(found.times)["compute"] == dict(cost().times)["compute"] + 30


def test_weights_made_at_load() -> None:
    """The run is that of the dense layer; 30 bits are read once and 96 written."""
    found = cost(Extra(generated=Generated(5, 6, macs=30, on_chip=False)))
    assert (found.weight_bits, found.expansion_macs, found.load_bits) == (30, 30, 126)
    assert found.accesses == cost().accesses


@pytest.mark.parametrize("which", ["inputs", "outputs"])
def test_a_tensor_that_stays_on_chip(which: str) -> None:
    operand = replace(getattr(WORK, which), on_chip=True)
    found = cost(work=replace(WORK, **{which: operand}))
    name, bits = ("dram inputs read", 240) if which == "inputs" else ("dram outputs write", 320)
    assert rows(cost())[name][1] == bits
    assert name not in rows(found)
    assert {n: r for n, r in rows(cost()).items() if n != name} == rows(found)
    assert cost().compulsory_bits - found.compulsory_bits == bits


def test_two_statements_of_one_quantity() -> None:
    both = Extra(side_bits=3).with_more("n", Extra(gathers=4))
    assert both == Extra(side_bits=3, gathers=4)
    with pytest.raises(SchemeError, match="layer 'n': its side_bits is stated twice, 3 and 4"):
        Extra(side_bits=3).with_more("n", Extra(side_bits=4))
