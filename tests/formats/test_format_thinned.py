"""``nm`` and ``blocks``: sizes by hand, filling up, and tensors they cannot hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energysim.errors import FormatError
from energysim.formats import StorageSize, decode, get_format, layout_of


def test_two_of_four_by_hand():
    """fp16 2:4: 36 bits for 4 weights instead of 64 (1.78x); int8 20 instead of 32 (1.6x)."""
    row = np.array([[0, 5, 0, -3]])
    assert get_format("nm").size_bits(row, 16) == StorageSize(32, 4)
    assert get_format("nm").size_bits(row, 8) == StorageSize(16, 4)
    encoded = get_format("nm").encode(row, 8)
    payload = "".join(f"{byte:08b}" for byte in encoded.data)[encoded.header_bits :][: encoded.payload_bits]
    assert payload == "01" + "11" + f"{5:08b}" + f"{256 - 3:08b}"


def test_a_group_with_fewer_weights_is_filled_up():
    array = np.array([[0, 0, 0, 7], [0, 0, 0, 0]])
    encoded = get_format("nm").encode(array, 8)
    assert encoded.payload_bits == 2 * 20
    assert np.array_equal(decode(encoded.data), array)


def test_what_nm_cannot_hold():
    with pytest.raises(FormatError, match="a group of 4 holds 3 weights, 2 at most are stored"):
        get_format("nm").size_bits(np.array([[1, 1, 1, 0]]), 8)
    with pytest.raises(FormatError, match="groups of 4 do not divide 6 consecutive input channels"):
        get_format("nm").size_bits(np.zeros((2, 6), int), 8)
    with pytest.raises(FormatError, match="5 of 4 weights cannot be kept"):
        get_format("nm:kept=5,size=4")


def test_blocks_by_hand():
    """5 x 3 filters and channels, 2 taps, blocks of 2 x 2: 3 x 2 blocks a tap; edges are smaller."""
    mask = np.zeros((5, 3, 2), bool)
    mask[4, 2, 1] = True  # the corner block of tap 1 holds one weight
    mask[:2, :2, 0] = True  # a whole block of 4
    one = get_format("blocks:rows=2,cols=2")
    assert one.size_bits(mask, 8) == StorageSize((1 + 4) * 8, 12)
    every = get_format("blocks:rows=2,cols=2,taps=all")
    with pytest.raises(FormatError, match="holds whole blocks"):
        every.size_bits(mask, 8)
    mask[4, 2] = mask[:2, :2] = True
    assert every.size_bits(mask, 8) == StorageSize((2 + 8) * 8, 6)
    encoded = one.encode(np.zeros((5, 3, 2), int), 8, mask)
    assert encoded.payload_bits == 10 * 8 + 12


@settings(deadline=None, max_examples=150)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(1, 3)),
    st.integers(0, 2**32 - 1),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from(["one", "all"]),
    st.integers(2, 12),
)
def test_blocks_come_back(shape, seed, rows, cols, taps, bits):
    rng = np.random.default_rng(seed)
    m, c, r, s = shape
    grid = rng.random((-(-m // rows), -(-c // cols), r * s if taps == "one" else 1)) < rng.random()
    mask = np.zeros(shape, bool).reshape(m, c, r * s)
    for f in range(m):
        for k in range(c):
            mask[f, k] = grid[f // rows, k // cols]
    mask = mask.reshape(shape)
    array = np.where(mask, rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape), 0)
    storage = get_format(f"blocks:rows={rows},cols={cols},taps={taps}")
    encoded = storage.encode(array, bits, mask)
    assert np.array_equal(decode(encoded.data), array)
    assert encoded.payload_bits == int(mask.sum()) * bits + grid.size
    assert encoded.payload_bits == storage.layer_bits(layout_of(mask), bits, mask).total_bits
    assert encoded.payload_bits == storage.tile_bits(int(mask.sum()), m * c, mask.size, bits, layout_of(mask))


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(["channels", "filters", "channel-tap", "tap-channel"]),
    st.integers(1, 8),
    st.data(),
    st.integers(0, 2**32 - 1),
)
def test_groups_come_back(order, size, data, seed):
    kept = data.draw(st.integers(1, size))
    rng = np.random.default_rng(seed)
    shape = (size * int(rng.integers(1, 3)), size * int(rng.integers(1, 3)), *rng.integers(1, 4, 2).tolist())
    storage = get_format(f"nm:kept={kept},size={size},order={order}")
    scores = rng.random(shape)
    axis = {"channels": 1, "filters": 0}.get(order)
    if axis is not None:
        lines = np.moveaxis(scores, axis, -1)
    elif order == "channel-tap":
        lines = scores
    else:
        lines = np.moveaxis(scores, 1, -1)
    groups = lines.reshape(-1, size)
    # At most N of each group, by an independent way: those above the (N+1)-th largest.
    limit = np.sort(groups, axis=1)[:, ::-1]
    cut = limit[:, kept : kept + 1] if kept < size else np.full((len(groups), 1), -1.0)
    chosen = (groups > cut).reshape(lines.shape)
    if axis is not None:
        mask = np.moveaxis(chosen, -1, axis)
    elif order == "channel-tap":
        mask = chosen
    else:
        mask = np.moveaxis(chosen, -1, 1)
    array = np.where(mask, rng.integers(-8, 8, shape), 0)
    encoded = storage.encode(array, 4, mask)
    assert np.array_equal(decode(encoded.data), array)
    assert encoded.payload_bits == array.size // size * kept * (4 + (size - 1).bit_length())
