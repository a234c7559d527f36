"""The page as a file: it needs nothing else, is harmless, small, and the same bytes every time."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace

import pytest
from support import Process

from energysim.graph import GraphBuilder
from energysim.report import Report
from energysim.report.page import render_page
from energysim.walker import estimate

from .reading import read_page

#: Names that would end a text, an attribute, a script or a comment, or say something else than they do.
HOSTILE = (
    '<script>document.title="taken"</script>',
    "</script><script>document.title='taken'</script>",
    "\" onmouseover=\"document.title='taken'\" x='",
    "a&amp;b<!-- ]]> -->",
    "Слой 層 \U0001f9e0",
    "left\u202eright\x00\n",
)
#: A name with all kinds of quotes and brackets.
ODD = HOSTILE[1] + HOSTILE[2]


def hostile_report() -> Report:
    """A small network, all of whose names are hostile."""
    b = GraphBuilder(HOSTILE[0], input=(3, 8, 8))
    x = b.input
    for name in HOSTILE:
        x = b.relu(b.conv(x, 4, 3, padding=1, name=name))
    report = estimate(b.build(x), "psconv")
    odd = ODD
    setup = replace(report.setup, hardware=odd, zeros=odd, activations=odd, assumed=(f"{odd} = {odd}",))
    constants = tuple(replace(use, source=odd) for use in setup.constants)
    first, second = report.runs
    layers = tuple(
        replace(r, kind=odd, part=odd, bound=odd, mapping=odd, output_shape=odd) for r in second.layers
    )
    second = replace(second, scheme=odd, assumed=(odd,), uncounted=(odd,), notes=(odd,), layers=layers)
    strange = replace(first.layers[0], kind=odd, part=odd, bound=odd, mapping=odd, output_shape=odd)
    runs = (replace(first, layers=(strange, *first.layers[1:])), second)
    return Report(replace(setup, constants=constants), runs, ((odd, odd),))


def test_nothing_is_loaded_from_anywhere(triple: Report) -> None:
    text = render_page([triple])
    page = read_page(text)
    for one in page.all("*"):
        assert not {"src", "srcset", "action", "poster"} & set(one.attributes)
        target = one.attributes.get("href", "#")
        assert target == "data:," or target.startswith("#")
        if target.startswith("#") and len(target) > 1:
            assert page.by_id(target[1:])
    assert not re.search(r"@import|url\(|fetch\(|XMLHttp|WebSocket|import\(", text)
    assert [one.attributes.get("type") for one in page.all("script")] == ["application/json", None]
    ids = [one.attributes["id"] for one in page.all("*") if "id" in one.attributes]
    assert len(ids) == len(set(ids))


def test_names_are_shown_and_do_nothing() -> None:
    report = hostile_report()
    page = read_page(render_page([report]))
    assert len(list(page.all("script"))) == 2
    assert not any(name.startswith("on") for one in page.all("*") for name in one.attributes)
    expected = [*HOSTILE[:-1], "left?right??"]
    assert [row[0] for row in page.by_id("layers").grid()[:-1]] == expected
    assert [a.text for a in page.by_id("layers").all("a")] == expected
    assert next(iter(page.all("title"))).text == f"{HOSTILE[0]} on {ODD} - energysim"
    (script,) = [one for one in page.all("script") if "type" in one.attributes]
    assert all(isinstance(rank, int) for ranks in json.loads(script.text) for rank in ranks)


def test_the_same_bytes_from_a_file(pair: Report) -> None:
    assert render_page([Report.from_json(pair.to_json())]) == render_page([pair])


@pytest.mark.slow
def test_the_same_bytes_in_another_process(pair: Report, process: Process) -> None:
    code = (
        "import hashlib, energysim as es;"
        "r = es.estimate('vgg16-cifar10', 'psconv', activations=0.5);"
        "print(hashlib.sha256(r.to_html().encode()).hexdigest())"
    )
    done = process("-c", code, PYTHONHASHSEED="7", LC_ALL="C", TZ="Asia/Tokyo")
    assert done.stdout.strip() == hashlib.sha256(render_page([pair]).encode()).hexdigest(), done.stderr


def test_three_schemes_are_small() -> None:
    report = estimate("vgg16", "dense,psconv:PSD4_P8,psconv:PSD1_P16")
    assert len(render_page([report]).encode()) < 300_000


@pytest.mark.slow
def test_eighteen_runs_of_a_network_of_200_layers_are_small() -> None:
    """Six schemes on three pieces of hardware; how long it takes is in benchmarks/."""
    schemes = "psconv:PSD4_P8,psconv:PSD1_P16,nm:2:4,shift,csc:fan=4"
    reports = [estimate("densenet121", schemes, hardware) for hardware in ("edge45", "eyeriss", "teaching")]
    text = render_page(reports)
    assert len(read_page(text).by_id("layers").grid()) > 180
    assert len(text.encode()) < 1_000_000
