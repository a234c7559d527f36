"""What stands on the page, against sums made here from the rows of the report."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest

from energysim.report import Report, Run
from energysim.report.colours import LEVEL_COLOURS
from energysim.report.page import render_page
from energysim.report.scales import joules
from energysim.units import engineering
from energysim.walker import estimate

from .reading import Element, read_page

#: Prefix of a unit -> how many base units it is; energies are attojoules here.
PREFIX = {"a": 1, "f": 10**3, "p": 10**6, "n": 10**9, "u": 10**12, "m": 10**15, "": 10**18}


@pytest.fixture(scope="module")
def page(triple: Report) -> Element:
    return read_page(render_page([triple]))


def energies(run: Run) -> Counter[str]:
    """Layer of the original network -> energy [aJ] of the nodes with traffic of their own."""
    origins = {row.node: row.origin for row in run.layers if row.folded_into is None}
    found: Counter[str] = Counter(dict.fromkeys(origins.values(), 0))
    for access in run.accesses:
        if access.node in origins:
            found[origins[access.node]] += access.energy_aj
    return found


def columns(page: Element, quantity: str) -> tuple[str, list[int]]:
    """The unit of a quantity, and its columns of the table of layers."""
    head = next(iter(page.by_id("layers").all("thead")))
    tops = [th for th in head.all("th") if th.attributes.get("scope") == "colgroup"]
    (top,) = [th for th in tops if re.fullmatch(rf"{quantity}( \[.*\])?", th.text)]
    own = top.attributes["class"].split()[0]
    places = [
        int(th.attributes["data-c"])
        for th in head.all("th")
        if "data-c" in th.attributes and own in th.attributes["class"].split()
    ]
    return top.text.partition("[")[2].rstrip("]"), places


def shown(value: str, divisor: int) -> tuple[Fraction, Fraction]:
    """The exact range that a rounded number stands for, in base units; a dash is nothing."""
    if value == "-":
        return Fraction(0), Fraction(0)
    half = Fraction(1, 2 * 10 ** len(value.partition(".")[2]))
    return (Fraction(value) - half) * divisor, (Fraction(value) + half) * divisor


def test_every_layer_with_its_energy_is_there_without_script(page: Element, triple: Report) -> None:
    rows = page.by_id("layers").grid()
    expected = [energies(run) for run in triple.runs]
    assert [row[0] for row in rows[:-1]] == list(expected[0])
    folded = sum(row.folded_into is not None for row in triple.runs[0].layers)
    assert rows[-1][0] == f"({folded} folded nodes)"
    unit, places = columns(page, "energy")
    assert places == [0, 1, 2] and unit.endswith("J")
    for row in rows[:-1]:
        for place, sums in enumerate(expected):
            low, high = shown(row[3 + place], PREFIX[unit[:-1]])
            assert low <= sums[row[0]] <= high
    assert {len(row) for row in rows} == {3 + len(json.loads(page.by_id("ranks").text))}


def test_ranks_are_the_order_of_the_exact_values(page: Element, triple: Report) -> None:
    ranks = json.loads(page.by_id("ranks").text)
    names = [row[0] for row in page.by_id("layers").grid()[:-1]]
    for place, run in enumerate(triple.runs):
        values = [energies(run)[name] for name in names]
        own = ranks[columns(page, "energy")[1][place]]
        assert len(own) == len(names) + 1  # and the line of all folded nodes, somewhere among them
        pairs = [(a, b) for a in range(len(names)) for b in range(len(names))]
        assert all((own[a] < own[b]) == (values[a] < values[b]) for a, b in pairs)
    unit, places = columns(page, "energy factor")
    assert unit == "" and len(places) == len(triple.runs) - 1


def test_totals_stand_below(page: Element, triple: Report) -> None:
    _, places = columns(page, "MACs")
    foot = page.by_id("layers").grid("tfoot")
    assert [row[0] for row in foot] == ["convolutions", "classifier", "all layers"]
    for run, place in zip(triple.runs, places, strict=True):
        unit, _ = columns(page, "MACs")
        low, high = shown(foot[-1][3 + place], {"k": 10**3, "M": 10**6}[unit])
        assert low <= sum(row.macs for row in run.layers) <= high


def test_the_page_says_first_what_is_assumed(page: Element, triple: Report) -> None:
    sections = [one.attributes["id"] for one in page.all("section")]
    assert sections[0] == "assumed" and set(sections) >= {"energy", "bound", "by-layer", "constants"}
    text = page.by_id("assumed").text
    for scheme in triple.schemes:
        assert f"{float(100 * triple.assumed_share(scheme)):.3g} % ({scheme})" in text
    assert all(statement.partition(" = ")[0] in text for statement in triple.setup.assumed)
    assert all(statement in text for run in triple.runs for statement in run.assumed)


def test_the_head_says_it_in_words(triple: Report) -> None:
    (words,) = read_page(render_page([triple])).of_class("lead")
    dense, least = triple.totals("dense"), triple.totals("psconv:PSD1_P16")
    times = dense.total_energy_aj / least.total_energy_aj
    assert words.text.startswith("dense takes ")
    assert "psconv:PSD1_P16 needs the least energy of the others: " in words.text
    assert f"{times:.2f} times less" in words.text


def test_every_constant_has_value_kind_and_source(page: Element, triple: Report) -> None:
    (table,) = page.by_id("constants").all("table")
    rows = {row[0]: row[1:] for row in table.grid()}
    uses = triple.setup.constants
    assert list(rows) == [use.path for use in uses]
    spent: Counter[str] = Counter()
    for access in triple.runs[1].accesses:
        spent[access.constant] += access.energy_aj
    for use in uses:
        value, kind, source, *shares = rows[use.path]
        assert (value, kind) == (use.value, use.kind)
        if use.source:
            assert page.by_id(f"s{source.strip('[]')}").text == use.source
        share = Fraction(100 * spent[use.path], spent.total())
        assert shares[1] == (f"{float(share):.3g} %" if share else "-")
    assert sum(Fraction(rows[use.path][4].rstrip(" %")) for use in uses if spent[use.path]) == pytest.approx(
        100, abs=0.2
    )


def test_layers_lead_to_their_mappings(page: Element, triple: Report) -> None:
    links = {a.text: a.attributes["href"] for a in page.by_id("layers").all("a")}
    mapped = {row.origin for run in triple.runs for row in run.layers if row.mapping}
    assert set(links) == mapped
    for run in triple.runs:
        for row in run.layers:
            if row.mapping:
                entry = page.by_id(links[row.origin].removeprefix("#"))
                rows = [r for table in entry.all("table") for r in table.grid()]
                own = [r for r in rows if run.scheme in r[0].split(", ") and row.mapping in r]
                assert len(own) == 1 and row.bound in own[0]
    assert all(one.attributes.get("open") is None for one in page.all("details"))


def test_bars_are_as_long_as_their_energies(page: Element, triple: Report) -> None:
    stacks = page.by_id("energy").of_class("stack")
    totals = [triple.totals(scheme) for scheme in triple.schemes]
    largest = max(one.total_energy_aj for one in totals)
    for stack, one in zip(stacks, totals, strict=True):
        assert width(stack) == pytest.approx(100 * one.total_energy_aj / largest, abs=0.01)
        pieces = [child for child in stack.children if isinstance(child, Element)]
        given = sorted(aj for aj in one.energy_aj.values() if aj)
        assert sorted(map(width, pieces)) == pytest.approx(
            [100 * aj / one.total_energy_aj for aj in given], abs=0.01
        )


def width(one: Element) -> float:
    """The width of a style [%]."""
    return float(one.attributes["style"].removeprefix("width:").rstrip("%"))


def test_strips_show_each_layer(page: Element, triple: Report) -> None:
    """The bars of a layer lie on each other, and end where its energy does."""
    names = [row[0] for row in page.by_id("layers").grid()[:-1]]
    every = [energies(run) for run in triple.runs]
    largest = max(max(one.values()) for one in every)
    for svg, sums in zip(page.all("svg"), every, strict=True):
        tops: dict[int, list[tuple[int, int]]] = {}
        for path in svg.all("path"):
            for x, low, high in re.findall(r"M(\d+) (\d+)V(\d+)", path.attributes["d"]):
                tops.setdefault(int(x) // 10, []).append((int(low), int(high)))
        for number, name in enumerate(names):
            pieces = sorted(tops.get(number, []), reverse=True)
            assert all(one[1] == other[0] for one, other in pairwise(pieces))
            reached = 200 - min((high for _, high in pieces), default=200)
            assert reached == pytest.approx(200 * sums[name] / largest, abs=0.5)


def test_colours_are_those_of_every_picture(triple: Report) -> None:
    text = render_page([triple])
    legend = [span.text for span in read_page(text).of_class("legend")[0].all("span")]
    assert legend == ["MAC", "other operations", "register", "buffer", "DRAM"]
    for number, level in enumerate(("mac", "vector", "register", "buffer", "dram")):
        assert f".l{number}{{background:{LEVEL_COLOURS[level]};" in text


def test_bound_and_traffic() -> None:
    """On a small buffer some layers move more than the bound; what is over it is priced as the rest is."""
    report = estimate("resnet18-tiny", "psconv", "eyeriss")
    (table,) = read_page(report.to_html()).by_id("bound").all("table")
    for row, run in zip(table.grid(), report.runs, strict=True):
        layers = traffic(run)
        moved, bound = (sum(pair[n] for pair in layers.values()) for n in (0, 1))
        energy = sum(access.energy_aj for access in run.accesses if access.level == "dram")
        assert row[0] == run.scheme and moved > bound
        over = Fraction(moved - bound)
        assert row[3] == f"{moved / bound:.3f} +{engineering(over, 'bit')}"
        assert row[4].startswith(joules(energy * over / moved / 10**18))
        most = max(layers, key=lambda name: layers[name][0] - layers[name][1])
        assert row[5].startswith(f"{most} (")


def traffic(run: Run) -> dict[str, tuple[int, int]]:
    """Layer -> (bits through DRAM, bound)."""
    origins = {row.node: row.origin for row in run.layers}
    moved: Counter[str] = Counter()
    for access in run.accesses:
        moved[origins[access.node]] += access.bits if access.level == "dram" else 0
    bound: Counter[str] = Counter()
    for row in run.layers:
        bound[row.origin] += row.dram_bound_bits
    return {name: (moved[name], bound[name]) for name in dict.fromkeys(origins.values())}


def test_what_was_not_counted_is_an_alarm(pair: Report) -> None:
    odd = Report(pair.setup, (replace(pair.runs[0], uncounted=("strange (Custom)",)), *pair.runs[1:]))
    alarms = [one.text for one in read_page(odd.to_html()).of_class("alarm") if one.tag == "p"]
    assert alarms == ["Not counted in dense, cost unknown: strange (Custom)"]
    assert not [one for one in read_page(pair.to_html()).of_class("alarm") if one.tag == "p"]


def test_a_single_scheme_and_rewritten_layers() -> None:
    alone = read_page(estimate("vgg16-cifar10").to_html())
    assert len(alone.by_id("layers").grid()[0]) == 3 + len(json.loads(alone.by_id("ranks").text))
    report = estimate("vgg16-cifar10", "csc:fan=4")
    nodes = {row.node.removeprefix(row.origin) for row in report.runs[1].layers if row.mapping}
    tables = list(read_page(report.to_html()).by_id("mappings").all("table"))
    rows = [row for table in tables if "part" in [th.text for th in table.all("th")] for row in table.grid()]
    told = {part for row in rows for part in row[1].split(", ")}
    assert len(nodes) > 2 and told - {"itself"} == nodes - {""}
