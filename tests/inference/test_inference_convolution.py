"""Convolutions and products: against seven plain loops, closed forms, linearity."""

from __future__ import annotations

from typing import Any

import inference_loops as loops
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from energysim.errors import ShapeError
from energysim.graph import Conv2d, ConvTranspose2d, Linear, MatMul
from energysim.inference.reference import convolution
from energysim.inference.reference.convolution import conv2d, conv_transpose2d, linear, matmul, reached

Array = np.ndarray[Any, Any]
PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))
PADS = st.tuples(*[st.integers(0, 3)] * 4)
GROUPS = st.sampled_from([1, 2, 3])


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Conv2d, tuple[int, int, int, int], int]:
    g = draw(GROUPS)
    op = Conv2d(
        g * draw(st.integers(1, 2)), draw(PAIR), draw(PAIR), draw(PADS), draw(PAIR), g, draw(st.booleans())
    )
    shape = (draw(st.integers(1, 2)), g * draw(st.integers(1, 2)), *draw(st.tuples(*[st.integers(1, 6)] * 2)))
    try:
        op.infer((shape,))
    except ShapeError:
        assume(False)
    return op, shape, draw(st.integers(0, 2**32))


@st.composite
def transposed(draw: st.DrawFn) -> tuple[ConvTranspose2d, tuple[int, int, int, int], int]:
    g, stride, dilation = draw(GROUPS), draw(PAIR), draw(PAIR)
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    op = ConvTranspose2d(
        g * draw(st.integers(1, 2)),
        draw(PAIR),
        stride,
        draw(PADS),
        (extra[0], extra[1]),
        dilation,
        g,
        draw(st.booleans()),
    )
    shape = (draw(st.integers(1, 2)), g * draw(st.integers(1, 2)), *draw(st.tuples(*[st.integers(1, 4)] * 2)))
    try:
        op.infer((shape,))
    except ShapeError:
        assume(False)
    return op, shape, draw(st.integers(0, 2**32))


def arrays(op: Any, shape: tuple[int, ...], seed: int) -> tuple[Array, dict[str, Array]]:
    """Small integers as floats, so that every order of summation gives the same."""
    random = np.random.default_rng(seed)
    parameters = {
        name: random.integers(-4, 5, size).astype(np.float64)
        for name, size in op.parameters((shape,)).items()
    }
    return random.integers(-4, 5, shape).astype(np.float64), parameters


@given(convolutions())
@settings(max_examples=150, deadline=None)
def test_convolution_equals_seven_loops(case: Any) -> None:
    op, shape, seed = case
    x, parameters = arrays(op, shape, seed)
    kept = x.copy()
    (found,) = conv2d(op, (x,), parameters)
    assert np.array_equal(found, loops.conv2d(op, x, parameters["weight"], parameters.get("bias")))
    assert np.array_equal(x, kept)


@given(transposed())
@settings(max_examples=100, deadline=None)
def test_transposed_convolution_equals_loops(case: Any) -> None:
    op, shape, seed = case
    x, parameters = arrays(op, shape, seed)
    (found,) = conv_transpose2d(op, (x,), parameters)
    assert np.array_equal(found, loops.conv_transpose2d(op, x, parameters["weight"], parameters.get("bias")))


@given(convolutions())
@settings(max_examples=50, deadline=None)
def test_convolution_is_linear(case: Any) -> None:
    op, shape, seed = case
    x, parameters = arrays(op, shape, seed)
    y, _ = arrays(op, shape, seed + 1)
    weight = {"weight": parameters["weight"]}
    (both,) = conv2d(op, (2 * x - 3 * y,), weight)
    assert np.array_equal(both, 2 * conv2d(op, (x,), weight)[0] - 3 * conv2d(op, (y,), weight)[0])


@given(convolutions())
@settings(max_examples=50, deadline=None)
def test_transposed_convolution_is_the_adjoint(case: Any) -> None:
    """<conv(x), y> == <x, conv_transposed(y)> with the filters and channels of the weight swapped."""
    op, (n, c, h, w), seed = case
    x, parameters = arrays(op, (n, c, h, w), seed)
    weight = parameters["weight"]
    (forward,) = conv2d(op, (x,), {"weight": weight})
    y = np.random.default_rng(seed + 1).integers(-4, 5, forward.shape).astype(np.float64)
    g, (m, each, r, s) = op.groups, weight.shape
    swapped = weight.reshape(g, m // g, each, r, s).transpose(0, 2, 1, 3, 4).reshape(g * each, m // g, r, s)
    full = [
        (size - 1) * st_ + d * (k - 1) + 1
        for size, st_, d, k in zip(forward.shape[2:], op.stride, op.dilation, op.window, strict=True)
    ]
    top, bottom, left, right = op.padding
    # Input rows that no window reaches are beyond the transposed output; they add nothing.
    x_wide = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))[:, :, : full[0], : full[1]]
    back_op = ConvTranspose2d(c, op.window, op.stride, (0, 0, 0, 0), (0, 0), op.dilation, g, bias=False)
    (back,) = conv_transpose2d(back_op, (y,), {"weight": swapped})
    assert (forward * y).sum() == (x_wide * back).sum()


@pytest.mark.parametrize("rows", [1, 2, 1000])
def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    op = Conv2d(4, (3, 2), (2, 1), (1, 2, 0, 1), (1, 2), 2)
    x, parameters = arrays(op, (2, 6, 11, 9), 1)
    (whole,) = conv2d(op, (x,), parameters)
    deconv = ConvTranspose2d(4, (3, 2), (2, 1), (1, 0, 0, 1), groups=2)
    (spread,) = conv_transpose2d(deconv, (x,), parameters)
    monkeypatch.setattr(convolution, "BLOCK_BYTES", rows * 10 * 9 * 8)
    assert np.array_equal(conv2d(op, (x,), parameters)[0], whole)
    assert np.array_equal(conv_transpose2d(deconv, (x,), parameters)[0], spread)


def test_a_single_one_moves_the_image() -> None:
    """A window with one 1 at row 0, column 2 shows what lies one up and one to the right."""
    weight = np.zeros((1, 1, 3, 3))
    weight[0, 0, 0, 2] = 1
    x = np.arange(12.0).reshape(1, 1, 3, 4)
    (found,) = conv2d(Conv2d(1, (3, 3), padding=(1, 1, 1, 1), bias=False), (x,), {"weight": weight})
    assert found[0, 0].tolist() == [[0, 0, 0, 0], [1, 2, 3, 0], [5, 6, 7, 0]]


@pytest.mark.parametrize(
    ("steps", "size", "stride", "offset"), [(5, 4, 1, -1), (3, 7, 2, 1), (2, 1, 3, -5), (4, 9, 2, 20)]
)
def test_reached_steps(steps: int, size: int, stride: int, offset: int) -> None:
    first, last = reached(steps, size, stride, offset)
    assert list(range(first, last)) == [i for i in range(steps) if 0 <= i * stride + offset < size]


@pytest.mark.parametrize("shape", [(3, 5), (2, 4, 5)])
def test_linear(shape: tuple[int, ...]) -> None:
    op = Linear(6)
    x, parameters = arrays(op, shape, 3)
    (found,) = linear(op, (x,), parameters)
    weight, bias = parameters["weight"], parameters["bias"]
    for at in np.ndindex(found.shape):
        assert found[at] == sum(x[at[:-1]] * weight[at[-1]]) + bias[at[-1]]
    (plain,) = linear(Linear(6, bias=False), (x,), {"weight": weight})
    assert np.array_equal(plain + bias, found)


def test_matmul() -> None:
    x, _ = arrays(MatMul(), (2, 3, 4, 5), 1)
    y, _ = arrays(MatMul(), (2, 3, 5, 2), 2)
    (found,) = matmul(MatMul(), (x, y), {})
    for n, h, p, m in np.ndindex(found.shape):
        assert found[n, h, p, m] == sum(x[n, h, p, c] * y[n, h, c, m] for c in range(5))
