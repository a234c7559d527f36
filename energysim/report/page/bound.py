"""What the lower bound still allows: DRAM traffic beside the least that any mapping needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction

from energysim.report.page.cases import Case
from energysim.report.page.elements import Html, cells, element, group, join, table
from energysim.report.rows import LayerRow, Run
from energysim.report.scales import ATTO, joules
from energysim.report.totals import grouped
from energysim.units import engineering

__all__ = ["bound_section", "proof"]


def bound_section(cases: Sequence[Case]) -> Html:
    """Return the table of every case's traffic beside its bound."""
    titles = ["scheme", "DRAM traffic", "lower bound", "over it", "energy of the excess", "most of it in"]
    titles += ["time limited by", "mappings"]
    rows = []
    for case in cases:
        rows += [group(case.label, len(titles))] if len(cases) > 1 else []
        rows += [cells([run.scheme, *_figures(case, run)]) for run in case.report.runs]
    words = (
        "No schedule moves fewer bits through DRAM than the bound: every tensor once, or what the capacity "
        "on chip forces to be moved again, whichever is more. What is over it is what a better mapping could "
        "save at most; fewer weights or a larger buffer lower the bound itself. The energy of the excess is "
        "at the mean DRAM energy per bit of the run."
    )
    return element(
        "section",
        element("h2", "What the lower bound allows"),
        element("p", words),
        table(
            "DRAM traffic of the whole batch against its lower bound",
            titles,
            rows,
            class_="bounds",
        ),
        id="bound",
    )


def _figures(case: Case, run: Run) -> Iterator[object]:
    sums = case.sums[run.scheme]
    moved, least = sums.total_dram_bits, sums.dram_bound_bits
    excess = moved - least
    yield engineering(moved, "bit")
    yield engineering(least, "bit")
    over = f"{float(Fraction(moved, least)):.3f}" if least else "-"
    yield join([over, " ", element("small", f"+{engineering(excess, 'bit')}")] if excess else [over])
    if excess and moved:
        cost = Fraction(sums.energy_aj["dram"] * excess, moved)
        share = Fraction(100) * cost / sums.total_energy_aj if sums.total_energy_aj else Fraction(0)
        yield join([joules(cost * ATTO), " ", element("small", f"{float(share):.2g} % of all")])
    else:
        yield "-"
    yield _most(run)
    yield _limits(run)
    yield _searched(run)


def _most(run: Run) -> str:
    """The layers that hold most of the excess."""
    over = Counter(
        {
            name: one.total_dram_bits - one.dram_bound_bits
            for name, one in grouped(run, lambda row: row.origin).items()
        }
    )
    found = [f"{name} ({engineering(bits, 'bit')})" for name, bits in over.most_common(3) if bits > 0]
    return ", ".join(found) or "-"


def _limits(run: Run) -> object:
    cycles: Counter[str] = Counter()
    for row in run.layers:
        cycles[row.bound] += row.cycles
    total = cycles.total()
    found = [(name, float(Fraction(100 * c, total))) for name, c in cycles.most_common() if c]
    return (
        join(element("span", f"{name} {share:.3g} %", class_="line") for name, share in found)
        if found
        else "-"
    )


def _searched(run: Run) -> str:
    rows = [row for row in run.layers if row.mappings]
    if not rows:
        return "-"
    best = sum(row.optimal for row in rows)
    space = engineering(sum(row.mappings for row in rows))
    if best == len(rows):
        return f"all {best} proven best of {space}"
    gap = max(row.gap for row in rows if not row.optimal)
    return (
        f"{best} of {len(rows)} proven best of {space}; at most {float(100 * gap):.3g} % of a layer to save"
    )


def proof(row: LayerRow) -> str:
    """Return how good a layer's mapping is known to be."""
    if not row.mappings:
        return "given"
    space = engineering(row.mappings)
    if row.optimal:
        energy = f"; {float(100 * row.gap):.3g} % of its energy at most to save" if row.gap else ""
        return f"proven best of {space}{energy}"
    return f"not proven best of {space}: {float(100 * row.gap):.3g} % at most to save"
