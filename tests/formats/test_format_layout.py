"""Layouts: periods, patterns, counts, from masks and in closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energysim.errors import FormatError
from energysim.formats import WeightLayout, kernels_per_slot, layout_of
from energysim.formats.slots import group_kernels, kernel_shape, kernel_slots, smallest_period


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((), (1, 1, 1)),
        ((5,), (5, 1, 1)),
        ((5, 4), (5, 4, 1)),
        ((5, 4, 3), (5, 4, 3)),
        ((5, 4, 1, 7), (5, 4, 7)),
        ((5, 4, 3, 3, 3), (5, 4, 27)),
    ],
)
def test_kernel_shape(shape, expected):
    assert kernel_shape(shape) == expected
    layout = WeightLayout(shape, 0)
    assert layout.elements == layout.kernels * layout.positions == np.prod(expected)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 40))
def test_kernels_per_slot_counts_the_slots(rows, columns, period):
    counted = np.bincount(kernel_slots(rows, columns, period).reshape(-1), minlength=period)
    assert kernels_per_slot(rows, columns, period).tolist() == counted.tolist()


@given(st.integers(1, 9), st.integers(1, 9), st.lists(st.integers(0, 2), min_size=1, max_size=8))
def test_smallest_period_is_the_smallest(rows, columns, slots):
    ids = np.array(slots)[kernel_slots(rows, columns, len(slots))]

    def fits(period):
        table = {}
        pairs = zip(kernel_slots(rows, columns, period).flat, ids.flat, strict=True)
        return all(table.setdefault(slot, value) == value for slot, value in pairs)

    assert smallest_period(ids) == next(p for p in range(1, 100) if fits(p))


@given(st.integers(2, 6), st.integers(2, 6), st.data())
def test_unequal_anti_diagonal_has_no_period(rows, columns, data):
    ids = np.zeros((rows, columns), dtype=np.int64)
    f, c = data.draw(st.integers(1, rows - 1)), data.draw(st.integers(0, columns - 2))
    ids[f, c] = 1
    assert smallest_period(ids) is None


@pytest.mark.parametrize("positions", [(3, 3), (8, 8), (5, 13), (1, 7), ()])
def test_patterns_rebuild_the_mask(positions):
    mask = np.random.default_rng(5).random((7, 5, *positions)) < 0.3
    mask[3:] = mask[:1]
    patterns, ids = group_kernels(mask)
    assert len({pattern.tobytes() for pattern in patterns}) == len(patterns)
    np.testing.assert_array_equal(patterns[ids].reshape(mask.shape), mask)


def test_layout_of_random_all_zero_and_dense_masks():
    random = np.zeros((2, 2, 1, 3), dtype=bool)
    random[0, 1, 0, 0] = random[1, 1, 0, 2] = True
    assert layout_of(random) == WeightLayout((2, 2, 1, 3), 2, None, 3, None)
    for value, count in ((False, 0), (True, 3)):
        full = np.full((2, 2, 1, 3), value)
        assert layout_of(full) == WeightLayout((2, 2, 1, 3), 4 * count, 1, 1, count)
    assert layout_of(np.zeros((0, 4, 3, 3), dtype=bool)) == WeightLayout((0, 4, 3, 3), 0, 1, 0, 0)


def test_a_long_vector_takes_linear_time():
    assert layout_of(np.arange(200_000) % 3 == 0).period == 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shape": (2, -1), "nonzeros": 0}, "negative"),
        ({"shape": (2, 2), "nonzeros": 5}, "5 nonzeros in a tensor of 4"),
        ({"shape": (2, 2), "nonzeros": -1}, "-1 nonzeros"),
        ({"shape": (2, 2), "nonzeros": 2, "period": 0}, "period 0"),
        ({"shape": (2, 2), "nonzeros": 2, "distinct_patterns": 0}, "0 distinct patterns"),
        ({"shape": (2, 2), "nonzeros": 2, "uniform_count": 1}, "4 kernels of 1 nonzeros"),
    ],
)
def test_contradictions(fields, message):
    with pytest.raises(FormatError, match=message):
        WeightLayout(**fields)
