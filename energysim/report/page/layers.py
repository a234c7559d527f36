"""The table of layers: a row per layer of the original network, a column per quantity and run.

Which quantities are shown is chosen by check boxes and style rules alone. A script sorts and filters; it
sorts by the ranks of the exact values, which are written beside the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from energysim.report.blocks import Line
from energysim.report.page.cases import Case
from energysim.report.page.elements import Html, as_html, breakable, element, void
from energysim.report.page.layer_cells import Block, blocks_of
from energysim.report.rows import LayerRow
from energysim.report.tables import cell_text

__all__ = ["LayerTable", "layer_table"]

#: Columns before the numbers, with the class of their heading: one that is left out on narrow screens.
_LEADING = (("layer", "name"), ("operator", "extra"), ("output", "extra"))
#: Quantities shown from the start up to this number of runs; with more of them only the first.
_SHOWN, _FEW = ("energy", "DRAM traffic", "weights"), 4


@dataclass(frozen=True)
class LayerTable:
    """The section of the table, its style rules, and the ranks its script sorts by.

    Attributes
    ----------
    section : Html
    styles : str
    ranks : list of list of int
        Per column of numbers the rank of each row, the least value first, -1 for none.
    """

    section: Html
    styles: str
    ranks: list[list[int]]


def layer_table(
    cases: Sequence[Case], layers: list[list[Line]], sums: list[list[Line]], places: dict[str, int]
) -> LayerTable:
    """Return the table.

    Parameters
    ----------
    cases : sequence of Case
    layers, sums : list of list of Line
        Of :func:`energysim.report.page.layer_cells.lines_of`.
    places : dict of str to int
        Layers that have an entry among the mappings.
    """
    blocks = blocks_of(cases, layers, sums)
    names = [line.label for line in layers[0]]
    kinds = _kinds(cases)
    starts = [len(_LEADING) + 1 + sum(len(b.columns) for b in blocks[:n]) for n in range(len(blocks))]
    table = element(
        "table",
        element("caption", element("span", "For the whole batch; a dash is exactly nothing")),
        _head(cases, blocks, starts),
        element("tbody", _rows([_row(name, kinds, places) for name in names], [b.body for b in blocks])),
        element("tfoot", _rows([_total(line.label) for line in sums[0]], [b.foot for b in blocks])),
        id="layers",
        data_unit=blocks[0].unit,
    )
    section = element(
        "section",
        element("h2", "Layers"),
        _choices(blocks, sum(len(case.sums) for case in cases)),
        _controls(names, kinds),
        element("div", table, class_="wide tall", tabindex="0", role="region", aria_label="Table of layers"),
        id="by-layer",
    )
    styles = "\n".join(_rules(number, *pair) for number, pair in enumerate(zip(blocks, starts, strict=True)))
    return LayerTable(section, styles, [ranks for block in blocks for ranks in block.ranks])


def _head(cases: Sequence[Case], blocks: Sequence[Block], starts: Sequence[int]) -> Html:
    """Three rows of headings: quantities, cases where there are several, schemes."""
    several = len(cases) > 1
    top = [element("th", t, scope="col", rowspan=3 if several else 2, class_=c) for t, c in _LEADING]
    middle, bottom = [], []
    for number, (block, start) in enumerate(zip(blocks, starts, strict=True)):
        title = f"{block.title} [{block.unit}]" if block.unit else block.title
        top.append(_over(title, len(block.columns), f"q{number} edge"))
        for place, column in enumerate(block.columns):
            case = cases[column.case]
            own = f"q{number} edge" if _first_of_case(block, place) else f"q{number}"
            if _first_of_case(block, place):
                count = sum(other.case == column.case for other in block.columns)
                middle.append(_over(case.label, count, own))
            scheme = breakable(case.report.schemes[column.run])
            bottom.append(
                element("th", scheme, scope="col", class_=own, data_c=start + place - len(_LEADING) - 1)
            )
    rows = (top, middle, bottom) if several else (top, bottom)
    return element("thead", *(element("tr", *row) for row in rows))


def _over(title: str, columns: int, own: str) -> Html:
    return element("th", element("span", title), scope="colgroup", colspan=columns, class_=own)


def _first_of_case(block: Block, place: int) -> bool:
    return not place or block.columns[place].case != block.columns[place - 1].case


def _rules(number: int, block: Block, start: int) -> str:
    """Style rules: columns are shown where their box is checked, and set apart by lines."""
    cells = "#layers :is(tbody,tfoot)>tr>"
    unchecked = f"body:has(#q{number}:not(:checked))"
    edges = (f":nth-child({start + n})" for n in range(len(block.columns)) if _first_of_case(block, n))
    columns = f":nth-child(n+{start}):nth-child(-n+{start + len(block.columns) - 1})"
    return (
        f"{cells}:is({','.join(edges)}){{border-left:1px solid var(--line)}}\n"
        f"{unchecked} {cells}{columns},{unchecked} #layers .q{number}{{display:none}}"
    )


def _kinds(cases: Sequence[Case]) -> dict[str, LayerRow]:
    """Layer -> the row that says what it is: that of the first run that has it."""
    found: dict[str, LayerRow] = {}
    for row in (row for case in cases for run in case.report.runs for row in run.layers):
        found.setdefault(cell_text(row.origin), row)
    return found


def _rows(starts: Sequence[str], blocks: Sequence[list[list[str]]]) -> Html:
    numbers = ("".join(cell for cells in row for cell in cells) for row in zip(*blocks, strict=True))
    return Html("\n".join(start + cells for start, cells in zip(starts, numbers, strict=True)))


def _row(name: str, kinds: dict[str, LayerRow], places: dict[str, int]) -> str:
    """The start of a row: its layer, which leads to its mappings, and what it is."""
    shown = breakable(name)
    if name in places:
        shown = element("a", shown, href=f"#m{places[name]}")
    if name not in kinds:  # the line of all folded nodes
        return f"<tr><th scope=row>{shown}<td><td>"
    row = kinds[name]
    what = f"<td>{as_html(row.kind)}<td>{as_html(row.output_shape)}"
    return f'<tr data-p="{as_html(row.part)}"><th scope=row>{shown}{what}'


def _total(name: str) -> str:
    return f"<tr><th scope=row>{as_html(name)}<td><td>"


def _choices(blocks: Iterable[Block], runs: int) -> Html:
    """A box per quantity: style rules show what is checked, so that it works without a script."""
    boxes = []
    for number, block in enumerate(blocks):
        checked = not number or (runs <= _FEW and block.title in _SHOWN)
        box = void("input", type="checkbox", id=f"q{number}", checked=checked)
        boxes.append(element("label", box, block.title))
    return element("fieldset", element("legend", "Show"), *boxes, class_="choices")


def _controls(names: Sequence[str], kinds: dict[str, LayerRow]) -> Html:
    """What needs the script, hidden without it."""
    parts = list(dict.fromkeys(kinds[name].part for name in names if name in kinds))
    options = [element("option", "all", value=""), *(element("option", part) for part in parts)]
    search = void("input", type="search", id="find", placeholder="part of a name", autocomplete="off")
    return element(
        "p",
        element("label", "Layers with ", search),
        element("label", "kind ", element("select", *options, id="part", autocomplete="off")),
        element("button", "network order", type="button", id="reset"),
        element("span", id="told", role="status"),
        class_="controls",
        hidden=True,
    )
