"""What is computed for a source, and its comparison with what was published.

Computing knows the names of published values only, never the values: without them the column of
errors is empty and nothing else changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from energysim.reproduce.facts import Fact

__all__ = ["Comparison", "Result", "Table", "compared", "mean_errors"]


@dataclass(frozen=True)
class Result:
    """One number of ours.

    Attributes
    ----------
    fact : str
        Id of the published value it is compared with.
    ours : Fraction
        In the unit of that value.
    free : Fraction or None
        The same for the best mapping, where ``ours`` is for the one of the authors.
    unscored : str
        Why its error is no part of the score; empty if it is.
    quantity : str
        What it is, if not simply the quantity that was published.
    """

    fact: str
    ours: Fraction
    free: Fraction | None = None
    unscored: str = ""
    quantity: str = ""


@dataclass(frozen=True)
class Table:
    """All results for one source.

    Attributes
    ----------
    name, title : str
    notes : tuple of str
        How ours were computed, and what is not known.
    results : tuple of Result
    """

    name: str
    title: str
    notes: tuple[str, ...]
    results: tuple[Result, ...]


@dataclass(frozen=True)
class Comparison:
    """A result beside what was published.

    Attributes
    ----------
    result : Result
    fact : Fact
    error : Fraction or None
        (ours - published) / published; None without a published value.
    """

    result: Result
    fact: Fact
    error: Fraction | None

    @property
    def quantity(self) -> str:
        """What is compared."""
        return self.result.quantity or self.fact.quantity

    @property
    def scored(self) -> bool:
        """Whether the error is part of the score."""
        return self.error is not None and not self.result.unscored


def compared(table: Table, facts: Mapping[str, Fact]) -> tuple[Comparison, ...]:
    """Return the results of a table beside the published values."""
    found = []
    for result in table.results:
        fact = facts[result.fact]
        error = None if fact.value is None else (result.ours - fact.value) / fact.value
        found.append(Comparison(result, fact, error))
    return tuple(found)


def mean_errors(rows: tuple[Comparison, ...]) -> dict[str, tuple[int, Fraction, Comparison]]:
    """Return per quantity: how many rows are scored, their mean error without sign, and the worst."""
    found: dict[str, list[Comparison]] = {}
    for row in rows:
        if row.scored:
            found.setdefault(row.quantity, []).append(row)
    return {
        quantity: (
            len(group),
            sum((_size(row) for row in group), Fraction(0)) / len(group),
            max(group, key=_size),
        )
        for quantity, group in found.items()
    }


def _size(row: Comparison) -> Fraction:
    return abs(row.error or Fraction(0))
