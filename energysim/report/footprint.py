"""The table of lowering memory: each convolution, five ways of storing its input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from energysim.report.csv_form import csv_text
from energysim.report.json_form import SCHEMA_VERSION, dump
from energysim.report.scales import scale_for
from energysim.report.tables import Column, cell_text, github, markdown_text, plain

__all__ = ["render_footprint"]

_TITLES = {"layer": "layer", "input": "input", "window": "window", "stride": "stride", "density": "density"}


def render_footprint(
    title: str,
    records: Sequence[dict[str, Any]],
    form: str,
    widths: Mapping[str, int],
    left: Sequence[str] = (),
) -> str:
    """Return the records as table, markdown, csv or json text.

    Parameters
    ----------
    title : str
    records : sequence of dict
        Of :func:`energysim.lowering.footprint_records`.
    form : {"table", "markdown", "csv", "json"}
        Tables show bits, the files words (all of one width) too.
    widths : mapping of str to int
        Of values, indices and pointers [bit].
    left : sequence of str
        Layers that none of the storages is for.
    """
    if form == "csv":
        return csv_text(records)
    if form == "json":
        data = {"schema_version": SCHEMA_VERSION, "title": title, "widths": dict(widths), "left": list(left)}
        return "".join(dump({**data, "rows": list(records)})) + "\n"
    sizes = [name for name in records[0] if name.endswith("_bits")]
    ends = [
        {"layer": what, **{name: _over(function, [row[name] for row in records]) for name in sizes}}
        for what, function in (("sum", sum), ("largest", max))
    ]
    rows = [*records, *ends]
    columns = [
        Column(head, tuple(cell_text(str(row.get(name, ""))) for row in rows), left=name == "layer")
        for name, head in _TITLES.items()
    ]
    scale = scale_for([row[name] or 0 for row in rows for name in sizes], "bit")
    columns += [
        Column(
            f"{name.removesuffix('_bits')} [{scale.unit}]",
            tuple("-" if row[name] is None else scale.show(row[name]) for row in rows),
        )
        for name in sizes
    ]
    columns.append(Column("smallest", tuple(row.get("smallest", "") for row in rows), left=True))
    if form == "markdown":
        return f"## {markdown_text(title)}\n\n{github(columns)}\n"
    body = [title, "", plain(columns, [len(records)]), "", *_notes(records, widths, left)]
    return "\n".join(body) + "\n"


def _over(function: Any, values: Sequence[int | None]) -> int | None:
    """The sum or the largest; None if one is not known, for then neither is."""
    return None if None in values else function(values)


def _notes(records: Sequence[dict[str, Any]], widths: Mapping[str, int], left: Sequence[str]) -> list[str]:
    shown = ", ".join(f"{name} {bits}" for name, bits in widths.items())
    found = [
        f"widths [bit]: {shown}; the memory is used by one layer after the other: the largest is needed",
        "cscc, cpo, cps: expected sizes, zeros independent; im2col and mec store every zero",
    ]
    if any(None in row.values() for row in records):
        found.append("-: cpo and cps are not defined for dilated windows")
    if left:
        found.append(f"left out, transposed or deformable: {', '.join(left)}")
    return found
