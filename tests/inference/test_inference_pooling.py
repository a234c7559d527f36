"""Pooling against one window at a time, and by hand."""

from __future__ import annotations

from typing import Any

import inference_loops as loops
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from energysim.errors import GraphError
from energysim.graph import AdaptivePool2d, Pool2d
from energysim.inference.reference.pooling import adaptive_pool2d, pool2d

PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))
PADS = st.tuples(*[st.integers(0, 2)] * 4)


@st.composite
def pools(draw: st.DrawFn) -> tuple[Pool2d, tuple[int, ...], int]:
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 2)), *draw(st.tuples(*[st.integers(1, 7)] * 2)))
    try:
        op = Pool2d(
            draw(st.sampled_from(["max", "average"])),
            draw(PAIR),
            draw(PAIR),
            draw(PADS),
            draw(PAIR),
            draw(st.booleans()),
            draw(st.booleans()),
        )
        op.infer((shape,))
    except GraphError:
        assume(False)
    return op, shape, draw(st.integers(0, 2**32))


@given(pools())
@settings(max_examples=120, deadline=None)
def test_pooling_equals_loops(case: Any) -> None:
    op, shape, seed = case
    x = np.random.default_rng(seed).integers(-9, 10, shape).astype(np.float64)
    (found,) = pool2d(op, (x,), {})
    assert np.allclose(found, loops.pool2d(op, x), rtol=1e-15, atol=0)


def test_average_at_the_border_by_hand() -> None:
    """Four ones: with padding counted a corner is 1/9 of a 3 x 3 window, else the mean of one pixel."""
    x = np.ones((1, 1, 2, 2))
    for include, expected in ((True, [[4 / 9, 2 / 9], [2 / 9, 1 / 9]]), (False, [[1, 1], [1, 1]])):
        op = Pool2d("average", (3, 3), (2, 2), (1, 2, 1, 2), count_include_pad=include)
        (found,) = pool2d(op, (x,), {})
        assert np.allclose(found[0, 0], expected)


def test_a_hanging_window_does_not_count_what_lies_beyond_the_padding() -> None:
    """PyTorch: ceil mode, 5 pixels, window 2, stride 2: the last window has one pixel."""
    x = np.arange(5.0).reshape(1, 1, 1, 5)
    (found,) = pool2d(Pool2d("average", (1, 2), (1, 2), ceil_mode=True), (x,), {})
    assert found[0, 0, 0].tolist() == [0.5, 2.5, 4.0]


def test_negative_maximum_beside_padding() -> None:
    x = np.full((1, 1, 2, 2), -3.0)
    (found,) = pool2d(Pool2d("max", (2, 2), (1, 1), (1, 1, 1, 1)), (x,), {})
    assert (found == -3).all()


def test_integers_keep_their_type() -> None:
    x = np.array([[[[-5, -128], [3, 7]]]], dtype=np.int8)
    (found,) = pool2d(Pool2d("max", (1, 2), (1, 2)), (x,), {})
    assert found.dtype == np.int8
    assert found.ravel().tolist() == [-5, 7]


@pytest.mark.parametrize("mode", ["max", "average"])
@pytest.mark.parametrize("output", [(1, 1), (2, 3), (5, 4), (7, 9)])
def test_adaptive_pooling(mode: Any, output: tuple[int, int]) -> None:
    x = np.random.default_rng(1).normal(size=(2, 3, 5, 4))
    (found,) = adaptive_pool2d(AdaptivePool2d(mode, output), (x,), {})
    assert found.shape == (2, 3, *output)
    for i in range(output[0]):
        for j in range(output[1]):
            rows = [r for r in range(5) if i * 5 // output[0] <= r < -(-(i + 1) * 5 // output[0])]
            cols = [c for c in range(4) if j * 4 // output[1] <= c < -(-(j + 1) * 4 // output[1])]
            part = x[:, :, rows][:, :, :, cols].reshape(2, 3, -1)
            wanted = part.max(axis=2) if mode == "max" else part.sum(axis=2) / part.shape[2]
            assert np.allclose(found[:, :, i, j], wanted)
