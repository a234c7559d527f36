"""Quantities: exact energies, and engineering notation for people.

Inside, an energy is a whole number of attojoules (1 pJ = 10**6 aJ), so that sums are exact
and do not depend on order or machine. Outside it is shown in picojoules.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction

__all__ = [
    "AJ_PER_PJ",
    "KIB",
    "aj_from_pj",
    "ceil_div",
    "ceil_fraction",
    "engineering",
    "exact_fraction",
    "pj_decimal",
    "prefix_for",
]

AJ_PER_PJ = 10**6
KIB = 1024

_MAX_EXPONENT = 1000

_PREFIXES: tuple[tuple[int, str], ...] = (
    (24, "Y"),
    (21, "Z"),
    (18, "E"),
    (15, "P"),
    (12, "T"),
    (9, "G"),
    (6, "M"),
    (3, "k"),
    (0, ""),
    (-3, "m"),
    (-6, "u"),
    (-9, "n"),
    (-12, "p"),
    (-15, "f"),
    (-18, "a"),
)


def ceil_div(a: int, b: int) -> int:
    """Return ``ceil(a / b)`` of two integers, exactly."""
    return -(-a // b)


def ceil_fraction(value: Fraction) -> int:
    """Return the smallest integer not below an exact fraction."""
    return -(-value.numerator // value.denominator)


def exact_fraction(value: Fraction | Decimal | int | float | str) -> Fraction:
    """Return the exact fraction of a number as it is *written*: 0.1 is 1/10, not its binary neighbour.

    Raises
    ------
    ValueError
        If the value is not a finite number, or has more than 1000 places.
    """
    if isinstance(value, Fraction | int):
        return Fraction(value)
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        raise ValueError(f"not a number: {value!r}") from None
    if not number.is_finite():
        raise ValueError(f"not a finite number: {value!r}")
    if abs(number.adjusted()) > _MAX_EXPONENT:  # 1e999999999 would fill the memory with zeros
        raise ValueError(f"too large or too small to be meant: {value!r}")
    return Fraction(number)


def aj_from_pj(value: Decimal | int | str) -> int:
    """Return whole attojoules of an energy given in pJ as decimal text.

    Raises
    ------
    ValueError
        If the value is finer than one attojoule (more than six decimals) or not finite.
    """
    exact = exact_fraction(value) * AJ_PER_PJ
    if exact.denominator != 1:
        raise ValueError(f"{value} pJ is finer than 1 aJ (at most six decimals)")
    return exact.numerator


def pj_decimal(energy_aj: int) -> Decimal:
    """Return an energy [pJ] of whole attojoules as an exact decimal with six places."""
    # Built digit by digit: arithmetic of decimals rounds to the precision of their context.
    return Decimal((int(energy_aj < 0), tuple(map(int, str(abs(energy_aj)))), -6))


def prefix_for(value: float | Fraction, least: int = 1) -> tuple[int, str]:
    """Return the (power of ten, SI prefix) in which a positive value is at least ``least``.

    >>> prefix_for(8.4e-3, least=10)
    (-6, 'u')
    """
    exact = abs(Fraction(value)) / least
    return next((entry for entry in _PREFIXES if exact >= Fraction(10) ** entry[0]), _PREFIXES[-1])


def engineering(value: float | Fraction, unit: str = "", digits: int = 4) -> str:
    """Return a number with an SI prefix: ``engineering(1.547e10) == '15.47 G'``."""
    if value == 0:
        return f"0 {unit}".strip()
    power, prefix = prefix_for(value)
    scaled = float(Fraction(value) / Fraction(10) ** power)
    text = f"{scaled:.{digits}g}"
    if "e" in text:  # rounding reached 1000: show it plainly
        text = f"{scaled:.0f}"
    return f"{text} {prefix}{unit}".strip()
