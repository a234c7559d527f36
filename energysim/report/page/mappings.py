"""The mapping of each layer, unfolded on demand; layers with the same ones stand together."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from energysim.report.page.bound import proof
from energysim.report.page.cases import Case
from energysim.report.page.elements import Html, cells, element, table
from energysim.report.rows import LayerRow
from energysim.report.tables import cell_text

__all__ = ["Places", "mapping_section"]

#: Layer of the original network -> the number of its entry in the section.
Places = dict[str, int]

#: The part of a layer that has the layer's own name.
_WHOLE = "itself"

_Row = tuple[tuple[str, ...], tuple[str, ...]]


def mapping_section(cases: Sequence[Case], names: Sequence[str]) -> tuple[Html, Places]:
    """Return the section, and where each layer is in it; layers without a mapping are nowhere."""
    found: dict[tuple[_Row, ...], list[str]] = {}
    per_layer = _by_origin(cases)
    for name in names:
        if name in per_layer:
            found.setdefault(_rows(cases, per_layer[name], name), []).append(name)
    places: Places = {}
    entries = []
    for number, (rows, layers) in enumerate(found.items()):
        places.update(dict.fromkeys(layers, number))
        entries.append(_entry(number, rows, layers, len(cases) > 1))
    words = (
        "How each layer's loops are cut and ordered, what limits its time, and how good the mapping is known "
        "to be. Names in the table of layers lead here; layers mapped alike stand together."
    )
    return element("section", element("h2", "Mappings"), element("p", words), *entries, id="mappings"), places


def _by_origin(cases: Sequence[Case]) -> dict[str, dict[tuple[int, int], list[LayerRow]]]:
    """Layer -> (case, run) -> its mapped rows."""
    found: dict[str, dict[tuple[int, int], list[LayerRow]]] = {}
    for number, case in enumerate(cases):
        for place, run in enumerate(case.report.runs):
            for row in run.layers:
                if row.mapping:
                    found.setdefault(cell_text(row.origin), {}).setdefault((number, place), []).append(row)
    return found


def _rows(cases: Sequence[Case], rows: dict[tuple[int, int], list[LayerRow]], name: str) -> tuple[_Row, ...]:
    """What is told of a layer: texts, and the schemes they are true of; parts mapped alike are one row."""
    told: dict[tuple[str, ...], list[str]] = {}
    for (number, place), own in rows.items():
        case = cases[number]
        parts: dict[tuple[str, ...], list[str]] = {}
        for row in own:
            parts.setdefault(_texts(row), []).append(cell_text(row.node).removeprefix(name) or _WHOLE)
        label = case.label if len(cases) > 1 else ""
        for texts, names in parts.items():
            told.setdefault((label, ", ".join(names), *texts), []).append(case.report.schemes[place])
    return tuple((tuple(schemes), texts) for texts, schemes in told.items())


def _texts(row: LayerRow) -> tuple[str, ...]:
    waiting = Fraction(row.stall_cycles, row.cycles) if row.cycles else Fraction(0)
    return (
        row.mapping,
        row.bound,
        f"{float(100 * row.utilisation):.3g} %",
        f"{float(100 * waiting):.3g} %" if waiting else "-",
        proof(row),
    )


def _entry(number: int, rows: Sequence[_Row], layers: Sequence[str], several: bool) -> Html:
    parts = any(texts[1] != _WHOLE for _, texts in rows)
    titles = ["schemes", *(["hardware"] if several else []), *(["part"] if parts else [])]
    titles += ["mapping", "limited by", "multipliers in use", "waiting", "proof"]
    made = []
    for schemes, texts in rows:
        names = [*([texts[0]] if several else []), *([texts[1]] if parts else [])]
        made.append(cells([", ".join(schemes), *names, element("code", texts[2]), *texts[3:]]))
    shown = ", ".join(layers[:3]) + (f" and {len(layers) - 3} more" if len(layers) > 3 else "")
    more = [element("p", ", ".join(layers), class_="quiet")] if len(layers) > 3 else []
    # The name of the place is inside: browsers open what holds the place they are led to.
    inside = element("div", *more, table("", titles, made, class_="words"), id=f"m{number}")
    return element("details", element("summary", shown), inside)
