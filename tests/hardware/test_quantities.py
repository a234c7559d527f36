"""Numbers with units, exact to the last digit."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energysim.hardware.quantities import (
    BANDWIDTH,
    CAPACITY,
    COUNT,
    ENERGY,
    FREQUENCY,
    Dimension,
    parse_quantity,
)


@pytest.mark.parametrize(
    ("text", "dimension", "value", "unit"),
    [
        ("29.4494 pJ", ENERGY, Fraction(294494, 10000), "pJ"),
        ("29.4494pJ", ENERGY, Fraction(294494, 10000), "pJ"),
        ("  +1.5   nJ ", ENERGY, Fraction(1500), "pJ"),
        ("250 fJ", ENERGY, Fraction(1, 4), "pJ"),
        ("7 aJ", ENERGY, Fraction(7, 10**6), "pJ"),
        ("1e-3 nJ", ENERGY, Fraction(1), "pJ"),
        ("0 pJ", ENERGY, Fraction(0), "pJ"),
        ("0e99999 pJ", ENERGY, Fraction(0), "pJ"),
        ("1 kB", CAPACITY, Fraction(8000), "bit"),
        ("1 KiB", CAPACITY, Fraction(8192), "bit"),
        ("1 MB", CAPACITY, Fraction(8 * 10**6), "bit"),
        ("1 MiB", CAPACITY, Fraction(8 * 2**20), "bit"),
        ("0.5 KiB", CAPACITY, Fraction(4096), "bit"),
        ("3 bit", CAPACITY, Fraction(3), "bit"),
        ("6.4 GB/s", BANDWIDTH, Fraction(512 * 10**8), "bit/s"),
        ("100 MB/s", BANDWIDTH, Fraction(8 * 10**8), "bit/s"),
        ("64 bit/cycle", BANDWIDTH, Fraction(64), "bit/cycle"),
        ("8 B/cycle", BANDWIDTH, Fraction(64), "bit/cycle"),
        ("200 MHz", FREQUENCY, Fraction(2 * 10**8), "Hz"),
        ("1.5 kHz", FREQUENCY, Fraction(1500), "Hz"),
    ],
)
def test_units(text: str, dimension: Dimension, value: Fraction, unit: str) -> None:
    assert parse_quantity(text, dimension) == (value, unit)


def test_counts_are_plain_numbers() -> None:
    assert parse_quantity(16, COUNT) == (16, "")
    for wrong in (0, -1, True, "16", 1.0, 2**31, None):
        with pytest.raises(ValueError, match="whole number"):
            parse_quantity(wrong, COUNT)


@given(st.integers(0, 10**18))
def test_every_attojoule_is_exact(energy_aj: int) -> None:
    whole, rest = divmod(energy_aj, 10**6)
    assert parse_quantity(f"{whole}.{rest:06d} pJ", ENERGY).value * 10**6 == energy_aj


@given(st.one_of(st.text(), st.integers(), st.floats(), st.decimals(), st.none(), st.booleans()))
def test_anything_else_is_a_value_error(value: object) -> None:
    for dimension in (ENERGY, CAPACITY, BANDWIDTH, FREQUENCY, COUNT):
        try:
            parse_quantity(value, dimension)
        except ValueError as error:
            assert str(error)
