"""Properties of every format: bytes, sizes, tiles and expectations agree; damaged bytes are refused."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energysim.errors import FormatError
from energysim.formats import decode, get_format, layout_of
from energysim.formats.slots import kernel_slots

ANY = [
    "dense",
    "bitmap",
    "coo",
    "csr",
    "csr:index=32,pointer=64",
    "csr:row_axes=2",
    "index",
    "pattern",
    "pattern:dictionary=free",
    "rlc",
    "rlc:run=2,pairs=2",
    "rlc:run=1,value=32,pairs=1",
]
PERIODIC = ["periodic", "periodic:period=60", "index:counts=free"]
FORMATS = [get_format(text) for text in (*ANY, *PERIODIC)]
any_format = pytest.mark.parametrize("fmt", FORMATS, ids=str)
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

shapes = st.one_of(
    st.lists(st.integers(0, 5), max_size=5).map(tuple),
    st.sampled_from([(), (1,), (40,), (3, 4, 1, 7), (4, 3, 7, 1), (2, 3, 3, 3), (5, 1, 3, 3), (2, 2, 9, 9)]),
)


@st.composite
def tensors(draw, periodic=False):
    """Shape, mask and values in the same draw; the mask follows the slot rule if asked to."""
    shape = draw(shapes)
    bits = draw(st.integers(1, 32))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.sampled_from([0.0, 0.05, 0.3, 0.8, 1.0]))
    mask = np.asarray(rng.random(shape) < density)
    if periodic:
        rows, columns = (*shape, 1, 1)[:2]
        table = rng.random((draw(st.integers(1, 6)), *shape[2:])) < density
        mask = table[kernel_slots(rows, columns, len(table))].reshape(shape)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    values = np.asarray(rng.integers(low, high, shape, endpoint=True))
    extreme = np.asarray(rng.random(shape) < 0.2)
    return np.where(mask, np.where(extreme, low, values), 0), mask, bits


def tensors_for(fmt):
    return tensors(periodic=str(fmt) in PERIODIC)


@any_format
@quick
@given(data=st.data())
def test_round_trip_and_exact_size(fmt, data):
    array, mask, bits = data.draw(tensors_for(fmt))
    encoded = fmt.encode(array, bits, mask)
    assert encoded.payload_bits == fmt.size_bits(mask, bits).total_bits
    assert encoded.header_bits % 8 == 0
    assert len(encoded.data) == -(-(encoded.header_bits + encoded.payload_bits) // 8)
    decoded = fmt.decode(encoded.data)
    assert decoded.shape == array.shape
    np.testing.assert_array_equal(decoded, array)


@pytest.mark.parametrize("text", ANY)
@quick
@given(tensor=tensors())
def test_nonzeros_are_the_default_mask(text, tensor):
    array, _, bits = tensor
    fmt = get_format(text)
    encoded = fmt.encode(array, bits)
    assert encoded.payload_bits == fmt.size_bits(array, bits).total_bits
    assert encoded == fmt.encode(array, bits, array != 0)
    np.testing.assert_array_equal(decode(encoded.data), array)


@any_format
@quick
@given(data=st.data())
def test_layout_and_tiles_agree_with_the_mask(fmt, data):
    _, mask, bits = data.draw(tensors_for(fmt))
    layout, size = layout_of(mask), fmt.size_bits(mask, bits)
    assert fmt.layer_bits(layout, bits, mask) == size
    rows = fmt.matrix_shape(mask.shape)[0] if fmt.name == "csr" else None
    whole = fmt.tile_bits(layout.nonzeros, layout.kernels, layout.elements, bits, layout, rows)
    whole += fmt.table_bits(layout)
    if fmt.needs_mask:
        assert whole >= size.total_bits
    else:
        assert whole == size.total_bits
        assert size.value_bits == (layout.elements if fmt.name == "dense" else layout.nonzeros) * bits


@any_format
@quick
@given(shape=shapes, bits=st.integers(1, 32))
def test_expected_is_exact_for_empty_and_full_tensors(fmt, shape, bits):
    for density in (0, 1):
        mask = np.full(shape, bool(density))
        assert fmt.expected_size_bits(shape, Fraction(density), bits) == fmt.size_bits(mask, bits)


@pytest.mark.parametrize("text", ANY)
@quick
@given(
    shape=shapes, bits=st.integers(1, 32), ends=st.tuples(*[st.fractions(0, 1, max_denominator=10**9)] * 2)
)
def test_expected_size_grows_with_density(text, shape, bits, ends):
    """Open interval only: at 0 and 1 the counts of ``index`` and the patterns of ``pattern`` collapse."""
    fmt = get_format(text)
    low, high = sorted(ends)
    if low == 0 or high == 1:
        return
    small, large = (fmt.expected_size_bits(shape, density, bits) for density in (low, high))
    assert small.total_bits <= large.total_bits
    assert small.value_bits <= large.value_bits


@any_format
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_bytes_raise_only_our_own_error(fmt, data):
    array, mask, bits = data.draw(tensors_for(fmt))
    good = fmt.encode(array, bits, mask).data
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    for bad in (bytes(damaged), bytes(damaged) + b"\0", bytes(damaged[: len(damaged) // 2])):
        for reader in (fmt.decode, decode):
            try:
                reader(bad)
            except FormatError:
                continue


@any_format
@quick
@given(data=st.data())
def test_truncated_or_longer_bytes_are_refused(fmt, data):
    array, mask, bits = data.draw(tensors_for(fmt))
    good = fmt.encode(array, bits, mask).data
    cut = data.draw(st.integers(0, len(good) - 1))
    for bad in (good[:cut], good + b"\0", good + b"\x01"):
        with pytest.raises(FormatError):
            fmt.decode(bad)


@given(junk=st.binary(max_size=40))
def test_junk(junk):
    for fmt in FORMATS:
        with pytest.raises(FormatError):
            fmt.decode(junk)


@any_format
def test_absurd_headers_allocate_nothing(fmt):
    """Shapes and counts far beyond the bytes: refused, or an all-zero tensor that is never touched."""
    text = str(fmt).encode()
    huge = b"\xff" * 8 + b"\x7f"
    for dimensions in (
        b"\x01" + huge,
        b"\x02" + huge + b"\x00",
        b"\x02\x80\x80\x40\x80\x01",
        b"\x20" + b"\x01" * 32,
    ):
        for rest in (b"\x08", b"\x08\x00", b"\x08\x01", b"\x08\x01\x00", b"\x08" + huge, b"\x08\x01" + huge):
            try:
                decoded = fmt.decode(bytes([len(text)]) + text + dimensions + rest + b"\x00")
            except FormatError:
                continue
            assert decoded.size <= 2**28
