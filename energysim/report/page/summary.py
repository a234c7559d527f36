"""The head of the page: what it is about in words, and the headline numbers of every scheme."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from energysim.report.page.cases import Case
from energysim.report.page.elements import Html, cells, element, group, join, table
from energysim.report.scales import factor, joules
from energysim.report.totals import Totals
from energysim.units import engineering

__all__ = ["headline", "title_of"]


def title_of(cases: Sequence[Case]) -> str:
    """Return the title of the page."""
    setup = cases[0].report.setup
    return f"{setup.model} on {_listed(list(dict.fromkeys(c.report.setup.hardware for c in cases)))}"


def headline(cases: Sequence[Case]) -> Html:
    """Return the summary: a sentence or two per case, and a table with a row per scheme."""
    setup = cases[0].report.setup
    subject = element(
        "p",
        f"{setup.input} per sample, batch {setup.batch}, {setup.parameters:,} parameters. Figures here are "
        "per sample; tables of layers are for the whole batch.",
        class_="quiet",
    )
    words = [element("p", join(_words(case, len(cases) > 1)), class_="lead") for case in cases]
    return join([element("h1", title_of(cases)), subject, *words, _table(cases)])


def _words(case: Case, several: bool) -> Iterator[object]:
    report = case.report
    first, *others = report.schemes
    sums = case.sums
    if several:
        yield join(["On ", element("strong", case.label), ", "])
    energy, seconds = _energy(case, sums[first]), _seconds(case, sums[first])
    yield join(
        [
            element("strong", first),
            f" takes {joules(energy)}, {engineering(seconds, 's')} and "
            f"{engineering(_dram(case, sums[first]), 'bit')} of DRAM traffic",
            *([] if others else [f", with {engineering(sums[first].stored_weight_bits, 'bit')} of weights"]),
            ". ",
        ]
    )
    if others:
        best = min(others, key=lambda scheme: sums[scheme].total_energy_aj)
        one = sums[best]
        least = "needs the least energy of the others: " if len(others) > 1 else "needs "
        yield join(
            [
                element("strong", best),
                f" {least}{joules(_energy(case, one))}, ",
                element("strong", _times(sums[first].total_energy_aj, one.total_energy_aj, "energy")),
                f". Its time is {_relative(sums[first].cycles, one.cycles)}, its DRAM traffic "
                f"{_relative(sums[first].total_dram_bits, one.total_dram_bits)}, its stored weights "
                f"{_relative(sums[first].stored_weight_bits, one.stored_weight_bits)} of those of {first}. ",
            ]
        )
    yield f"{_percent(report.assumed_share(first))} of the energy of {first} rests on assumed constants."


def _table(cases: Sequence[Case]) -> Html:
    titles = ["scheme", "energy", "DRAM traffic", "time", "stored weights"]
    rows = []
    for case in cases:
        rows += [group(case.label, len(titles))] if len(cases) > 1 else []
        rows += [cells([scheme, *_figures(case, one)]) for scheme, one in case.sums.items()]
    caption = (
        "Headline figures per sample, and how many times less than the first scheme of the same hardware"
    )
    return table(caption, titles, rows, class_="headline")


def _figures(case: Case, one: Totals) -> list[Html]:
    """The headline figures of a scheme, with a bar of its energy."""
    first = case.first
    pairs = (
        (joules(_energy(case, one)), first.total_energy_aj, one.total_energy_aj),
        (engineering(_dram(case, one), "bit"), first.total_dram_bits, one.total_dram_bits),
        (engineering(_seconds(case, one), "s"), first.cycles, one.cycles),
        (engineering(one.stored_weight_bits, "bit"), first.stored_weight_bits, one.stored_weight_bits),
    )
    shown = [_figure(*pair, is_first=one is first) for pair in pairs]
    largest = max(sums.total_energy_aj for sums in case.sums.values())
    width = float(Fraction(100 * one.total_energy_aj, largest)) if largest else 0
    return [join([shown[0], element("i", class_="mark", style=f"width:{width:.1f}%")]), *shown[1:]]


def _figure(shown: str, before: int, after: int, *, is_first: bool) -> Html:
    """A number, and beside it by how much it shrank."""
    beside = "" if is_first or not after else factor(before, after)
    return join([element("b", shown), element("small", beside)] if beside else [element("b", shown)])


def _energy(case: Case, sums: Totals) -> Fraction:
    return sums.energy_j(case.report.setup.batch)


def _seconds(case: Case, sums: Totals) -> Fraction:
    return sums.seconds(case.report.setup.clock_hz, case.report.setup.batch)


def _dram(case: Case, sums: Totals) -> Fraction:
    return Fraction(sums.total_dram_bits, case.report.setup.batch)


def _times(before: int, after: int, what: str) -> str:
    if not before or not after:
        return f"where {what} is nothing in one of them"
    if after == before:
        return "no less"
    if after > before:
        return f"{float(Fraction(after, before)):.2f} times more"
    return f"{float(Fraction(before, after)):.2f} times less"


def _relative(before: int, after: int) -> str:
    return _percent(Fraction(after, before)) if before else "100 %"


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):.3g} %"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
