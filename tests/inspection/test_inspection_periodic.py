"""Periodic supports are recovered from masks alone, whatever the patterns; random masks have none."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from energysim.inspection import Periodic, Rule, Support, find_blocks, find_groups, find_period
from energysim.inspection.evidence import arrangements, choices, hypergeometric_tail
from energysim.kernels import PeriodicKernel, random_support
from energysim.schemes.names import scheme_of
from energysim.schemes.psconv import PSConv

QUIET = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


def support(mask: np.ndarray) -> Support:
    m, c, r, s = mask.shape
    return Support((m, c, r, s), np.ascontiguousarray(mask, dtype=np.bool_).reshape(m, c, r * s))


def by_hand(shape, slots):
    """The mask of (f + c + 1) mod P, written out window by window."""
    mask = np.zeros(shape, dtype=np.bool_)
    for f in range(shape[0]):
        for c in range(shape[1]):
            for tap in slots[(f + c + 1) % len(slots)]:
                mask[f, c, tap // shape[3], tap % shape[3]] = True
    return mask


def rebuilt(found: Periodic, shape) -> np.ndarray:
    """The mask that a finding describes, from its rule and table."""
    slot = found.rule.slot(np.arange(shape[0])[:, None], np.arange(shape[1])[None, :])
    has = np.zeros((found.rule.slots, shape[2] * shape[3]), dtype=np.bool_)
    for number, taps in enumerate(found.slots):
        has[number, list(taps)] = True
    return has[slot].reshape(shape)


@st.composite
def pattern_sets(draw, longest=32):
    """Slots of any kind: random supports of mixed sizes, empty and dense ones, turned anyhow."""
    window = draw(st.sampled_from([(3, 3), (5, 5)]))
    taps = window[0] * window[1]
    period = draw(st.integers(2, longest))
    pattern = st.frozensets(st.integers(0, taps - 1), max_size=taps).map(lambda s: tuple(sorted(s)))
    slots = draw(st.lists(pattern, min_size=period, max_size=period))
    for number in draw(st.sets(st.integers(0, period - 1), max_size=2)):
        slots[number] = tuple(range(taps))
    turn = draw(st.integers(0, period - 1))
    return window, tuple(slots[turn:] + slots[:turn])


def telling(mask: np.ndarray) -> bool:
    """Whether the mask is more than noise: it has zeros, and more than one support among its windows."""
    return bool(mask.any()) and len(np.unique(mask.reshape(mask.shape[0] * mask.shape[1], -1), axis=0)) > 1


@QUIET
@given(pattern_sets(), st.integers(65, 90), st.integers(65, 90))
def test_any_pattern_set_is_recovered(patterns, m, c):
    window, slots = patterns
    mask = by_hand((m, c, *window), slots)
    found = find_period(support(mask))
    if not telling(mask):
        return  # dense, empty, or one pattern for all
    assert found is not None
    assert found.exact
    assert found.repeated
    assert found.kernel(mask.shape) == PeriodicKernel(mask.shape, slots)
    assert np.array_equal(rebuilt(found, mask.shape), mask)


@QUIET
@given(pattern_sets(), st.integers(500, 700))
def test_depthwise_layers(patterns, m):
    """With one channel a group, the slot follows from the filter alone."""
    window, slots = patterns
    mask = by_hand((m, 1, *window), slots)
    if telling(mask):
        found = find_period(support(mask))
        assert found is not None
        assert found.exact
        assert found.kernel(mask.shape) == PeriodicKernel(mask.shape, slots)


@QUIET
@given(pattern_sets(longest=8), st.integers(1, 4), st.integers(64, 96))
def test_grouped_layers(patterns, groups, each):
    """Filters are numbered over all groups: weight axis 0."""
    window, slots = patterns
    mask = by_hand((groups * each, 24, *window), slots)
    if telling(mask):
        found = find_period(support(mask))
        assert found is not None
        assert found.kernel(mask.shape) == PeriodicKernel(mask.shape, slots)


@QUIET
@given(
    st.integers(2, 9), st.integers(0, 8), st.integers(1, 8), st.integers(0, 2**32 - 1), st.integers(60, 80)
)
def test_other_assignments_that_are_periodic_in_both_axes(period, a, b, seed, size):
    """slot = (a f + b c) mod P with a table of random patterns is described exactly by what is found."""
    table = np.random.default_rng(seed).random((period, 9)) < 0.5
    f, c = np.arange(size)[:, None], np.arange(size - 7)
    mask = table[(a * f + b * c) % period].reshape(size, size - 7, 3, 3)
    found = find_period(support(mask))
    if not telling(mask):
        return
    assert found is not None
    assert found.exact
    assert found.period <= period
    assert np.array_equal(rebuilt(found, mask.shape), mask)


@QUIET
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_tables_of_their_own(high, wide, seed):
    """A table of high x wide random patterns, repeated along both axes."""
    table = np.random.default_rng(seed).random((high, wide, 9)) < 0.5
    mask = table[np.arange(61)[:, None] % high, np.arange(47) % wide].reshape(61, 47, 3, 3)
    if not telling(mask):
        return
    found = find_period(support(mask))
    assert found is not None
    assert found.exact
    assert found.period <= high * wide
    assert np.array_equal(rebuilt(found, mask.shape), mask)


def test_rules_in_words():
    f, c = np.arange(40)[:, None], np.arange(40)
    table = np.random.default_rng(1).random((12, 9)) < 0.5
    for slot, words in (
        ((f + c) % 8, "(f + c + 1) mod 8"),
        ((f - c) % 8, "(7 f + c) mod 8"),
        ((3 * f + c) % 8, "(3 f + c) mod 8"),
        ((f % 3) * 4 + c % 4, "(f mod 3, c mod 4)"),
        (0 * f + c % 5, "(c) mod 5"),
    ):
        found = find_period(support(table[slot].reshape(40, 40, 3, 3)))
        assert found is not None
        assert str(found.rule) == words


@pytest.mark.parametrize("name", ["PSD4_P8", "PSD2_P16", "PS4_P4", "PS2_P6", "PS1_P9", "PSD1_P16"])
@pytest.mark.parametrize("shape", [(64, 64, 3, 3), (20, 30, 3, 3), (50, 67, 5, 5)])
def test_named_schemes(name, shape):
    kss, period = int(name[-4 if name[-2] == "P" else -5]), int(name.split("P")[-1])
    dense = int(name.startswith("PSD"))
    kernel = PSConv(kss, period, dense, "all").kernel("", shape)
    found = find_period(support(kernel.mask()))
    assert found is not None
    assert found.exact
    assert (found.kss, found.period) == (kss, period)
    assert found.dense_slots == ((0,) if dense else ())
    windows = "" if shape[2:] == (3, 3) else ",windows=all"
    assert scheme_of(found.kernel(shape), found.repeated) == f"psconv:{name}{windows}"


def test_moved_slots_keep_their_name():
    kernel = PSConv(4, 8, 1).kernel("", (64, 64, 3, 3))
    moved = PeriodicKernel(kernel.shape, kernel.slots[3:] + kernel.slots[:3])
    found = find_period(support(moved.mask()))
    assert found is not None
    assert found.dense_slots == (5,)
    assert scheme_of(found.kernel(kernel.shape)) == "psconv:PSD4_P8, slots moved by 3"


def test_a_table_of_ones_own_has_no_name():
    slots = ((0, 4), (1, 5, 7), (2,), tuple(range(9)), (0, 8), (3, 5))
    kernel = PeriodicKernel((40, 40, 3, 3), slots)
    assert find_period(support(kernel.mask())).kernel(kernel.shape) == kernel
    assert scheme_of(kernel) is None


@QUIET
@given(pattern_sets(longest=8), st.integers(0, 5), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_exceptions_are_counted(patterns, outside, zeros, seed):
    """A few weights set where the table has none, and a few inside it that happen to be 0."""
    window, slots = patterns
    mask = by_hand((72, 65, *window), slots)
    if not telling(mask) or mask.mean() < 0.02:
        return
    rng = np.random.default_rng(seed)
    damaged = mask.copy().reshape(-1)
    added = rng.permutation(np.flatnonzero(~mask.reshape(-1)))[:outside]
    taken = rng.permutation(np.flatnonzero(mask.reshape(-1)))[:zeros]
    damaged[added], damaged[taken] = True, False
    found = find_period(support(damaged.reshape(mask.shape)))
    assert found is not None
    assert (found.outside, found.zeros) == (added.size, taken.size)
    assert found.kernel(mask.shape) == PeriodicKernel(mask.shape, slots)


@QUIET
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from([(1, 1), (3, 3), (5, 5), (1, 7)]),
    st.floats(0.001, 0.999),
    st.integers(0, 2**32 - 1),
)
@example(4, 4, (3, 3), 0.5, 0)
@example(64, 64, (3, 3), 0.999, 0)
def test_random_masks_have_no_structure(m, c, window, density, seed):
    mask = np.random.default_rng(seed).random((m, c, *window)) < density
    found = support(mask)
    assert find_period(found) is None
    assert find_groups(found) is None
    assert find_blocks(found) is None


@QUIET
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_random_supports_of_one_size_have_no_period(m, c, kept, seed):
    """psc: as many positions in every window, at random."""
    found = support(random_support((m, c, 3, 3), kept, seed, 1).mask())
    assert find_period(found) is None
    assert find_groups(found) is None
    assert find_blocks(found) is None


@QUIET
@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.integers(8, 40))
def test_random_supports_of_few_patterns_have_no_period(seed, patterns, size):
    """Windows drawn from a handful of patterns: the order is what has no structure."""
    rng = np.random.default_rng(seed)
    table = rng.random((patterns, 9)) < 0.5
    mask = table[rng.integers(0, patterns, (size, size))].reshape(size, size, 3, 3)
    found = find_period(support(mask))
    assert found is None or found.period == 1  # where all patterns drawn are equal


def test_small_tensors_are_not_periodic_by_chance():
    """Every mask of 2 x 2 windows repeats by some rule; the table is as large as the mask."""
    kernel = PSConv(4, 8, 1).kernel("", (2, 2, 3, 3))
    assert find_period(support(kernel.mask())) is None


def test_one_pattern_for_all_windows_is_period_one():
    mask = np.zeros((16, 16, 3, 3), dtype=np.bool_)
    mask[:, :, 1, :] = True
    found = find_period(support(mask))
    assert found is not None
    assert found.slots == ((3, 4, 5),)
    assert found.kss == 3


def test_a_period_the_tensor_cuts_off_says_so():
    """8 x 24 windows have 31 diagonals: a period of 16 does not come back whole."""
    kernel = PSConv(1, 16, 1).kernel("", (8, 24, 3, 3))
    found = find_period(support(kernel.mask()))
    assert found is not None
    assert found.period == 16
    assert not found.repeated
    assert scheme_of(found.kernel(kernel.shape), found.repeated) == "psconv:PSD1_P16"


def test_rule_counts_slots_of_psconv_from_one():
    rule = Rule(8)
    assert int(rule.slot(np.array(0), np.array(0))) == 1
    assert int(rule.slot(np.array(3), np.array(4))) == 0


def test_bits_of_choices_by_hand():
    """log2 of binomial and multinomial coefficients, and the hypergeometric tail, from their factorials."""
    assert choices(10, 3) == pytest.approx(math.log2(120))
    assert choices(5, 0) == choices(5, 5) == 0
    assert arrangements([2, 1, 1]) == pytest.approx(math.log2(12))  # 4! / 2!
    # 4 of 10 positions are set; 3 drawn: at least 2 of them are set in (6 * 6 + 4 * 1) of 120 draws.
    assert hypergeometric_tail(10, 4, 3, 1) == pytest.approx(float(Fraction(6 * 6 + 4, 120)))


def test_claims_on_random_masks_are_as_rare_as_promised():
    """Over thousands of small masks, where chance has its best chance, nothing is claimed."""
    rng = np.random.default_rng(5)
    for _ in range(2000):
        m, c = rng.integers(1, 9, 2)
        mask = rng.random((m, c, 3, 3)) < rng.random()
        assert find_period(support(mask)) is None
