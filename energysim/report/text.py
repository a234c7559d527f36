"""The report for people: plain text, or the same as markdown.

Numbers are rounded and scaled; the machine formats hold them in full.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from energysim.report.blocks import BLOCKS, Line, columns, layer_lines, total_lines
from energysim.report.notes import notes
from energysim.report.scales import factor, joules
from energysim.report.tables import Column, cell_text, github, markdown_text, plain
from energysim.report.totals import Totals
from energysim.units import engineering

if TYPE_CHECKING:
    from energysim.report.report import Report

__all__ = ["render"]

_WIDTH = 100


def render(report: Report, markdown: bool = False) -> str:
    """Return the whole report as text."""
    return "\n".join(_markdown(report) if markdown else _plain(report)) + "\n"


def _plain(report: Report) -> Iterator[str]:
    yield from _wrapped(_title(report))
    yield ""
    for name, text in _heading(report):
        yield from _wrapped(f"{name:10}{text}", 10)
    for title, table, rules in _tables(report):
        yield from ("", title, "", plain(table, rules))
    yield ""
    for note in notes(report):
        yield from _wrapped(note)


def _markdown(report: Report) -> Iterator[str]:
    yield from (f"## {markdown_text(_title(report))}", "")
    yield from (f"- {name}: {markdown_text(text)}" for name, text in _heading(report))
    for title, table, _ in _tables(report):
        yield from ("", f"### {markdown_text(title)}", "", github(table))
    yield ""
    yield from (f"- {markdown_text(note)}" for note in notes(report))


def _wrapped(text: str, indent: int = 2) -> list[str]:
    """The lines of a text, all but the first indented; words are never cut."""
    return textwrap.wrap(
        cell_text(text),
        _WIDTH,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


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


def _tables(report: Report) -> Iterator[tuple[str, list[Column], tuple[int, ...]]]:
    """Title, columns and rules of each table."""
    lines, sums = layer_lines(report), total_lines(report)
    for block in BLOCKS:
        table, layers = columns(report, lines, sums, block.quantities)
        yield block.title, table, (layers,)
    if len(report.runs) > 1:
        yield f"Reduction factors against {report.schemes[0]}", _factors(report, sums), ()
    yield "Per image", _figures(report), ()


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
