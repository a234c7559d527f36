"""Exact energies, exact fractions, engineering notation."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energysim.units import (
    aj_from_pj,
    ceil_div,
    ceil_fraction,
    engineering,
    exact_fraction,
    pj_decimal,
    prefix_for,
)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "J", "0 J"),
        (15_470_264_320, "", "15.47 G"),
        (999, "bit", "999 bit"),
        (1000, "bit", "1 kbit"),
        (Fraction(1, 1000), "J", "1 mJ"),
        (0.00002, "s", "20 us"),
        (-1500, "W", "-1.5 kW"),
        (999.96, "", "1000"),
        (10**30, "", "1000000 Y"),
        (Fraction(1, 10**20), "J", "0.01 aJ"),
    ],
)
def test_engineering_notation(value: float, unit: str, text: str) -> None:
    assert engineering(value, unit) == text


def test_engineering_with_few_digits_never_shows_an_exponent() -> None:
    assert engineering(999.9, digits=2) == "1000"


@pytest.mark.parametrize(
    ("value", "least", "expected"),
    [(1, 1, (0, "")), (9999, 10, (0, "")), (10_000, 10, (3, "k")), (Fraction(1, 1000), 10, (-6, "u"))],
)
def test_prefix_leaves_at_least_so_much(value: Fraction, least: int, expected: tuple[int, str]) -> None:
    assert prefix_for(value, least) == expected


@pytest.mark.parametrize(("a", "b", "expected"), [(0, 3, 0), (1, 3, 1), (3, 3, 1), (4, 3, 2), (-4, 3, -1)])
def test_ceil_div(a: int, b: int, expected: int) -> None:
    assert ceil_div(a, b) == expected


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**12))
def test_ceil_div_is_the_smallest_multiple_not_below(a: int, b: int) -> None:
    assert (ceil_div(a, b) - 1) * b < a <= ceil_div(a, b) * b
    assert ceil_fraction(Fraction(a, b)) == ceil_div(a, b)


@pytest.mark.parametrize("value", [0.1, "0.1", Decimal("0.1"), Fraction(1, 10)])
def test_numbers_mean_what_is_written(value: float) -> None:
    assert exact_fraction(value) == Fraction(1, 10)


@pytest.mark.parametrize(
    "value", ["", "abc", "nan", "inf", "-Infinity", float("nan"), float("inf"), "1e5000"]
)
def test_what_is_no_number(value: str) -> None:
    with pytest.raises(ValueError, match=r"number|meant"):
        exact_fraction(value)


@pytest.mark.parametrize(
    ("pj", "aj"),
    [("1", 10**6), ("0.000001", 1), ("3.38552", 3385520), (Decimal("1e3"), 10**9), (2, 2 * 10**6)],
)
def test_attojoules_of_picojoules(pj: Decimal | int | str, aj: int) -> None:
    assert aj_from_pj(pj) == aj


def test_an_energy_finer_than_an_attojoule_is_refused() -> None:
    with pytest.raises(ValueError, match="at most six decimals"):
        aj_from_pj("0.0000001")


@given(st.integers(-(10**60), 10**60))
def test_picojoules_are_exact_whatever_the_precision_of_decimals(energy: int) -> None:
    with localcontext() as context:
        context.prec = 5
        shown = pj_decimal(energy)
    assert aj_from_pj(shown) == energy
    assert Fraction(shown) == Fraction(energy, 10**6)
    assert "E" not in str(shown)


@given(st.fractions(min_value=Fraction(1, 10**18), max_value=10**26))
def test_engineering_is_close(value: Fraction) -> None:
    powers = dict(zip("afpnum kMGTPEZY", range(-18, 27, 3), strict=True))
    number, _, prefix = engineering(value).partition(" ")
    assert abs(Fraction(number) * Fraction(10) ** powers[prefix or " "] / value - 1) < Fraction(1, 1900)
