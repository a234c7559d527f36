"""A specification on top of another."""

# ruff: noqa: E501  (messages and YAML lines stay on one line)

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from energysim.hardware import load_hardware

from .base import BASE, messages, written

HEAD = "schema: energysim-hardware/1\nname: child\nextends: small.yaml\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    written(tmp_path, BASE)
    return tmp_path


def child(folder: Path, text: str, head: str = HEAD) -> Path:
    return written(folder, head + text, "child.yaml")


def test_only_the_name_changes(folder: Path) -> None:
    hw, base = load_hardware(child(folder, "")), load_hardware(folder / "small.yaml")
    assert hw.name == "child"
    assert hw.constants == base.constants
    assert hw.digest != base.digest


def test_a_capacity_picks_its_row(folder: Path) -> None:
    hw = load_hardware(child(folder, "levels: {buffer: {capacity: 16 KiB}}"))
    assert (hw.buffer.capacity_bits, hw.buffer.read.value, hw.buffer.read.kind) == (131072, 5, "published")


def test_between_rows_the_next_larger_is_an_upper_bound(folder: Path) -> None:
    hw = load_hardware(child(folder, "levels: {buffer: {capacity: 17 KiB}}"))
    assert (hw.buffer.read.value, hw.buffer.write.value, hw.buffer.read.kind) == (20, 10, "derived")
    assert hw.buffer.read.note == "the row of 64 KiB, the next larger one: an upper bound"


def test_outside_the_table_only_with_energies(folder: Path) -> None:
    text = "levels:\n  buffer:\n    capacity: 1 MiB\n"
    assert messages(child(folder, text)) == [
        "child.yaml:6:15: levels.buffer.capacity: 1 MiB is larger than the largest row of the energy_table, "
        "which covers 16 KiB to 64 KiB; choose a capacity within it, add a row, or give 'read' and 'write' directly"
    ]
    text += "    read: {value: 99 pJ, source: book, kind: assumed}\n    write: {value: 98 pJ, source: book, kind: assumed}\n"
    assert load_hardware(child(folder, text)).buffer.read.value == 99


def test_a_constant_is_replaced_whole(folder: Path) -> None:
    (found,) = messages(child(folder, "vector_op: {value: 7 pJ}"))
    assert found == "child.yaml:4:1: vector_op.kind: missing"
    hw = load_hardware(child(folder, "vector_op: {value: 7 pJ, kind: assumed, note: a guess}"))
    assert (hw.vector_op.value, hw.vector_op.source) == (7, "")


def test_null_takes_away(folder: Path) -> None:
    assert load_hardware(folder / "small.yaml").dram.bandwidth is not None
    assert load_hardware(child(folder, "levels: {dram: {bandwidth: null}}")).dram.bandwidth is None
    (found,) = messages(child(folder, "clock: null"))
    assert found == "child.yaml:1:1: clock: missing"


def test_sources_are_shared_and_added_to(folder: Path) -> None:
    text = (
        "vector_op: {value: 7 pJ, source: mine, kind: measured}\nsources: {mine: {authors: Me, title: Lab}}"
    )
    hw = load_hardware(child(folder, text))
    assert hw.vector_op.source == "Me, Lab"
    assert hw.mac[0][1].source == "A. Author (2020), The Book, Table 1"


def test_a_mac_width_is_added(folder: Path) -> None:
    hw = load_hardware(child(folder, "mac: {32: {value: 9 pJ, source: book, kind: published}}"))
    assert [width for width, _ in hw.mac] == [8, 16, 32]


def test_a_new_clock_changes_the_bandwidth_per_cycle(folder: Path) -> None:
    assert load_hardware(folder / "small.yaml").dram.bandwidth.value == 80
    assert load_hardware(child(folder, "clock: 300 MHz")).dram.bandwidth.value == Fraction(80, 3)


def test_a_new_word_needs_new_energies(folder: Path) -> None:
    assert messages(child(folder, "levels: {dram: {word_bits: 32}}")) == [
        "child.yaml:4:28: levels.dram.word_bits: 32 differs from the 64 of the specification it extends, "
        "whose energies are per word; give 'read' and 'write' (or an 'energy_table') for the new width"
    ]
    same = load_hardware(child(folder, "levels: {dram: {word_bits: 64}}"))
    assert same.dram.word_bits == 64
    energy = "{value: 1 pJ, source: book, kind: assumed}"
    hw = load_hardware(child(folder, f"levels: {{dram: {{word_bits: 32, read: {energy}, write: {energy}}}}}"))
    assert (hw.dram.word_bits, hw.dram.write.value) == (32, 1)


def test_a_new_table_beats_inherited_energies(folder: Path) -> None:
    energy = "{value: 3 pJ, source: book, kind: published}"
    text = f"levels: {{dram: {{capacity: 1 GB, energy_table: [{{capacity: 1 GB, read: {energy}, write: {energy}}}]}}}}"
    hw = load_hardware(child(folder, text))
    assert (hw.dram.read.value, hw.dram.capacity_bits) == (3, 8 * 10**9)


def test_an_error_of_the_parent_names_the_parent(folder: Path) -> None:
    written(folder, BASE.replace("clock: 100 MHz", "clock: 100 pJ"))
    (found,) = messages(child(folder, ""))
    assert found.startswith("small.yaml:3:8: clock: '100 pJ' is an energy")
    found = messages(child(folder, "levels: {buffer: {capacity: 0 KiB}}"))
    assert [line.split(": ")[0] for line in found] == ["child.yaml:4:29", "small.yaml:3:8"]


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        ("edge54", "child.yaml:3:10: extends: unknown hardware 'edge54'; did you mean 'edge45'?"),
        ("smal.yaml", "child.yaml:3:10: extends: no such file: smal.yaml; did you mean 'small.yaml'?"),
        ("child.yaml", "child.yaml:3:10: extends: specifications extend each other in a circle: child.yaml -> child.yaml"),
        ("./child.yaml", "child.yaml:3:10: extends: specifications extend each other in a circle: child.yaml -> child.yaml"),
        ("5", "child.yaml:3:10: extends: expected the name of a specification or a relative file, got 5"),
        ("[small.yaml]", "child.yaml:3:10: extends: expected the name of a specification or a relative file, got a list"),
    ],
)  # fmt: skip
def test_what_cannot_be_extended(folder: Path, extends: str, message: str) -> None:
    assert messages(child(folder, "", HEAD.replace("small.yaml", extends))) == [message]


def test_a_longer_circle(folder: Path) -> None:
    written(folder, HEAD.replace("small.yaml", "child.yaml"), "other.yaml")
    assert messages(child(folder, "", HEAD.replace("small.yaml", "other.yaml"))) == [
        "other.yaml:3:10: extends: specifications extend each other in a circle: child.yaml -> other.yaml -> child.yaml"
    ]


def test_a_long_chain(folder: Path) -> None:
    for i in range(30):
        written(folder, f"schema: energysim-hardware/1\nname: c\nextends: c{i + 1}.yaml\n", f"c{i}.yaml")
    (found,) = messages(folder / "c0.yaml")
    assert found == "c15.yaml:3:10: extends: more than 16 specifications extend one another"


def test_the_child_needs_its_own_name_and_schema(folder: Path) -> None:
    (found,) = messages(child(folder, "", "schema: energysim-hardware/1\nextends: small.yaml\n"))
    assert found == "child.yaml:1:1: name: missing: what extends another specification has its own name"
    (found,) = messages(child(folder, "", "name: child\nextends: small.yaml\n"))
    assert found == "child.yaml:1:1: schema: expected energysim-hardware/1, it is missing"
    (found,) = messages(child(folder, "", HEAD.replace("extends", "extnds")))[:1]
    assert found


def test_extending_a_shipped_name_from_any_folder(folder: Path) -> None:
    hw = load_hardware(
        child(folder, "zeros: {weights: {compute: none}}", HEAD.replace("small.yaml", "edge45"))
    )
    assert hw.weights.stored_compressed and hw.weights.compute == "none"
