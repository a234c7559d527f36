"""What a check or a comparison says, in words: numbers, causes, what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from energysim.regression.checking import CheckResult
from energysim.regression.comparison import Change, Comparison
from energysim.report.tables import cell_text
from energysim.units import engineering

__all__ = ["causes", "change_text", "grouped", "percent_text", "value_text", "verdict", "whole_verdict"]

_MOST_INPUTS = 12  # inputs that changed, told one by one
_WRITTEN_OUT = 1e15  # percentages below are written without an exponent


def value_text(column: str, value: int) -> str:
    """Return a number of a column for people; energies with a unit and seven digits."""
    if column.endswith("energy_aj"):
        return engineering(Fraction(value, 10**18), "J", 7)
    return f"{value:,}"


def percent_text(change: Change) -> str:
    """Return the change in percent; ``new`` or ``gone`` where there was, or is, nothing."""
    if change.percent is None:
        return "new"
    if not change.new:
        return "gone"
    digits = f"{change.percent:+.3g}"
    return f"{Decimal(digits):+f} %" if abs(change.percent) < _WRITTEN_OUT else f"{digits} %"


def change_text(change: Change) -> str:
    """Return one change in a line."""
    level = f" {change.level}" if change.level else ""
    old, new = (value_text(change.column, value) for value in (change.old, change.new))
    quantity = change.quantity.removesuffix("_aj").replace("_", " ")
    where = cell_text(f"{change.layer}{level} {quantity}")
    return f"{change.scheme}: {where} {old} -> {new} ({percent_text(change)})"


def grouped(changes: Sequence[Change], schemes: int) -> list[Change]:
    """Return changes with those that are the same in several schemes told once.

    Parameters
    ----------
    changes : sequence of Change
    schemes : int
        How many schemes there are: a change in all of several is one of ``every scheme``.
    """
    found: dict[tuple[object, ...], list[Change]] = {}
    for change in changes:
        found.setdefault((change.layer, change.column, change.old, change.new), []).append(change)
    told = []
    for same in found.values():
        names = [change.scheme for change in same]
        text = "every scheme" if len(names) == schemes > 1 else ", ".join(names)
        told.append(replace(same[0], scheme=text))
    return told


def verdict(found: Comparison) -> str:
    """Return in a few words what became of a baseline's numbers."""
    parts = []
    if found.schemes_gone:
        parts.append(f"schemes gone: {', '.join(found.schemes_gone)}")
    if found.schemes_new:
        parts.append(f"schemes new: {', '.join(found.schemes_new)}")
    if found.failing:
        layers = len(dict.fromkeys((c.scheme, c.layer) for c in found.failing))
        where = f"in {layers} layers" if layers > 1 else f"in {cell_text(found.failing[0].layer)}"
        parts.append(f"{_numbers(found.failing)} moved {where}{_cause(found)}")
    elif found.moved:
        parts.append(f"{_numbers(found.moved)} moved, all within tolerance{_cause(found)}")
    elif found.inputs:
        parts.append("no number moved, though inputs changed")
    return "; ".join(parts) or "no number moved"


def whole_verdict(results: Sequence[CheckResult]) -> str:
    """Return the sentence over all baselines checked."""
    bad = [r for r in results if r.comparison is None]
    failed = [r for r in results if r.comparison is not None and not r.passed]
    held = len(results) - len(bad) - len(failed)
    parts = [f"{held} hold" if held != 1 else "1 holds"]
    parts += [f"{len(failed)} moved"] if failed else []
    parts += [f"{len(bad)} cannot be checked"] if bad else []
    count = f"{len(results)} baselines" if len(results) != 1 else "1 baseline"
    return f"{count} checked: {', '.join(parts)}"


def _cause(found: Comparison) -> str:
    words = {"inputs": "the inputs", "engine": "the engine", "inputs and engine": "the inputs and the engine"}
    return f": {words[found.cause]} changed" if found.cause in words else ""


def _numbers(changes: Sequence[Change]) -> str:
    return f"{len(changes)} numbers" if len(changes) != 1 else "1 number"


def causes(found: Comparison) -> Iterator[str]:
    """Yield sentences on what moved the numbers: which inputs, which parts of the engine."""
    for change in found.inputs[:_MOST_INPUTS]:
        yield f"input changed: {change}"
    if len(found.inputs) > _MOST_INPUTS:
        yield f"{len(found.inputs) - _MOST_INPUTS} more inputs changed"
    if not found.changes:
        return
    if found.engine:
        yield f"engine changed: the source of {', '.join(found.engine)} is not that of the baseline"
    if found.inputs and found.engine:
        yield "both changed: which of them moved a number cannot be told from here"
    elif found.inputs:
        same = "the engine is that of the baseline: " if found.old.engine and found.new.engine else ""
        yield f"{same}the change of inputs moved the numbers"
    elif not found.recorded:
        yield (
            "the inputs that a report records are the same: the engine moved the numbers, or something "
            "of the network that a report does not record"
        )
    elif found.engine:
        yield "the inputs are those of the baseline: the engine moved the numbers"
    elif found.old.engine:
        yield (
            "inputs and source of the engine are those of the baseline: a plug-in, another version of a "
            "dependency, or a function replaced while running moved the numbers, or the file was edited"
        )
    else:
        yield "the inputs are those of the baseline: the engine moved the numbers"
