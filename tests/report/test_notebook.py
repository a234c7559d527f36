"""The report in a notebook: bars as long as energies, in their colours, harmless."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from support import toy_graph

from energysim.report import Report
from energysim.report.colours import colours
from energysim.walker import estimate

PIECE = re.compile(r'<span title="([^"]*)" style="[^"]*width:([0-9.]+)%;background:(#[0-9A-F]{6})"></span>')


def rows(report: Report) -> list[ElementTree.Element]:
    table = ElementTree.fromstring(report._repr_html_()).find("table")
    assert table is not None
    return table.findall("tbody/tr")


def pieces(row: ElementTree.Element) -> dict[str, tuple[float, str]]:
    """Level -> length [%] and colour of the strip of a row."""
    text = ElementTree.tostring(row, encoding="unicode", short_empty_elements=False)
    return {level: (float(share), colour) for level, share, colour in PIECE.findall(text)}


@pytest.mark.parametrize("name", ["pair", "triple"])
def test_strips_are_as_long_as_energies(name: str, request: pytest.FixtureRequest) -> None:
    report: Report = request.getfixturevalue(name)
    largest = max(report.totals(scheme).total_energy_aj for scheme in report.schemes)
    for scheme, row in zip(report.schemes, rows(report), strict=True):
        sums = report.totals(scheme)
        drawn = pieces(row)
        assert set(drawn) == {level for level, energy in sums.energy_aj.items() if energy}
        for level, (share, colour) in drawn.items():
            assert share == pytest.approx(100 * sums.energy_aj[level] / largest, abs=0.005)
            assert colour == colours(drawn)[level]
        assert sum(share for share, _ in drawn.values()) <= 100.05


def test_levels_of_the_hardware_have_columns_and_no_other_has() -> None:
    report = estimate(toy_graph(), hardware="eyeriss168")
    heads = list(ElementTree.fromstring(report._repr_html_()).iter("th"))
    titles = ["".join(head.itertext()) for head in heads]
    levels = ["mac", "buffer", "dram", "vector", "psum_rf", "weight_rf", "input_rf"]
    assert titles == ["scheme", "", "energy", *levels, "MACs", "weights", "DRAM", "cycles"]
    keys = [span.get("style", "") for head in heads for span in head.iter("span")]
    found = [re.findall(r"background:(#\w+)", key)[0] for key in keys]
    assert found == [colours(report.totals().energy_aj)[level] for level in levels]


def test_text_and_ground_are_those_of_the_notebook(pair: Report) -> None:
    """On a dark ground dark text would not be seen: only levels have colours of ours."""
    text = pair._repr_html_()
    assert not re.search(r"[^-]color\s*:", text)
    assert len(re.findall("background:", text)) == len(re.findall(r'background:#\w+[;"]', text))
    assert "<style" not in text
    assert "<script" not in text


def test_names_of_levels_are_harmless(pair: Report) -> None:
    run = pair.runs[0]
    odd = '"><script>alert(1)</script>'
    accesses = tuple(replace(a, level=odd) if a.level == "buffer" else a for a in run.accesses)
    text = replace(pair, runs=(replace(run, accesses=accesses),))._repr_html_()
    assert "<script" not in text
    assert any(span.get("title") == odd for span in ElementTree.fromstring(text).iter("span"))


def test_many_schemes_and_long_names(pair: Report) -> None:
    names = ["x" * 300, *(f"psconv:kss=2,period={n}" for n in range(2, 60))]
    report = replace(pair, runs=tuple(replace(pair.runs[1], scheme=name) for name in names))
    drawn = rows(report)
    assert ["".join(row[0].itertext()) for row in drawn] == names
    assert "overflow-wrap:anywhere" in drawn[0][0].get("style", "")
    assert len(report._repr_html_()) < 120_000


def test_nothing_at_all(pair: Report) -> None:
    run = replace(pair.runs[0], layers=(), accesses=())
    (row,) = rows(replace(pair, runs=(run,)))
    assert pieces(row) == {}
    assert row[0].text == "dense"
