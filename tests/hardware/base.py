"""A small complete specification, and ways to bend it."""

# ruff: noqa: E501  (messages and YAML lines stay on one line)

from __future__ import annotations

from pathlib import Path

import pytest

from energysim.errors import SpecError
from energysim.hardware import load_hardware

# Tests name lines of this text: line 1 is the one with the schema.
BASE = """\
schema: energysim-hardware/1
name: small
clock: 100 MHz
bits: {weights: 8, activations: 8, accumulators: 16}
levels:
  dram:
    word_bits: 64
    read: {value: 512 pJ, source: book, kind: published}
    write: {value: 256 pJ, source: book, kind: assumed}
    bandwidth: 1 GB/s
  buffer:
    capacity: 64 KiB
    word_bits: 64
    energy_table:
      - {capacity: 64 KiB, read: {value: 20 pJ, source: book, kind: published}, write: {value: 10 pJ, source: book, kind: published}}
      - {capacity: 16 KiB, read: {value: 5 pJ, source: book, kind: published}, write: {value: 4 pJ, source: book, kind: published}}
mac:
  8: {value: 1.5 pJ, source: book, kind: measured}
  16: {value: 4000 fJ, source: book, kind: derived}
registers:
  16: {read: {value: 0.1 pJ, source: book, kind: published}, write: {value: 0.2 pJ, source: book, kind: published}}
vector_op: {value: 0.5 pJ, source: book, kind: published}
array: {pixels: 4, filters: 2, products: 8}
zeros:
  weights: {stored_compressed: true, compute: skip}
  activations: {stored_compressed: false, compute: gate}
sources:
  book: {authors: A. Author, year: 2020, title: The Book, where: Table 1, node_nm: 28}
"""


def written(folder: Path, text: str | bytes, name: str = "small.yaml") -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def bent(old: str, new: str) -> str:
    """Return the base text with one part of it replaced."""
    assert BASE.count(old) == 1, f"{old!r} is not there exactly once"
    return BASE.replace(old, new)


def messages(path: Path) -> list[str]:
    """Return the lines of the error of a file, without the name of its folder."""
    with pytest.raises(SpecError) as caught:
        load_hardware(path)
    return str(caught.value).replace(f"{path.parent}/", "").split("\n")
