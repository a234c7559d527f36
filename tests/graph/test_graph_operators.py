"""Operators that multiply: shapes and parameters in closed form."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energysim.errors import GraphError, ShapeError
from energysim.graph import Conv2d, ConvTranspose2d, Linear, MatMul, Operator
from energysim.graph.shapes import Shape
from energysim.kernels import DenseKernel


@pytest.mark.parametrize(
    ("op", "input", "output", "weight"),
    [
        (Conv2d(16, (3, 3)), (2, 8, 10, 12), (2, 16, 8, 10), (16, 8, 3, 3)),
        (Conv2d(16, (1, 5)), (2, 8, 10, 12), (2, 16, 10, 8), (16, 8, 1, 5)),
        (Conv2d(16, (5, 1)), (2, 8, 10, 12), (2, 16, 6, 12), (16, 8, 5, 1)),
        (Conv2d(4, (3, 3), stride=(2, 3)), (1, 1, 11, 12), (1, 4, 5, 4), (4, 1, 3, 3)),
        (Conv2d(4, (3, 3), padding=(1, 0, 0, 2)), (1, 1, 6, 6), (1, 4, 5, 6), (4, 1, 3, 3)),
        (Conv2d(4, (3, 3), padding=(0, 2, 1, 0)), (1, 1, 6, 6), (1, 4, 6, 5), (4, 1, 3, 3)),
        (Conv2d(4, (3, 2), dilation=(2, 4)), (1, 1, 9, 9), (1, 4, 5, 5), (4, 1, 3, 2)),
        (Conv2d(12, (3, 3), groups=4), (1, 8, 5, 5), (1, 12, 3, 3), (12, 2, 3, 3)),
        (Conv2d(8, (3, 3), padding=(1, 1, 1, 1), groups=8), (1, 8, 5, 5), (1, 8, 5, 5), (8, 1, 3, 3)),
        (Conv2d(16, (4, 4)), (1, 3, 4, 4), (1, 16, 1, 1), (16, 3, 4, 4)),
        (ConvTranspose2d(6, (2, 2), (2, 2)), (1, 4, 5, 7), (1, 6, 10, 14), (6, 4, 2, 2)),
        (ConvTranspose2d(6, (3, 4), (2, 3), (1, 0, 0, 2)), (1, 4, 5, 7), (1, 6, 10, 20), (6, 4, 3, 4)),
        (
            ConvTranspose2d(6, (3, 3), (2, 2), (1, 1, 1, 1), output_padding=(1, 0)),
            (1, 4, 5, 5),
            (1, 6, 10, 9),
            (6, 4, 3, 3),
        ),
        (ConvTranspose2d(6, (3, 2), dilation=(3, 5)), (1, 4, 5, 5), (1, 6, 11, 10), (6, 4, 3, 2)),
        (ConvTranspose2d(6, (1, 1), groups=2), (1, 4, 5, 5), (1, 6, 5, 5), (6, 2, 1, 1)),
        (Linear(10), (4, 512), (4, 10), (10, 512)),
        (Linear(10), (4, 197, 768), (4, 197, 10), (10, 768)),
    ],
)
def test_shapes_and_parameters(op: Operator, input: Shape, output: Shape, weight: Shape) -> None:
    assert op.infer((input,)) == (output,)
    assert op.parameters((input,)) == {"weight": weight, "bias": weight[:1]}
    assert op.category == "mac"
    elements = 1
    for length in output:
        elements *= length
    assert op.other_ops((input,), (output,)) == elements  # the additions of the bias


def test_without_bias() -> None:
    shape, vector = (2, 8, 5, 5), (2, 8)
    for op, given_shape in (
        (Conv2d(4, (3, 3), bias=False), shape),
        (ConvTranspose2d(4, (3, 3), bias=False), shape),
        (Linear(4, bias=False), vector),
    ):
        assert set(op.parameters((given_shape,))) == {"weight"}
        assert op.other_ops((given_shape,), op.infer((given_shape,))) == 0


@pytest.mark.parametrize(
    ("left", "right", "output"),
    [
        ((1, 12, 197, 64), (1, 12, 64, 197), (1, 12, 197, 197)),
        ((2, 3, 5), (2, 5, 7), (2, 3, 7)),
    ],
)
def test_matmul(left: Shape, right: Shape, output: Shape) -> None:
    assert MatMul().infer((left, right)) == (output,)
    assert MatMul().parameters((left, right)) == {}


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3, 5),),
        ((2, 3, 5), (2, 4, 7)),
        ((2, 3, 5), (1, 5, 7)),
        ((3, 5), (5, 7)),
        ((1, 2, 3, 4), (2, 4, 3)),
    ],
)
def test_matmul_that_does_not_fit(shapes: tuple[Shape, ...]) -> None:
    with pytest.raises(ShapeError, match="matri"):
        MatMul().infer(shapes)


@pytest.mark.parametrize(
    ("op", "input", "message"),
    [
        (
            Conv2d(4, (3, 3)),
            (1, 8, 2, 9),
            r"window of 3 \(dilation 1\) does not fit 2 elements with padding 0 \+ 0",
        ),
        (Conv2d(4, (3, 3), dilation=(1, 5)), (1, 8, 9, 9), "dilation 5"),
        (Conv2d(4, (3, 3), groups=3), (1, 9, 9, 9), "3 groups do not divide 9 input and 4 output channels"),
        (Conv2d(6, (3, 3), groups=3), (1, 8, 9, 9), "3 groups do not divide 8 input"),
        (Conv2d(6, (3, 3)), (1, 8, 9), "a convolution needs an input of 4 dimensions, not 1x8x9"),
        (ConvTranspose2d(6, (1, 1), padding=(2, 1, 0, 0)), (1, 8, 3, 3), "crops the whole output"),
        (ConvTranspose2d(6, (1, 1), groups=5), (1, 8, 3, 3), "5 groups"),
        (ConvTranspose2d(6, (1, 1)), (8, 3), "4 dimensions"),
        (Linear(6), (1, 8, 3, 3), "2 or 3 dimensions"),
    ],
)
def test_shapes_that_do_not_fit(op: Operator, input: Shape, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        op.infer((input,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2d(0, (3, 3)), "out_channels"),
        (lambda: Conv2d(1, (3, 3), groups=0), "groups"),
        (lambda: Conv2d(1, (0, 3)), "window"),
        (lambda: Conv2d(1, 3), "window"),
        (lambda: Conv2d(1, (3, 3), stride=(1, 0)), "stride"),
        (lambda: Conv2d(1, (3, 3), dilation=(0, 1)), "dilation"),
        (lambda: Conv2d(1, (3, 3), padding=(1, 1)), "padding"),
        (lambda: Conv2d(1, (3, 3), padding=(1, 1, 1, -1)), "padding"),
        (lambda: ConvTranspose2d(1, (3, 3), stride=(0, 1)), "stride"),
        (lambda: ConvTranspose2d(1, (3, 3), (2, 2), output_padding=(2, 0)), "output_padding must be smaller"),
        (lambda: ConvTranspose2d(1, (3, 3), (2, 2), output_padding=(-1, 0)), "output_padding"),
        (lambda: ConvTranspose2d(0, (3, 3)), "out_channels"),
        (lambda: Linear(0), "out_features"),
    ],
)
def test_fields_are_checked(make: object, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        make()  # type: ignore[operator]


def test_kernel_must_have_the_shape_of_the_weights() -> None:
    op = Conv2d(4, (3, 3), kernel=DenseKernel((4, 8, 3, 3)))
    assert op.layout(((1, 8, 9, 9),)).shape == (4, 8, 3, 3)
    with pytest.raises(ShapeError, match="laid out for weights 4x8x3x3, the convolution has 4x16x3x3"):
        op.infer(((1, 16, 9, 9),))


def test_operators_are_values() -> None:
    assert Conv2d(4, (3, 3)) == Conv2d(4, (3, 3))
    assert hash(Conv2d(4, (3, 3))) == hash(Conv2d(4, (3, 3)))
    assert Conv2d(4, (3, 5)) != Conv2d(4, (5, 3))
    op = Conv2d(4, (3, 3), kernel=DenseKernel((4, 8, 3, 3)))
    assert pickle.loads(pickle.dumps(op)) == op


def test_an_operator_without_category_is_unknown() -> None:
    assert Operator().category == "unknown"
    assert Operator().kind == "Operator"
    assert Operator().parameters(()) == {}
    with pytest.raises(ShapeError, match="Operator does not say its output shape"):
        Operator().infer(((1, 2),))


AXIS = st.tuples(
    st.integers(1, 12),  # input
    st.integers(1, 4),  # window
    st.integers(1, 4),  # stride
    st.integers(0, 2),  # before
    st.integers(0, 2),  # after
    st.integers(1, 3),  # dilation
)


@given(AXIS, st.integers(0, 3))
@settings(deadline=None, max_examples=300)
def test_transposed_is_the_adjoint(axis: tuple[int, ...], extra: int) -> None:
    """Scatter every input through every tap; a convolution then leads back to the input's size."""
    size, window, stride, before, after, dilation = axis
    extra = min(extra, max(stride, dilation) - 1)
    reached = {i * stride + k * dilation for i in range(size) for k in range(window)}
    expected = max(reached) + 1 - before - after + extra
    op = ConvTranspose2d(1, (window, 1), (stride, 1), (before, after, 0, 0), (extra, 0), (dilation, 1))
    if expected < 1:
        with pytest.raises(ShapeError, match="crops"):
            op.infer(((1, 1, size, 1),))
        return
    assert op.infer(((1, 1, size, 1),)) == ((1, 1, expected, 1),)
    if extra < stride:
        back = Conv2d(1, (window, 1), (stride, 1), (before, after, 0, 0), (dilation, 1))
        assert back.infer(((1, 1, expected, 1),)) == ((1, 1, size, 1),)
