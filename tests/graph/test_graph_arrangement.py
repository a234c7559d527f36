"""Operators that move or re-address data."""

from __future__ import annotations

from math import prod

import pytest

from energysim.errors import GraphError, ShapeError
from energysim.graph import (
    ChannelShuffle,
    Concat,
    Flatten,
    LearnedToken,
    Operator,
    Permute,
    Reshape,
    SpatialShift,
    Split,
    Upsample,
)
from energysim.graph.shapes import Shape

MAP = (2, 6, 5, 7)


@pytest.mark.parametrize(
    ("op", "shapes", "outputs"),
    [
        (Concat(), (MAP, (2, 3, 5, 7)), ((2, 9, 5, 7),)),
        (Concat(), (MAP,), (MAP,)),
        (Concat(2), (MAP, MAP, MAP), ((2, 6, 15, 7),)),
        (Concat(-1), (MAP, (2, 6, 5, 1)), ((2, 6, 5, 8),)),
        (Split((2, 4)), (MAP,), ((2, 2, 5, 7), (2, 4, 5, 7))),
        (Split((1, 5, 1), axis=-1), (MAP,), ((2, 6, 5, 1), (2, 6, 5, 5), (2, 6, 5, 1))),
        (Flatten(), (MAP,), ((2, 210),)),
        (Flatten(2), (MAP,), ((2, 6, 35),)),
        (Flatten(-1), (MAP,), (MAP,)),
        (Reshape((6, 35)), (MAP,), ((2, 6, 35),)),
        (Reshape((6, -1)), (MAP,), ((2, 6, 35),)),
        (Reshape((-1,)), (MAP,), ((2, 210),)),
        (Permute((0, 2, 3, 1)), (MAP,), ((2, 5, 7, 6),)),
        (ChannelShuffle(3), (MAP,), (MAP,)),
        (SpatialShift((3, 1)), (MAP,), (MAP,)),
        (Upsample((2, 3)), (MAP,), ((2, 6, 10, 21),)),
        (LearnedToken(), ((2, 196, 768),), ((2, 197, 768),)),
    ],
)
def test_shapes(op: Operator, shapes: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> None:
    assert op.infer(shapes) == outputs
    if op.category == "view":
        assert sum(map(prod, shapes)) == sum(map(prod, outputs))
        assert op.other_ops(shapes, outputs) == 0


def test_costs() -> None:
    assert LearnedToken().parameters(((2, 196, 768),)) == {"weight": (1, 768)}
    assert Upsample((2, 2)).other_ops((MAP,), ((2, 6, 10, 14),)) == 0
    assert Upsample((2, 2), "bilinear").other_ops((MAP,), ((2, 6, 10, 14),)) == 4 * 2 * 6 * 140


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (Concat(), (), "at least one input"),
        (Concat(), (MAP, (2, 6, 5, 6)), "concatenation of 2x6x5x7 and 2x6x5x6 along axis 1"),
        (Concat(), (MAP, (2, 6)), "concatenation of"),
        (Concat(0), (MAP, MAP), "the batch axis is not allowed"),
        (Concat(-4), (MAP, MAP), "the batch axis is not allowed"),
        (Concat(4), (MAP, MAP), "axis 4"),
        (Split((2, 3)), (MAP,), "parts of 2, 3 do not make up axis 1 of 2x6x5x7"),
        (Split((6, 0)), (MAP,), "parts of 6, 0"),
        (Split(()), (MAP,), "do not make up"),
        (Split((6,)), (MAP, MAP), "split takes 1 input, not 2"),
        (Split((1, 1), axis=0), (MAP,), "batch axis"),
        (Flatten(0), (MAP,), "batch axis"),
        (Flatten(), (MAP, MAP), "flatten takes 1 input"),
        (Reshape((6, 36)), (MAP,), "2x6x5x7 cannot be reshaped to Nx6x36"),
        (Reshape((4, -1)), (MAP,), "cannot be reshaped"),
        (Reshape((6, 5)), (MAP,), "cannot be reshaped"),
        (Reshape((210,)), (), "reshape takes 1 input"),
        (Permute((1, 0, 2, 3)), (MAP,), "with the batch first"),
        (Permute((0, 1, 2)), (MAP,), "does not permute"),
        (Permute(()), (MAP,), "does not permute"),
        (Permute((0, 1, 1, 2)), (MAP,), "does not permute"),
        (Permute((0,)), (), "permute takes 1 input"),
        (ChannelShuffle(4), (MAP,), "4 groups do not divide 6 channels"),
        (ChannelShuffle(0), (MAP,), "0 groups"),
        (LearnedToken(), (MAP,), "3 dimensions"),
        (Upsample((2, 2)), ((2, 6),), "4 dimensions"),
        (SpatialShift(), ((2, 6),), "4 dimensions"),
    ],
)
def test_shapes_that_do_not_fit(op: Operator, shapes: tuple[Shape, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        op.infer(shapes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Reshape((-1, -1)), "at most one -1"),
        (lambda: Reshape((0, 3)), "positive lengths"),
        (lambda: Upsample((2, 0)), "factor"),
        (lambda: Upsample((2, 2), "cubic"), "nearest or bilinear, not 'cubic'"),
        (lambda: SpatialShift((0, 3)), "window"),
    ],
)
def test_fields_are_checked(make: object, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        make()  # type: ignore[operator]
