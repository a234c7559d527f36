"""Two sets of numbers beside each other: what moved, by how much, and whether inputs or engine did it."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from energysim.errors import UsageError
from energysim.regression.baseline import Baseline
from energysim.regression.counts import Cells, sums
from energysim.regression.tolerances import Tolerance, allowed, equal

__all__ = ["TOTAL", "Change", "Comparison", "InputChange", "compare"]

#: The layer that stands for the whole network.
TOTAL = "total"


@dataclass(frozen=True)
class Change:
    """One number that moved.

    Attributes
    ----------
    scheme, layer : str
    column : str
        ``macs``, ``dram.bits``, ...; ``layers`` where the layer itself came or went.
    old, new : int
    allowed : bool
        Whether a tolerance lets it move so.
    derived : bool
        Whether it is a sum of others: of levels, or over layers.
    whole : bool
        Whether it is of the whole network; a layer may be called ``total`` as well.
    """

    scheme: str
    layer: str
    column: str
    old: int
    new: int
    allowed: bool
    derived: bool
    whole: bool

    @property
    def level(self) -> str:
        """The memory level or unit it belongs to; empty for a number of the whole layer."""
        return self.column.rpartition(".")[0]

    @property
    def quantity(self) -> str:
        """The column without its level."""
        return self.column.rpartition(".")[2]

    @property
    def percent(self) -> float | None:
        """The change relative to the old number [%]; None where that is 0; no more than a float can say."""
        if not self.old:
            return None
        try:
            return 100 * (self.new - self.old) / abs(self.old)
        except OverflowError:
            return sys.float_info.max if self.new > self.old else -sys.float_info.max


@dataclass(frozen=True)
class InputChange:
    """Something that the numbers are made from and that is not what it was; empty: not there."""

    section: str
    key: str
    old: str
    new: str

    def __str__(self) -> str:
        name = self.key if self.section == "constants" else f"{self.section} {self.key}"
        return f"{name}: {self.old or 'nothing'} -> {self.new or 'nothing'}"


@dataclass(frozen=True)
class Comparison:
    """What became of a baseline's numbers.

    Attributes
    ----------
    old, new : Baseline
    changes : tuple of Change
        All numbers that differ by more than rounding, in network order.
    inputs : tuple of InputChange
    schemes_gone, schemes_new : tuple of str
        Schemes that only one of the two has.
    numbers : mapping of str to collection of str
        Layer -> columns of the numbers that were compared, of any scheme: what a tolerance can name.
    """

    old: Baseline
    new: Baseline
    changes: tuple[Change, ...]
    inputs: tuple[InputChange, ...]
    schemes_gone: tuple[str, ...]
    schemes_new: tuple[str, ...]
    numbers: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every number is what it may be."""
        return not (self.failing or self.schemes_gone or self.schemes_new)

    @cached_property
    def failing(self) -> tuple[Change, ...]:
        """The numbers that moved and must not, the largest changes of energy first, then counts.

        Sums are left out unless nothing that they sum up is among them.
        """
        bad = [change for change in self.changes if not change.allowed]
        return _ranked([change for change in bad if not change.derived] or bad)

    @cached_property
    def moved(self) -> tuple[Change, ...]:
        """All numbers that moved, allowed or not, in the same order, sums left out."""
        return _ranked([change for change in self.changes if not change.derived])

    @property
    def totals(self) -> tuple[Change, ...]:
        """The energies of whole networks that moved."""
        return tuple(c for c in self.changes if c.whole and c.column == "energy_aj")

    @property
    def engine(self) -> tuple[str, ...]:
        """The parts of the engine whose source differs; empty if that is not known of both."""
        if not (self.old.engine and self.new.engine):
            return ()
        parts = dict.fromkeys([*self.old.engine, *self.new.engine])
        return tuple(part for part in parts if self.old.engine.get(part) != self.new.engine.get(part))

    @property
    def cause(self) -> str:
        """What moved the numbers: ``inputs``, ``engine``, ``inputs and engine``, ``unknown``, or nothing.

        With the same inputs it can only be the engine, whatever its digests say; but a report does not
        record all of a network.
        """
        if not self.changes:
            return ""
        if self.inputs and self.engine:
            return "inputs and engine"
        if self.inputs:
            return "inputs"
        return "engine" if self.engine or self.recorded else "unknown"

    @property
    def recorded(self) -> bool:
        """Whether both know all of their inputs: those made from a saved or given report do not."""
        sections = ("network" if each.network else "hardware" for each in (self.old, self.new))
        both = zip((self.old, self.new), sections, strict=True)
        return all("digest" in each.inputs.get(section, {}) for each, section in both)


def compare(old: Baseline, new: Baseline, tolerances: Sequence[Tolerance] = ()) -> Comparison:
    """Compare two baselines, number by number.

    Parameters
    ----------
    old, new : Baseline
    tolerances : sequence of Tolerance
        The first that names a number decides; without any, counts must be equal and energies equal
        within a part in 10**9.

    Raises
    ------
    UsageError
        If they have no scheme or no layer in common.
    """
    common = [scheme for scheme in old.table if scheme in new.table]
    _need_common(old, new, common)
    changes: list[Change] = []
    numbers: dict[str, dict[str, None]] = {}
    for scheme in common:
        for layer, before, after, whole in _rows(old.table[scheme], new.table[scheme]):
            named = numbers.setdefault(layer, {})
            for column in dict.fromkeys([*before, *after]):
                named[column] = None
                was, now = before.get(column, 0), after.get(column, 0)
                if equal(column, was, now):
                    continue
                derived = whole or column == "energy_aj"
                fine = allowed(tolerances, layer, column, was, now, derived)
                changes.append(Change(scheme, layer, column, was, now, fine, derived, whole))
    return Comparison(
        old,
        new,
        tuple(changes),
        tuple(_inputs(old, new)),
        tuple(scheme for scheme in old.table if scheme not in new.table),
        tuple(scheme for scheme in new.table if scheme not in old.table),
        numbers,
    )


def _need_common(old: Baseline, new: Baseline, common: list[str]) -> None:
    if not common:
        raise UsageError(
            f"nothing to compare: {old.title} has {', '.join(old.table)}, "
            f"{new.title} has {', '.join(new.table)}"
        )
    if not any(old.table[s].keys() & new.table[s].keys() for s in common) and any(map(old.table.get, common)):
        raise UsageError(f"nothing to compare: {old.title} and {new.title} have no layer in common")


def _rows(old: dict[str, Cells], new: dict[str, Cells]) -> Iterator[tuple[str, Cells, Cells, bool]]:
    """Layers in the new order, those that are gone behind their neighbours; the total last, and marked."""
    order = list(new)
    for at, name in enumerate(old):
        if name not in new:
            before = list(old)[at - 1] if at else None
            order.insert(order.index(before) + 1 if before in order else 0, name)
    for name in order:
        yield name, _whole(old.get(name)), _whole(new.get(name)), False
    yield TOTAL, _whole_sum(old), _whole_sum(new), True


def _whole(cells: Cells | None) -> Cells:
    """The cells of a layer with those that are derived."""
    if cells is None:
        return {}
    energy = sum(value for column, value in cells.items() if column.endswith(".energy_aj"))
    return {"layers": 1, **cells, **({"energy_aj": energy} if energy and "energy_aj" not in cells else {})}


def _whole_sum(layers: dict[str, Cells]) -> Cells:
    return sums(_whole(cells) for cells in layers.values())


def _inputs(old: Baseline, new: Baseline) -> Iterator[InputChange]:
    """What both say of their inputs and say differently; constants and settings also where one is silent."""
    for section in dict.fromkeys([*old.inputs, *new.inputs]):
        before, after = old.inputs.get(section, {}), new.inputs.get(section, {})
        for key in dict.fromkeys([*before, *after]):
            silent = section not in ("constants", "settings") and not (key in before and key in after)
            if not silent and before.get(key) != after.get(key):
                yield InputChange(section, key, before.get(key, ""), after.get(key, ""))


def _ranked(changes: list[Change]) -> tuple[Change, ...]:
    def rank(change: Change) -> tuple[bool, int]:
        energy = change.column.endswith("energy_aj")
        return not energy, -abs(change.new - change.old) if energy else 0

    return tuple(sorted(changes, key=rank))
