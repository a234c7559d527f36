"""The report for people: readable, complete, in step with the numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energysim.graph import GraphBuilder, LayerGraph
from energysim.report import Report
from energysim.report.comparison import render as render_comparison
from energysim.report.scales import ATTO, Scale, factor, joules, scale_for
from energysim.report.tables import Column, cell_text, github, markdown_text, plain
from energysim.walker import estimate


@pytest.fixture(scope="module")
def vgg() -> str:
    return estimate("vgg16", "psconv").render()


@pytest.mark.parametrize(
    "piece",
    [
        "vgg16 3x224x224, batch 1, on edge45: dense against psconv:PSD4_P8",
        "zeros     weights stored compressed: yes; compute skips weight zeros: yes; activation zeros: gated",
        "side tables [bit]",
        "DRAM weights [Mbit]",
        "buffer [Mbit]",
        "register [uJ]",
        "MAC [uJ]",
        "cycles [k]",
        "(18 folded nodes)",
        "folded nodes: 15 Activation, 1 Flatten, 2 Dropout",
        "94 % of the weight bits of psconv:PSD4_P8 are in linear layers",
        "vgg16-cifar10",
        "Reduction factors against dense",
        "frames/s",
        "EDP",
        "TOPS/W",
        "left dense by psconv:PSD4_P8: features.conv1_1 (first convolution); classifier.fc6",
        "counting rules: tiles=all, padding=skipped",
        "energy that rests on assumed energy constants: ",
        "assumed of the hardware: clock = 200 MHz",
        "proven best of",
    ],
)
def test_what_a_user_asked_for_is_there(vgg: str, piece: str) -> None:
    assert piece in " ".join(vgg.split()) or piece in vgg


def test_it_fits_a_terminal(vgg: str) -> None:
    assert max(map(len, vgg.splitlines())) <= 110
    assert vgg.isascii()
    assert all(line == line.rstrip() for line in vgg.splitlines())
    notes = vgg.split("Per image")[1].splitlines()[6:]
    assert max(map(len, notes)) <= 100


def test_every_block_ends_in_three_lines_of_totals(vgg: str) -> None:
    assert len(re.findall(r"^convolutions .*\nclassifier .*\nall layers .*$", vgg, re.MULTILINE)) == 4


def numbers(text: str, start: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.startswith(start)]


def test_numbers_of_the_table_are_those_of_the_totals() -> None:
    report = estimate("vgg16", "psconv")
    work, traffic, energy, factors = numbers(report.render(), "convolutions ")
    dense, sparse = (report.totals(s, "convolution") for s in report.schemes)
    assert work[1:] == [
        f"{dense.macs / 10**6:.1f}",
        f"{sparse.macs / 10**6:.1f}",
        f"{dense.weight_bits / 10**6:.2f}",
        f"{sparse.weight_bits / 10**6:.2f}",
        str(sparse.side_bits),
        f"{dense.cycles / 1000:.1f}",
        f"{sparse.cycles / 1000:.1f}",
    ]
    assert traffic[2] == f"{sparse.dram_bits['weights'] / 10**6:.2f}"
    assert traffic[-1] == f"{sparse.buffer_bits / 10**6:.1f}"
    assert energy[-2:] == [f"{t.total_energy_aj / 10**12:.1f}" for t in (dense, sparse)]
    assert factors[1:3] == ["1.94x", "1.95x"]


def test_figures_per_image_do_not_grow_with_the_batch() -> None:
    """Energy of a batch over its size: hardly different, and never more."""
    one, eight = (numbers(estimate("resnet18-cifar10", batch=n).render(), "dense ")[0] for n in (1, 8))
    assert (one[2], eight[2]) == ("mJ", "mJ")
    assert 0.5 * float(one[1]) < float(eight[1]) <= float(one[1])


def test_three_schemes_stand_below_each_other(triple: Report) -> None:
    text = triple.render()
    assert len(numbers(text, "layer1.0.conv1 ")) == 3
    assert "for the whole batch of 2" in text
    rows = [line for line in text.splitlines() if "psconv:PSD1_P16" in line]
    assert len(rows) > 3 * 20
    assert max(map(len, text.splitlines())) <= 110


def test_one_scheme_has_plain_headings(toy: LayerGraph) -> None:
    text = estimate(toy).render()
    assert "Reduction" not in text
    assert re.search(r"^ +MACs +weights +cycles\nlayer +\[bit\]$", text, re.MULTILINE)
    assert "side tables" not in text


def test_linear_layers_are_a_classifier_only_behind_the_convolutions(toy: LayerGraph) -> None:
    assert numbers(estimate(toy).render(), "classifier ")
    b = GraphBuilder("mixed", input=(4, 8, 8))
    b.linear(b.flatten(b.input), 3, name="first")
    b.conv(b.input, 4, 3, name="conv")
    text = estimate(b.build()).render()
    assert not numbers(text, "classifier ")
    assert numbers(text, "linear layers ")


def test_products_of_computed_tensors_have_a_line() -> None:
    b = GraphBuilder("attention", input=(6, 8))
    text = estimate(b.build(b.attention(b.input, 2))).render()
    assert numbers(text, "matrix products ")
    assert not numbers(text, "convolutions ")


def test_a_network_of_views_has_no_figures() -> None:
    b = GraphBuilder("views", input=(4, 2, 2))
    report = estimate(b.build(b.flatten(b.input, name="flat")))
    assert numbers(report.render(), "dense ") == [["dense", "0", "uJ", "0", "s", "-", "-", "-", "-"]]
    assert "0 uJ" in report._repr_html_()


def cells(line: str) -> list[str]:
    """Cells of a row of a GitHub table."""
    assert line.startswith("| ")
    assert line.endswith(" |")
    return re.split(r"(?<!\\)\|", line[1:-1])


@pytest.mark.parametrize("name", ["pair", "triple"])
def test_markdown_tables_are_whole(name: str, request: pytest.FixtureRequest) -> None:
    report: Report = request.getfixturevalue(name)
    for text in (report.render("markdown"), render_comparison(report, "markdown", "layer")):
        blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("| ")]
        assert blocks
        for block in blocks:
            assert re.fullmatch(r"\|( :?---:? \|)+", block[1])
            assert len({len(cells(line)) for line in block}) == 1


def test_odd_names_do_not_break_a_table(pair: Report) -> None:
    run = pair.runs[0]
    odd = "a|b\n*c*\x1b[31m"
    layers = (replace(run.layers[0], node=odd, origin=odd), *run.layers[1:])
    accesses = tuple(replace(a, node=odd) if a.node == run.layers[0].node else a for a in run.accesses)
    report = Report(pair.setup, (replace(run, layers=layers, accesses=accesses),))
    for form in ("table", "markdown"):
        text = report.render(form)
        assert "\x1b" not in text
        assert "a|b?*c*?[31m" in text.replace("\\", "")
    assert r"a\|b?\*c\*?\[31m" in report.render("markdown")


def test_columns_of_nothing_are_left_out() -> None:
    text = estimate("vgg16-cifar10", "psconv", hardware="teaching").render()
    assert "register" not in text.split("Energy: ")[1].split("\n\n")[1]


def test_comparison(triple: Report) -> None:
    text = render_comparison(triple, "table")
    assert numbers(text, "convolutions ")
    assert re.findall(r"^(\w+ \w+|\w+) +dense", text, re.MULTILINE) == [
        "convolutions",
        "classifier",
        "other layers",
        "all layers",
    ]
    by_layer = render_comparison(triple, "table", "layer")
    assert len(numbers(by_layer, "layer1.0.conv1 ")) == 1
    assert not numbers(by_layer, "layer1.0.relu1 ")


def test_plain_table() -> None:
    columns = [
        Column("name", ("a", "bb"), left=True),
        Column("x", ("1", "22"), "both"),
        Column("y", ("333", "4"), "both"),
    ]
    assert plain(columns, [1]) == (
        "        both\nname   x    y\n-------------\na      1  333\n-------------\nbb    22    4"
    )
    assert plain([Column("n", ("1",)), Column("m", ("2",))]) == "n  m\n----\n1  2"
    assert plain([Column("x", ("1",), "a wide heading")]).splitlines()[1] == "             x"


def test_github_table() -> None:
    columns = [Column("name", ("a|b",), left=True), Column("x", ("1",), "both")]
    assert github(columns) == "| name | both x |\n| :--- | ---: |\n| a\\|b | 1 |"


@given(st.text())
def test_names_become_one_printable_line(name: str) -> None:
    shown = cell_text(name)
    assert len(shown) == len(name)
    assert shown.isprintable()
    assert re.sub(r"\\(.)", r"\1", markdown_text(shown)) == shown.replace("\\\\", "\\") or "\\" in shown


@pytest.mark.parametrize(
    ("values", "unit", "base", "shown"),
    [
        ([0, 0], "bit", Fraction(1), ["-", "-"]),
        ([72, 5], "bit", Fraction(1), ["72", "5"]),
        ([9_999, 1], "", Fraction(1), ["9999", "1"]),
        ([10_000, 4, 5], "", Fraction(1), ["10.00", "0.00", "0.01"]),
        ([9_996_000, 5_000], "", Fraction(1), ["9996.0", "5.0"]),
        ([8_375_000_000_000_000, 10**11], "J", ATTO, ["8375.0", "0.1"]),
        ([-20_000, 7], "", Fraction(1), ["-20.00", "0.01"]),
    ],
)
def test_one_unit_for_a_column(values: list[int], unit: str, base: Fraction, shown: list[str]) -> None:
    scale = scale_for(values, unit, base).with_room_for(values)
    assert [scale.show(value) for value in values] == shown


@given(st.integers(1, 10**30), st.sampled_from([Fraction(1), ATTO]))
def test_shown_numbers_are_the_nearest(value: int, base: Fraction) -> None:
    scale: Scale = scale_for([value], "J", base)
    error = abs(Fraction(scale.show(value)) * scale.divisor - value)
    assert 2 * error * 10**scale.decimals <= scale.divisor


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0 uJ"),
        (Fraction(1, 1000), "1 mJ"),
        (Fraction(999, 10**6), "999 uJ"),
        (Fraction(9, 10), "900 mJ"),
        (Fraction(123456, 1000), "123456 mJ"),
        (Fraction(1, 10**9), "0.001 uJ"),
    ],
)
def test_energies_are_shown_in_mj_or_uj(value: Fraction, text: str) -> None:
    assert joules(value) == text


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [(0, 0, "-"), (5, 0, "all"), (5, 5, "1.00x"), (9, 2, "4.50x"), (1, 3, "0.33x")],
)
def test_factor(before: int, after: int, text: str) -> None:
    assert factor(before, after) == text
