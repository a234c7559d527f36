"""Kernels are values: what they accept, and equality, hashing, copying and pickling by content."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energysim.errors import SchemeError, ShapeError
from energysim.formats import layout_of
from energysim.kernels import DenseKernel, MaskKernel, PeriodicKernel, random_support

ROOT = Path(__file__).parents[2]
MASK = np.random.default_rng(0).random((6, 5, 3, 2)) < 0.5
SLOTS = ((0, 1), (2, 5), (), (3,))
KERNELS = [DenseKernel((6, 5, 3, 2)), PeriodicKernel((6, 5, 3, 2), SLOTS), MaskKernel(MASK)]
by_kind = pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: type(k).__name__)


def used(kernel):
    """The same kernel after everything that is kept once computed has been asked for."""
    kernel.nonzeros_in_tile(np.array([2]), np.array([3]))
    assert kernel.nonzeros > 0
    assert kernel.distinct_patterns > 0
    hash(kernel)
    return kernel


@by_kind
@pytest.mark.parametrize("way", [lambda k: pickle.loads(pickle.dumps(k)), copy.copy, copy.deepcopy])
def test_copies_are_equal_and_work(kernel, way):
    for original in (kernel, used(kernel)):
        twin = way(original)
        assert twin == original
        assert hash(twin) == hash(original)
        assert repr(twin) == repr(original)
        assert twin.nonzeros == original.nonzeros
        assert twin.period == original.period
        np.testing.assert_array_equal(twin.mask(), original.mask())


@by_kind
def test_what_is_computed_is_not_pickled(kernel):
    fresh = pickle.loads(pickle.dumps(kernel))
    size = len(pickle.dumps(fresh))
    assert len(pickle.dumps(used(fresh))) == size


def test_different_kinds_and_contents_differ():
    assert len({*KERNELS, *(pickle.loads(pickle.dumps(k)) for k in KERNELS)}) == 3
    other = MASK.copy()
    other[0, 0, 0, 0] ^= True
    assert MaskKernel(other) != MaskKernel(MASK)
    assert MaskKernel(np.ones((2, 3, 1, 1), bool)) != MaskKernel(np.ones((3, 2, 1, 1), bool))
    assert PeriodicKernel((6, 5, 3, 2), SLOTS) != PeriodicKernel((5, 6, 3, 2), SLOTS)
    assert all(kernel != "a kernel" for kernel in KERNELS)


def test_a_mask_is_not_shared():
    mask = MASK.copy()
    kernel = MaskKernel(mask)
    mask[:] = False
    assert kernel == MaskKernel(MASK)
    kernel.mask()[:] = False
    assert kernel.nonzeros == MASK.sum()


def test_a_mask_may_lie_in_memory_in_any_order():
    assert MaskKernel(np.asfortranarray(MASK)) == MaskKernel(MASK)
    assert MaskKernel(MASK[::-1, ::-1]) == MaskKernel(MASK[::-1, ::-1].copy())


def test_lists_and_numpy_integers_become_plain():
    kernel = PeriodicKernel([np.int64(6), 5, 3, 2], [list(slot) for slot in SLOTS])
    assert kernel == KERNELS[1]
    assert {type(n) for n in kernel.shape} == {int}
    assert hash(kernel) == hash(KERNELS[1])


def test_hashes_do_not_depend_on_the_hash_seed():
    code = (
        "import numpy as np; from energysim.kernels import *;"
        "k = [DenseKernel((6, 5, 3, 2)), PeriodicKernel((6, 5, 3, 2), ((0, 1), (2, 5), (), (3,))),"
        "random_support((4, 4, 3, 3), 4, 0, 1)]; print([hash(x) for x in k])"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "random")
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    "shape", [(), (1, 2, 3), (1, 2, 3, 4, 5), (0, 1, 1, 1), (1, 1, -1, 1), (1, 1, 1.5, 1), (1, 1, "3", 3)]
)
def test_shapes_that_are_none(shape):
    for make in (DenseKernel, lambda s: PeriodicKernel(s, ((0,),)), lambda s: random_support(s, 1, 0, 0)):
        with pytest.raises(ShapeError, match="four positive lengths"):
            make(shape)


def test_masks_that_are_none():
    with pytest.raises(ShapeError, match="booleans, not float64"):
        MaskKernel(np.ones((1, 1, 1, 1)))
    with pytest.raises(ShapeError, match="four positive lengths"):
        MaskKernel(np.ones((3, 3), bool))
    with pytest.raises(ShapeError, match="four positive lengths"):
        MaskKernel(np.ones((0, 3, 1, 1), bool))


@pytest.mark.parametrize(
    ("slots", "message"),
    [
        ((), "at least one slot"),
        (((0,), (9,)), r"slot 1 keeps positions \[9\], a 3x3 window has 0 to 8"),
        (((-1,),), "slot 0 keeps positions"),
        (((0, 0),), r"slot 0 must list its positions once, ascending: \[0, 0\]"),
        (((1, 0),), "once, ascending"),
    ],
)
def test_slots_that_are_none(slots, message):
    with pytest.raises(SchemeError, match=message):
        PeriodicKernel((4, 4, 3, 3), slots)


@by_kind
def test_arrays_of_other_shapes(kernel):
    with pytest.raises(ShapeError, match=r"weights of shape \(5, 6, 3, 2\) for a kernel of \(6, 5, 3, 2\)"):
        kernel.pack(np.zeros((5, 6, 3, 2)))
    with pytest.raises(ShapeError, match="values of shape"):
        kernel.unpack(np.zeros(kernel.nonzeros + 1))
    with pytest.raises(ShapeError):
        kernel.unpack(np.zeros((kernel.nonzeros, 1)))


@pytest.mark.parametrize(
    ("slots", "shape", "period"),
    [
        ([(0,), (1,)] * 3, (8, 8, 3, 3), 2),
        ([(0,), (0,), (0,)], (8, 8, 3, 3), 1),
        ([(0,), (1,), (0,)], (8, 8, 3, 3), 3),
        ([(n,) for n in range(9)], (5, 5, 3, 3), 9),  # 9 diagonals: each slot once
        ([(n,) for n in range(9)], (5, 4, 3, 3), 8),  # 8 diagonals: slot 0 is out of reach
        ([(n,) for n in range(9)], (1, 1, 3, 3), 1),
        ([(0,), (1,), (2,), (1,), (2,), (0,)], (2, 3, 3, 3), 2),  # slots 1 to 4: 1 2 1 2
    ],
)
def test_the_shortest_period_is_kept(slots, shape, period):
    assert PeriodicKernel(shape, tuple(slots)).period == period


slots_of_few = st.lists(st.sampled_from([(0,), (1,), (2, 3)]), min_size=1, max_size=10).map(tuple)


@settings(deadline=None, max_examples=300)
@given(st.integers(1, 9), st.integers(1, 9), slots_of_few, slots_of_few)
def test_equal_supports_are_equal_kernels(m, c, slots, others):
    """And what is costed (period, patterns) is what the bytes of the mask have."""
    kernel, other = (PeriodicKernel((m, c, 2, 2), given) for given in (slots, others))
    assert (kernel == other) == np.array_equal(kernel.mask(), other.mask())
    layout = layout_of(kernel.mask())
    assert (layout.period, layout.distinct_patterns) == (kernel.period, kernel.distinct_patterns)
    assert kernel == PeriodicKernel((m, c, 2, 2), slots * 3)
    assert kernel.transpose().transpose() == kernel


def test_periods():
    assert DenseKernel((2, 2, 1, 1)).period == 1
    assert MaskKernel(MASK).period is None
    assert PeriodicKernel((6, 5, 3, 2), SLOTS).period == 4


def test_grouped_transpose_keeps_the_period_where_it_can():
    in_step = PeriodicKernel((12, 6, 3, 3), ((0,), (1,)))  # M' = 6 in each of 2 groups, C' = 6
    assert in_step.transpose(2).period == 2
    out_of_step = PeriodicKernel((10, 4, 3, 3), ((0,), (1,)))  # M' = 5
    assert isinstance(out_of_step.transpose(2), MaskKernel)
