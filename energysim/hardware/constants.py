"""A number with its provenance."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from energysim.units import AJ_PER_PJ

__all__ = ["Constant"]


@dataclass(frozen=True)
class Constant:
    """A number with its provenance.

    Parameters
    ----------
    value : Fraction
        Exact, in the base unit.
    unit : str
        Base unit: ``"pJ"``, ``"bit"``, ``"Hz"``, ``"bit/cycle"``, or empty for a count.
    source : str
        Full citation; empty if the value is assumed and the note says why.
    kind : {"measured", "published", "derived", "assumed"}
    node_nm : int or None
        Technology node of the figure [nm].
    note : str
    path : str
        Its place in the specification: ``"levels.buffer.read"``.
    """

    value: Fraction
    unit: str
    source: str
    kind: str
    node_nm: int | None
    note: str = ""
    path: str = ""

    @cached_property
    def energy_aj(self) -> int:
        """The energy [aJ], a whole number.

        Raises
        ------
        TypeError
            If this constant is no energy.
        """
        if self.unit != "pJ":
            raise TypeError(f"{self.path} is no energy but has the unit {self.unit!r}")
        exact = self.value * AJ_PER_PJ
        if exact.denominator != 1:
            raise ValueError(f"{self.path}: {self.value} pJ is finer than 1 aJ")
        return exact.numerator
