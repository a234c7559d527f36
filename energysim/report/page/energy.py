"""Where the energy went: a bar per scheme stacked by level, and the same along the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from energysim.report.blocks import Line
from energysim.report.colours import colours
from energysim.report.page.cases import Case
from energysim.report.page.elements import Html, cells, element, join, table
from energysim.report.scales import ATTO, joules
from energysim.report.totals import LEVELS, Totals, own_levels

__all__ = ["energy_section", "level_styles"]

#: What levels are called in the tables for people; others have the names of their hardware.
_NAMES = {"mac": "MAC", "dram": "DRAM", "vector": "other operations"}
#: Height of a strip in its own units; its bars end at whole ones.
_HEIGHT = 200


def levels_of(cases: Sequence[Case]) -> list[str]:
    """Return the levels that take energy in any case, the innermost first."""
    runs = [run for case in cases for run in case.report.runs]
    inner, outer = ["mac", "vector", "register"], ["buffer", "dram"]
    assert {*inner, *outer} == set(LEVELS)
    used = {row.level for run in runs for row in run.accesses if row.energy_aj}
    return [level for level in (*inner, *own_levels(runs), *outer) if level in used]


def level_styles(cases: Sequence[Case]) -> str:
    """Return a style rule per level: its colour, and the colour of text upon it."""
    found = colours([*LEVELS, *own_levels([run for case in cases for run in case.report.runs])])
    return "\n".join(
        f".l{number}{{background:{found[level]};stroke:{found[level]};color:{_text_on(found[level])}}}"
        for number, level in enumerate(levels_of(cases))
    )


def _text_on(colour: str) -> str:
    """Black or white, whichever stands out more (WCAG 2.2, relative luminance and contrast)."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#fff"


def energy_section(cases: Sequence[Case], lines: Sequence[Sequence[Line]]) -> Html:
    """Return bars, strips and the numbers of every case; ``lines`` are the layers of each."""
    levels = levels_of(cases)
    legend = element(
        "p",
        *(
            element("span", element("i", class_=f"key l{number}"), _NAMES.get(level, level))
            for number, level in enumerate(levels)
        ),
        class_="legend",
    )
    parts: list[object] = [element("h2", "Where the energy went"), legend]
    start = 0
    for case, own in zip(cases, lines, strict=True):
        parts += [element("h3", case.label)] if len(cases) > 1 else []
        parts += [_bars(case, levels), _numbers(case, levels), _strips(case, own, levels, start)]
        start += len(case.report.runs)
    return element("section", *parts, id="energy")


def _bars(case: Case, levels: Sequence[str]) -> Html:
    largest = max(one.total_energy_aj for one in case.sums.values()) or 1
    rows = []
    for scheme, one in case.sums.items():
        total = one.total_energy_aj
        pieces = [
            element(
                "span",
                _share(aj, total) if 12 * aj > largest else "",
                class_=f"l{number}",
                style=f"width:{float(Fraction(100 * aj, total)):.2f}%",
                title=f"{_NAMES.get(level, level)}: {_joules(aj, case)}, {_share(aj, total)}",
            )
            for number, level in enumerate(levels)
            if (aj := one.energy_aj.get(level, 0))
        ]
        width = f"width:{float(Fraction(100 * total, largest)):.2f}%"
        bar = element("div", element("div", *pieces, class_="stack", style=width), class_="track")
        rows += [element("dt", scheme), element("dd", bar, element("b", _joules(total, case)))]
    return element("dl", *rows, class_="bars")


def _numbers(case: Case, levels: Sequence[str]) -> Html:
    rows, batch = [], case.report.setup.batch
    used = [level for level in levels if any(one.energy_aj.get(level) for one in case.sums.values())]
    for scheme, one in case.sums.items():
        total = one.total_energy_aj
        figures = [
            join([_joules(aj, case), " ", element("small", _share(aj, total))]) if aj else "-"
            for aj in (one.energy_aj.get(level, 0) for level in used)
        ]
        rows.append(cells([scheme, *figures, element("b", _joules(total, case)), _half(case, scheme)]))
    titles = ["scheme", *(_NAMES.get(level, level) for level in used), "all", "half of it is in"]
    caption = f"Energy by level per sample{f' (batch of {batch})' if batch > 1 else ''}, and its share"
    return table(caption, titles, rows, class_="levels")


def _half(case: Case, scheme: str) -> str:
    """The fewest layers that take half of the energy."""
    energy: Counter[str] = Counter()
    run = case.report.run(scheme)
    origins = {row.node: row.origin for row in run.layers}
    for access in run.accesses:
        energy[origins[access.node]] += access.energy_aj
    total, so_far = energy.total(), 0
    for number, (name, aj) in enumerate(energy.most_common(), 1):
        so_far += aj
        if 2 * so_far >= total > 0:
            most, largest = energy.most_common(1)[0]
            del name
            return f"{number} of {len(energy)} nodes, most in {most} ({_share(largest, total)})"
    return "-"


def _strips(case: Case, lines: Sequence[Line], levels: Sequence[str], start: int) -> Html:
    """A strip per scheme: a stacked bar per layer, in network order, all strips to one scale."""
    every = [one.total_energy_aj for line in lines for one in line.sums if one is not None]
    largest = max(every, default=0) or 1
    figures = []
    for place, scheme in enumerate(case.report.schemes):
        paths = _paths([line.sums[place] for line in lines], levels, largest)
        picture = element(
            "svg",
            *paths,
            viewBox=f"0 0 {10 * len(lines)} {_HEIGHT}",
            preserveAspectRatio="none",
            role="img",
            aria_label=f"Energy of {scheme} layer by layer; the numbers are in the table of layers",
            data_run=start + place,
        )
        figures.append(element("figure", element("figcaption", scheme, element("output")), picture))
    scale = element(
        "p",
        f"Layer by layer, from the first to the last; full height is {joules(largest * ATTO)} "
        "for the whole batch.",
        class_="quiet",
    )
    return element("div", scale, *figures, class_="strips")


def _paths(sums: Sequence[Totals | None], levels: Sequence[str], largest: int) -> list[Html]:
    """A path per level; edges are rounded sums, so that bars upon each other leave no gap."""
    made = dict.fromkeys(levels, "")
    for number, one in enumerate(sums):
        if one is None:
            continue
        low = 0
        for level in levels:
            high = low + one.energy_aj.get(level, 0)
            bottom, top = (_HEIGHT - round(Fraction(_HEIGHT * edge, largest)) for edge in (low, high))
            if bottom > top:
                made[level] += f"M{10 * number + 5} {bottom}V{top}"
            low = high
    return [
        Html(f'<path class="l{number}" d="{made[level]}"/>')
        for number, level in enumerate(levels)
        if made[level]
    ]


def _joules(energy_aj: int, case: Case) -> str:
    return joules(Fraction(energy_aj, case.report.setup.batch) * ATTO)


def _share(part: int, whole: int) -> str:
    return f"{float(Fraction(100 * part, whole)):.3g} %" if whole else "-"
