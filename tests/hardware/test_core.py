"""The plain objects of the core, the rows for people, and the digest."""

# ruff: noqa: E501  (messages and YAML lines stay on one line)

from __future__ import annotations

import dataclasses
import random
import subprocess
import sys
from pathlib import Path

import pytest

from energysim.errors import SpecError, UnknownNameError
from energysim.hardware import describe_constants, describe_hardware, load_hardware

from .base import BASE, bent, written


def test_the_digest_knows_no_path_order_or_notation(tmp_path: Path) -> None:
    digest = load_hardware(written(tmp_path, BASE)).digest
    (tmp_path / "deep").mkdir()
    assert load_hardware(written(tmp_path / "deep", BASE, "other.yml")).digest == digest
    head, rest = BASE.split("levels:\n")
    levels, tail = rest.split("mac:\n")
    assert load_hardware(written(tmp_path, "mac:\n" + tail + "levels:\n" + levels + head)).digest == digest
    assert load_hardware(written(tmp_path, bent("1.5 pJ", "1500.0 fJ"))).digest == digest
    assert load_hardware(written(tmp_path, bent("1.5 pJ", "1.51 pJ"))).digest != digest
    assert load_hardware(written(tmp_path, bent("compute: gate", "compute: none"))).digest != digest
    assert load_hardware(written(tmp_path, bent("Table 1", "Table 2"))).digest != digest


def test_a_changed_copy_has_its_own_digest() -> None:
    hw = load_hardware("teaching")
    assert hw.digest
    wider = dataclasses.replace(hw, weight_bits=8)
    assert wider.digest != hw.digest and wider != hw
    with pytest.raises(dataclasses.FrozenInstanceError):
        hw.weight_bits = 8  # type: ignore[misc]


def test_widths_beyond_the_tables() -> None:
    edge, teaching = load_hardware("edge45"), load_hardware("teaching")
    with pytest.raises(SpecError, match=r"'edge45' has no MAC for 33-bit weights and 8-bit .* has 32 bit"):
        edge.mac_energy(33, 8)
    with pytest.raises(SpecError, match="'edge45' has no register for 33 bit; its widest has 32 bit"):
        edge.register_energy(33)
    with pytest.raises(SpecError, match="it has no registers"):
        teaching.register_energy(8)


def test_only_energies_have_attojoules() -> None:
    hw = load_hardware("edge45")
    assert hw.buffer.read.energy_aj == 68_349_300
    with pytest.raises(TypeError, match="clock is no energy"):
        _ = hw.constants[0].energy_aj


def test_short_forms_are_assumed(tmp_path: Path) -> None:
    hw = load_hardware(written(tmp_path, BASE))
    constants = {c.path: c for c in hw.constants}
    assert constants["clock"].kind == constants["array.pixels"].kind == "assumed"
    assert constants["clock"].note == "stated by the specification"
    assert hw.dram.bandwidth is not None
    assert (hw.dram.bandwidth.value, hw.dram.bandwidth.unit) == (80, "bit/cycle")


def test_partitions_rules_and_nodes(tmp_path: Path) -> None:
    text = bent(
        "    energy_table:\n",
        "    partitions: {weights: 8 KiB, inputs: 1 kB, outputs: 1 bit}\n    double_buffered: true\n    energy_table:\n",
    )
    text = (
        text.replace("kind: measured}", "kind: measured, node_nm: 7}")
        + "rules: {padding: true, halo: clip, passes: 2}\n"
    )
    hw = load_hardware(written(tmp_path, text))
    assert hw.buffer.partitions is not None
    assert dataclasses.astuple(hw.buffer.partitions) == (65536, 8000, 1)
    assert hw.buffer.double_buffered
    assert hw.rules == (("halo", "clip"), ("padding", True), ("passes", 2))
    assert (hw.mac[0][1].node_nm, hw.mac[1][1].node_nm) == (7, 28)
    assert ("rule halo", "clip") in describe_hardware(hw)
    assert ("buffer parts", "weights 8 KiB, inputs 1000 B, outputs 1 bit") in describe_hardware(hw)


def test_rows_for_people() -> None:
    hw = load_hardware("edge45")
    rows = {row.path: row for row in describe_constants(hw)}
    assert len(rows) == len(hw.constants)
    assert rows["mac.8"].value == "1.15365 pJ"
    assert rows["mac.8"].node == "45 nm" and rows["clock"].node == ""
    assert rows["levels.buffer.capacity"].value == "512 KiB"
    assert rows["levels.dram.bandwidth"].value == "256 bit/cycle"
    assert rows["clock"].value == "200 MHz"
    assert rows["array.pixels"].value == "16"
    assert rows["mac.32"].source.startswith("Horowitz (2014)")
    assert rows["mac.32"].note == "floating point; multiply 3.7 + add 0.9"
    text = dict(describe_hardware(hw))
    assert text["buffer"] == "512 KiB, words of 64 bit"
    assert text["zeros"] == hw.zero_sentence
    assert "register accesses per MAC" not in dict(describe_hardware(load_hardware("teaching")))


def test_importing_loads_neither_yaml_nor_pydantic() -> None:
    code = "import sys, energysim.hardware; print([m for m in ('pydantic_core', 'pydantic', 'ruamel.yaml', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class _Point:
    name = "plugged"
    dist = None

    def __init__(self, target: object) -> None:
        self.target = target

    def load(self) -> object:
        return self.target


def test_installed_packages_offer_hardware(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = written(tmp_path, BASE)
    for target in (path, str(path), lambda: path, lambda: load_hardware(path)):
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group, t=target: [_Point(t)])
        assert load_hardware("plugged").name == "small"
    with pytest.raises(UnknownNameError, match="did you mean 'plugged'"):
        load_hardware("pluged")


def test_random_key_order_gives_the_same_hardware(tmp_path: Path) -> None:
    digest = load_hardware("teaching").digest
    text = (Path(__file__).parents[2] / "hwspecs" / "teaching.yaml").read_text()
    blocks = [b for b in _top_level_blocks(text) if not b.startswith("#")]
    for seed in range(5):
        random.Random(seed).shuffle(blocks)
        assert load_hardware(written(tmp_path, "\n".join(blocks) + "\n")).digest == digest


def _top_level_blocks(text: str) -> list[str]:
    blocks: list[str] = []
    for line in text.splitlines():
        if line and not line.startswith((" ", "#")):
            blocks.append(line)
        elif line.startswith(" "):
            blocks[-1] += "\n" + line
    return blocks
