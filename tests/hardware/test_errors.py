"""Every way to get a file wrong gives one clear line that says where."""

# ruff: noqa: E501  (messages and YAML lines stay on one line)

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from energysim.errors import SpecError, UnknownNameError
from energysim.hardware import load_hardware

from .base import BASE, bent, messages, written

CASES = [
    # a key
    ("    capacity: 64 KiB\n    word", "    capacty: 64 KiB\n    word", "small.yaml:12:5: levels.buffer.capacty: unknown key 'capacty'; did you mean 'capacity'?"),
    ("    capacity: 64 KiB\n    word", "    word", "small.yaml:11:3: levels.buffer.capacity: missing"),
    ("clock: 100 MHz\n", "", "small.yaml:1:1: clock: missing"),
    ("  buffer:\n", "  bufer:\n", "small.yaml:11:3: levels.bufer: unknown key 'bufer'; did you mean 'buffer'?"),
    ("{pixels: 4, filters", "{pixel: 4, filters", "small.yaml:23:9: array.pixel: unknown key 'pixel'; did you mean 'pixels'?"),
    ("clock: 100 MHz", "clock: 100 MHz\nclock: 1 GHz", "small.yaml:4:1: clock: duplicate key 'clock', first given on line 3"),
    ("node_nm: 28", "node_nm: 28, year: 2021", "small.yaml:28:88: sources.book.year: duplicate key 'year', first given on line 28"),
    ("clock: 100 MHz", "clock: 100 MHz\n<<: {a: 1}", "small.yaml:4:1: merge keys (<<) are not supported; use 'extends' or repeat the values"),
    ("clock: 100 MHz", "clock: 100 MHz\n[a]: 1", "small.yaml:4:1: a key must be text"),
    ("  8: {value: 1.5", "  99: {value: 1.5", "small.yaml:18:7: mac.99: '99' is no width; expected bits from 1 to 64"),
    ("clock: 100 MHz", 'clock: 100 MHz\n"q\\nr": 1', "small.yaml:4:1: q\\nr: unknown key 'q\\nr'; expected one of schema, name, clock, bits, levels, mac, vector_op, array, zeros, description, cost_model, node_nm, node_scaling, registers, register_accesses, rules, sources"),
    # an energy
    ("value: 1.5 pJ", "value: -1.5 pJ", "small.yaml:18:14: mac.8.value: '-1.5 pJ': an energy must be zero or more"),
    ("value: 1.5 pJ", "value: 1.5 MHz", "small.yaml:18:14: mac.8.value: '1.5 MHz' is a frequency; expected an energy: a number and one of pJ, nJ, fJ, aJ, such as '3.2 pJ'"),
    ("value: 1.5 pJ", "value: 1.5 pj", "small.yaml:18:14: mac.8.value: '1.5 pj' has the unknown unit 'pj'; expected an energy: a number and one of pJ, nJ, fJ, aJ, such as '3.2 pJ'; did you mean 'pJ'?"),
    ("value: 1.5 pJ", "value: 1.5", "small.yaml:18:14: mac.8.value: 1.5 has no unit; expected an energy: a number and one of pJ, nJ, fJ, aJ, such as '3.2 pJ'"),
    ("value: 1.5 pJ", "value: '1.5'", "small.yaml:18:14: mac.8.value: '1.5' has no unit; expected an energy: a number and one of pJ, nJ, fJ, aJ, such as '3.2 pJ'"),
    ("value: 1.5 pJ", "value: true", "small.yaml:18:14: mac.8.value: expected an energy: a number and one of pJ, nJ, fJ, aJ, such as '3.2 pJ'; got true"),
    ("value: 1.5 pJ", "value: .nan", "small.yaml:18:14: mac.8.value: NaN is not a finite number; expected an energy: a number and one of pJ, nJ, fJ, aJ, such as '3.2 pJ'"),
    ("value: 1.5 pJ", "value: -.inf", "small.yaml:18:14: mac.8.value: -Infinity is not a finite number; expected an energy: a number and one of pJ, nJ, fJ, aJ, such as '3.2 pJ'"),
    ("value: 1.5 pJ", "value: nan pJ", "small.yaml:18:14: mac.8.value: expected an energy: a number and one of pJ, nJ, fJ, aJ, such as '3.2 pJ'; got 'nan pJ'"),
    ("value: 1.5 pJ", "value: 1,5 pJ", "small.yaml:18:16: mac.8.5 pJ: unknown key '5 pJ'; expected one of value, kind, source, node_nm, note"),
    ("value: 1.5 pJ", "value: 1e999 pJ", "small.yaml:18:14: mac.8.value: '1e999 pJ' is out of any sensible range; expected an energy: a number and one of pJ, nJ, fJ, aJ, such as '3.2 pJ'"),
    ("value: 1.5 pJ", "value: 1e99999999999999999999 pJ", "small.yaml:18:14: mac.8.value: '1e99999999999999999999 pJ' is out of any sensible range; expected an energy: a number and one of pJ, nJ, fJ, aJ, such as '3.2 pJ'"),
    ("value: 1.5 pJ", "value: 1e13 pJ", "small.yaml:18:14: mac.8.value: '1e13 pJ' is too large: an energy may be at most 1000000000000 pJ"),
    ("value: 1.5 pJ", "value: 1.1234567 pJ", "small.yaml:18:14: mac.8.value: '1.1234567 pJ' is finer than 1 aJ (six decimals of a pJ), the smallest step"),
    ("value: 1.5 pJ", "value: [1.5 pJ]", "small.yaml:18:14: mac.8.value: expected an energy: a number and one of pJ, nJ, fJ, aJ, such as '3.2 pJ'; got a list"),
    ("vector_op: {value: 0.5 pJ, source: book, kind: published}", "vector_op: 0.5 pJ", "small.yaml:22:12: vector_op: expected a mapping {value: ..., kind: ..., source: ..., node_nm: ..., note: ...}, got '0.5 pJ'"),
    # where it is from
    ("value: 1.5 pJ, source: book", "value: 1.5 pJ, source: bock", "small.yaml:18:30: mac.8.source: unknown source 'bock'; expected a key of 'sources' (book); did you mean 'book'?"),
    ("kind: measured", "kind: mesured", "small.yaml:18:42: mac.8.kind: expected 'measured', 'published', 'derived' or 'assumed', got 'mesured'; did you mean 'measured'?"),
    ("value: 1.5 pJ, source: book, kind: measured", "value: 1.5 pJ, kind: measured", "small.yaml:18:6: mac.8: needs a 'source' (a key of 'sources'); only an assumed value may give a 'note' instead"),
    ("value: 1.5 pJ, source: book, kind: measured", "value: 1.5 pJ, kind: assumed", "small.yaml:18:6: mac.8: needs a 'source' (a key of 'sources'); only an assumed value may give a 'note' instead"),
    ("year: 2020", "year: last", "small.yaml:28:36: sources.book.year: expected a whole number, got 'last'"),
    ("title: The Book", "title: 1984", "small.yaml:28:49: sources.book.title: expected text (put it in quotes), got 1984"),
    # a capacity
    ("    capacity: 64 KiB\n    word", "    capacity: 108 pJ\n    word", "small.yaml:12:15: levels.buffer.capacity: '108 pJ' is an energy; expected a capacity: a number and one of bit, B, kB, KiB, MB, MiB, GB, GiB, such as '512 KiB'"),
    ("    capacity: 64 KiB\n    word", "    capacity: 0 KiB\n    word", "small.yaml:12:15: levels.buffer.capacity: '0 KiB': a capacity must be more than zero"),
    ("    capacity: 64 KiB\n    word", "    capacity: 128 KiB\n    word", "small.yaml:12:15: levels.buffer.capacity: 128 KiB is larger than the largest row of the energy_table, which covers 16 KiB to 64 KiB; choose a capacity within it, add a row, or give 'read' and 'write' directly"),
    ("    capacity: 64 KiB\n    word", "    capacity: 15 KiB\n    word", "small.yaml:12:15: levels.buffer.capacity: 15 KiB is smaller than the smallest row of the energy_table, which covers 16 KiB to 64 KiB; choose a capacity within it, add a row, or give 'read' and 'write' directly"),
    ("    capacity: 64 KiB\n    word", "    capacity: 100.5 bit\n    word", "small.yaml:12:15: levels.buffer.capacity: '100.5 bit' is finer than one bit, the smallest step"),
    ("    capacity: 64 KiB\n    word", "    capacity: 64\n    word", "small.yaml:12:15: levels.buffer.capacity: 64 has no unit; expected a capacity: a number and one of bit, B, kB, KiB, MB, MiB, GB, GiB, such as '512 KiB'"),
    ("{capacity: 16 KiB", "{capacity: 64 KiB", "small.yaml:15:7: levels.buffer.energy_table: two rows have the same capacity"),
    ("    bandwidth: 1 GB/s", "    bandwidth: 1 GB/s\n    partitions: {weights: 1 KiB, inputs: 1 KiB, outputs: 1 KiB}", "small.yaml:11:17: levels.dram.partitions: 'partitions' need the 'capacity' they divide"),
    ("    energy_table:\n", "    partitions: {weights: 32 KiB, inputs: 32 KiB, outputs: 1 bit}\n    energy_table:\n", "small.yaml:14:17: levels.buffer.partitions: the parts add up to 524289 bit, more than the capacity of 524288 bit"),
    ("    bandwidth: 1 GB/s", "    bandwidth: 1 GHz", "small.yaml:10:16: levels.dram.bandwidth: '1 GHz' is a frequency; expected a bandwidth: a number and one of bit/cycle, B/cycle, MB/s, GB/s, such as '6.4 GB/s'"),
    ("    write: {value: 256 pJ, source: book, kind: assumed}\n", "", "small.yaml:8:11: levels.dram.read: 'read' is given without 'write'; give both, or an 'energy_table'"),
    # a count, a width, a word
    ("{pixels: 4,", "{pixels: 0,", "small.yaml:23:17: array.pixels: 0: a whole number must be more than zero"),
    ("{pixels: 4,", "{pixels: true,", "small.yaml:23:17: array.pixels: expected a whole number such as 16, got true"),
    ("{pixels: 4,", "{pixels: 4.5,", "small.yaml:23:17: array.pixels: expected a whole number such as 16, got 4.5"),
    ("{weights: 8,", "{weights: 0,", "small.yaml:4:17: bits.weights: should be greater than or equal to 1, got 0"),
    ("{weights: 8,", "{weights: 65,", "small.yaml:4:17: bits.weights: should be less than or equal to 64, got 65"),
    ("{weights: 8,", "{weights: true,", "small.yaml:4:17: bits.weights: expected a whole number, got true"),
    ("{weights: 8,", "{weights: 32,", "small.yaml:18:3: mac: no MAC is 32 bit wide, as the native operands are"),
    ("accumulators: 16}", "accumulators: 17}", "small.yaml:21:3: registers: the widest register has 16 bit; 17 are needed"),
    ("stored_compressed: true,", "stored_compressed: yes,", "small.yaml:25:32: zeros.weights.stored_compressed: expected true or false, got 'yes'"),
    ("compute: gate}", "compute: gates}", "small.yaml:26:52: zeros.activations.compute: expected 'none', 'gate' or 'skip', got 'gates'; did you mean 'gate'?"),
    ("compute: gate}", "compute: gate, format: rlc}", "small.yaml:26:66: zeros.activations.format: a 'format' is given but 'stored_compressed' is false"),
    ("stored_compressed: false,", "stored_compressed: true,", "small.yaml:26:16: zeros.activations: compressed activations need a 'format', such as 'rlc'"),
    ("name: small", "name: a b", "small.yaml:2:7: name: 'a b' has characters that are not accepted here (pattern ^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$)"),
    ("mac:\n", "rules: {halo: 1.5}\nmac:\n", "small.yaml:17:15: rules.halo: expected true, false, a whole number or text, got 1.5"),
    # the file
    ("schema: energysim-hardware/1", "schema: energysim-hardware/2", "small.yaml:1:9: schema: expected energysim-hardware/1, got 'energysim-hardware/2'"),
    ("schema: energysim-hardware/1\n", "", "small.yaml:1:1: schema: expected energysim-hardware/1, it is missing"),
    ("clock: 100 MHz", "clock: [100", "small.yaml:4:5: not valid YAML: while parsing a flow sequence, expected ',' or ']', but got ':'"),
    ("clock: 100 MHz", "clock: !!python/object:os.system x", "small.yaml:3:8: clock: the tag 'tag:yaml.org,2002:python/object:os.system' is not supported; write the plain value"),
    ("clock: 100 MHz", "clock: *nothing", "small.yaml:3:8: clock: the alias *nothing has no finished anchor before it"),
    ("array: {", "array: &a {self: *a, ", "small.yaml:23:18: array.self: the alias *a has no finished anchor before it"),
    ("clock: 100 MHz", "clock: 100 MHz\n---\na: 1", "small.yaml:4:1: a second document begins; a specification is one document"),
    ("clock: 100 MHz", 'clock: "\\ud800"', "small.yaml:3:8: clock: half a surrogate pair is not text"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), CASES, ids=range(len(CASES)))
def test_one_clear_message(tmp_path: Path, old: str, new: str, message: str) -> None:
    found = messages(written(tmp_path, bent(old, new)))
    assert found[-1] == message
    assert len(found) == (2 if "1,5" in new else 1)  # that comma makes two values of one


def test_the_base_is_valid(tmp_path: Path) -> None:
    assert load_hardware(written(tmp_path, BASE)).name == "small"


def test_all_errors_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = bent("name: small", "name: small\nclok: 1 GHz").replace("clock: 100 MHz\n", "")
    text = text.replace("value: 1.5 pJ, source: book", "value: 1.5, source: bok").replace(
        "pixels: 4", "pixels: 0"
    )
    text = text.replace("word_bits: 64\n    read", "word_bits: 64\n    word_bits: 32\n    read")
    found = messages(written(tmp_path, text))
    assert [line.split(": ")[0] + ": " + line.split(": ")[1] for line in found] == [
        "small.yaml:3:1: clok",
        "small.yaml:8:5: levels.dram.word_bits",
        "small.yaml:19:14: mac.8.value",
        "small.yaml:19:27: mac.8.source",
        "small.yaml:24:17: array.pixels",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "small.yaml:1:1: the file is empty; expected a hardware specification"),
        (b"# only a comment\n", "small.yaml:1:1: the file is empty; expected a hardware specification"),
        (
            b"- a\n- b\n",
            "small.yaml:1:1: a hardware specification is a mapping of keys to values, got a list",
        ),
        (
            b"just text",
            "small.yaml:1:1: a hardware specification is a mapping of keys to values, got 'just text'",
        ),
        (b"\x7fELF\x00\x01", "small.yaml:1:1: a binary file; expected YAML as UTF-8 text"),
        (b"a: 1\nb: \xff\n", "small.yaml:2:4: not UTF-8 text (byte 0xff); expected YAML as UTF-8"),
        (b"a" * 300_000, "small.yaml: larger than 256 KiB; that is no hardware specification"),
        (b"[" * 100_000, "small.yaml:1:33: nested more than 32 deep"),
        (b"{a: " * 50_000, "small.yaml:1:129: nested more than 32 deep"),
        (b"- " * 50_000, "small.yaml:1:65: nested more than 32 deep"),
    ],
)
def test_what_is_no_specification(tmp_path: Path, content: bytes, message: str) -> None:
    assert messages(written(tmp_path, content)) == [message]


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 20)]
    (found,) = messages(written(tmp_path, "\n".join(lines)))
    assert "more than 20000 values, aliases expanded" in found


def test_a_plain_alias_works(tmp_path: Path) -> None:
    text = bent("vector_op: {value: 0.5 pJ, source: book, kind: published}", "vector_op: *read")
    text = text.replace("16: {read: {value", "16: {read: &read {value")
    assert load_hardware(written(tmp_path, text)).vector_op.energy_aj == 100_000


def test_missing_folder_and_unreadable(tmp_path: Path) -> None:
    written(tmp_path, BASE)
    assert messages(tmp_path / "smal.yaml") == ["smal.yaml: no such file; did you mean 'small.yaml'?"]
    with pytest.raises(SpecError, match="is a folder; expected a YAML file"):
        load_hardware(f"{tmp_path}/")
    with pytest.raises(SpecError, match="cannot be read"):
        load_hardware("a\0b.yaml")
    with pytest.raises(SpecError, match=r"cannot be read|no such file"):
        load_hardware("x" * 5000 + ".yaml")


def test_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, BASE)
    path.chmod(0)
    if os.access(path, os.R_OK):  # to root, and where files have no such rights, say what others are told

        def denied(self: Path, *_: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

        monkeypatch.setattr(Path, "open", denied)
    assert "cannot be read: Permission denied" in messages(path)[0]


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="unknown hardware 'edge54'; did you mean 'edge45'"):
        load_hardware("edge54")
    with pytest.raises(UnknownNameError, match=r"known: .*eyeriss.*teaching"):
        load_hardware("qqqqqq")
