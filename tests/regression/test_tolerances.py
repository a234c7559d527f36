"""By how much a number may move: read, matched, applied, by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energysim.errors import UsageError
from energysim.regression.tolerances import Tolerance, allowed, equal, need_matches, parse_tolerance


@pytest.mark.parametrize(
    ("text", "layers", "columns", "fall", "rise"),
    [
        ("*.energy_aj=-any..+1%", "*", "*.energy_aj", None, Fraction(1, 100)),
        ("features.*:cycles=-2%..+2%", "features.*", "cycles", Fraction(1, 50), Fraction(1, 50)),
        ("total:energy_aj=-any..+any", "total", "energy_aj", None, None),
        ("a:b=c:macs=-0.001..+0", "a:b=c", "macs", Fraction(1, 1000), Fraction(0)),
        ("macs=-0.1%..+1e-3", "*", "macs", Fraction(1, 1000), Fraction(1, 1000)),
        (" conv1 : macs = -1% .. +1% ", "conv1", "macs", Fraction(1, 100), Fraction(1, 100)),
    ],
)
def test_read(text: str, layers: str, columns: str, fall: Fraction | None, rise: Fraction | None) -> None:
    assert parse_tolerance(text) == Tolerance(layers, columns, fall, rise, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "macs",
        "macs=1%",
        "macs=-1%",
        "macs=+1%..-1%",
        "macs=-1%..+x",
        "=-1%..+1%",
        ":macs=-1%..+1%",
        "macs=-1%..+nan",
        "macs=-1%..+inf",
        "macs=--1%..+1%",
        "macs=-1%...+1%",
        "macs=-1e99999..+1%",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"a tolerance is \[LAYERS:\]COLUMNS=-FALL\.\.\+RISE") as caught:
        parse_tolerance(text)
    assert repr(text)[:20] in str(caught.value)


def test_may_fall_but_not_rise_by_more_than_one_percent() -> None:
    rules = [parse_tolerance("*.energy_aj=-any..+1%")]

    def may(old: int, new: int, column: str = "dram.energy_aj") -> bool:
        return allowed(rules, "conv", column, old, new, False)

    assert may(1000, 1010)
    assert not may(1000, 1011)
    assert may(1000, 0)
    assert not may(0, 1)
    assert not may(1000, 1001, "macs")
    assert allowed(rules, "total", "cycles", 1, 2, derived=True)  # a sum that no rule names
    assert not allowed(rules, "total", "dram.energy_aj", 1, 2, derived=True)


def test_the_first_that_names_a_number_decides() -> None:
    rules = [parse_tolerance(t) for t in ("conv*:cycles=-0..+0", "cycles=-any..+any")]
    assert not allowed(rules, "conv1", "cycles", 5, 6, False)
    assert allowed(rules, "fc", "cycles", 5, 6, False)


def test_a_name_with_brackets_means_itself() -> None:
    """Beside what it means as a glob: ``conv[0]`` is ``conv0`` there."""
    rule = parse_tolerance("conv[0]:x:macs=-any..+any")
    assert rule.names("conv[0]:x", "macs")
    assert not rule.names("conv[1]:x", "macs")
    need_matches([rule], {"conv[0]:x": ["macs"]})


def test_energies_are_equal_within_a_part_in_a_billion_both_ways() -> None:
    one = 10**15
    assert equal("dram.energy_aj", one, one + 10**6)
    assert equal("dram.energy_aj", one, one - 10**6)
    assert not equal("dram.energy_aj", one, one + 10**6 + 1)
    assert not equal("dram.energy_aj", one, one - 10**6 - 1)
    assert not equal("dram.energy_aj", 0, 1)  # no absolute tolerance
    assert not equal("dram.bits", one, one + 1)


@given(st.integers(0, 10**20), st.integers(0, 10**20))
def test_equal_means_equal_for_counts(old: int, new: int) -> None:
    assert equal("macs", old, new) == (old == new)
    assert equal("x.energy_aj", old, new) == (abs(Fraction(new - old)) <= Fraction(old, 10**9))


def test_a_tolerance_that_names_nothing_is_an_error() -> None:
    numbers = {name: ["macs", "dram.energy_aj", "energy_aj"] for name in ("conv1", "conv2", "total")}
    need_matches([parse_tolerance("conv*:*.energy_aj=-1%..+1%")], numbers)
    with pytest.raises(UsageError, match=r"names no layer: 'conf1'; did you mean 'conv1'\?"):
        need_matches([parse_tolerance("conf1:macs=-1%..+1%")], numbers)
    with pytest.raises(UsageError, match="names no column: 'energy'"):
        need_matches([parse_tolerance("energy=-1%..+1%")], numbers)


def test_a_column_that_only_other_layers_have_is_no_number() -> None:
    numbers = {"conv1": ["layers", "macs", "cycles"], "flat1": ["layers", "cycle_waits"]}
    for fine in ("conv1:macs", "*1:macs", "flat1:*waits", "flat*:cycle*", "macs"):
        need_matches([parse_tolerance(f"{fine}=-1%..+1%")], numbers)
    for wrong, message in (
        ("flat1:macs", "names no column of 'flat1': 'macs' (layers, cycle_waits)"),
        ("flat*:mac?", "names no column of 'flat*': 'mac?' (layers, cycle_waits)"),
        ("flat1:cycles", "names no column of 'flat1': 'cycles'; did you mean 'cycle_waits'?"),
        ("flat1:watts", "names no column: 'watts'"),
    ):
        with pytest.raises(UsageError, match=r"tolerance .* names no column") as caught:
            need_matches([parse_tolerance(f"{wrong}=-1%..+1%")], numbers)
        assert message in str(caught.value)
