"""N:M, blocks, channels, values and repeats, each made by hand and found again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energysim.errors import ShapeError, WeightsError
from energysim.inspection import find_blocks, find_channels, find_groups, inspect_layer
from energysim.inspection.support import Support, four_axes, ones
from energysim.inspection.values import find_repeats, find_values
from energysim.inspection.words import findings, value_words

QUIET = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))


def support(mask: np.ndarray) -> Support:
    shape = four_axes(mask.shape)
    return Support(shape, np.ascontiguousarray(mask, dtype=np.bool_).reshape(shape[0], shape[1], -1))


def n_of_m(rng, shape, kept, size):
    """A mask whose last axis holds exactly ``kept`` in each group of ``size``."""
    groups = rng.random((*shape[:-1], shape[-1] // size, size)).argsort(axis=-1) < kept
    return groups.reshape(shape)


@QUIET
@given(st.sampled_from([(2, 4), (1, 4), (4, 8), (1, 2), (3, 16)]), st.integers(0, 2**32 - 1))
def test_n_of_m_along_every_order(pattern, seed):
    rng = np.random.default_rng(seed)
    kept, size = pattern
    by_order = {
        "channels": n_of_m(rng, (24, 3, 3, 64), kept, size).transpose(0, 3, 1, 2),
        "filters": n_of_m(rng, (24, 3, 3, 64), kept, size).transpose(3, 0, 1, 2),
        "channel-tap": n_of_m(rng, (24, 64 * 9), kept, size).reshape(24, 64, 3, 3),
        "tap-channel": n_of_m(rng, (24, 9 * 60 // size * size), kept, size),
    }
    flat = by_order.pop("tap-channel")
    channels = flat.shape[1] // 9
    if channels * 9 == flat.shape[1]:  # whole windows
        by_order["tap-channel"] = flat.reshape(24, 3, 3, channels).transpose(0, 3, 1, 2)
    for order, mask in by_order.items():
        found = find_groups(support(mask))
        assert found is not None
        assert found.exact
        assert (found.kept, found.size) == pattern
        if order == "tap-channel" and channels % size == 0:
            order = "channels"  # the same groups
        assert found.order == order


def test_2_of_4_in_a_matrix_with_exceptions_and_a_rest():
    rng = np.random.default_rng(2)
    mask = np.zeros((32, 66), dtype=np.bool_)  # the last two columns are no whole group
    mask[:, :64] = n_of_m(rng, (32, 64), 2, 4)
    full = np.flatnonzero(~mask[:, :4].any(axis=0))
    assert full.size == 0
    mask[5, :4] = True  # two weights too many
    found = find_groups(support(mask))
    assert found is not None
    assert (found.kept, found.size, found.order, found.outside) == (2, 4, "channels", 2)


def test_groups_of_a_matrix_by_hand():
    """1:2 along filters of 8 x 16: rows 0 and 1, 2 and 3, ... never both."""
    mask = np.zeros((8, 256), dtype=np.bool_)
    first = np.random.default_rng(0).random((4, 256)) < 0.5
    mask[0::2], mask[1::2] = first, ~first
    found = find_groups(support(mask))
    assert found is not None
    assert str(found) == "1:2 along filters"


@QUIET
@given(st.integers(1, 6), st.integers(1, 6), st.booleans(), st.integers(0, 2**32 - 1))
def test_blocks_of_any_size(high, wide, matrix, seed):
    rng = np.random.default_rng(seed)
    kept = rng.random((9, 11)) < 0.5
    mask = np.kron(kept, np.ones((high, wide), dtype=np.bool_))
    taps = (1, 1) if matrix else (3, 3)
    whole = np.broadcast_to(mask[:, :, None, None], (*mask.shape, *taps))
    found = find_blocks(support(whole))
    if matrix and high * wide == 1:
        assert found is None  # single weights are unstructured
        return
    if found is None:  # too few blocks to tell from chance
        assert high * wide * taps[0] * taps[1] <= 3
        return
    assert found.exact
    assert (found.filters, found.channels) == (high, wide)
    assert (found.kept, found.total) == (int(kept.sum()), 99)


def test_blocks_with_exceptions():
    rng = np.random.default_rng(3)
    mask = np.kron(rng.random((8, 16)) < 0.5, np.ones((4, 2), dtype=np.bool_))
    at = np.argwhere(mask)[:3]
    mask[tuple(at.T)] = False
    mask[tuple(np.argwhere(~mask)[-1])] = True
    found = find_blocks(support(mask))
    assert found is not None
    assert (found.filters, found.channels) == (4, 2)
    assert (found.outside, found.zeros) == (1, 3)


def test_channels_of_grouped_layers():
    """6 filters in 2 groups of 4 input channels: channel 1 of the second group is input 5."""
    mask = np.ones((6, 4, 3, 3), dtype=np.bool_)
    mask[2] = False
    mask[3:, 1] = False
    found = find_channels(support(mask), 2)
    assert found.filters == (2,)
    assert found.channels == (5,)
    assert found.rest_dense
    mask[0, 0, 0, 0] = False
    assert find_channels(support(mask), 2).zeros == 1


def test_channel_pruning_is_the_structure():
    weights = np.random.default_rng(0).normal(size=(16, 16, 3, 3)).astype(np.float32)
    weights[[1, 4, 9, 10, 15]] = 0
    weights[:, [0, 7, 11]] = 0
    layer = inspect_layer("conv", weights)
    assert layer.channels.filters == (1, 4, 9, 10, 15)
    assert layer.channels.channels == (0, 7, 11)
    assert any(
        words == "holds nothing in 5 of 16 filters and 3 of 16 input channels; the rest is dense"
        for words in findings(layer)
    )


def test_densities_by_filter_and_position():
    weights = np.ones((2, 3, 2, 2), dtype=np.float32)
    weights[0, :, 0, 1] = 0
    weights[1, 2] = 0
    layer = inspect_layer("conv", weights)
    assert layer.per_filter == (9, 8)
    assert layer.per_tap == (5, 2, 5, 5)
    assert layer.patterns == 3  # without position 1, full, empty
    assert layer.window_counts == (0, 4)


@pytest.mark.parametrize(
    ("made", "kind", "distinct", "bits"),
    [
        (lambda r: np.where(r < 0.5, 0.25, -0.25), "binary", 2, 1),
        (lambda r: np.round(r * 2 - 1) * 0.5, "ternary", 2, 2),
        (lambda r: np.where(r < 0.5, 0.0, 3.0), "one value", 1, 1),
        (lambda r: np.floor(r * 256 - 128) * 0.0123, "grid", 255, 8),
        (lambda r: np.floor(r * 16 - 8).astype(np.int8), "grid", 15, 4),
        (lambda r: np.floor(r * 15 - 7) * 3.0, "grid", 14, 4),
        (lambda r: np.exp(np.floor(r * 5)), "levels", 5, 3),
        (lambda r: r, "continuous", None, None),
    ],
)
def test_values(made, kind, distinct, bits):
    array = made(np.random.default_rng(0).random((64, 64, 9)))
    array = array if array.dtype == np.int8 else array.astype(np.float32)
    found = find_values(array)
    assert (found.kind, found.bits) == (kind, bits)
    if kind != "continuous":
        assert found.distinct == distinct
    assert value_words(found)


def test_step_of_a_grid():
    k = np.random.default_rng(0).choice([-50, -14, 6, 10, 22], (40, 40))  # differences and values share 2
    found = find_values((k * 0.1).astype(np.float32))
    assert found.kind == "grid"
    assert found.step == pytest.approx(0.2, rel=1e-6)


def test_values_against_a_set():
    rng = np.random.default_rng(4)
    array = rng.choice(rng.normal(size=300).astype(np.float32), (300, 1000))
    array[::7] = 0
    assert find_values(array).distinct == len(set(array.reshape(-1).tolist()) - {0.0})


def test_repeats():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(10, 8, 9)).astype(np.float32)
    assert find_repeats(weights).filters == find_repeats(weights).windows == 0
    weights[7] = weights[2]
    weights[8] = weights[2]
    weights[0, 0] = weights[5, 5]
    weights[1, 1:3] = 0  # empty windows do not repeat each other
    weights[9] = 0
    found = find_repeats(weights)
    assert found.filters == 2
    assert found.windows == 17
    zero = np.zeros((2, 2, 9), dtype=np.float32)
    zero[0, 0, 0], zero[1, 1] = -0.0, [0, -0.0, 1, 0, 0, 0, 0, 0, 0]
    zero[0, 1] = [-0.0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert find_repeats(zero).windows == 1


def test_ones_counts_bits():
    words = np.array([[3, 255], [0, 2**63 + 1]], dtype=np.uint64)
    assert ones(words) == 2 + 8 + 2


def test_bad_arrays():
    with pytest.raises(WeightsError, match=r"layer 'conv': its weight at \(1, 0\) is nan"):
        inspect_layer("conv", np.array([[1.0], [np.nan]]))
    with pytest.raises(WeightsError, match="is inf"):
        inspect_layer("conv", np.array([[np.inf, 1]], dtype=np.float32))
    with pytest.raises(WeightsError, match="no real numbers"):
        inspect_layer("conv", np.array([["a"]]))
    with pytest.raises(ShapeError, match="2 to 5 axes"):
        inspect_layer("conv", np.ones(3))
    with pytest.raises(WeightsError, match="3 filters do not make 2 groups"):
        inspect_layer("conv", np.ones((3, 2)), groups=2)


def test_large_finite_weights_are_no_infinity():
    weights = np.full((64, 64), 3e38, dtype=np.float32)
    assert inspect_layer("fc", weights).structure == "dense"


def test_all_zero_layer_is_empty():
    layer = inspect_layer("conv", np.zeros((4, 4, 3, 3), dtype=np.float32))
    assert layer.structure == "empty"
    assert layer.storage == ()
    assert findings(layer) == ("all weights are 0",)


def test_of_storage_of_equal_size_the_simplest_is_named():
    """A tensor without zeros has no smaller form than the dense one; others are as small."""
    weights = np.random.default_rng(0).normal(size=(16, 4, 3, 3)).astype(np.float32)
    best, second, *_ = inspect_layer("l", weights).storage
    assert best.format == "dense"
    assert best.bits == 16 * 4 * 9 * 8 <= second.bits
