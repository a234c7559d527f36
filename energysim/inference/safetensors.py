"""The header of a safetensors file, read without trusting it.

The format: 8 bytes with the length of the header (little-endian), the header as a JSON object of
``name -> {"dtype", "shape", "data_offsets": [begin, end]}``, then one block of bytes that the arrays
fill without gaps or overlaps (https://github.com/huggingface/safetensors, "Format").
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, BinaryIO

from energysim.graph.shapes import Shape, product

__all__ = ["Entry", "read_entries"]

#: The longest header [bytes]: some 100 000 arrays.
LONGEST_HEADER = 1 << 24
#: Type in the file -> (bytes of an element, name in messages).
_TYPES = {
    "BOOL": (1, "bool"),
    "U8": (1, "uint8"),
    "I8": (1, "int8"),
    "F8_E5M2": (1, "float8"),
    "F8_E4M3": (1, "float8"),
    "I16": (2, "int16"),
    "U16": (2, "uint16"),
    "F16": (2, "float16"),
    "BF16": (2, "bfloat16"),
    "I32": (4, "int32"),
    "U32": (4, "uint32"),
    "F32": (4, "float32"),
    "F64": (8, "float64"),
    "I64": (8, "int64"),
    "U64": (8, "uint64"),
}


@dataclass(frozen=True)
class Entry:
    """One array of the file: shape, type, and where its bytes lie behind the header."""

    shape: Shape
    kind: str
    begin: int
    end: int


def read_entries(stream: BinaryIO) -> tuple[dict[str, Entry], int]:
    """Return the arrays of a file by name, and where the block of their bytes begins.

    Raises
    ------
    ValueError
        If the header is too long, no valid JSON of the form above, or the arrays do not fill the
        rest of the file exactly.
    """
    size = os.fstat(stream.fileno()).st_size
    stream.seek(0)
    length = int.from_bytes(stream.read(8), "little")
    if not 2 <= length <= min(LONGEST_HEADER, size - 8):
        raise ValueError(f"a header of {length} bytes in a file of {size}")
    header = json.loads(stream.read(length).decode("utf-8"), object_pairs_hook=_once)
    if not isinstance(header, dict):
        raise ValueError("the header is no JSON object")
    header.pop("__metadata__", None)
    entries = {name: _entry(name, fields) for name, fields in header.items()}
    at = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != at:
            raise ValueError(
                f"the bytes of {name!r} {'overlap others' if entry.begin < at else 'leave a gap'}"
            )
        at = entry.end
    if at != size - 8 - length:
        raise ValueError(f"{size - 8 - length} bytes of arrays, the header tells of {at}")
    return entries, 8 + length


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name appears twice in the header")
    return found


def _natural(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 62


def _entry(name: str, fields: object) -> Entry:
    if not isinstance(fields, dict) or set(fields) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name!r} has no dtype, shape and data_offsets")
    kind, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(kind, str) or kind not in _TYPES:
        raise ValueError(f"{name!r} has the unknown type {kind!r}")
    if not isinstance(shape, list) or len(shape) > 32 or not all(map(_natural, shape)):
        raise ValueError(f"the shape of {name!r} is no list of lengths")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_natural, offsets)):
        raise ValueError(f"the data_offsets of {name!r} are no two positions")
    itemsize, known = _TYPES[kind]
    if offsets[1] - offsets[0] != product(shape) * itemsize:
        raise ValueError(f"{name!r} of shape {shape} does not fill its {offsets[1] - offsets[0]} bytes")
    return Entry(tuple(shape), known, offsets[0], offsets[1])
