"""Every closed form of a kernel against counting positions one by one in its mask."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energysim.kernels import CyclicKernel, DenseKernel, Kernel, MaskKernel, PeriodicKernel

quick = settings(deadline=None, max_examples=150)


@st.composite
def periodic(draw, most=9):
    """Slots and shape: small tensors in which P, M and C relate in every way."""
    m, c = draw(st.integers(1, most)), draw(st.integers(1, most))
    r, s = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    subsets = st.sets(st.integers(0, r * s - 1), max_size=r * s).map(lambda taps: tuple(sorted(taps)))
    slots = draw(st.lists(subsets, min_size=1, max_size=12))
    return PeriodicKernel((m, c, r, s), tuple(slots)), tuple(slots)


@st.composite
def masked(draw):
    shape = tuple(draw(st.integers(1, most)) for most in (9, 9, 4, 4))
    density = draw(st.sampled_from([0, 0.1, 0.5, 0.9, 1]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return MaskKernel(rng.random(shape) < density)


@st.composite
def cyclic(draw):
    """Fan-in, step and shape in every relation, filters fewer and more than channels."""
    m, c, r, s = (draw(st.integers(1, most)) for most in (30, 13, 3, 2))
    fan = draw(st.integers(1, c))
    step = draw(st.integers(1, max(1, (c - 1) // max(1, fan - 1))))
    return CyclicKernel((m, c, r, s), fan, step)


dense = st.tuples(*(st.integers(1, most) for most in (9, 9, 4, 4))).map(DenseKernel)
kernels = st.one_of(periodic().map(lambda pair: pair[0]), masked(), dense, cyclic())


def by_definition(shape, slots):
    """The mask written down from the rule of the paper, one window at a time."""
    m, c, _, s = shape
    mask = np.zeros(shape, dtype=bool)
    for f in range(m):
        for channel in range(c):
            for position in slots[(f + channel + 1) % len(slots)]:
                mask[f, channel, position // s, position % s] = True
    return mask


def fullest_tile(counts, filters, channels):
    """The most weights of a tile, over all its positions."""
    m, c = counts.shape
    return max(
        int(counts[f : f + filters, d : d + channels].sum())
        for f in range(m - filters + 1)
        for d in range(c - channels + 1)
    )


def pairs(values):
    return tuple(sorted(Counter(int(v) for v in np.ravel(values)).items()))


@quick
@given(periodic())
def test_mask_is_the_definition(drawn):
    kernel, slots = drawn
    np.testing.assert_array_equal(kernel.mask(), by_definition(kernel.shape, slots))


@quick
@given(cyclic())
def test_cyclic_mask_is_the_definition(kernel: CyclicKernel):
    """Window (f, c) exists if and only if c is one of the F channels f, f + d, f + 2d, ... modulo C."""
    m, channels, _, _ = kernel.shape
    expected = [
        [any((f + k * kernel.step) % channels == c for k in range(kernel.fan)) for c in range(channels)]
        for f in range(m)
    ]
    mask = kernel.mask()
    assert mask.all(axis=(2, 3)).tolist() == mask.any(axis=(2, 3)).tolist() == expected
    assert kernel.nonzeros == m * kernel.fan * kernel.shape[2] * kernel.shape[3]


@quick
@given(kernels)
def test_counts(kernel: Kernel):
    mask = kernel.mask()
    m, c, r, s = kernel.shape
    assert mask.shape == kernel.shape
    assert mask.dtype == bool
    assert kernel.nonzeros == int(mask.sum())
    assert type(kernel.nonzeros) is int
    assert kernel.is_dense == bool(mask.all())
    assert kernel.weights_per_filter() == pairs(mask.sum(axis=(1, 2, 3)))
    assert kernel.weights_per_window() == pairs(mask.sum(axis=(2, 3)))
    assert kernel.distinct_patterns == len({w.tobytes() for w in mask.reshape(m * c, r * s)})


@quick
@given(kernels)
def test_tiles_of_every_size(kernel: Kernel):
    m, c = kernel.shape[:2]
    counts = kernel.mask().sum(axis=(2, 3))
    filters, channels = np.arange(1, m + 1)[:, None], np.arange(1, c + 1)
    found = kernel.nonzeros_in_tile(filters, channels)
    assert found.shape == (m, c)
    assert found.dtype == np.int64
    assert found.tolist() == [[fullest_tile(counts, i, j) for j in range(1, c + 1)] for i in range(1, m + 1)]
    assert found[-1, -1] == kernel.nonzeros


@quick
@given(st.data(), kernels)
def test_tiles_of_any_list_of_sizes(data, kernel: Kernel):
    """In any order, with repetitions, broadcast or not, scalars, none at all."""
    m, c = kernel.shape[:2]
    counts = kernel.mask().sum(axis=(2, 3))
    sizes = data.draw(st.lists(st.tuples(st.integers(1, m), st.integers(1, c)), max_size=6))
    filters = np.array([i for i, _ in sizes], dtype=np.int64)
    channels = np.array([j for _, j in sizes], dtype=np.int64)
    assert kernel.nonzeros_in_tile(filters, channels).tolist() == [fullest_tile(counts, *t) for t in sizes]
    assert int(kernel.nonzeros_in_tile(np.int64(m), np.int64(1))) == fullest_tile(counts, m, 1)


@st.composite
def grouped(draw):
    """A kernel of any kind, and a number of groups that divides its filters."""
    groups = draw(st.integers(1, 5))
    kernel = draw(kernels)
    m, c, r, s = kernel.shape
    shape = (m * groups, c, r, s)
    if isinstance(kernel, PeriodicKernel):
        return PeriodicKernel(shape, kernel.slots), groups
    if isinstance(kernel, MaskKernel):
        return MaskKernel(np.concatenate([np.roll(kernel.mask(), g, axis=1) for g in range(groups)])), groups
    return DenseKernel(shape), groups


@quick
@given(grouped())
def test_filters_per_row_of_any_groups(drawn):
    kernel, groups = drawn
    m = kernel.shape[0]
    rows = kernel.mask().reshape(groups, m // groups, -1).sum(axis=1)
    assert kernel.filters_per_row(groups) == tuple((n, k) for n, k in pairs(rows) if n)


@quick
@given(grouped())
def test_transpose_is_the_backward_pass(drawn):
    kernel, groups = drawn
    m, c, r, s = kernel.shape
    turned = kernel.transpose(groups)
    assert turned.shape == (groups * c, m // groups, r, s)
    mask, back = kernel.mask(), turned.mask()
    each = m // groups
    for g in range(groups):
        for f in range(each):
            for d in range(c):
                np.testing.assert_array_equal(back[g * c + d, f], mask[g * each + f, d, ::-1, ::-1])
    again = turned.transpose(groups)
    np.testing.assert_array_equal(again.mask(), mask)
    if groups == 1:
        assert again == kernel
        assert turned.nonzeros == kernel.nonzeros


@quick
@given(kernels)
def test_classes_share_their_rows(kernel: Kernel):
    m, c, r, s = kernel.shape
    mask = kernel.mask().reshape(m, c, r * s)
    rebuilt = np.zeros_like(mask)
    seen: list[int] = []
    rows = set()
    for found in kernel.classes():
        for array in (found.filters, found.channels, found.taps):
            assert array.dtype == np.int64
        assert found.filters.tolist() == sorted(found.filters.tolist())
        assert sorted(zip(found.channels, found.taps, strict=True)) == list(
            zip(found.channels, found.taps, strict=True)
        )
        rows.add((found.channels.tobytes(), found.taps.tobytes()))
        seen.extend(found.filters.tolist())
        rebuilt[found.filters[:, None], found.channels, found.taps] = True
    assert sorted(seen) == list(range(m))
    assert len(rows) == len(kernel.classes())
    assert [int(k.filters[0]) for k in kernel.classes()] == sorted(
        int(k.filters[0]) for k in kernel.classes()
    )
    np.testing.assert_array_equal(rebuilt, mask)


@quick
@given(kernels, st.sampled_from([np.int8, np.int32, np.float32, np.float64]))
def test_pack_and_unpack(kernel: Kernel, kind):
    weights = np.random.default_rng(0).integers(-9, 9, kernel.shape).astype(kind)
    packed = kernel.pack(weights)
    assert packed.shape == (kernel.nonzeros,)
    assert packed.dtype == kind
    m, c, r, s = kernel.shape
    mask = kernel.mask()
    in_order = [weights[i] for i in np.ndindex(m, c, r, s) if mask[i]]  # filter, channel, tap
    assert packed.tolist() == in_order
    np.testing.assert_array_equal(kernel.unpack(packed), np.where(mask, weights, 0))
    np.testing.assert_array_equal(kernel.pack(kernel.unpack(packed)), packed)


@quick
@given(periodic())
def test_periodic_and_its_mask_agree(drawn):
    """The kernel that knows its period says what the one that does not says."""
    kernel, _ = drawn
    other = MaskKernel(kernel.mask())
    assert other.nonzeros == kernel.nonzeros
    assert other.distinct_patterns == kernel.distinct_patterns
    assert other.weights_per_filter() == kernel.weights_per_filter()
    assert other.filters_per_row(1) == kernel.filters_per_row(1)
    for a, b in zip(other.classes(), kernel.classes(), strict=True):
        assert (a.filters.tolist(), a.channels.tolist(), a.taps.tolist()) == (
            b.filters.tolist(),
            b.channels.tolist(),
            b.taps.tolist(),
        )


def test_the_whole_layer_is_a_tile_at_real_sizes():
    """Sizes at which a product of two lengths would leave 32 bits."""
    kernel = PeriodicKernel((60_000, 50_000, 3, 3), ((0, 1, 2), (4,)))
    assert kernel.nonzeros == 2 * 60_000 * 50_000
    whole = kernel.nonzeros_in_tile(np.array([60_000, 59_999]), np.array([50_000, 49_999]))
    assert whole.tolist() == [kernel.nonzeros, 2 * 59_999 * 49_999 + 1]
    assert DenseKernel((60_000, 50_000, 3, 3)).nonzeros_in_tile(
        np.array([60_000]), np.array([50_000])
    ).tolist() == [27 * 10**9]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_mask_tiles_in_blocks(monkeypatch, kind):
    """Tensors of more than one block of the search, windows of more than 255 positions."""
    monkeypatch.setattr("energysim.kernels.mask._BLOCK", 64)
    rng = np.random.default_rng(5)
    window = (3, 3) if kind is np.uint8 else (17, 16)
    mask = rng.random((23, 19, *window)) < rng.random((23, 19, 1, 1))
    kernel = MaskKernel(mask)
    assert kernel._counts.dtype == kind
    sizes = [1, 2, 5, 11, 19]
    found = kernel.nonzeros_in_tile(np.array(sizes)[:, None], np.array(sizes))
    counts = mask.sum(axis=(2, 3))
    assert found.tolist() == [[fullest_tile(counts, i, j) for j in sizes] for i in sizes]


def test_mask_tiles_of_a_real_layer():
    """512 x 512 windows, all 45 x 45 tile sizes a search asks for; a few checked by convolution."""
    rng = np.random.default_rng(1)
    mask = rng.random((512, 512, 3, 3)) < 0.3
    sizes = np.unique(-(-512 // np.arange(1, 513)))
    assert len(sizes) == 45
    found = MaskKernel(mask).nonzeros_in_tile(sizes[:, None], sizes)
    counts = mask.sum(axis=(2, 3))
    for i, j in [(0, 0), (3, 40), (44, 44), (44, 0), (20, 25)]:
        down = np.lib.stride_tricks.sliding_window_view(counts.cumsum(axis=0), 1, axis=0)[..., 0]
        down = np.vstack([np.zeros((1, 512), int), down])
        tall = down[sizes[i] :] - down[: -sizes[i]]
        across = np.hstack([np.zeros((len(tall), 1), int), tall.cumsum(axis=1)])
        assert found[i, j] == (across[:, sizes[j] :] - across[:, : -sizes[j]]).max()
    assert (np.diff(found, axis=0) > 0).all()
    assert (np.diff(found, axis=1) > 0).all()
