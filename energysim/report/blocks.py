"""The layer table for people, in three blocks: work and weights, traffic, energy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from energysim.report.rows import PARTS, LayerRow
from energysim.report.scales import ATTO, Scale, scale_for
from energysim.report.tables import Column, cell_text
from energysim.report.totals import Totals, grouped, own_levels

if TYPE_CHECKING:
    from energysim.report.report import Report

__all__ = [
    "Block",
    "Line",
    "Quantity",
    "columns",
    "layer_lines",
    "part_titles",
    "total_lines",
]


@dataclass(frozen=True)
class Quantity:
    """A number of a row, its heading and unit.

    Attributes
    ----------
    scale : str
        Quantities of a block with the same one are shown in the same unit.
    """

    title: str
    value: Callable[[Totals], int]
    unit: str = ""
    base: Fraction = Fraction(1)
    scale: str = ""


def _energy(title: str, value: Callable[[Totals], int]) -> Quantity:
    return Quantity(title, value, "J", ATTO, "energy")


def _dram(title: str, value: Callable[[Totals], int]) -> Quantity:
    return Quantity(title, value, "bit", scale="DRAM")


@dataclass(frozen=True)
class Block:
    """Columns that stand side by side."""

    title: str
    quantities: tuple[Quantity, ...]


_WORK = (
    Block(
        "Work and weights",
        (
            Quantity("MACs", lambda t: t.macs),
            Quantity("weights", lambda t: t.weight_bits, "bit"),
            Quantity("side tables", lambda t: t.side_bits, "bit"),
            Quantity("cycles", lambda t: t.cycles),
        ),
    ),
    Block(
        "Traffic: DRAM by tensor (outputs with partial sums), and the buffer",
        (
            _dram("DRAM weights", lambda t: t.dram_bits["weights"]),
            _dram("DRAM inputs", lambda t: t.dram_bits["inputs"]),
            _dram("DRAM outputs", lambda t: t.dram_bits["outputs"]),
            Quantity("buffer", lambda t: t.buffer_bits, "bit"),
        ),
    ),
)


def blocks(report: Report) -> tuple[Block, ...]:
    """Return the blocks of a report: work, traffic, energy by level."""
    own = [_energy(level, _of_level(level)) for level in own_levels(report.runs)]
    parts = "each level" if own else "registers, buffer, DRAM"
    energy = Block(
        f"Energy: of multiply-adds and other operations, {parts}",
        (
            _energy("MAC", lambda t: t.energy_aj["mac"] + t.energy_aj["vector"]),
            _energy("register", lambda t: t.energy_aj["register"]),
            *own,
            _energy("buffer", lambda t: t.energy_aj["buffer"]),
            _energy("DRAM", lambda t: t.energy_aj["dram"]),
            _energy("total", lambda t: t.total_energy_aj),
        ),
    )
    return (*_WORK, energy)


def _of_level(level: str) -> Callable[[Totals], int]:
    return lambda t: t.energy_aj.get(level, 0)


@dataclass(frozen=True)
class Line:
    """A row of the table: the sums of each scheme, None where a scheme has no such row."""

    label: str
    sums: tuple[Totals | None, ...]


def layer_lines(report: Report) -> list[Line]:
    """Return a row per original node with traffic of its own, and one for all the others together."""
    folded = len([row for row in report.runs[0].layers if row.folded_into is not None])
    rest = f"({folded} folded nodes)"

    def key(row: LayerRow) -> str:
        return rest if row.folded_into is not None else cell_text(row.origin)

    runs = [grouped(run, key) for run in report.runs]
    names = [name for name in dict.fromkeys(n for run in runs for n in run) if name != rest]
    if any(rest in run for run in runs):
        names.append(rest)
    return [Line(name, tuple(run.get(name) for run in runs)) for name in names]


def total_lines(report: Report) -> list[Line]:
    """Return the totals: convolutions, classifier, products of computed tensors if any, all layers."""
    present, titles = {row.part for row in report.runs[0].layers}, part_titles(report)
    parts = [part for part in PARTS if part in present and part != "other"]
    lines = [Line(titles[p], tuple(report.totals(s, p) for s in report.schemes)) for p in parts]
    return [*lines, Line(titles["all"], tuple(report.totals(s) for s in report.schemes))]


def part_titles(report: Report) -> dict[str, str]:
    """Return what the parts of this network are called, with ``all`` for their sum.

    Linear layers are its classifier where they all come behind the last convolution.
    """
    parts = [row.part for row in report.runs[0].layers]
    linear = "linear layers"
    if {"convolution", "linear"} <= set(parts) and "convolution" not in parts[parts.index("linear") :]:
        linear = "classifier"
    names = ("convolutions", linear, "matrix products", "other layers")
    return {**dict(zip(PARTS, names, strict=True)), "all": "all layers"}


def _side_names(report: Report) -> tuple[str, ...]:
    """Return the headings of two schemes side by side; the title of the report has their full names."""
    return ("dense", "sparse") if len(report.runs) == 2 and report.schemes[0] == "dense" else report.schemes


def columns(
    report: Report, lines: Sequence[Line], totals: Sequence[Line], quantities: Sequence[Quantity]
) -> tuple[list[Column], int]:
    """Return the columns of a block, and how many rows come before the totals.

    Two schemes stand side by side, more of them below each other. A column that would hold nothing
    but zeros is left out.
    """
    every = [*lines, *totals]
    beside = len(report.runs) <= 2
    if beside:
        found = [Column("layer", tuple(line.label for line in every), left=True)]
        cells = [tuple(line.sums[i] for line in every) for i in range(len(report.runs))]
    else:
        labels = [line.label if not i else "" for line in every for i in range(len(report.runs))]
        found = [
            Column("layer", tuple(labels), left=True),
            Column("scheme", report.schemes * len(every), left=True),
        ]
        cells = [tuple(one for line in every for one in line.sums)]
    scales = _scales(lines, quantities)
    for quantity in quantities:
        own = (quantity.value(one) for line in lines for one in line.sums if one is not None)
        scale = scales[quantity.scale or quantity.title].with_room_for(own)
        unit = f"[{scale.unit}]" if scale.unit else ""
        for name, sums in zip(_side_names(report), cells, strict=False):
            values = [0 if one is None else quantity.value(one) for one in sums]
            if any(values):
                shown = tuple(scale.show(v) if one else "" for v, one in zip(values, sums, strict=True))
                if beside and len(report.runs) > 1:
                    found.append(Column(name, shown, f"{quantity.title} {unit}".rstrip()))
                else:
                    found.append(Column(unit, shown, quantity.title))
    return found, len(lines) * (1 if beside else len(report.runs))


def _scales(lines: Sequence[Line], quantities: Sequence[Quantity]) -> dict[str, Scale]:
    """The scale of each set of quantities that share one."""
    sets: dict[str, list[Quantity]] = {}
    for quantity in quantities:
        sets.setdefault(quantity.scale or quantity.title, []).append(quantity)
    return {
        name: scale_for(
            (q.value(one) for q in members for line in lines for one in line.sums if one is not None),
            members[0].unit,
            members[0].base,
        )
        for name, members in sets.items()
    }
