"""The bones of an ONNX file: everything but the values of its tensors, which stay where they are.

An ONNX file is one protobuf message. Its tensors may be gigabytes, and a count needs none of them, so the
file is mapped into memory and walked by the wire format (field number and wire type, then a number or a
length and so many bytes: protobuf.dev, "Encoding"). Values longer than :data:`KEPT_BYTES` are left out,
and the tensor is given a mark that says where it lies. Field numbers are those of ``onnx.proto`` (IR
version 3 to 13); nothing here needs the package onnx.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from energysim.errors import ModelError

if TYPE_CHECKING:
    from mmap import mmap

__all__ = ["KEPT_BYTES", "Payload", "scan"]

#: Values of a tensor up to this size stay in the bones: shapes, scales, axes.
KEPT_BYTES = 1024
#: Nested messages (functions, branches) that a file may have: protobuf itself ends at 100.
_DEEPEST = 64
#: Bones larger than this are no network (the largest known have some ten thousand nodes).
_MOST_BONES = 1 << 28

_LONGEST_NAME = 1 << 16

#: Message -> field -> message of the field: only what can lead to a tensor.
_NESTED: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
#: Messages without tensors that are looked into for their texts only.
_NESTED |= {
    "model": {**_NESTED["model"], 8: "opset"},
    "graph": {**_NESTED["graph"], 11: "info", 12: "info", 13: "info"},
    "function": {**_NESTED["function"], 9: "opset", 12: "info"},
    "info": {2: "type"},
    "type": {1: "tensor type"},
    "tensor type": {2: "shape"},
    "shape": {1: "dimension"},
    "entry": {},
}
#: Message -> fields that are names. Python would get bytes in their place if they were no text.
_TEXTS: dict[str, tuple[int, ...]] = {
    "graph": (2,),
    "function": (1, 4, 5, 6, 10, 13),
    "node": (1, 2, 3, 4, 7, 8),
    "attribute": (1, 21),
    "opset": (1,),
    "info": (1,),
    "dimension": (2,),
    "tensor": (8,),
    "entry": (1, 2),
}
#: ``external_data`` of a tensor.
_ENTRY = 13
#: Fields of a tensor that hold its values: float, int32, string, int64, raw, double, uint64.
_VALUES = (4, 5, 6, 7, 9, 10, 11)
_RAW = 9
#: ``doc_string`` of a tensor; of a field that is given twice, the last one counts.
_MARK = 12


@dataclass(frozen=True)
class Payload:
    """Where a tensor lies in the file.

    Attributes
    ----------
    start, stop : int
        The tensor's own message [byte].
    raw_bytes : int or None
        Length of its raw values; None if they are no raw bytes.
    """

    start: int
    stop: int
    raw_bytes: int | None


def scan(data: mmap | bytes) -> tuple[bytes, list[Payload]]:
    """Return the file without long values, and where the tensors lie.

    The ``doc_string`` of every tensor is the number of its payload in the list, as decimal digits.

    Raises
    ------
    ModelError
        If the bytes are no whole protobuf message; says at which byte they end or go wrong.
    """
    payloads: list[Payload] = []
    bones = _Scanner(data, payloads).message("model", 0, len(data), 0)
    return bones, payloads


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


class _Scanner:
    """One walk through the bytes of a file."""

    def __init__(self, data: mmap | bytes, payloads: list[Payload]) -> None:
        self.data, self.payloads, self.kept = data, payloads, 0

    def message(self, kind: str, start: int, stop: int, depth: int) -> bytes:
        """Return a message without long values of tensors."""
        if depth > _DEEPEST:
            raise ModelError(f"byte {start}: messages are nested deeper than {_DEEPEST}")
        nested = _NESTED.get(kind, {})
        parts: list[bytes] = []
        for begin, field, wire, inner, end in self.fields(start, stop):
            inside = nested.get(field) if wire == 2 else None
            if wire == 2 and field in _TEXTS.get(kind, ()):
                self.check_text(inner, end)
            if inside == "tensor":
                part = self.tensor(inner, end)
            elif inside is not None:
                part = self.message(inside, inner, end, depth + 1)
            else:
                parts.append(self.keep(begin, end))
                continue
            parts.append(_varint(field << 3 | 2) + _varint(len(part)) + part)
        return b"".join(parts)

    def tensor(self, start: int, stop: int) -> bytes:
        """Return a tensor with its mark, without values if they are long."""
        parts: list[bytes] = []
        raw: int | None = None
        for begin, field, wire, inner, end in self.fields(start, stop):
            if field == _RAW and wire == 2:
                raw = end - inner
            if field in _VALUES and end - inner > KEPT_BYTES:
                continue
            if field == _ENTRY and wire == 2:
                self.message("entry", inner, end, 0)
            if field in _TEXTS["tensor"] and wire == 2:
                self.check_text(inner, end)
            if field != _MARK:
                parts.append(self.keep(begin, end))
        mark = str(len(self.payloads)).encode()
        self.payloads.append(Payload(start, stop, raw))
        return b"".join([*parts, _varint(_MARK << 3 | 2), _varint(len(mark)), mark])

    def check_text(self, start: int, stop: int) -> None:
        """Refuse a name that is no UTF-8, or of a length that no name has."""
        try:
            if stop - start > _LONGEST_NAME:
                raise ModelError(f"byte {start}: a name of {stop - start} bytes")
            bytes(self.data[start:stop]).decode()
        except UnicodeDecodeError:
            raise ModelError(f"byte {start}: a name that is no text") from None

    def keep(self, start: int, stop: int) -> bytes:
        """Return bytes as they are; refuse what is too much for a network."""
        self.kept += stop - start
        if self.kept > _MOST_BONES:
            raise ModelError(f"more than {_MOST_BONES} bytes besides the values of tensors")
        return bytes(self.data[start:stop])

    def fields(self, start: int, stop: int) -> Iterator[tuple[int, int, int, int, int]]:
        """Yield (first byte, field number, wire type, first byte of the value, byte after it)."""
        at = start
        while at < stop:
            begin = at
            key, at = self.varint(at, stop)
            field, wire = key >> 3, key & 7
            if field == 0 or wire not in (0, 1, 2, 5):
                raise ModelError(f"byte {begin}: no field of a protobuf message begins here")
            inner = at
            if wire == 0:
                _, at = self.varint(at, stop)
            elif wire == 2:
                size, inner = self.varint(at, stop)
                at = inner + size
            else:
                at += 8 if wire == 1 else 4
            if at > stop:
                raise ModelError(
                    f"byte {begin}: a field reaches to byte {at}, its message ends at byte {stop}"
                )
            yield begin, field, wire, inner, at

    def varint(self, at: int, stop: int) -> tuple[int, int]:
        """Return a number of 7 bits a byte, and the byte after it."""
        value = shift = 0
        begin = at
        while at < stop and shift < 70:
            byte = self.data[at]
            value |= (byte & 127) << shift
            at += 1
            if byte < 128:
                return value, at
            shift += 7
        raise ModelError(f"byte {begin}: a number does not end")
