"""Whole networks on hardware with every key about zeros: what is equal, what is said, what fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from energysim import estimate
from energysim.cli import main

NET = "digits_cnn"
SKIPPING = """\
schema: energysim-hardware/1
name: skipping
extends: edge45
zeros:
  weights: {stored_compressed: true, compute: skip, lanes: waiting, formats: {buffer: bitmap}}
  activations: {stored_compressed: true, compute: skip, lanes: waiting, format: rlc, decompressed_at: mac}
"""
PE = """\
schema: energysim-hardware/1
name: compressed-pe
extends: eyeriss-v2-pe
zeros:
  weights: {formats: {spad: csr}}
  activations: {lanes: waiting, decompressed_at: mac, formats: {spad: bitmap}, spared: [spad]}
  reserve: {one_in: 100, overflow: ignored}
"""


def spec(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def numbers(report: Any, scheme: str) -> list[dict[str, Any]]:
    """All rows of a scheme, without its name."""
    found = json.loads(report.to_json())
    (run,) = [run for run in found["runs"] if run["scheme"] == scheme]
    rows = []
    for table in (run["layers"], run["accesses"]):
        rows += [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    return [{key: value for key, value in row.items() if key != "scheme"} for row in rows]


@pytest.mark.parametrize("text", [SKIPPING, PE], ids=["two-level", "hierarchy"])
def test_patterns_without_zeros_are_dense(tmp_path: Path, text: str) -> None:
    report = estimate(NET, "nm:4:4,unstructured:density=1", spec(tmp_path, text), activations=0.25)
    dense = numbers(report, "dense")
    for scheme in ("nm:4:4", "unstructured:density=1"):
        assert numbers(report, scheme) == dense


@pytest.mark.parametrize(
    ("text", "scheme"), [(SKIPPING, "psconv:PSD4_P8"), (PE, "dense")], ids=["two-level", "hierarchy"]
)
def test_activations_without_zeros_are_as_if_nothing_was_said(tmp_path: Path, text: str, scheme: str) -> None:
    hw = spec(tmp_path, text)
    plain = tmp_path / "plain.yaml"
    none = "{stored_compressed: false, compute: none, format: null, decompressed_at: null, formats: null, "
    none += "lanes: null, spared: null}"
    plain.write_text(
        "schema: energysim-hardware/1\nname: plain\nextends: mine.yaml\n"
        f"zeros: {{activations: {none}, reserve: null}}\n"
    )
    full, usual = estimate(NET, scheme, hw, activations=0), estimate(NET, scheme, plain)
    assert numbers(full, scheme) == numbers(usual, scheme)


def test_what_was_reserved_and_who_waits_is_said(tmp_path: Path) -> None:
    report = estimate(NET, "psconv", spec(tmp_path, SKIPPING), activations=0.5)
    text = " ".join(str(report).split())
    for words in (
        "compressed up to the multipliers, lanes wait for the slowest",
        "room: one tile in 1000 overflows at most and is fetched again",
        "zeros.reserve.one_in = 1000",
        "all wait for the one with most weights by the mask",
        "the expected maximum, zeros independent of each other (assumed)",
        "rows that depend on activation zeros are expected values",
    ):
        assert words in text, words
    assert "lanes packed" not in text
    assert report.to_json() == estimate(NET, "psconv", spec(tmp_path, SKIPPING), activations=0.5).to_json()
    other = " ".join(str(estimate(NET, "psconv", "edge45", activations=0.5)).split())
    assert "lanes packed over the whole layer" in other and "room:" not in other


def test_bad_input_ends_with_one_message_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = spec(tmp_path, SKIPPING.replace("decompressed_at: mac", "decompressed_at: bufer"))
    with pytest.raises(SystemExit) as ended:
        main(["estimate", NET, "--hardware", str(path)])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "mine.yaml:6:" in said and "'bufer'" in said and "did you mean 'buffer'?" in said
    assert "Traceback" not in said
