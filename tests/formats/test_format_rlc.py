"""Run-length compression: strings whose pairs are counted by hand, and expected sizes."""

from fractions import Fraction

import numpy as np
import pytest

from energysim.errors import FormatError
from energysim.formats import StorageSize, WeightLayout, get_format

RLC = get_format("rlc")
SEQUENCE = [0, 0, 12, 0, 0, 0, 0, 53, 0, 0, 22]


def field(bits, start, width):
    return int("".join(map(str, bits[start : start + width])), 2)


@pytest.mark.parametrize(
    ("values", "pairs", "bits"),
    [
        ([7] * 32, 32, 704),
        ([0] * 32, 1, 64),
        ([0] * 31 + [5], 1, 64),
        ([0] * 32 + [5], 2, 64),
        ([0] * 33, 2, 64),
        ([0] * 96, 3, 64),
        ([0] * 97, 4, 128),
        (SEQUENCE, 3, 64),
        ([0, 1] * 16, 16, 384),
        ([5] + [0] * 32, 2, 64),
        ([], 0, 0),
    ],
)
def test_strings(values, pairs, bits):
    array = np.array(values, dtype=np.int64)
    assert RLC.pair_count(array != 0) == pairs
    assert RLC.size_bits(array, 16) == StorageSize(16 * pairs, bits - 16 * pairs)
    encoded = RLC.encode(array, 16)
    assert encoded.payload_bits == bits
    np.testing.assert_array_equal(RLC.decode(encoded.data), array)


def test_word_layout():
    encoded = RLC.encode(np.array(SEQUENCE), 16)
    bits = np.unpackbits(np.frombuffer(encoded.data, np.uint8))[encoded.header_bits :].tolist()
    pairs = [(field(bits, at, 5), field(bits, at + 5, 16)) for at in (0, 21, 42)]
    assert pairs == [(2, 12), (4, 53), (2, 22)]
    assert bits[63] == 1  # the only word is the last


def test_flag_is_in_the_last_word_only():
    encoded = RLC.encode(np.full(7, -1), 16)
    bits = np.unpackbits(np.frombuffer(encoded.data, np.uint8))[encoded.header_bits :].reshape(-1, 64)
    assert bits[:, 63].tolist() == [0, 0, 1]


def test_dense_ratio():
    size = RLC.size_bits(np.ones(3 * 2**10, dtype=np.int64), 16).total_bits
    assert Fraction(16 * 3 * 2**10, size) == Fraction(3, 4)


@pytest.mark.parametrize(
    ("density", "rlc", "bitmap"),
    [
        ("0.01", "0.776", "1.16"),
        ("0.05", "1.323", "1.8"),
        ("0.10", "2.209", "2.6"),
        ("0.25", "5.334", "5.0"),
        ("0.5", "10.667", "9.0"),
        ("0.75", "16", "13"),
        ("1.0", "21.333", "17"),
    ],
)
def test_expected_bits_per_element(density, rlc, bitmap):
    elements = 3 * 10**8
    for text, printed in (("rlc", rlc), ("bitmap", bitmap)):
        size = get_format(text).expected_size_bits((elements,), Fraction(density), 16)
        digits = len(printed.partition(".")[2])
        assert f"{float(Fraction(size.total_bits, elements)):.{digits}f}" == printed


def test_rlc_beats_bitmap_below_its_break_even_density():
    def smaller(density):
        sizes = [
            get_format(t).expected_size_bits((3 * 10**7,), Fraction(density), 16) for t in ("rlc", "bitmap")
        ]
        return sizes[0].total_bits < sizes[1].total_bits

    assert smaller("0.1864")
    assert not smaller("0.1866")


def test_expected_matches_random_tensors():
    rng = np.random.default_rng(3)
    for density in (Fraction(1, 100), Fraction(1, 10), Fraction(1, 2)):
        mask = rng.random(200_000) < float(density)
        real = RLC.size_bits(mask, 16).total_bits
        expected = RLC.expected_size_bits(mask.shape, density, 16).total_bits
        assert abs(real - expected) < 0.02 * expected


@pytest.mark.parametrize("elements", [0, 1, 31, 32, 33, 1000])
@pytest.mark.parametrize("density", [0, 1])
def test_expected_is_exact_at_the_ends(elements, density):
    mask = np.full(elements, bool(density))
    assert RLC.expected_size_bits((elements,), Fraction(density), 16) == RLC.size_bits(mask, 16)


def test_parameters():
    narrow = get_format("rlc:run=3,value=16,pairs=2")
    array = np.array([0] * 8 + [3] + [0] * 9)
    # a filler, (0, 3), a filler, a trailing zero: two words of 2 (3 + 16) + 1 bits
    assert narrow.size_bits(array, 8) == StorageSize(4 * 16, 2 * 39 - 4 * 16)
    np.testing.assert_array_equal(narrow.decode(narrow.encode(array, 8).data), array)
    assert RLC.word_bits(8) == 40
    with pytest.raises(FormatError, match="16-bit levels cannot hold 17-bit values"):
        narrow.size_bits(array, 17)


def test_layout_alone_is_not_enough():
    assert RLC.needs_mask
    with pytest.raises(FormatError, match="needs the mask"):
        RLC.layer_bits(WeightLayout((4,), 2), 8)


def test_tile_bound_is_reached():
    layout = WeightLayout((2, 66), 2)
    assert RLC.tile_bits(2, 132, 132, 16, layout) == 3 * 64  # 2 + ceil(130 / 32) = 7 pairs
    worst = np.zeros((2, 66), dtype=bool)
    worst.reshape(-1)[[0, 1]] = True  # both values first, then 130 zeros: 2 + 5 pairs
    assert RLC.size_bits(worst, 16).total_bits == 3 * 64
