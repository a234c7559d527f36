"""Operators that move data, index by index."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from energysim.graph import (
    ChannelShuffle,
    Concat,
    Conv2d,
    Flatten,
    LearnedToken,
    Node,
    Operator,
    Permute,
    Reshape,
    SpatialShift,
    Split,
    Upsample,
)
from energysim.inference.reference import Array, run_operator

X = np.arange(2 * 6 * 3 * 4, dtype=np.float64).reshape(2, 6, 3, 4)


def run(op: Operator, *inputs: Array, **parameters: Array) -> tuple[Array, ...]:
    found = run_operator(Node("node", op, ("x",), ("y",)), inputs, parameters)
    assert tuple(a.shape for a in found) == op.infer(tuple(a.shape for a in inputs))
    return found


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_split_and_concat_are_inverse(axis: int) -> None:
    size = X.shape[axis]
    parts = run(Split((1, size - 2, 1), axis), X)
    assert len(parts) == 3
    assert np.array_equal(run(Concat(axis), *parts)[0], X)
    assert np.array_equal(parts[1], X.take(range(1, size - 1), axis))


def test_shapes() -> None:
    assert np.array_equal(run(Flatten(), X)[0], X.reshape(2, 72))
    assert np.array_equal(run(Flatten(2), X)[0], X.reshape(2, 6, 12))
    assert np.array_equal(run(Reshape((4, -1)), X)[0], X.reshape(2, 4, 18))
    (turned,) = run(Permute((0, 2, 3, 1)), X)
    assert turned[1, 2, 3, 5] == X[1, 5, 2, 3]
    assert np.array_equal(run(Flatten(), turned)[0][0], X[0].transpose(1, 2, 0).ravel())


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_channel_shuffle(groups: int) -> None:
    (found,) = run(ChannelShuffle(groups), X)
    each = 6 // groups
    for c in range(6):
        assert np.array_equal(found[:, c % each * groups + c // each], X[:, c])


@pytest.mark.parametrize("window", [(1, 2), (3, 2), (1, 1), (2, 3), (5, 1)])
def test_a_spatial_shift_is_a_depthwise_convolution_with_one_weight(window: tuple[int, int]) -> None:
    taps = window[0] * window[1]
    x = np.random.default_rng(0).normal(size=(2, 3 * taps + 1, 4, 5))
    channels = x.shape[1]
    weight = np.zeros((channels, 1, *window))
    for tap in range(taps):
        weight[3 * tap : 3 * tap + 3, 0, tap // window[1], tap % window[1]] = 1
    weight[-1, 0, window[0] // 2, window[1] // 2] = 1  # left over: stays
    (r, s), rows, cols = window, window[0] // 2, window[1] // 2
    conv = Conv2d(
        channels, window, padding=(rows, r - 1 - rows, cols, s - 1 - cols), groups=channels, bias=False
    )
    assert np.array_equal(run(SpatialShift(window), x)[0], run(conv, x, weight=weight)[0])


def test_a_shift_farther_than_the_image_leaves_zeros() -> None:
    (found,) = run(SpatialShift((1, 9)), np.ones((1, 9, 2, 3)))
    assert [int(found[0, c].sum()) for c in range(9)] == [0, 0, 2, 4, 6, 4, 2, 0, 0]


def test_nearest_upsampling() -> None:
    (found,) = run(Upsample((2, 3)), X)
    for n, c, i, j in np.ndindex(found.shape):
        assert found[n, c, i, j] == X[n, c, i // 2, j // 3]


def test_bilinear_upsampling_by_hand() -> None:
    """Centres of the outputs lie at -1/4, 1/4, 3/4, 5/4 of the two pixels; outside is the edge."""
    x = np.array([[[[0.0, 4.0]]]])
    (found,) = run(Upsample((1, 2), "bilinear"), x)
    assert found.ravel().tolist() == [0, 1, 3, 4]
    (both,) = run(Upsample((3, 2), "bilinear"), np.array([[[[0.0, 4.0], [12.0, 16.0]]]]))
    assert both[0, 0, :, 0] == pytest.approx([0, 0, 4, 8, 12, 12])
    assert both[0, 0, 2] == pytest.approx([4, 5, 7, 8])


def test_learned_token() -> None:
    x, token = np.zeros((3, 4, 2)), np.array([[5.0, 6.0]])
    (found,) = run(LearnedToken(), x, weight=token)
    assert (found[:, 0] == token).all()
    assert (found[:, 1:] == 0).all()


def test_integers_move_as_integers() -> None:
    x: Any = X.astype(np.int8)
    for op in (ChannelShuffle(2), SpatialShift((1, 3)), Upsample((2, 2)), Flatten(), Permute((0, 3, 1, 2))):
        assert run(op, x)[0].dtype == np.int8
