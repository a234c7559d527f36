"""The report as an object: sums, shares, pickling, saving, the notebook."""

from __future__ import annotations

import pickle
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from energysim.errors import UsageError
from energysim.hardware import load_hardware
from energysim.report import PARTS, Report, Totals, totals
from energysim.report.totals import grouped
from energysim.walker import estimate

COUNTS = (
    "dense_macs",
    "macs",
    "effective_macs",
    "other_ops",
    "weight_bits",
    "side_bits",
    "compulsory_bits",
    "dram_bound_bits",
    "cycles",
)


def added(parts: list[Totals]) -> dict[str, int]:
    found = {name: sum(getattr(part, name) for part in parts) for name in COUNTS}
    found["energy"] = sum(part.total_energy_aj for part in parts)
    found["dram"] = sum(part.total_dram_bits for part in parts)
    found["buffer"] = sum(part.buffer_bits for part in parts)
    return found


def test_totals_are_the_sums_of_the_rows(pair: Report) -> None:
    for run in pair.runs:
        whole = pair.totals(run.scheme)
        for name in COUNTS:
            assert getattr(whole, name) == sum(getattr(row, name) for row in run.layers)
        for level, energy in whole.energy_aj.items():
            assert energy == sum(a.energy_aj for a in run.accesses if a.level == level)
        assert whole.total_energy_aj == sum(a.energy_aj for a in run.accesses)
        assert whole.total_dram_bits == sum(a.bits for a in run.accesses if a.level == "dram")
        assert whole.buffer_bits == sum(a.bits for a in run.accesses if a.level == "buffer")
        assert whole.stored_weight_bits == whole.weight_bits + whole.side_bits


def test_totals_are_the_sums_of_their_parts(pair: Report) -> None:
    for scheme in pair.schemes:
        parts = [pair.totals(scheme, part) for part in PARTS]
        assert added(parts) == added([pair.totals(scheme)])
        assert added(parts[:-1]) == added([pair.totals(scheme, "mac")])


@pytest.mark.parametrize("key", ["node", "origin", "part", "kind", "scheme"])
def test_groups_add_up(pair: Report, key: str) -> None:
    run = pair.run()
    found = grouped(run, lambda row: str(getattr(row, key)))
    assert added(list(found.values())) == added([totals(run)])
    for name, sums in found.items():
        assert sums == totals(run, lambda row, name=name: str(getattr(row, key)) == name)  # type: ignore[misc]


def test_figures_per_image(triple: Report) -> None:
    sums, setup = triple.totals(), triple.setup
    assert sums.energy_j(2) == Fraction(sums.total_energy_aj, 2 * 10**18)
    assert sums.seconds(setup.clock_hz, 2) == sums.cycles / setup.clock_hz / 2


def test_share_of_the_energy_that_rests_on_assumed_constants(pair: Report) -> None:
    """Of edge45's energies only that of a DRAM write is assumed."""
    kinds = {use.path: use.kind for use in pair.setup.constants if use.value.endswith(" pJ")}
    assert [path for path, kind in kinds.items() if kind == "assumed"] == ["levels.dram.write"]
    rows = pair.run().accesses
    resting = sum(a.energy_aj for a in rows if a.level == "dram" and a.action == "write")
    assert pair.assumed_share() == Fraction(resting, pair.totals().total_energy_aj)


def test_every_energy_has_a_constant(pair: Report) -> None:
    known = {use.path for use in pair.setup.constants if use.value.endswith(" pJ")}
    assert {a.constant for run in pair.runs for a in run.accesses} <= known


def test_every_constant_of_the_hardware_is_told(pair: Report) -> None:
    told = {use.path: use.value for use in pair.setup.constants}
    assert set(told) == {constant.path for constant in load_hardware("edge45").constants}
    assert (told["clock"], told["levels.buffer.capacity"]) == ("200 MHz", "512 KiB")
    assumed = {f"{use.path} = {use.value}" for use in pair.setup.constants if use.kind == "assumed"}
    assert set(pair.setup.assumed) == assumed


def test_reports_survive_pickling(pair: Report) -> None:
    assert pickle.loads(pickle.dumps(pair)) == pair


def test_reports_can_be_compared_and_hashed(pair: Report) -> None:
    again = estimate("vgg16-cifar10", "psconv", activations=0.5)
    assert again == pair
    assert hash(again) == hash(pair)
    assert again != estimate("vgg16-cifar10", "psconv")


def test_text_of_an_object(pair: Report) -> None:
    assert repr(pair) == "Report('vgg16-cifar10' on 'edge45': dense, psconv:PSD4_P8)"
    assert str(pair) == pair.render()


class Tags(HTMLParser):
    """Checks that every tag is closed; collects texts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.seen.add(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("name", ["pair", "triple"])
def test_notebook_view(name: str, request: pytest.FixtureRequest) -> None:
    report: Report = request.getfixturevalue(name)
    text = report._repr_html_()
    parser = Tags()
    parser.feed(text)
    assert parser.open == []
    table = ElementTree.fromstring(text).find("table")
    assert table is not None
    assert len(table.findall("tbody/tr")) == len(report.runs)
    assert {len(row) for row in table.iter("tr")} == {12}
    assert all(scheme in parser.texts for scheme in report.schemes)


def test_notebook_view_is_harmless_whatever_the_names_are(pair: Report) -> None:
    odd = '<script>alert("1")</script>&'
    setup = replace(pair.setup, model=odd, hardware=odd, zeros=odd)
    report = Report(setup, (replace(pair.runs[0], scheme=odd),))
    parser = Tags()
    parser.feed(report._repr_html_())
    assert "script" not in parser.seen
    assert odd in parser.texts
    ElementTree.fromstring(report._repr_html_())


@pytest.mark.parametrize("suffix", [".json", ".csv", ".md", ".txt"])
def test_saving_by_suffix(pair: Report, tmp_path: Path, suffix: str) -> None:
    form = {".json": "json", ".csv": "csv", ".md": "markdown", ".txt": "table"}[suffix]
    pair.save(tmp_path / f"out{suffix}")
    assert (tmp_path / f"out{suffix}").read_text() == pair.render(form)
    pair.save(str(tmp_path / "out"), form)
    assert (tmp_path / "out").read_text() == pair.render(form)


def test_unknown_forms(pair: Report, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown format 'jsn'; did you mean 'json'"):
        pair.render("jsn")
    with pytest.raises(UsageError, match=r"unknown table 'layer'; did you mean 'layers'"):
        pair.to_frame("layer")
    with pytest.raises(UsageError, match="the suffix says no format"):
        pair.save(tmp_path / "out.docx")
    assert list(tmp_path.iterdir()) == []
