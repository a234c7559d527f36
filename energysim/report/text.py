"""The report for people: plain text tables, or the same as markdown.

Numbers are shown in engineering notation; the machine formats hold them in full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from tabulate import tabulate

from energysim.report.notes import notes
from energysim.report.rows import PARTS, Run
from energysim.report.totals import Totals, totals
from energysim.units import engineering

if TYPE_CHECKING:
    from energysim.report.report import Report

__all__ = ["render"]

Cell = Callable[[Totals], str]


def _joules(energy_aj: int) -> str:
    return engineering(Fraction(energy_aj, 10**18), "J")


def _bits(count: int) -> str:
    return engineering(count, "bit")


#: Blocks of the layer table: title, then (heading, cell) pairs.
_BLOCKS: tuple[tuple[str, tuple[tuple[str, Cell], ...]], ...] = (
    (
        "Work and weights",
        (
            ("MACs", lambda t: engineering(t.macs)),
            ("weights", lambda t: _bits(t.weight_bits)),
            ("side tables", lambda t: _bits(t.side_bits)),
            ("cycles", lambda t: engineering(t.cycles)),
        ),
    ),
    (
        "Traffic: DRAM by tensor (outputs with partial sums), and the buffer",
        (
            ("DRAM weights", lambda t: _bits(t.dram_bits["weights"])),
            ("DRAM inputs", lambda t: _bits(t.dram_bits["inputs"])),
            ("DRAM outputs", lambda t: _bits(t.dram_bits["outputs"])),
            ("buffer", lambda t: _bits(t.buffer_bits)),
        ),
    ),
    (
        "Energy",
        (
            ("MAC", lambda t: _joules(t.energy_aj["mac"] + t.energy_aj["vector"])),
            ("register", lambda t: _joules(t.energy_aj["register"])),
            ("buffer", lambda t: _joules(t.energy_aj["buffer"])),
            ("DRAM", lambda t: _joules(t.energy_aj["dram"])),
            ("total", lambda t: _joules(t.total_energy_aj)),
        ),
    ),
)


def render(report: Report, markdown: bool = False) -> str:
    """Return the whole report as text."""
    setup = report.setup
    mark = "## " if markdown else ""
    bullet = "- " if markdown else ""
    lines = [
        f"{mark}{setup.model} {setup.input}, batch {setup.batch}, on {setup.hardware}: "
        f"{' against '.join(report.schemes)}",
        "",
        *(f"{bullet}{line}" for line in _heading(report)),
    ]
    sums = [_by_origin(run) for run in report.runs]
    for title, columns in _BLOCKS:
        lines += ["", f"{mark}{title}" + _sides(report), "", _block(report, sums, columns, markdown)]
    lines += ["", f"{mark}Totals", "", _total_table(report, markdown), ""]
    lines += [f"{bullet}{line}" for line in notes(report)]
    return "\n".join(lines) + "\n"


def _heading(report: Report) -> list[str]:
    setup = report.setup
    return [
        f"hardware: {setup.hardware}: {setup.hardware_description}",
        f"zeros: {setup.zeros}",
        f"model: {setup.cost_model}, mapping for least {setup.objective}, fusion {setup.fusion}, bits "
        f"{setup.bits}; counts are for the whole batch",
    ]


def _sides(report: Report) -> str:
    return f" ({' | '.join(report.schemes)})" if len(report.runs) == 2 else ""


def _by_origin(run: Run) -> dict[str, Totals]:
    """Sums by original node; nodes without traffic of their own are one row."""
    names = list(dict.fromkeys(row.origin for row in run.layers if row.folded_into is None))
    found: dict[str, Totals] = {}
    for name in names:
        found[name] = totals(run, lambda row, name=name: row.origin == name and row.folded_into is None)  # type: ignore[misc]
    folded = [row for row in run.layers if row.folded_into is not None]
    if folded:
        found[f"({len(folded)} in place)"] = totals(run, lambda row: row.folded_into is not None)
    return found


def _block(
    report: Report, sums: list[dict[str, Totals]], columns: Sequence[tuple[str, Cell]], markdown: bool
) -> str:
    names = list(dict.fromkeys(name for run in sums for name in run))
    rows = []
    if len(sums) <= 2:
        header = [
            "layer",
            *(
                f"{title}{' ' if markdown else chr(10)}{_short(s)}"
                for title, _ in columns
                for s in report.schemes
            ),
        ]
        for name in names:
            cells = [cell(run[name]) if name in run else "-" for _, cell in columns for run in sums]
            rows.append([name, *cells])
    else:
        header = ["layer", "scheme", *(title for title, _ in columns)]
        for name in names:
            for scheme, run in zip(report.schemes, sums, strict=True):
                if name in run:
                    rows.append([name, scheme, *(cell(run[name]) for _, cell in columns)])
    return _table(rows, header, markdown)


def _short(scheme: str) -> str:
    """A scheme's name for a narrow column: the variant without the family."""
    variant = scheme.partition(":")[2] or scheme
    return variant if len(variant) <= 12 else f"{variant[:11]}…"


def _total_table(report: Report, markdown: bool) -> str:
    columns = [column for _, block in _BLOCKS for column in block if column[0] not in ("MAC", "register")]
    rows = []
    parts: list[tuple[str, str | None]] = [
        (title, part) for part, title in PARTS.items() if part in ("convolution", "linear", "matmul")
    ]
    for title, part in [*parts, ("all", None)]:
        if part == "matmul" and not any(row.part == "matmul" for row in report.runs[0].layers):
            continue
        for run in report.runs:
            sums = report.totals(run.scheme, part)
            rows.append([title, run.scheme, *(cell(sums) for _, cell in columns)])
    header = [
        "",
        "scheme",
        *(title.replace("total", "energy").replace("DRAM ", "DRAM\n") for title, _ in columns),
    ]
    if markdown:
        header = [title.replace("\n", " ") for title in header]
    return _table(rows, header, markdown)


def _table(rows: list[list[str]], header: list[str], markdown: bool) -> str:
    texts = 2 if header[1:2] == ["scheme"] else 1
    align = ["left"] * texts + ["right"] * (len(header) - texts)
    form = "github" if markdown else "simple"
    return tabulate(rows, header, tablefmt=form, colalign=align, disable_numparse=True)
