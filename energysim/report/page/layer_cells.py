"""The numbers of the table of layers: quantities, each with its columns, its unit and its ranks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from energysim.report.blocks import Line, layer_lines, total_lines
from energysim.report.page.cases import Case, Column, columns_of
from energysim.report.scales import ATTO, Scale, factor, scale_for
from energysim.report.totals import Totals

__all__ = ["Block", "blocks_of", "lines_of"]

_Value = Fraction | int | None


@dataclass(frozen=True)
class _Quantity:
    """What a block holds of a layer, given its sums and those of the case's first scheme.

    Attributes
    ----------
    title : str
    value : callable
        None where there is nothing to tell.
    unit, base
        Of counts: see :func:`energysim.report.scales.scale_for`.
    ratio : callable or None
        How a ratio is written; None for counts.
    against : bool
        Whether it compares with the first scheme, which then has no column.
    """

    title: str
    value: Callable[[Totals, Totals], _Value]
    unit: str = ""
    base: Fraction = Fraction(1)
    ratio: Callable[[Fraction], str] | None = None
    against: bool = False


def _factor(one: Totals, first: Totals) -> Fraction | None:
    return Fraction(first.total_energy_aj, one.total_energy_aj) if one.total_energy_aj else None


def _over(one: Totals, _: Totals) -> Fraction | None:
    return Fraction(one.total_dram_bits, one.dram_bound_bits) if one.dram_bound_bits else None


_ENERGY = _Quantity("energy", lambda one, _: one.total_energy_aj, "J", ATTO)
_QUANTITIES = (
    _ENERGY,
    _Quantity(
        "energy factor", _factor, ratio=lambda value: factor(value.numerator, value.denominator), against=True
    ),
    _Quantity("DRAM traffic", lambda one, _: one.total_dram_bits, "bit"),
    _Quantity("DRAM over bound", _over, ratio=lambda value: f"{float(value):.3f}"),
    _Quantity("weights", lambda one, _: one.stored_weight_bits, "bit"),
    _Quantity("MACs", lambda one, _: one.macs),
    _Quantity("buffer traffic", lambda one, _: one.buffer_bits, "bit"),
    _Quantity("cycles", lambda one, _: one.cycles),
)


@dataclass(frozen=True)
class Block:
    """The columns of one quantity.

    Attributes
    ----------
    title, unit : str
    columns : tuple of Column
    body, foot : list of list of str
        Cells of HTML by row of the layers, and of the totals.
    ranks : list of list of int
        Per column the rank of each layer's exact value, the least first, -1 for none.
    """

    title: str
    unit: str
    columns: tuple[Column, ...]
    body: list[list[str]]
    foot: list[list[str]]
    ranks: list[list[int]]


def lines_of(cases: Sequence[Case]) -> tuple[list[list[Line]], list[list[Line]]]:
    """Return layers and totals of every case; all cases have the same labels, in the same order."""
    return _aligned([layer_lines(c.report) for c in cases]), _aligned([total_lines(c.report) for c in cases])


def _aligned(cases: list[list[Line]]) -> list[list[Line]]:
    labels = list(dict.fromkeys(line.label for lines in cases for line in lines))
    found = []
    for lines in cases:
        own, nothing = {line.label: line for line in lines}, (None,) * len(lines[0].sums)
        found.append([own.get(label, Line(label, nothing)) for label in labels])
    return found


def blocks_of(cases: Sequence[Case], layers: list[list[Line]], sums: list[list[Line]]) -> list[Block]:
    """Return a block per quantity that is not zero everywhere, energy the first one always."""
    totals = [(one, case.first) for case in cases for one in case.sums.values()]
    found = []
    for quantity in _QUANTITIES:
        columns = tuple(c for c in columns_of(cases) if c.run or not quantity.against)
        present = any(quantity.value(one, first) for one, first in totals)
        if columns and (present or quantity is _ENERGY):
            found.append(_block(quantity, columns, layers, sums))
    return found


def _block(
    quantity: _Quantity, columns: tuple[Column, ...], layers: list[list[Line]], sums: list[list[Line]]
) -> Block:
    values = _values(quantity, columns, layers)
    totals = _values(quantity, columns, sums)
    counts = [int(v) for row in values for v in row if v is not None] if quantity.ratio is None else []
    scale = scale_for(counts, quantity.unit, quantity.base).with_room_for(counts)
    widest = _widest(columns, values) if quantity is _ENERGY else [0] * len(columns)
    return Block(
        quantity.title,
        scale.unit if quantity.ratio is None else "",
        columns,
        [
            [_cell(_shown(quantity, scale, v), v, w) for v, w in zip(row, widest, strict=True)]
            for row in values
        ],
        [[_cell(_shown(quantity, scale, v), v, 0) for v in row] for row in totals],
        [_ranks([row[place] for row in values]) for place in range(len(columns))],
    )


def _widest(columns: Sequence[Column], values: Sequence[Sequence[_Value]]) -> list[int]:
    """What the full length of a bar stands for: the largest value of the column's case."""
    largest: Counter[int] = Counter()
    for column, *own in zip(columns, *values, strict=True):
        largest[column.case] = max(largest[column.case], *(int(v) for v in own if v is not None))
    return [largest[column.case] for column in columns]


def _values(
    quantity: _Quantity, columns: Sequence[Column], cases: Sequence[Sequence[Line]]
) -> list[list[_Value]]:
    return [[_value(quantity, cases[c.case][row], c.run) for c in columns] for row in range(len(cases[0]))]


def _value(quantity: _Quantity, line: Line, run: int) -> _Value:
    one, first = line.sums[run], line.sums[0]
    if one is None or (quantity.against and first is None):
        return None
    return quantity.value(one, first or one)


def _shown(quantity: _Quantity, scale: Scale, value: _Value) -> str:
    if value is None:
        return ""
    return scale.show(int(value)) if quantity.ratio is None else quantity.ratio(Fraction(value))


def _cell(text: str, value: _Value, widest: int) -> str:
    """A cell, with the length of its bar [%] where there are bars; its end is left out, as HTML allows."""
    width = round(Fraction(100 * value, widest)) if widest and value else 0
    return f"<td style=--w:{width}>{text}" if width else f"<td>{text}"


def _ranks(values: Sequence[_Value]) -> list[int]:
    order = {value: rank for rank, value in enumerate(sorted({v for v in values if v is not None}))}
    return [-1 if value is None else order[value] for value in values]
