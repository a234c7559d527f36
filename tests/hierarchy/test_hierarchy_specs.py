"""Specifications of hierarchies: values, errors with positions, ``extends`` by name, text."""

# ruff: noqa: E501  (messages and YAML lines stay on one line)

from __future__ import annotations

import pickle
from fractions import Fraction
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from energysim.errors import SpecError
from energysim.hardware import HierarchyHardware, describe_hardware, hardware_schema, load_hardware

BASE = """\
schema: energysim-hardware/1
name: small
cost_model: hierarchy
clock: 100 MHz
bits: {weights: 8, activations: 8, accumulators: 16}
levels:
  - name: dram
    word_bits: 64
    read: {value: 512 pJ, source: book, kind: published}
    write: {value: 256 pJ, source: book, kind: published}
    bandwidth: 1 GB/s
  - name: buffer
    capacity: 64 KiB
    word_bits: 64
    energy_table:
      - {capacity: 64 KiB, read: {value: 20 pJ, source: book, kind: published}, write: {value: 10 pJ, source: book, kind: published}}
    update: {value: 12 pJ, source: book, kind: published}
    read_bandwidth: 8 B/cycle
    leakage: {value: 0.5 pJ, source: book, kind: published}
    partitions: {weights: 16 KiB, inputs: 16 KiB, outputs: 32 KiB}
  - name: rf
    capacity: 64 B
    word_bits: 8
    read: {value: 1 pJ, source: book, kind: published}
    write: {value: 1 pJ, source: book, kind: published}
    keep: [weights]
    bypass: [outputs]
    loops: [R, S]
    double_buffered: true
axes:
  - {name: X, below: buffer, size: 4, loops: [M, Q], shared: [inputs], diagonal: true}
  - {name: Y, below: buffer, size: 2, network: {value: 2 pJ, source: book, kind: published}, word_bits: 8}
mac:
  8: {value: 1.5 pJ, source: book, kind: measured}
vector_op: {value: 0.5 pJ, source: book, kind: published}
leakage: {value: 0.1 pJ, source: book, kind: published}
zeros:
  weights: {stored_compressed: true, compute: skip}
  activations: {stored_compressed: false, compute: gate}
rules: {returned_sums: all, drain: elided}
sources:
  book: {authors: A. Author, year: 2020, title: The Book, where: Table 1, node_nm: 28}
"""


def loaded(folder: Path, text: str, name: str = "small.yaml") -> HierarchyHardware:
    path = folder / name
    path.write_text(text)
    found = load_hardware(path)
    assert isinstance(found, HierarchyHardware)
    return found


def test_values(tmp_path: Path) -> None:
    hw = loaded(tmp_path, BASE)
    h = hw.hierarchy
    assert [node.name for node in h.nodes] == ["dram", "buffer", "X", "Y", "rf"]
    assert (h.lanes, h.instances(0), h.instances(3), h.instances(4)) == (8, 1, 4, 8)
    dram, buffer, rf = h.levels
    assert dram.bandwidth is not None and dram.bandwidth.value == 80
    assert (dram.fill.path, dram.update.value) == ("levels.dram.write", 256)
    assert (buffer.read.value, buffer.fill.value, buffer.update.value) == (20, 10, 12)
    assert buffer.read_bandwidth is not None and buffer.read_bandwidth.value == 64
    assert buffer.leakage is not None and buffer.leakage.energy_aj == 500_000
    assert [buffer.part_bits(t) for t in ("weights", "inputs", "outputs")] == [131072, 131072, 262144]
    assert (rf.keep, rf.bypass, rf.loops, rf.double_buffered) == (("weights",), ("outputs",), "RS", True)
    x, y = h.axes
    assert (x.size, x.loops, x.shared, x.diagonal, x.network) == (4, "MQ", ("inputs",), True, None)
    assert y.network is not None and (y.network.value, y.word_bits) == (2, 8)
    assert y.shared == ("weights", "inputs", "outputs") and not y.diagonal
    assert h.leakage is not None and h.leakage.value == Fraction(1, 10)
    assert h.rules == (("returned_sums", "all"),) and hw.rules == (("drain", "elided"), ("tiles", "divisors"))
    assert (hw.dram.name, hw.buffer.name, hw.array.macs_per_cycle) == ("dram", "buffer", 8)
    assert hw.buffer.write.value == 12
    again = pickle.loads(pickle.dumps(hw))
    assert again == hw and hash(again) == hash(hw) and again.digest == hw.digest
    assert Draft202012Validator(hardware_schema())


def test_text(tmp_path: Path) -> None:
    rows = dict(describe_hardware(loaded(tmp_path, BASE)))
    assert rows["multipliers"] == "8"
    assert rows["level rf"] == "64 B; words of 8 bit; double buffered; without outputs; loops over R S"
    assert rows["axis X"] == "4 places; loops over M Q; shares inputs; inputs also along diagonals"
    assert rows["Y energy per word"] == "2 pJ (8 bit)"
    assert rows["buffer read bandwidth"] == "64 bit/cycle"
    ramping = BASE.replace("loops: [R, S]", "ramp_up: {weights: 1 GB/s, inputs: 4 B/cycle}")
    rf = loaded(tmp_path, ramping, "ramping.yaml").hierarchy.levels[2]
    assert [(tensor, rate.value) for tensor, rate in rf.ramp_up] == [("weights", 80), ("inputs", 32)]
    assert rows["rule returned_sums"] == "all" and rows["rule drain"] == "elided"
    assert "parts: weights 16 KiB, inputs 16 KiB, outputs 32 KiB" in rows["level buffer"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("read_bandwidth: 8 B/cycle", "read_bandwith: 8 B/cycle", "small.yaml:18:5: levels.1.read_bandwith: unknown key 'read_bandwith'; did you mean 'read_bandwidth'?"),
        ("read_bandwidth: 8 B/cycle", "read_bandwidth: 0 B/cycle", "small.yaml:18:21: levels.1.read_bandwidth: '0 B/cycle': a bandwidth must be more than zero"),
        ("bypass: [outputs]", "bypass: [output]", "small.yaml:27:14: levels.2.bypass.0: expected 'weights', 'inputs' or 'outputs', got 'output'; did you mean 'outputs'?"),
        ("bypass: [outputs]", "bypass: [outputs, weights]", "small.yaml:27:13: levels.2.bypass: weights is named twice in 'keep' and 'bypass'"),
        ("    keep: [weights]\n    bypass: [outputs]", "    bypass: [outputs, weights, inputs]", "small.yaml:26:13: levels.2.bypass: nobody uses level 'rf': all three tensors bypass it"),
        ("    bandwidth: 1 GB/s", "    bypass: [inputs]", "small.yaml:7:3: levels: 'dram' is the last level: nothing can bypass it, not inputs"),
        ("loops: [R, S]", "loops: [R, K]", "small.yaml:28:16: levels.2.loops.1: expected 'N', 'G', 'M', 'C', 'P', 'Q', 'R' or 'S', got 'K'"),
        ("loops: [R, S]", "loops: [R, R]", "small.yaml:28:12: levels.2.loops: the dimension R is named twice"),
        ("size: 4", "size: 0", "small.yaml:31:36: axes.0.size: 0: a whole number must be more than zero"),
        ("name: X, below: buffer", "name: X, below: bufer", "small.yaml:31:3: axes: axis 'X' lies below the unknown level 'bufer'; did you mean 'buffer'?"),
        ("name: Y", "name: X", "small.yaml:7:3: levels: two levels or axes have the name 'X'"),
        ("name: Y", "name: bypass", "small.yaml:7:3: levels: 'bypass' cannot be the name of a level or axis: mappings use the word"),
        (", word_bits: 8}", "}", "small.yaml:32:48: axes.1.network: an energy per word needs the 'word_bits' of the axis"),
        ("name: dram", "name: DRAM", "small.yaml:7:3: levels: the first, outermost level is named 'dram', not 'DRAM'"),
        ("loops: [R, S]", "ramp_up: {outputs: 8 B/cycle}", "small.yaml:28:15: levels.2.ramp_up.outputs: unknown key 'outputs'; did you mean 'inputs'?"),
        ("    bypass: [outputs]", "    bypass: [outputs, inputs]\n    ramp_up: {inputs: 8 B/cycle}", "small.yaml:28:23: levels.2.ramp_up.inputs: inputs bypass level 'rf'"),
        ("loops: [R, S]", "ramp_up: {weights: null}", "small.yaml:28:14: levels.2.ramp_up: says nothing: give a bandwidth of 'weights', of 'inputs', or of both"),
        ("    update: {value: 12 pJ", "    update: {value: -12 pJ", "small.yaml:17:21: levels.1.update.value: '-12 pJ': an energy must be zero or more"),
    ],
)  # fmt: skip
def test_one_clear_message(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert BASE.count(old) == 1
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, BASE.replace(old, new))
    assert str(caught.value).replace(f"{tmp_path}/", "") == message


def test_all_errors_at_once(tmp_path: Path) -> None:
    text = BASE.replace("size: 4", "size: four").replace("word_bits: 64", "word_bits: 0", 1)
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, text.replace("vector_op", "vectorop"))
    found = str(caught.value).replace(f"{tmp_path}/", "").split("\n")
    assert [line.split(": ")[1] for line in found] == ["levels.0.word_bits", "axes.0.size", "vectorop"]


def test_parts_are_changed_by_name(tmp_path: Path) -> None:
    loaded(tmp_path, BASE)
    child = (
        "schema: energysim-hardware/1\nname: child\nextends: small.yaml\n"
        "levels: {rf: {capacity: 128 B, loops: null}}\naxes: {Y: {size: 3}}\n"
    )
    hw = loaded(tmp_path, child, "child.yaml")
    assert [node.name for node in hw.hierarchy.nodes] == ["dram", "buffer", "X", "Y", "rf"]
    assert hw.hierarchy.levels[2].capacity_bits == 1024 and hw.hierarchy.levels[2].loops == "NGMCPQRS"
    assert [axis.size for axis in hw.hierarchy.axes] == [4, 3]
    with pytest.raises(
        SpecError, match=r"child.yaml:4:10: levels.fr: .* has no part 'fr' here \(dram, buffer, rf\)"
    ):
        loaded(tmp_path, child.replace("rf:", "fr:"), "child.yaml")
    with pytest.raises(SpecError, match=r"32 differs from the 64 of the specification it extends"):
        loaded(tmp_path, child.replace("levels: {", "levels: {dram: {word_bits: 32}, "), "child.yaml")


def test_the_schema_for_editors(tmp_path: Path) -> None:
    from ruamel.yaml import YAML

    content = YAML(typ="safe", pure=True).load(BASE)
    content["mac"] = {str(width): value for width, value in content["mac"].items()}
    validator = Draft202012Validator(hardware_schema())
    validator.validate(content)
    content["levels"][1]["capacty"] = "64 KiB"
    assert not validator.is_valid(content)
    head = {"schema": "energysim-hardware/1", "name": "x", "extends": "small", "cost_model": "hierarchy"}
    assert validator.is_valid(head | {"levels": {"rf": {"capacity": "128 B"}}})
    assert not validator.is_valid(head | {"levels": {"rf": {"capacty": "128 B"}}})
