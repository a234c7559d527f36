"""What the numbers rest on: first what is assumed, at the end every constant with its source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction

from energysim.report.notes import remarks
from energysim.report.page.cases import Case
from energysim.report.page.elements import Html, breakable, cells, element, join, table
from energysim.units import engineering

__all__ = ["assumed_section", "constant_section", "rule_section"]


def assumed_section(cases: Sequence[Case]) -> Html:
    """Return what is assumed, and the share of the energy that rests on it."""
    parts: list[object] = []
    for case in cases:
        parts += [element("h3", case.label)] if len(cases) > 1 else []
        parts += _assumed(case)
    return element("section", element("h2", "What is assumed"), *parts, id="assumed")


def _assumed(case: Case) -> Iterator[Html]:
    report = case.report
    for run in report.runs:
        if run.uncounted:
            told = f"Not counted in {run.scheme}, cost unknown: {', '.join(run.uncounted)}"
            yield element("p", told, class_="alarm")
    shares = [f"{_percent(report.assumed_share(scheme))} ({scheme})" for scheme in report.schemes]
    yield element(
        "p", "Energy that rests on assumed energy constants: ", element("b", ", ".join(shares)), "."
    )
    spent = [_by_constant(case, scheme) for scheme in report.schemes]
    rows, silent = [], []
    for statement in report.setup.assumed:
        path, _, value = statement.partition(" = ")
        if any(path in shares for shares in spent):
            rows.append(cells([path, value, *(_share(shares, path) for shares in spent)]))
        else:
            silent.append(statement)
    if rows:
        caption = (
            f"Assumed energies of {case.label}, and the share of each scheme's energy that rests on them"
        )
        titles = ["constant", "value", *map(breakable, report.schemes)]
        yield table(caption, titles, rows, class_="constants")
    statements = list(dict.fromkeys(s for run in report.runs for s in run.assumed))
    if silent:
        statements.insert(0, f"without an energy of their own: {'; '.join(silent)}")
    if any(access.expected for run in report.runs for access in run.accesses):
        statements.append("rows that depend on activation zeros are expected values, rounded up once a row")
    if statements:
        yield element("ul", *(element("li", statement) for statement in statements))


def constant_section(cases: Sequence[Case]) -> Html:
    """Return every constant with value, kind and source, and the share of the energy it prices."""
    words = (
        "Measured, published, derived from published figures, or assumed. The shares say how much of a "
        "scheme's energy is this constant times a count."
    )
    parts: list[object] = [element("h2", "Every constant"), element("p", words)]
    uses = [use for case in cases for use in case.report.setup.constants]
    numbers = {source: n for n, source in enumerate(dict.fromkeys(u.source for u in uses if u.source), 1)}
    for case in cases:
        schemes = case.report.schemes
        spent = [_by_constant(case, scheme) for scheme in schemes]
        rows = []
        for use in case.report.setup.constants:
            kind = element("span", use.kind, class_=f"kind{' alarm' if use.kind == 'assumed' else ''}")
            number = numbers.get(use.source)
            source = element("a", f"[{number}]", href=f"#s{number}") if number else "-"
            rows.append(
                cells([use.path, use.value, kind, source, *(_share(shares, use.path) for shares in spent)])
            )
        caption = f"Constants of {case.label}, and the share of each scheme's energy on them"
        titles = ["constant", "value", "kind", "source", *map(breakable, schemes)]
        parts.append(table(caption, titles, rows, class_="constants"))
    sources = [element("li", source, id=f"s{number}") for source, number in numbers.items()]
    return element(
        "section", *parts, element("h3", "Sources"), element("ol", *sources, class_="sources"), id="constants"
    )


def rule_section(cases: Sequence[Case]) -> Html:
    """Return how it was counted, and what else there is to tell of the runs."""
    parts: list[object] = [element("h2", "How it was counted")]
    for case in cases:
        setup = case.report.setup
        rows = (
            ("hardware", f"{setup.hardware}: {setup.hardware_description}"),
            ("its digest", setup.hardware_digest),
            ("clock", engineering(setup.clock_hz, "Hz")),
            ("zeros", setup.zeros),
            ("cost model", f"{setup.cost_model}, mappings for the least {setup.objective}"),
            ("fusion", setup.fusion),
            ("bits", setup.bits),
            ("multipliers", "; ".join(setup.datapaths) or "-"),
        )
        parts += [element("h3", case.label)] if len(cases) > 1 else []
        parts.append(
            element("dl", *(join([element("dt", n), element("dd", t)]) for n, t in rows), class_="facts")
        )
        parts.append(element("ul", *(element("li", note) for note in remarks(case.report))))
    return element("section", *parts, id="rules")


def _by_constant(case: Case, scheme: str) -> dict[str, Fraction]:
    """Constant -> its share of the energy of a scheme."""
    spent: Counter[str] = Counter()
    for access in case.report.run(scheme).accesses:
        if access.energy_aj:
            spent[access.constant] += access.energy_aj
    total = spent.total()
    return {path: Fraction(aj, total) for path, aj in spent.items()}


def _share(shares: dict[str, Fraction], path: str) -> str:
    return _percent(shares[path]) if path in shares else "-"


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):.3g} %"
