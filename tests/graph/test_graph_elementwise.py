"""Normalisation, activations, sums and products."""

from __future__ import annotations

from math import prod

import pytest

from energysim.errors import GraphError, ShapeError
from energysim.graph import (
    Activation,
    Add,
    BatchNorm,
    Dropout,
    GroupNorm,
    LayerNorm,
    LearnedAdd,
    LocalResponseNorm,
    Multiply,
    Operator,
    Softmax,
)
from energysim.graph.elementwise import ACTIVATIONS
from energysim.graph.shapes import Shape

MAP = (2, 6, 5, 7)


@pytest.mark.parametrize(
    ("op", "category", "per_element", "parameters"),
    [
        (Activation("relu"), "epilogue", 1, {}),
        (Dropout(), "epilogue", 0, {}),
        (BatchNorm(), "epilogue", 2, {"weight": (6,), "bias": (6,)}),
        (BatchNorm(affine=False), "epilogue", 2, {}),
        (LayerNorm(), "stream", 7, {"weight": (7,), "bias": (7,)}),
        (LayerNorm(affine=False), "stream", 7, {}),
        (GroupNorm(3), "stream", 7, {"weight": (6,), "bias": (6,)}),
        (GroupNorm(3, affine=False), "stream", 7, {}),
        (Softmax(), "stream", 5, {}),
        (LocalResponseNorm(5), "stream", 9, {}),
        (LearnedAdd(), "stream", 1, {"weight": (6, 5, 7)}),
    ],
)
def test_keeps_the_shape(op: Operator, category: str, per_element: int, parameters: dict[str, Shape]) -> None:
    assert op.infer((MAP,)) == (MAP,)
    assert op.category == category
    assert op.other_ops((MAP,), (MAP,)) == per_element * prod(MAP)
    assert op.parameters((MAP,)) == parameters


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_every_activation_takes_maps_sequences_and_vectors(function: str) -> None:
    for shape in ((2, 6), (2, 6, 5), MAP):
        assert Activation(function).infer((shape,)) == (shape,)


@pytest.mark.parametrize("op", [Add(), Multiply()])
@pytest.mark.parametrize(
    ("shapes", "result"),
    [
        ((MAP, MAP), MAP),
        ((MAP, MAP, MAP), MAP),
        ((MAP, (2, 6, 1, 1)), MAP),
        (((2, 6, 1, 1), MAP), MAP),
        (((2, 1, 5, 1), (2, 6, 1, 7)), MAP),
        (((2, 6), (2, 6)), (2, 6)),
    ],
)
def test_broadcast(op: Operator, shapes: tuple[Shape, ...], result: Shape) -> None:
    assert op.infer(shapes) == (result,)
    assert op.other_ops(shapes, (result,)) == (len(shapes) - 1) * prod(result)


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (Add(), (MAP,), "addition takes at least two inputs, not 1"),
        (Add(), (MAP, (2, 6, 5, 6)), "addition of shapes 2x6x5x7 and 2x6x5x6"),
        (Multiply(), (MAP, (2, 6)), "multiplication of shapes 2x6x5x7 and 2x6"),
        (GroupNorm(4), (MAP,), "4 groups do not divide 6 channels"),
        (GroupNorm(0), (MAP,), "0 groups"),
        (BatchNorm(), ((2,),), "2 to 8 dimensions"),
        (Softmax(0), (MAP,), "softmax along axis 0"),
        (Softmax(-4), (MAP,), "softmax along axis -4"),
        (Softmax(4), (MAP,), "softmax along axis 4"),
        (LocalResponseNorm(), ((2, 6),), "4 dimensions"),
        (Dropout(), (MAP, MAP), "takes 1 input"),
        (Activation(), ((1,) * 9,), "1 to 8 dimensions"),
        (LearnedAdd(), ((1,),), "dimensions"),
    ],
)
def test_shapes_that_do_not_fit(op: Operator, shapes: tuple[Shape, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        op.infer(shapes)


def test_fields_are_checked() -> None:
    with pytest.raises(GraphError, match=r"an activation is one of relu, .*, not 'swish'"):
        Activation("swish")
    with pytest.raises(
        GraphError, match="channels of a local response norm must be an integer of at least 1, not 0"
    ):
        LocalResponseNorm(0)


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2, -3])
def test_softmax_axes(axis: int) -> None:
    assert Softmax(axis).infer((MAP,)) == (MAP,)
