"""Files that a baseline is made from: what they say counts, not how it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from .small import called, created, edit, gate, project

Capture = pytest.CaptureFixture[str]


FC = """
from energysim import GraphBuilder


def build(input=(64,), classes=32):
    b = GraphBuilder("small", input)
    return b.build(b.linear(b.input, classes, name="fc"))
"""
MAPPING = "schema: energysim-mapping/1\nlayers:\n  fc: {dram: C2, buffer: M32 C32}\n"


def test_the_words_of_a_mapping_file_are_no_change(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.py").write_text(FC)
    Path("m.yaml").write_text(MAPPING)
    make = ("baseline", "create", "small.py", "-w", "eyeriss168", "--mapping", "m.yaml", "-o", "base.json")
    assert called(*make) == 0
    Path("m.yaml").write_text(f"# by hand\n{MAPPING.replace('{dram: C2, ', '{ dram:  C2,  ')}\n# end\n")
    code, found = gate(capsys)
    assert (code, found["inputs"]) == (0, [])
    Path("m.yaml").write_text(MAPPING.replace("C2", "C4").replace("C32", "C16"))
    code, found = gate(capsys)
    assert [(change["section"], change["key"]) for change in found["inputs"]] == [("files", "mapping")]
    assert (code, found["cause"]) == (1, "inputs")


def test_the_words_of_pattern_and_hardware_files_are_no_change(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project(tmp_path)
    text = "schema: energysim-patterns/1\nwindow: [3, 3]\nslots: [[0, 1], [4]]\n"
    Path("own.yaml").write_text(text)
    created("-s", "psconv:patterns=own.yaml")
    Path("own.yaml").write_text(f"# mine\n{text.replace('[0, 1]', '[0,  1]')}\n")
    edit(Path("soc.yaml"), "clock: {value: 1 GHz", "# a comment\nclock:   {value: 1 GHz")
    code, found = gate(capsys)
    assert (code, found["inputs"]) == (0, [])
