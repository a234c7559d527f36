"""Quantities of a hardware file: a number and its unit, as text, kept exact.

Each field accepts one dimension only, so an energy can never stand where a capacity is
meant. 1 kB is 1000 bytes and 1 KiB is 1024 bytes; both exist and are never mixed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import NamedTuple

from energysim.errors import near_miss

__all__ = [
    "BANDWIDTH",
    "CAPACITY",
    "COUNT",
    "CURRENT",
    "ENERGY",
    "FREQUENCY",
    "TIME",
    "VOLTAGE",
    "Dimension",
    "Quantity",
    "parse_quantity",
    "show",
]


class Dimension(NamedTuple):
    """One kind of quantity.

    Parameters
    ----------
    name : str
        With its article, for messages: ``"an energy"``.
    units : mapping of str to (Fraction, str)
        Unit to its factor and the base unit that the factor leads to.
    largest : Fraction
        Largest value in base units; far beyond any hardware, it stops slips of the exponent.
    example : str
        An accepted value.
    step : Fraction or None
        Values must be whole multiples of this, in base units.
    zero : bool
        Whether zero is accepted.
    """

    name: str
    units: Mapping[str, tuple[Fraction, str]]
    largest: Fraction
    example: str
    step: Fraction | None = None
    zero: bool = False

    @property
    def pattern(self) -> str:
        """Regular expression of the accepted text, for the JSON schema."""
        names = "|".join(re.escape(unit) for unit in self.units)
        return rf"^\s*\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*({names})\s*$"


class Quantity(NamedTuple):
    """An exact value in a base unit (pJ, bit, Hz, bit/s, bit/cycle, ns, V, mA, or none for a count)."""

    value: Fraction
    unit: str


def _units(base: str, **factors: Fraction | int) -> dict[str, tuple[Fraction, str]]:
    return {name: (Fraction(factor), base) for name, factor in factors.items()}


_BYTES = {"B": 1, "kB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}

ENERGY = Dimension(
    "an energy",
    _units("pJ", pJ=1, nJ=1000, fJ=Fraction(1, 10**3), aJ=Fraction(1, 10**6)),
    Fraction(10**12),
    "3.2 pJ",
    step=Fraction(1, 10**6),
    zero=True,
)
CAPACITY = Dimension(
    "a capacity",
    {"bit": (Fraction(1), "bit")} | _units("bit", **{name: 8 * size for name, size in _BYTES.items()}),
    Fraction(2**60),
    "512 KiB",
    step=Fraction(1),
)
FREQUENCY = Dimension(
    "a frequency", _units("Hz", Hz=1, kHz=10**3, MHz=10**6, GHz=10**9), Fraction(10**13), "200 MHz"
)
BANDWIDTH = Dimension(
    "a bandwidth",
    {"bit/cycle": (Fraction(1), "bit/cycle"), "B/cycle": (Fraction(8), "bit/cycle")}
    | _units("bit/s", **{"MB/s": 8 * 10**6, "GB/s": 8 * 10**9}),
    Fraction(10**18),
    "6.4 GB/s",
)
TIME = Dimension("a time", _units("ns", ns=1, us=1000, ps=Fraction(1, 1000)), Fraction(10**9), "0.83 ns")
VOLTAGE = Dimension("a voltage", _units("V", V=1, mV=Fraction(1, 1000)), Fraction(1000), "1.2 V")
CURRENT = Dimension("a current", _units("mA", mA=1, A=1000, uA=Fraction(1, 1000)), Fraction(10**6), "47 mA")
COUNT = Dimension("a whole number", {}, Fraction(2**30), "16", step=Fraction(1))

_DIMENSIONS = (ENERGY, CAPACITY, FREQUENCY, BANDWIDTH, TIME, VOLTAGE, CURRENT)
_NUMBER = re.compile(r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*", re.ASCII | re.DOTALL)
_LONGEST = 60  # characters of a value: more is not a number anybody wrote
_EXPONENT = 40  # beyond it the number is refused before it is expanded to digits


def show(value: object) -> str:
    """Return a value for a message as it stands in YAML, shortened if it is long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = str(value) if isinstance(value, int | Decimal) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def parse_quantity(value: object, dimension: Dimension) -> Quantity:
    """Return the exact quantity of a YAML value.

    Parameters
    ----------
    value : object
        Text such as ``"29.4494 pJ"``; for a count a whole number.
    dimension : Dimension
        What the field accepts.

    Raises
    ------
    ValueError
        If it is not such a quantity; the message says what would be accepted.
    """
    if dimension is COUNT:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"expected a whole number such as {COUNT.example}, got {show(value)}")
        return _checked(Fraction(value), "", value, dimension)
    accepted = (
        f"expected {dimension.name}: a number and one of {', '.join(dimension.units)}, "
        f"such as {dimension.example!r}"
    )
    if isinstance(value, Decimal) and not value.is_finite():
        raise ValueError(f"{value} is not a finite number; {accepted}")
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        raise ValueError(f"{show(value)} has no unit; {accepted}")
    match = _NUMBER.fullmatch(value) if isinstance(value, str) and len(value) <= _LONGEST else None
    if match is None:
        raise ValueError(f"{accepted}; got {show(value)}")
    number, unit = match.groups()
    if not unit:
        raise ValueError(f"{show(value)} has no unit; {accepted}")
    if unit not in dimension.units:
        other = next((d.name for d in _DIMENSIONS if unit in d.units), None)
        what = f"is {other}" if other else f"has the unknown unit {show(unit)}"
        hint = "" if other else near_miss(unit, dimension.units)
        raise ValueError(f"{show(value)} {what}; {accepted}{hint}")
    exact = _decimal(number)
    if exact is None:
        raise ValueError(f"{show(value)} is out of any sensible range; {accepted}")
    factor, base = dimension.units[unit]
    return _checked(Fraction(exact) * factor, base, value, dimension)


def _decimal(number: str) -> Decimal | None:
    """Return a decimal, or None if writing out its digits would take for ever."""
    try:
        exact = Decimal(number)
    except InvalidOperation:  # the exponent alone has twenty digits
        return None
    return exact if not exact or -_EXPONENT <= exact.adjusted() <= _EXPONENT else None


def _checked(exact: Fraction, base: str, value: object, dimension: Dimension) -> Quantity:
    if exact < 0 or (exact == 0 and not dimension.zero):
        least = "zero or more" if dimension.zero else "more than zero"
        raise ValueError(f"{show(value)}: {dimension.name} must be {least}")
    if exact > dimension.largest:
        raise ValueError(
            f"{show(value)} is too large: {dimension.name} may be at most {dimension.largest} {base}".rstrip()
        )
    if dimension.step is not None and (exact / dimension.step).denominator != 1:
        finest = "1 aJ (six decimals of a pJ)" if dimension is ENERGY else "one bit"
        raise ValueError(f"{show(value)} is finer than {finest}, the smallest step")
    return Quantity(exact, base)
