"""Numbers for people: one unit for a whole column, so that its cells can be compared by eye."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from energysim.units import prefix_for

__all__ = ["ATTO", "Scale", "factor", "joules", "scale_for"]

#: One attojoule [J].
ATTO = Fraction(1, 10**18)


@dataclass(frozen=True)
class Scale:
    """A unit with its prefix, and how many decimals are shown.

    Attributes
    ----------
    divisor : Fraction
        Base units of one shown unit.
    unit : str
        ``"Mbit"``; empty for a plain count.
    decimals : int
    """

    divisor: Fraction
    unit: str
    decimals: int

    def with_room_for(self, values: Iterable[int]) -> Scale:
        """Return the same unit with one decimal less where a value has four digits before the point."""
        wide = max((abs(value) for value in values), default=0) >= 1000 * self.divisor
        return replace(self, decimals=1) if wide and self.decimals > 1 else self

    def show(self, value: int) -> str:
        """Return a number in this unit; a dash for nothing at all."""
        if not value:
            return "-"
        # Rounded as an integer: half up, exact for any size.
        scaled = (2 * abs(value) * 10**self.decimals + self.divisor) // (2 * self.divisor)
        text = str(scaled).rjust(self.decimals + 1, "0")
        sign = "-" if value < 0 else ""
        return f"{sign}{text[: -self.decimals]}.{text[-self.decimals :]}" if self.decimals else sign + text


def scale_for(values: Iterable[int], unit: str = "", base: Fraction = Fraction(1)) -> Scale:
    """Return the scale in which the largest value has two to four digits before the point.

    Parameters
    ----------
    values : iterable of int
    unit : str
    base : Fraction
        The unit in which the values are counted: 10**-18 for attojoules shown in joules.
    """
    largest = max((abs(value) for value in values), default=0) * base
    power, prefix = prefix_for(largest, least=10) if largest else (0, "")
    if base == 1 and power <= 0:  # whole things are not cut into thousandths
        return Scale(Fraction(1), unit, 0)
    return Scale(Fraction(10) ** power / base, prefix + unit, 2)


def joules(value: Fraction) -> str:
    """Return an energy in mJ, or in uJ below one mJ."""
    power, unit = (-3, "mJ") if value >= Fraction(1, 1000) else (-6, "uJ")
    scaled = value / Fraction(10) ** power
    return f"{float(scaled):.0f} {unit}" if scaled >= 1000 else f"{float(scaled):.4g} {unit}"


def factor(before: int, after: int) -> str:
    """Return by how much a number shrank: ``"1.94x"``; a dash where nothing was to shrink."""
    if not after:
        return "all" if before else "-"
    return f"{float(Fraction(before, after)):.2f}x"
