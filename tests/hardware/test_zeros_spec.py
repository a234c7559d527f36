"""What specifications say of zeros: values, and one clear message for what makes no sense."""

# ruff: noqa: E501  (messages and YAML lines stay on one line)

from __future__ import annotations

from pathlib import Path

import pytest

from energysim.hardware import Hardware, describe_hardware, load_hardware

from .base import BASE, bent, messages, written

ACTIVATIONS = "activations: {stored_compressed: false, compute: gate}"
WEIGHTS = "weights: {stored_compressed: true, compute: skip}"
E = "{value: 1 pJ, source: book, kind: published}"
HIERARCHY = (
    BASE.split("levels:")[0]
    + f"""\
cost_model: hierarchy
levels:
  - {{name: dram, word_bits: 8, read: {E}, write: {E}}}
  - {{name: buffer, word_bits: 8, read: {E}, write: {E}, capacity: 1 KiB}}
  - {{name: rf, word_bits: 8, read: {E}, write: {E}, capacity: 64 B, bypass: [weights, outputs]}}
  - {{name: wrf, word_bits: 8, read: {E}, write: {E}, capacity: 64 B, bypass: [inputs]}}
axes:
  - {{name: X, below: buffer, size: 4}}
mac:
  8: {E}
vector_op: {E}
zeros:
  {WEIGHTS}
  {ACTIVATIONS}
sources:"""
    + BASE.split("sources:")[1]
)


def changed(base: str, weights: str = "", activations: str = "", more: str = "") -> str:
    """A specification with other lines about zeros."""
    text = base.replace(WEIGHTS, f"weights: {{{weights}}}" if weights else WEIGHTS)
    told = f"activations: {{{activations}}}" if activations else ACTIVATIONS
    return text.replace(ACTIVATIONS, f"{told}\n  {more}" if more else told)


def loaded(folder: Path, text: str) -> Hardware:
    return load_hardware(written(folder, text))


STORED = "stored_compressed: true, compute: gate, format: rlc"


def test_values(tmp_path: Path) -> None:
    hw = loaded(
        tmp_path,
        changed(
            HIERARCHY,
            "stored_compressed: true, compute: gate, decompressed_at: wrf, formats: {rf: coo, buffer: csr}",
            f"{STORED}, decompressed_at: rf, spared: [wrf]",
            "reserve: {one_in: 64, overflow: ignored}",
        ).replace("bypass: [weights, outputs]", "bypass: [outputs]"),
    )
    assert hw.weights.formats == (("buffer", "csr"), ("rf", "coo")) and hw.weights.decompressed_at == "wrf"
    assert hw.activations.spared == ("wrf",) and hw.activations.lanes is None
    assert hw.reserve is not None and (hw.reserve.tail, hw.reserve.overflow) == (64, "ignored")
    assert [c.path for c in hw.constants][-1] == "zeros.reserve.one_in"
    assert hw.zero_sentence.endswith(
        "weights: plain from wrf on, buffer as csr, rf as coo; activations: plain from rf on, accesses of wrf spared; "
        "room: one tile in 64 overflows at most and is not counted"
    )
    assert dict(describe_hardware(hw))["zeros"] == hw.zero_sentence


def test_what_is_not_said_is_assumed_and_listed(tmp_path: Path) -> None:
    hw = loaded(tmp_path, changed(BASE, activations=f"{STORED}, decompressed_at: mac"))
    assert hw.reserve is not None and hw.reserve.overflow == "refetched" and hw.reserve.tail == 1000
    assert (hw.reserve.one_in.kind, hw.reserve.one_in.path) == ("assumed", "zeros.reserve.one_in")
    never = changed(BASE, activations=f"{STORED}, decompressed_at: mac", more="reserve: {overflow: never}")
    found = loaded(tmp_path, never).reserve
    assert found is not None and found.tail is None and found.words == "for all values of every tile"
    # decompressed on the way in, which is what every other specification means
    plain = loaded(tmp_path, changed(BASE, activations=f"{STORED}, decompressed_at: buffer"))
    assert plain.reserve is None


def test_the_digest_knows_what_is_said_and_only_that(tmp_path: Path) -> None:
    digests = {
        loaded(tmp_path, changed(BASE, *said)).digest
        for said in (
            ("", STORED),
            ("", f"{STORED}, decompressed_at: mac"),
            ("", f"{STORED}, decompressed_at: mac, formats: {{buffer: bitmap}}"),
            ("", f"{STORED}, decompressed_at: mac", "reserve: {overflow: never}"),
            ("stored_compressed: true, compute: skip, lanes: waiting", STORED),
        )
    }
    assert len(digests) == 5
    # as it was before there was anything further to say
    assert load_hardware("teaching").digest[:12] == "b1a5ddf2c7b4"
    assert load_hardware("eyeriss-v2-pe").digest[:12] == "d7568492c193"


GATED = "stored_compressed: true, compute: gate"
CASES = [
    (BASE, f"{GATED}, format: rlcc", "", "", "zeros.weights.format: unknown storage format 'rlcc'; did you mean 'rlc'?"),
    (BASE, f"{GATED}, formats: {{buffer: 'csr:idx=3'}}", "", "", "zeros.weights.formats.buffer: storage format 'csr' has no parameter 'idx'; did you mean 'index'?"),
    (BASE, f"{GATED}, decompressed_at: bufer", "", "", "zeros.weights.decompressed_at: no level has the name 'bufer'; did you mean 'buffer'?"),
    (BASE, f"{GATED}, decompressed_at: dram", "", "", "zeros.weights.decompressed_at: no level has the name 'dram'; expected 'buffer' or 'mac'"),
    (BASE, f"{GATED}, formats: {{pe: csr}}", "", "", "zeros.weights.formats: no level has the name 'pe'; expected 'buffer'"),
    (BASE, f"{GATED}, decompressed_at: buffer, formats: {{buffer: csr}}", "", "", "zeros.weights.formats: weights are plain in level 'buffer': they are decompressed at 'buffer'; move 'decompressed_at' further in"),
    (BASE, "", f"{STORED}, formats: {{buffer: csr}}", "", "zeros.activations.formats: activations are plain in level 'buffer': they are decompressed at 'buffer'; move 'decompressed_at' further in"),
    (BASE, "stored_compressed: false, compute: gate, decompressed_at: mac", "", "", "zeros.weights.decompressed_at: 'decompressed_at' is given but 'stored_compressed' is false"),
    (BASE, "", "stored_compressed: false, compute: gate, formats: {buffer: csr}", "", "zeros.activations.formats: 'formats' is given but 'stored_compressed' is false"),
    (BASE, "stored_compressed: true, compute: skip, decompressed_at: buffer", "", "", "zeros.weights.decompressed_at: level 'buffer' holds plain values, which do not say where the next nonzero is; 'compute: skip' needs 'mac' here (or 'compute: gate')"),
    (BASE, f"{GATED}, lanes: waiting", "", "", "zeros.weights.lanes: 'lanes' says who waits when cycles are skipped; 'compute' is 'gate'"),
    (BASE, "stored_compressed: true, compute: skip, lanes: wait", "", "", "zeros.weights.lanes: expected 'packed' or 'waiting', got 'wait'; did you mean 'waiting'?"),
    (BASE, "", "stored_compressed: false, compute: gate, spared: [buffer]", "", "zeros.activations.spared: the cost model two-level spares its registers by itself; 'spared' is for hierarchies"),
    (BASE, "", STORED, "reserve: {one_in: 10}", "zeros.reserve: a 'reserve' is for activations that lie compressed on chip; none do: 'decompressed_at' of activations says how far in"),
    (BASE, "", f"{STORED}, decompressed_at: mac", "reserve: {one_in: 0}", "zeros.reserve.one_in: 0: a whole number must be more than zero"),
    (BASE, "", f"{STORED}, decompressed_at: mac", "reserve: {overflow: spilled}", "zeros.reserve.overflow: expected 'refetched', 'ignored' or 'never', got 'spilled'"),
    (BASE, "", f"{STORED}, decompresed_at: mac", "", "zeros.activations.decompresed_at: unknown key 'decompresed_at'; did you mean 'decompressed_at'?"),
    (HIERARCHY, "stored_compressed: true, compute: skip, lanes: packed", "", "", "zeros.weights.lanes: in the cost model 'hierarchy' lanes always wait for the slowest; leave 'lanes' out"),
    (HIERARCHY, f"{GATED}, formats: {{rf: csr}}", "", "", "zeros.weights.formats: level 'rf' never holds weights: they bypass it"),
    (HIERARCHY, "", "stored_compressed: false, compute: none, spared: [wrf]", "", "zeros.activations.spared: accesses are spared where 'compute' is 'gate' or 'skip', not 'none'"),
    (HIERARCHY, "stored_compressed: true, compute: skip, spared: [rf]", "", "", "zeros.weights.spared: weights that are skipped spare all accesses by themselves; leave 'spared' out"),
    (HIERARCHY, "", "stored_compressed: false, compute: gate, spared: [wf]", "", "zeros.activations.spared: no level has the name 'wf'; did you mean 'wrf'?"),
    (HIERARCHY, "", "stored_compressed: false, compute: gate, spared: [dram]", "", "zeros.activations.spared: level 'dram' is no level on the chip: what is fetched is not spared"),
    (HIERARCHY, "", "stored_compressed: false, compute: gate, spared: [wrf, wrf]", "", "zeros.activations.spared: level 'wrf' is named twice"),
    (HIERARCHY, "", "stored_compressed: false, compute: gate, spared: [buffer]", "", "zeros.activations.spared: level 'buffer' cannot spare accesses: axis 'X' lies inside it, so a word of it is for several multipliers"),
    (HIERARCHY, "", "stored_compressed: false, compute: gate, spared: [rf]", "", "zeros.activations.spared: level 'rf' holds nothing that a zero of activations could spare"),
]  # fmt: skip


@pytest.mark.parametrize(("base", "weights", "activations", "more", "message"), CASES, ids=range(len(CASES)))
def test_one_clear_message(
    tmp_path: Path, base: str, weights: str, activations: str, more: str, message: str
) -> None:
    found = messages(written(tmp_path, changed(base, weights, activations, more)))
    assert len(found) == 1, found
    file, line, column, rest = found[0].split(":", 3)
    assert rest.strip().startswith(message), found[0]
    # at the line of the block
    text = changed(base, weights, activations, more).split("\n")
    key = message.split(":")[0].split(".")[1]
    assert file == "small.yaml" and text[int(line) - 1].strip().startswith(key) and int(column) > 2


def test_tiles_that_overflow_have_no_place_in_a_stream_of_addresses(tmp_path: Path) -> None:
    text = changed(BASE, activations=f"{STORED}, decompressed_at: mac")
    lines = [line for line in text.split("\n") if "512 pJ" not in line and "256 pJ" not in line]
    lines.insert(lines.index("  dram:") + 1, "    device: ddr4_8gb_x16_2400")
    text = "\n".join(lines)
    (found,) = messages(written(tmp_path, text))
    assert found.startswith("small.yaml:25:16: zeros.activations: tiles that overflow and are fetched again")
    never = text.replace("\nsources:", "\n  reserve: {overflow: never}\nsources:")
    assert loaded(tmp_path, never).reserve is not None
    again = never.replace("never", "refetched")
    (found,) = messages(written(tmp_path, again))
    assert (
        "zeros.reserve: tiles that overflow" in found and "give a 'reserve' with 'overflow: never'" in found
    )


def test_bent_base_is_still_the_base() -> None:
    assert bent("compute: skip", "compute: gate") == changed(BASE, GATED)
