"""The cost model ``hierarchy`` at the command line: reports, explicit mappings, whatever is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from energysim import estimate
from energysim.cli import main
from energysim.report import Report

FC = """\
from energysim.graph import GraphBuilder
MODELS = {"small": {}}

def build(input=(64,), classes=32):
    b = GraphBuilder("small", input)
    return b.build(b.linear(b.input, classes, name="fc"))
"""
Capture = pytest.CaptureFixture[str]


def run(capture: Capture, *arguments: object) -> tuple[int, str, str]:
    """Run the program in this process: exit code, output, messages."""
    with pytest.raises(SystemExit) as caught:
        main([str(a) for a in arguments])
    told = capture.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, told.out, told.err


def refused(capture: Capture, *arguments: object) -> str:
    """Run the program on bad input; return its only message."""
    code, out, told = run(capture, *arguments)
    assert (code, out, told.count("\n")) == (2, "", 1)
    return told.removeprefix("energysim: ")


@pytest.fixture(scope="module")
def report() -> Report:
    return estimate("digits_cnn", hardware="eyeriss168")


def test_report_names_levels_and_proof(report: Report) -> None:
    text = str(report)
    for word in ("psum_rf", "weight_rf", "input_rf", "utilisation", "waiting", "limited by", "optimal"):
        assert word in text
    assert "returned_sums=all" in text and "mappings: proven best of" in text
    frame = report.to_frame()
    macs = frame[frame.mappings > 0]
    assert macs.optimal.all() and (macs.gap == 0).all() and macs.searched.str.contains("made").all()
    accesses = report.to_frame("accesses")
    assert {"dram", "buffer", "psum_rf", "weight_rf", "input_rf"} <= set(accesses.level)
    assert "psum_rf_energy_pj" in frame and "psum_rf" in report._repr_html_()
    assert Report.from_json(report.to_json()) == report


def test_given_mappings(report: Report, tmp_path: Path) -> None:
    rows = [row for row in report.runs[0].layers if row.mapping]
    path = tmp_path / "m.yaml"
    lines = [f'  {row.node}: "{row.mapping}"' for row in rows]
    path.write_text("\n".join(["schema: energysim-mapping/1", "layers:", *lines]))
    again = estimate("digits_cnn", hardware="eyeriss168", mapping=path)
    assert again.totals() == report.totals()
    assert [row.mapping for row in again.runs[0].layers] == [row.mapping for row in report.runs[0].layers]
    assert "given" in str(again) and all(row.mappings == 0 for row in again.runs[0].layers)


def test_one_given_the_others_searched(report: Report, tmp_path: Path, capsys: Capture) -> None:
    first, *others = [row for row in report.runs[0].layers if row.mapping]
    path = tmp_path / "m.yaml"
    path.write_text(f'schema: energysim-mapping/1\nlayers:\n  {first.node}: "{first.mapping}"\n')
    _, out, _ = run(
        capsys, "estimate", "digits_cnn", "-w", "eyeriss168", "--mapping", path, "--format", "json"
    )
    data = json.loads(out)
    columns = data["runs"][0]["layers"]["columns"]
    found = {row[0]: dict(zip(columns, row, strict=True)) for row in data["runs"][0]["layers"]["rows"]}
    assert found[first.node]["mappings"] == 0
    assert all(found[row.node]["optimal"] and found[row.node]["mappings"] for row in others)


def test_no_time_for_a_search(report: Report, capsys: Capture) -> None:
    code, out, _ = run(capsys, "estimate", "digits_cnn", "-w", "eyeriss168", "--search-seconds", 0)
    assert code == 0 and "NOT proven best" in out and "at most to save" in out
    hurried = estimate("digits_cnn", hardware="eyeriss168", search_seconds=0)
    for row, best in zip(hurried.runs[0].layers, report.runs[0].layers, strict=True):
        energy, least = (
            sum(a.energy_aj for a in one.runs[0].accesses if a.node == row.node) for one in (hurried, report)
        )
        assert energy * (1 - row.gap) <= least <= energy
        assert row.optimal or row.gap > 0
        assert best.optimal


@pytest.mark.slow
def test_the_network_under_all_objectives() -> None:
    values = {o: estimate("digits_cnn", hardware="eyeriss168", objective=o).totals() for o in
              ("energy", "dram", "delay", "edp")}  # fmt: skip
    assert min(values, key=lambda o: values[o].total_energy_aj) == "energy"
    assert values["delay"].cycles == min(v.cycles for v in values.values())
    assert values["dram"].total_dram_bits == min(v.total_dram_bits for v in values.values())


def mapping_file(folder: Path, text: str) -> Path:
    path = folder / "m.yaml"
    path.write_text(f'schema: energysim-mapping/1\nlayers:\n  fc: "{text}"\n')
    return path


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("dram: M2 C64", "the loops over M multiply to 2 (dram 2); the layer has 32 filters of a group"),
        ("dram: M32 C64; X: M2; X: M4", "the mapping uses 'X' twice; write all its loops in one block"),
        ("dram: M32; Y: C64", "axis 'Y' has 12 places; C64 needs 64"),
        ("dram: C64; psum_rf: M32", "the tile of outputs in level 'psum_rf' needs 64 B and has 48 B"),
        ("dram: M32 C64; bypass dram: weights", "weights cannot bypass 'dram': it is the last level"),
        ("dram: M16 C64; bufer: M2", "the hardware has no level or axis 'bufer'"),
        ("dram: M32 C64; input_rf: P1 C2", "'input_rf' takes no loop over C (loops allowed there: none)"),
        ("dram: K32", "'dram': unknown dimension 'K' in 'K32' (dimensions are N G M C P Q R S)"),
    ],
)
def test_mappings_that_are_none(mapping: str, message: str, tmp_path: Path, capsys: Capture) -> None:
    model = tmp_path / "small.py"
    model.write_text(FC)
    assert message in refused(
        capsys, "estimate", model, "-w", "eyeriss168", "--mapping", mapping_file(tmp_path, mapping)
    )


def test_other_refusals(tmp_path: Path, capsys: Capture) -> None:
    path = mapping_file(tmp_path, "dram: M32 C64")
    assert "has no layer 'fc' to map" in refused(
        capsys, "estimate", "digits_cnn", "-w", "eyeriss168", "--mapping", path
    )
    assert "takes neither mappings nor a time" in refused(capsys, "estimate", "digits_cnn", "--mapping", path)
    assert "zero or more, not -1" in refused(
        capsys, "estimate", "digits_cnn", "-w", "eyeriss168", "--search-seconds", -1
    )
    assert "cannot be read" in refused(
        capsys, "estimate", "digits_cnn", "-w", "eyeriss168", "--mapping", tmp_path / "none.yaml"
    )
    assert "rule 'returned_sums' takes one or all" in refused(
        capsys, "estimate", "digits_cnn", "-w", "eyeriss168", "--rules", "returned_sums=two"
    )


SMALL = """\
schema: energysim-hardware/1
name: small
extends: eyeriss168
levels:
  {level}
"""


@pytest.mark.parametrize(
    ("level", "message"),
    [
        ("buffer: {keep: [], bypass: [weights, inputs, outputs]}", "nobody uses level 'buffer'"),
        (
            "dram: {bandwidth: {value: 0 GB/s, kind: assumed, note: none}}",
            "a bandwidth must be more than zero",
        ),
        ("dram: {bypass: [weights]}", "is the last level: nothing can bypass it"),
    ],
)
def test_specifications_that_cannot_work(level: str, message: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.format(level=level))
    assert message in refused(capsys, "estimate", "digits_cnn", "-w", path)


def test_nothing_fits_names_layer_level_and_capacity(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.format(level="buffer: {capacity: {value: 2 B, kind: assumed, note: tiny}}"))
    text = refused(capsys, "estimate", "digits_cnn", "-w", path)
    assert "layer '" in text and "level 'buffer' has 2 B and needs 4 B at least" in text


def test_transposed_convolutions_take_no_mapping(tmp_path: Path, capsys: Capture) -> None:
    model = tmp_path / "up.py"
    model.write_text(
        FC.replace("(64,)", "(4, 8, 8)").replace("linear(b.input, classes", "conv_transpose(b.input, 4, 2, 2")
    )
    layer = next(r for r in estimate(model, hardware="eyeriss168").runs[0].layers if r.mapping)
    assert layer.mapping.startswith("rows 0+1 columns 0+1 > ") and layer.optimal
    mine = tmp_path / "mine.yaml"
    mine.write_text(f"schema: energysim-mapping/1\nlayers:\n  {layer.node}: {{dram: M4}}\n")
    text = refused(capsys, "estimate", model, "-w", "eyeriss168", "--mapping", mine)
    assert "a transposed convolution runs in phases, each with a mapping of its own" in text
