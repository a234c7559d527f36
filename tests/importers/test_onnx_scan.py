"""The wire format of protobuf, walked without the package onnx."""

from __future__ import annotations

import pytest

from energysim.errors import ModelError
from energysim.importers.onnx_scan import KEPT_BYTES, Payload, scan


def field(number: int, value: bytes) -> bytes:
    """A field with a length (wire type 2), by hand: key, length as a number of 7 bits a byte, value."""
    length, digits = len(value), bytearray()
    while length > 127:
        digits.append(length & 127 | 128)
        length >>= 7
    return bytes([number << 3 | 2]) + bytes([*digits, length]) + value


def tensor(values: bytes, name: bytes = b"w") -> bytes:
    """TensorProto: data_type (2) float, name (8), raw_data (9)."""
    return b"\x10\x01" + field(8, name) + field(9, values)


def test_long_values_stay_in_the_file() -> None:
    long, short = tensor(bytes(KEPT_BYTES + 1)), tensor(bytes(8))
    data = field(7, field(5, long) + field(5, short))
    bones, payloads = scan(data)
    assert len(bones) < 100
    # ModelProto.graph (7) . initializer (5): marked in doc_string (12) with its number.
    wanted = b"\x10\x01" + field(8, b"w") + field(12, b"0"), short + field(12, b"1")
    assert bones == field(7, field(5, wanted[0]) + field(5, wanted[1]))
    assert [data[p.start : p.stop] for p in payloads] == [long, short]
    assert [p.raw_bytes for p in payloads] == [KEPT_BYTES + 1, 8]


def test_tensors_of_attributes_and_branches() -> None:
    attribute = field(1, b"value") + field(5, tensor(bytes(2000)))
    branch = field(6, field(5, tensor(bytes(2000))))
    data = field(7, field(1, field(4, b"Constant") + field(5, attribute) + field(5, branch)))
    bones, payloads = scan(data)
    assert len(payloads) == 2
    assert len(bones) < 100


def test_a_mark_cannot_be_forged() -> None:
    """What a file says in a tensor's doc_string is not kept."""
    data = field(7, field(5, tensor(bytes(8)) + field(12, b"77")))
    bones, payloads = scan(data)
    assert b"77" not in bones
    start = data.index(b"\x10\x01")
    assert payloads == [Payload(start, len(data), 8)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (field(7, b"abc")[:-1], "byte 0: a field reaches to byte 5, its message ends at byte 4"),
        (b"\x08\xff", "byte 1: a number does not end"),
        (b"\x08" + b"\xff" * 11, "byte 1: a number does not end"),
        (b"\x00\x00", "byte 0: no field of a protobuf message begins here"),
        (b"\x0b", "byte 0: no field of a protobuf message begins here"),
        (b"\x09\x00", "byte 0: a field reaches to byte 9, its message ends at byte 2"),
        (field(7, field(2, b"\xff\xfe")), "byte 4: a name that is no text"),
        (field(7, field(1, field(4, bytes(70_000)))), "a name of 70000 bytes"),
    ],
)
def test_bytes_that_are_no_message(data: bytes, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        scan(data)
    assert message in str(caught.value)


def test_nesting_ends() -> None:
    """A branch in a branch in a branch: graph (7) . node (1) . attribute (5) . graph (6)."""
    graph = b""
    for _ in range(100):
        graph = field(1, field(5, field(6, graph)))
    with pytest.raises(ModelError, match="messages are nested deeper than 64"):
        scan(field(7, graph))
