"""Several reports on one page: which go together, and which do not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from energysim.errors import UsageError
from energysim.report import Report
from energysim.report.page import render_page
from energysim.report.page.cases import columns_of, gathered
from energysim.walker import estimate

from .reading import read_page

NETWORK = "vgg16-cifar10"


@pytest.fixture(scope="module")
def four() -> Report:
    return estimate(NETWORK, "psconv")


@pytest.fixture(scope="module")
def one() -> Report:
    return estimate(NETWORK, "psconv:PSD1_P16")


def test_reports_with_the_same_setup_are_one(four: Report, one: Report) -> None:
    together = estimate(NETWORK, "psconv,psconv:PSD1_P16")
    assert render_page([four, one]) == render_page([together]) == render_page([together, four])
    (case,) = gathered([four, one])
    assert case.label == "edge45" and case.report.schemes == together.schemes
    assert case.sums == {scheme: together.totals(scheme) for scheme in together.schemes}


def test_hardware_stands_side_by_side(four: Report) -> None:
    other = estimate(NETWORK, "psconv", "eyeriss")
    page = read_page(render_page([four, other]))
    (title,) = page.all("h1")
    assert title.text == f"{NETWORK} on edge45 and eyeriss"
    layers = page.by_id("layers")
    head = next(iter(layers.all("thead")))
    rows = [[th.text for th in tr.all("th")] for tr in head.all("tr")]
    assert rows[1][:2] == ["edge45", "eyeriss"] and rows[2][:4] == ["dense", "psconv:PSD4_P8"] * 2
    names = list(dict.fromkeys(row.origin for row in four.runs[0].layers if row.folded_into is None))
    assert [row[0] for row in layers.grid()[:-1]] == names
    assert {len(row) for row in layers.grid()} == {3 + len(json.loads(page.by_id("ranks").text))}
    assert [c.label for c in columns_of(gathered([four, other]))][2] == "eyeriss: dense"


def test_cases_on_the_same_hardware_are_told_apart(four: Report) -> None:
    narrow = estimate(NETWORK, "psconv", bits="w=4")
    changed = replace(four, setup=replace(four.setup, hardware_digest="f" * 64))
    assert [case.label for case in gathered([four, narrow])] == [
        "edge45 (bits w=8,a=8,acc=32)",
        "edge45 (bits w=4,a=8,acc=32)",
    ]
    digest = four.setup.hardware_digest[:8]
    assert [case.label for case in gathered([four, changed])] == [
        f"edge45 (digest {digest})",
        "edge45 (digest ffffffff)",
    ]


def test_a_layer_that_only_one_case_has_is_empty_in_the_others(four: Report) -> None:
    unfused = estimate(NETWORK, fusion="none")
    page = read_page(render_page([four, unfused]))
    rows = {row[0]: row[3:6] for row in page.by_id("layers").grid()}
    assert rows["features.relu1_1"][:2] == ["", ""] and rows["features.relu1_1"][2] not in ("", "-")


def test_reports_of_different_networks_are_refused(four: Report) -> None:
    for other in (estimate("resnet18-cifar10"), estimate(NETWORK, batch=2), estimate(NETWORK, classes=100)):
        with pytest.raises(
            UsageError, match=r"different networks do not go on one page: vgg16-cifar10 3x32x32"
        ):
            render_page([four, other])
    rows = tuple(replace(row, origin=f"x.{row.origin}") for row in four.runs[0].layers)
    with pytest.raises(
        UsageError, match=r"only one 'vgg16-cifar10' has a layer 'avgpool|'classifier|'features"
    ):
        render_page([four, replace(four, runs=(replace(four.runs[0], layers=rows),))])


def test_reports_that_contradict_each_other_are_refused(four: Report) -> None:
    first, *others = four.runs
    layers = (replace(first.layers[0], cycles=first.layers[0].cycles + 1), *first.layers[1:])
    changed = replace(four, runs=(replace(first, layers=layers), *others))
    with pytest.raises(UsageError, match="two reports differ on dense on edge45 under the same setup"):
        render_page([four, changed])


def test_no_report_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one report"):
        render_page([])
