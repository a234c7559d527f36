"""Random supports: the same for ever, exactly KSS positions a window, every position as often."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energysim.kernels import random_support

#: First half of the digests, computed once. They must NEVER change: reports name a scheme by its
#: seed, and a reader of an old report must get the same masks from it. If this test fails, the draw
#: is wrong, not the digest.
GOLDEN = {
    ((8, 4, 3, 3), 4, 0, 0): "415de2176eb3f9fea470d154ff3f6565",
    ((8, 4, 3, 3), 4, 1, 0): "4507b7759035de55c3cd0e623345ea13",
    ((8, 4, 3, 3), 4, 0, 1): "dbd75cce10bdf77145d01cdae73b1bb7",
    (
        (64, 32, 3, 3),
        2,
        2**64 - 1,
        2**32 - 1,
    ): "6a7bb46d58527d0294a86f3e26c0361d",
    (
        (5, 7, 5, 7),
        11,
        123456789,
        987654321,
    ): "b6538e54cadc8c7040890533336fe810",
    ((16, 16, 7, 7), 1, 0, 2**64 - 1): "027379cde989a7c869004c730b5bf4d0",
}


@pytest.mark.parametrize("arguments", GOLDEN)
def test_golden_digests(arguments):
    assert random_support(*arguments).digest[:32] == GOLDEN[arguments]


def philox(seed, stream, count):
    """Philox4x64-10 from its definition (Salmon, Moraes, Dror, Shaw, SC 2011), counting from 1."""
    mask, numbers, counter = 2**64 - 1, [], 0
    while len(numbers) < count:
        counter += 1
        x, keys = [counter, 0, 0, 0], [seed, stream]
        for _ in range(10):
            a, b = 0xD2E7470EE14C6C93 * x[0], 0xCA5A826395121157 * x[2]
            x = [(b >> 64) ^ x[1] ^ keys[0], b & mask, (a >> 64) ^ x[3] ^ keys[1], a & mask]
            keys = [(keys[0] + 0x9E3779B97F4A7C15) & mask, (keys[1] + 0xBB67AE8584CAA73B) & mask]
        numbers += x
    return numbers[:count]


@pytest.mark.parametrize(("seed", "stream"), [(7, 9), (2**64 - 1, 2**64 - 1), (0, 1)])
def test_the_draw_is_written_down(seed, stream):
    """A reader without this program or NumPy can make the masks anew."""
    shape, kept = (2, 3, 3, 2), 2
    numbers = philox(seed, stream, 36)
    found = random_support(shape, kept, seed, stream).mask().reshape(6, 6)
    for window in range(6):
        drawn = numbers[6 * window : 6 * window + 6]
        assert found[window].tolist() == [sorted(drawn).index(x) < kept for x in drawn]


@settings(deadline=None, max_examples=100)
@given(
    st.tuples(*(st.integers(1, n) for n in (12, 12, 7, 7))),
    st.data(),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
)
def test_every_window_keeps_as_many(shape, data, seed, stream):
    m, c, r, s = shape
    kept = data.draw(st.integers(0, r * s))
    kernel = random_support(shape, kept, seed, stream)
    assert kernel.weights_per_window() == ((kept, m * c),)
    assert kernel.nonzeros == m * c * kept
    assert kernel == random_support(shape, kept, seed, stream)
    assert kernel.nonzeros_in_tile(np.array([m]), np.array([1])).tolist() == [m * kept]


@pytest.mark.parametrize("kept", [1, 2, 4, 8])
def test_every_position_is_as_frequent(kept):
    """Chi-square over the nine positions of 40,000 windows, far below its 1e-9 quantile."""
    windows = 200 * 200
    found = random_support((200, 200, 3, 3), kept, 3, 4).mask().sum(axis=(0, 1)).reshape(-1)
    expected = windows * kept / 9
    variance = windows * kept / 9 * (1 - kept / 9)
    assert float((((found - expected) ** 2) / variance).sum()) * 8 / 9 < 60


def test_every_support_is_as_frequent():
    """All 126 supports of 4 positions occur, evenly: the draw is uniform over sets, too."""
    mask = random_support((200, 200, 3, 3), 4, 5, 6).mask().reshape(-1, 9)
    numbers, counts = np.unique((mask * (1 << np.arange(9))).sum(axis=1), return_counts=True)
    assert len(numbers) == 126
    expected = 200 * 200 / 126
    assert float(((counts - expected) ** 2 / expected).sum()) < 230  # 125 degrees: 1e-7


def test_windows_are_independent_of_their_neighbours():
    mask = random_support((200, 200, 3, 3), 1, 8, 8).mask().reshape(-1, 9).argmax(axis=1)
    same = float((mask[1:] == mask[:-1]).mean())
    assert abs(same - 1 / 9) < 0.01


def test_seeds_and_streams_differ():
    keys = [(0, 0), (0, 1), (1, 0), (1, 1), (2**64 - 1, 0), (0, 2**64 - 1), (2**63, 0)]
    assert len({random_support((16, 16, 3, 3), 4, *key) for key in keys}) == len(keys)


def test_a_larger_tensor_begins_alike():
    """Windows are drawn in order: more filters do not change the first ones."""
    small, large = (random_support((m, 5, 3, 3), 4, 1, 2).mask() for m in (3, 8))
    np.testing.assert_array_equal(large[:3], small)
