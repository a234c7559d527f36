"""By how much a number may move: nothing by default; more by layer and column if asked.

A tolerance is written ``[LAYERS:]COLUMNS=FALL..RISE``, both globs: ``'*.energy_aj=-any..+1%'`` lets
energies fall but not rise by more than 1 %, ``'features.*:cycles=-2%..+2%'`` holds for some layers. The
first tolerance that names a number decides. The layer ``total`` stands for the whole network, the
column ``energy_aj`` for the energy of all levels together, the column ``layers`` (always 1) for the
layer being there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction

from energysim.errors import UsageError, near_miss
from energysim.units import exact_fraction

__all__ = ["ENERGY_RTOL", "Tolerance", "allowed", "equal", "need_matches", "parse_tolerance"]

#: Energies that differ by less are equal, relative to the old one; counts must be equal.
ENERGY_RTOL = Fraction(1, 10**9)


@dataclass(frozen=True)
class Tolerance:
    """How far numbers of some layers and columns may move, relative to the baseline.

    Attributes
    ----------
    layers, columns : str
        Globs.
    fall, rise : Fraction or None
        As a share of the old number; None: any.
    text : str
        As it was written.
    """

    layers: str
    columns: str
    fall: Fraction | None
    rise: Fraction | None
    text: str = ""

    def names(self, layer: str, column: str) -> bool:
        """Return whether it is about a number."""
        return _meant(layer, self.layers) and _meant(column, self.columns)

    def holds(self, old: int, new: int) -> bool:
        """Return whether a number may move so."""
        bound = self.rise if new > old else self.fall
        return bound is None or abs(new - old) <= bound * abs(old)


def _meant(name: str, glob: str) -> bool:
    """Whether a glob, or a name with brackets of its own such as ``conv[0]``, means a name."""
    return name == glob or fnmatchcase(name, glob)


def parse_tolerance(text: str) -> Tolerance:
    """Return a tolerance from how it is written.

    Raises
    ------
    UsageError
        If it is not written so.
    """
    names, equals, bounds = text.rpartition("=")
    layers, colon, columns = names.rpartition(":")
    found = re.fullmatch(r"\s*-\s*(\S+?)\s*\.\.\s*\+\s*(\S+?)\s*", bounds)
    try:
        if not (equals and columns.strip() and found) or (colon and not layers.strip()):
            raise ValueError
        fall, rise = (_bound(bound) for bound in found.groups())
    except ValueError:
        raise UsageError(
            f"a tolerance is [LAYERS:]COLUMNS=-FALL..+RISE, e.g. '*.energy_aj=-any..+1%', not {text!r:.80}"
        ) from None
    return Tolerance(layers.strip() or "*", columns.strip(), fall, rise, text)


def _bound(text: str) -> Fraction | None:
    if text == "any":
        return None
    share = exact_fraction(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if share < 0:
        raise ValueError(text)
    return share


def equal(column: str, old: int, new: int) -> bool:
    """Return whether two numbers of a column are equal, energies within rounding."""
    return old == new or (column.endswith("energy_aj") and abs(new - old) <= ENERGY_RTOL * abs(old))


def allowed(
    tolerances: Iterable[Tolerance], layer: str, column: str, old: int, new: int, derived: bool
) -> bool:
    """Return whether a number may move from ``old`` to ``new``; a sum may if no tolerance names it."""
    for tolerance in tolerances:
        if tolerance.names(layer, column):
            return tolerance.holds(old, new)
    return derived


def need_matches(tolerances: Iterable[Tolerance], numbers: Mapping[str, Collection[str]]) -> None:
    """Raise UsageError for a tolerance that names no number.

    Parameters
    ----------
    tolerances : iterable of Tolerance
    numbers : mapping of str to collection of str
        Layer -> its columns: all that can be named. Two layers need not have the same columns.
    """
    columns = _columns(numbers.values())
    for one in tolerances:
        rows = [name for name in numbers if _meant(name, one.layers)]
        own = _columns(numbers[name] for name in rows)
        if not rows:
            raise _nothing(one, "layer", one.layers, list(numbers))
        if not any(_meant(name, one.columns) for name in columns):
            raise _nothing(one, "column", one.columns, columns)
        if not any(_meant(name, one.columns) for name in own):
            raise _nothing(one, f"column of {one.layers!r}", one.columns, own)


def _columns(each: Iterable[Collection[str]]) -> list[str]:
    return list(dict.fromkeys(name for columns in each for name in columns))


def _nothing(one: Tolerance, what: str, glob: str, names: list[str]) -> UsageError:
    listed = names if len(names) <= 24 else [*names[:6], "...", *names[-2:]]
    hint = near_miss(glob, names) or f" ({', '.join(listed)})"
    return UsageError(f"tolerance {one.text!r} names no {what}: {glob!r}{hint}")
