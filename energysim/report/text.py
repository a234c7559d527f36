"""The report for people: plain text, or the same as markdown.

Numbers are rounded and scaled; the machine formats hold them in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from energysim.report.blocks import Line, blocks, columns, layer_lines, total_lines
from energysim.report.layout import Page, Table
from energysim.report.mapping_table import mapping_tables
from energysim.report.notes import notes
from energysim.report.scales import factor, joules
from energysim.report.tables import Column
from energysim.report.totals import Totals
from energysim.units import engineering

if TYPE_CHECKING:
    from energysim.report.report import Report

__all__ = ["render"]


def render(report: Report, markdown: bool = False) -> str:
    """Return the whole report as text."""
    page = Page(_title(report), _heading(report), list(_tables(report)), list(notes(report)))
    return page.render(markdown)


def _title(report: Report) -> str:
    setup = report.setup
    return (
        f"{setup.model} {setup.input}, batch {setup.batch}, on {setup.hardware}: "
        f"{' against '.join(report.schemes)}"
    )


def _heading(report: Report) -> list[tuple[str, str]]:
    setup = report.setup
    return [
        ("hardware", f"{setup.hardware}: {setup.hardware_description}"),
        ("zeros", setup.zeros),
        (
            "model",
            f"{setup.cost_model}, mapping for least {setup.objective}, fusion {setup.fusion}, bits "
            f"{setup.bits}",
        ),
        ("counts", f"for the whole batch of {setup.batch}; a dash is exactly nothing"),
    ]


def _tables(report: Report) -> Iterator[Table]:
    lines, sums = layer_lines(report), total_lines(report)
    for block in blocks(report):
        table, layers = columns(report, lines, sums, block.quantities)
        yield Table(block.title, table, (layers,))
    yield from mapping_tables(report)
    if len(report.runs) > 1:
        yield Table(f"Reduction factors against {report.schemes[0]}", _factors(report, sums))
    yield Table("Per image", _figures(report))


def _factors(report: Report, lines: list[Line]) -> list[Column]:
    """How often each total of a scheme goes into that of the first one."""
    several = len(report.runs) > 2
    rows: list[list[str]] = []
    for line in lines:
        first, *others = (one for one in line.sums if one is not None)
        for number, (scheme, one) in enumerate(zip(report.schemes[1:], others, strict=True)):
            names = [line.label if not number else "", scheme] if several else [line.label]
            rows.append([*names, *_shrunk(first, one)])
    texts = ["layers", "scheme"] if several else ["layers"]
    titles = [*texts, "MACs", "weights + side", "DRAM traffic", "buffer traffic", "energy", "cycles"]
    cells = zip(*rows, strict=True)
    return [Column(t, tuple(c), left=t in texts) for t, c in zip(titles, cells, strict=True)]


def _shrunk(first: Totals, one: Totals) -> list[str]:
    return [
        factor(first.macs, one.macs),
        factor(first.stored_weight_bits, one.stored_weight_bits),
        factor(first.total_dram_bits, one.total_dram_bits),
        factor(first.buffer_bits, one.buffer_bits),
        factor(first.total_energy_aj, one.total_energy_aj),
        factor(first.cycles, one.cycles),
    ]


def _figures(report: Report) -> list[Column]:
    """Energy, time and what follows from them, for one image."""
    rows = []
    for scheme in report.schemes:
        sums = report.totals(scheme)
        energy = sums.energy_j(report.setup.batch)
        seconds = sums.seconds(report.setup.clock_hz, report.setup.batch)
        row = [scheme, joules(energy), engineering(seconds, "s"), "-", "-", "-", "-"]
        if seconds:
            row[3:5] = engineering(1 / seconds), engineering(energy * seconds, "J s")
        if energy:
            per_mac = Fraction(2, report.setup.batch) / energy / 10**12
            row[5:] = (f"{float(per_mac * macs):.3g}" for macs in (sums.effective_macs, sums.dense_macs))
        rows.append(row)
    titles = ("scheme", "energy", "time", "frames/s", "EDP", "TOPS/W", "TOPS/W dense-equivalent")
    cells = zip(*rows, strict=True)
    return [Column(t, tuple(c), left=t == "scheme") for t, c in zip(titles, cells, strict=True)]
