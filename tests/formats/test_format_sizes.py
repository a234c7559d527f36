"""Sizes by hand, format by format, and what each refuses."""

from fractions import Fraction

import numpy as np
import pytest

from energysim.errors import FormatError
from energysim.formats import StorageSize, WeightLayout, bits_for, get_format, layout_of

# (2, 3, 1, 2): six kernels of a 1x2 shape; kernel (f, c) follows (f + c + 1) mod 2
PERIODIC = np.array([[[[1, 2]], [[0, 3]], [[4, 5]]], [[[0, -6]], [[7, -8]], [[0, 1]]]])


def size(text, array, value_bits=4):
    return get_format(text).size_bits(np.asarray(array), value_bits)


def test_bits_for_is_the_ceiling_of_log2():
    assert [bits_for(n) for n in (0, 1, 2, 3, 4, 5, 8, 9, 512, 513)] == [0, 0, 1, 2, 2, 3, 3, 4, 9, 10]


@pytest.mark.parametrize(
    ("text", "value_bits", "side_bits"),
    [
        ("dense", 12 * 4, 0),
        ("bitmap", 9 * 4, 12),
        # 2 x 6 matrix: 3-bit columns, 3 pointers of ceil(log2 10) bits
        ("csr", 9 * 4, 9 * 3 + 3 * 4),
        ("csr:index=32,pointer=32", 9 * 4, 9 * 32 + 3 * 32),
        ("csr:index=8", 9 * 4, 9 * 8 + 3 * 4),
        # two axes as rows: 6 x 2 matrix
        ("csr:row_axes=2", 9 * 4, 9 * 1 + 7 * 4),
        ("coo", 9 * 4, 9 * (1 + 2 + 0 + 1)),
        # six counts of 0 to 2
        ("index", 9 * 4, 9 * 1 + 6 * 2),
        ("index:counts=free", 9 * 4, 9 * 1),
        ("pattern", 9 * 4, 6 * 1 + 2 * 2),
        ("pattern:dictionary=free", 9 * 4, 6 * 1),
        ("periodic", 9 * 4, 2 * 2),
        ("periodic:period=6", 9 * 4, 6 * 2),
        ("periodic:period=5", 9 * 4, 5 * 2),  # covers the 4 different f + c
    ],
)
def test_by_hand(text, value_bits, side_bits):
    expected = StorageSize(value_bits, side_bits)
    assert size(text, PERIODIC) == expected
    assert expected.total_bits == value_bits + side_bits
    fmt = get_format(text)
    encoded = fmt.encode(PERIODIC, 4)
    assert encoded.payload_bits == expected.total_bits
    np.testing.assert_array_equal(fmt.decode(encoded.data), PERIODIC)


def test_bits_on_the_wire():
    """Bitmap of the tensor [0, 5, -1, 0] with 4-bit values, after the documented header."""
    data = get_format("bitmap").encode(np.array([0, 5, -1, 0]), 4).data
    assert data == b"\x06bitmap\x01\x04\x04" + bytes([0b01100101, 0b11110000])


def test_index_of_a_3x3_kernel_takes_four_bits():
    one = WeightLayout((16, 16, 3, 3), 4 * 256, uniform_count=4)
    assert get_format("index").layer_bits(one, 8) == StorageSize(1024 * 8, 1024 * 4)


def test_matrices_have_kernels_of_one_position():
    eye = np.eye(3, dtype=np.int64)
    assert size("index", eye) == StorageSize(12, 9)  # a count of 0 or 1 per kernel: a bitmap
    assert size("pattern", eye) == StorageSize(12, 9 + 2)
    assert size("csr", eye) == StorageSize(12, 3 * 2 + 4 * 2)


def test_formula_for_activations():
    fmt, mask = get_format("csr:row_axes=2"), np.ones((2, 3, 4, 5), dtype=bool)
    assert fmt.size_bits(mask, 8) == StorageSize(120 * 8, 120 * 5 + 7 * 7)


def test_bitmap_breaks_even_with_dense():
    for bits in (2, 8, 16):
        density = 1 - Fraction(1, bits)
        sizes = [get_format(t).expected_size_bits((160,), density, bits) for t in ("bitmap", "dense")]
        assert sizes[0].total_bits == sizes[1].total_bits


def test_csr_is_larger_than_dense_above_its_break_even():
    # 512 columns: 9 index bits; p = 8 / 17 makes the indices and values alone equal to dense
    dense = get_format("dense").expected_size_bits((1000, 512), Fraction(1), 8).total_bits
    assert get_format("csr").expected_size_bits((1000, 512), Fraction(8, 17), 8).total_bits > dense
    assert get_format("csr").expected_size_bits((1000, 512), Fraction(45, 100), 8).total_bits < dense


def test_expected_counts_are_rounded_up_once():
    assert get_format("bitmap").expected_size_bits((10,), Fraction(1, 3), 8) == StorageSize(4 * 8, 10)
    # the dictionary is complete: min(6 kernels, 2^2 patterns)
    assert get_format("pattern").expected_size_bits((2, 3, 1, 2), Fraction(1, 2), 4) == StorageSize(
        24, 12 + 8
    )
    assert get_format("index").expected_size_bits((2, 3, 1, 2), Fraction(1, 2), 4) == StorageSize(24, 6 + 12)


@pytest.mark.parametrize("density", [Fraction(-1, 2), Fraction(3, 2)])
@pytest.mark.parametrize("text", ["dense", "rlc", "csr"])
def test_densities_outside_zero_and_one(text, density):
    with pytest.raises(FormatError, match="between 0 and 1"):
        get_format(text).expected_size_bits((4,), density, 8)


@pytest.mark.parametrize(
    ("text", "array", "message"),
    [
        ("periodic", np.eye(3, dtype=int), "not periodic: kernels"),  # corners (0,2), (2,0) against (1,1)
        ("periodic:period=3", PERIODIC, "not periodic with period 3, only with 2"),
        ("index:counts=free", np.eye(3, dtype=int), "no such period"),
        ("csr:index=2", PERIODIC, "2-bit indices cannot count the 6 columns"),
        ("csr:pointer=3", PERIODIC, "3-bit pointers cannot count 9 nonzeros"),
        ("rlc:value=3", PERIODIC, "3-bit levels cannot hold 4-bit values"),
    ],
)
def test_tensors_a_format_cannot_hold(text, array, message):
    fmt = get_format(text)
    with pytest.raises(FormatError, match=message):
        fmt.size_bits(array, 4)
    with pytest.raises(FormatError, match=message):
        fmt.encode(array, 4)


@pytest.mark.parametrize("text", ["periodic", "index:counts=free"])
def test_random_tensors_have_no_period(text):
    with pytest.raises(FormatError, match="period"):
        get_format(text).expected_size_bits((4, 4, 3, 3), Fraction(1, 2), 8)
    assert get_format(text).expected_size_bits((4, 4, 3, 3), Fraction(1), 8).value_bits == 144 * 8


def test_pattern_needs_to_know_the_patterns():
    with pytest.raises(FormatError, match="distinct kernel patterns"):
        get_format("pattern").layer_bits(WeightLayout((2, 2, 3, 3), 4), 8)


@pytest.mark.parametrize(
    ("array", "value_bits", "message"),
    [
        (np.array([8]), 4, "do not fit 4 bits"),
        (np.array([-9]), 4, "do not fit 4 bits"),
        (np.array([2**63], dtype=np.uint64), 32, "do not fit 32 bits"),
        (np.array([0.5]), 8, "integers are needed"),
        (np.array([0]), 0, "1 to 32"),
        (np.array([0]), 33, "1 to 32"),
        (np.zeros((2**15, 2**14, 0), dtype=int), 8, "larger than"),
    ],
)
def test_tensors_no_format_encodes(array, value_bits, message):
    with pytest.raises(FormatError, match=message):
        get_format("bitmap").encode(array, value_bits)


def test_mask_must_cover_the_nonzeros():
    with pytest.raises(FormatError, match="does not cover"):
        get_format("bitmap").encode(np.array([1, 2]), 8, np.array([True, False]))
    with pytest.raises(FormatError, match="does not cover"):
        get_format("bitmap").encode(np.array([1, 2]), 8, np.array([True]))


def test_tiles_over_arrays():
    layout = WeightLayout((64, 64, 3, 3), 1024 * 8, period=8, distinct_patterns=5)
    nonzeros, kernels = np.array([8, 16, 8192]), np.array([4, 8, 4096])
    tile = {
        text: get_format(text).tile_bits(nonzeros, kernels, kernels * 9, 8, layout).tolist()
        for text in (
            "dense",
            "bitmap",
            "coo",
            "csr",
            "index",
            "index:counts=free",
            "pattern",
            "periodic",
            "rlc",
        )
    }
    assert tile == {
        "dense": [4 * 72, 8 * 72, 4096 * 72],
        "bitmap": [8 * 8 + 36, 16 * 8 + 72, 8192 * 8 + 36864],
        "coo": [8 * 24, 16 * 24, 8192 * 24],
        # 10-bit columns of 576, 14-bit pointers, at most one row per kernel and 64 rows
        "csr": [8 * 18 + 5 * 14, 16 * 18 + 9 * 14, 8192 * 18 + 65 * 14],
        "index": [8 * 12 + 4 * 4, 16 * 12 + 8 * 4, 8192 * 12 + 4096 * 4],
        "index:counts=free": [8 * 12, 16 * 12, 8192 * 12],
        "pattern": [8 * 8 + 4 * 3, 16 * 8 + 8 * 3, 8192 * 8 + 4096 * 3],
        "periodic": [64, 128, 65536],
        # pairs: 8 + 1, 16 + 2, 8192 + 896, three to a word of 40 bits
        "rlc": [3 * 40, 6 * 40, 3030 * 40],
    }
    rows = np.array([2, 2, 64])
    csr = get_format("csr").tile_bits(nonzeros, kernels, kernels * 9, 8, layout, rows)
    assert csr.tolist() == [8 * 18 + 3 * 14, 16 * 18 + 3 * 14, 8192 * 18 + 65 * 14]


def test_tiles_of_plain_integers_stay_integers():
    layout = layout_of(PERIODIC != 0)
    for text in ("dense", "bitmap", "coo", "csr", "index", "pattern", "periodic", "rlc"):
        assert type(get_format(text).tile_bits(9, 6, 12, 4, layout)) is int
        assert type(get_format(text).table_bits(layout)) is int
